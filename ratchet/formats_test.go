package ratchet

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

// pieces is a small space taken apart: what the formats are made of.
type pieces struct {
	policy   Policy
	root     signingKey // root owner key, also the owner's
	origin   origin
	space    state.ID
	poly     dkg.Polynomial
	public   dkg.Commitment
	owners   ownerList
	template template
	members  []piecesMember // of indices 1, 2, 3; the first is the founder
	roster   roster         // the founder
	common   common
	notice   notice
	id       epochID // of the genesis
	key      secret.Bytes
}

type piecesMember struct {
	share   dkg.Share
	signing signingKey
	inbox   boxSecret
	ticket  boxSecret
	grant   Grant
	in      introduction
}

const piecesDepth = dkg.DefaultDepth

func newPieces(t testing.TB, p Policy) (w pieces) {
	t.Helper()
	p, err := p.withDefaults()
	require.NoError(t, err)
	w.policy = p
	w.root = newSigningKey(p.Scheme)
	w.origin = newOrigin(w.root.public)
	w.space = w.origin.space()
	w.poly = dkg.NewPolynomial()
	w.public = w.poly.Commitment()
	w.owners, err = newOwnerList(w.root, w.space, 1, w.root.public)
	require.NoError(t, err)
	w.template = template{owners: w.owners, policy: p, public: w.public, depth: piecesDepth,
		config: newBoxSecret(p.KEM), key: secret.Random(keySize)}
	w.key = secret.Random(keySize)

	founder := w.member(t, 1)
	w.roster = roster{}.with(rosterEntry{1, founder.signing.public, founder.inbox.public.digest()})
	w.common = common{space: w.space, public: w.public, depth: piecesDepth, cursor: 2,
		template: w.template.digest(), roster: w.roster.digest()}
	w.id = w.common.id()
	w.notice, err = newNotice(w.root, w.owners, w.common, w.roster)
	require.NoError(t, err)
	w.members = []piecesMember{founder}
	for i := dkg.Index(2); i <= 3; i++ {
		m := w.member(t, i)
		m.grant, err = newGrant(w.root, Grant{origin: w.origin, owners: w.owners, root: w.id, share: m.share,
			depth: piecesDepth, public: w.public, policy: p, config: w.template.config.public})
		require.NoError(t, err)
		m.in, err = newIntroduction(w.space, introduction{root: w.id, index: i, inbox: m.inbox.public.raw,
			ticket: m.ticket.public.digest(), app: []byte("Ada"), time: 1_700_000_000_000}, m.grant.admission, m.signing)
		require.NoError(t, err)
		w.members = append(w.members, m)
	}
	return w
}

func (w pieces) member(t testing.TB, i dkg.Index) (m piecesMember) {
	t.Helper()
	share, err := w.poly.Share(i)
	require.NoError(t, err)
	return piecesMember{share: share, signing: newSigningKey(w.policy.Scheme), inbox: newBoxSecret(w.policy.KEM),
		ticket: newBoxSecret(w.policy.KEM)}
}

// request returns the request of member k and its hash.
func (w pieces) request(t testing.TB, k int) (Request, digest) {
	t.Helper()
	m := w.members[k]
	q, err := newIntroductionRequest(w.space, w.template.config.public, m.ticket.public, m.in)
	require.NoError(t, err)
	return q, q.hash()
}

// commit returns a commit of member k from the genesis and its secret.
func (w pieces) commit(t testing.TB, k int) (commit, secret.Bytes) {
	t.Helper()
	c, ss, err := makeCommit(w.space, w.id, w.public, w.members[k].share)
	require.NoError(t, err)
	return c, ss
}

// ticketBody returns a ticket of the founder that knows members 2 and 3 and a commit of member 2.
func (w pieces) ticketBody(t testing.TB) ticketBody {
	t.Helper()
	c, _ := w.commit(t, 1)
	child := c.child(w.space, w.id, 1)
	tree := newCommitTree(w.key, piecesDepth)
	_, used, err := tree.eval(2, child)
	require.NoError(t, err)
	return ticketBody{
		issuer: 1, notice: w.notice, common: w.common, template: w.template, roster: w.roster,
		revokes:       [][]byte{newRevoke(w.space, revokeStatement{w.id, []dkg.Index{9, 5}}, w.root).encode()},
		answered:      []answered{{1, 1}, {2, 1 << 40}},
		introductions: [][]byte{w.members[1].in.encode(), w.members[2].in.encode()},
		epochs: []ticketEpoch{
			{id: child, parent: w.id, generation: 1, commit: c[:], commitKey: w.key, tree: tree},
			{id: w.id, commitKey: w.key, tree: used},
		},
	}
}

// envelope returns message 0 of member 2 in the genesis, carrying a commit.
func (w pieces) envelope(t testing.TB, text string) (Envelope, content, header) {
	t.Helper()
	c, _ := w.commit(t, 1)
	key := newSealer(w.key)
	h := header{2, 0}
	e := newEnvelope(h.seal(key, w.space, w.id), []sealedCommit{c.seal(key, w.space, w.id)})
	m := w.members[1]
	body := content{
		introduction: m.in.encode(),
		keyUpdate:    newKeyUpdate(w.space, w.id, m.share, 1, m.inbox.public).encode(),
		answers:      true,
		answered:     7,
		plaintext:    []byte(text),
	}.sign(m.signing, w.space, w.id, h, e.bound)
	e, err := e.seal(w.space, w.id, w.key, body)
	require.NoError(t, err)
	return e, body, h
}
