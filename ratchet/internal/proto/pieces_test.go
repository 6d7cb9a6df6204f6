package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// pieces is a small space taken apart: what the formats are made of.
type pieces struct {
	policy   Policy
	root     suite.SigningKey // root owner key, also the owner's
	origin   Origin
	space    state.ID
	poly     dkg.Polynomial
	public   dkg.Commitment
	owners   OwnerList
	template Template
	members  []piecesMember // of indices 1, 2, 3; the first is the founder
	roster   Roster         // the founder
	common   RootContext
	notice   RootNotice
	id       EpochID // of the genesis
	key      secret.Bytes
}

type piecesMember struct {
	share   dkg.Share
	signing suite.SigningKey
	inbox   suite.KEMSecret
	ticket  suite.KEMSecret
	grant   Grant
	in      Introduction
}

const piecesDepth = dkg.DefaultDepth

func newPieces(t testing.TB, p Policy) (w pieces) {
	t.Helper()
	p, err := p.WithDefaults()
	require.NoError(t, err)
	w.policy = p
	w.root = suite.NewSigningKey(p.Scheme)
	w.origin = NewOrigin(w.root.Public)
	w.space = w.origin.Space()
	w.poly = dkg.NewPolynomial()
	w.public = w.poly.Commitment()
	w.owners, err = NewOwnerList(w.root, w.space, 1, w.root.Public)
	require.NoError(t, err)
	w.template = Template{Owners: w.owners, Policy: p, Public: w.public, Depth: piecesDepth,
		Config: suite.NewKEMSecret(p.KEM), Key: secret.Random(suite.KeySize)}
	w.key = secret.Random(suite.KeySize)

	founder := w.member(t, 1)
	w.roster = Roster{}.With(RosterEntry{1, founder.signing.Public, founder.inbox.Public.Digest()})
	w.common = RootContext{Space: w.space, Public: w.public, Depth: piecesDepth, Cursor: 2,
		Template: w.template.Digest(), Roster: w.roster.Digest()}
	w.id = w.common.ID()
	w.notice, err = NewRootNotice(w.root, w.owners, w.common, w.roster)
	require.NoError(t, err)
	w.members = []piecesMember{founder}
	for i := dkg.Index(2); i <= 3; i++ {
		m := w.member(t, i)
		m.grant, err = NewGrant(w.root, Grant{Origin: w.origin, Owners: w.owners, Root: w.id, Share: m.share,
			Depth: piecesDepth, Public: w.public, Policy: p, Config: w.template.Config.Public})
		require.NoError(t, err)
		m.in, err = NewIntroduction(w.space, Introduction{Root: w.id, Index: i, Inbox: m.inbox.Public.Bytes(),
			Ticket: m.ticket.Public.Digest(), App: []byte("Ada"), Time: 1_700_000_000_000}, m.grant.Admission, m.signing)
		require.NoError(t, err)
		w.members = append(w.members, m)
	}
	return w
}

func (w pieces) member(t testing.TB, i dkg.Index) (m piecesMember) {
	t.Helper()
	share, err := w.poly.Share(i)
	require.NoError(t, err)
	return piecesMember{share: share, signing: suite.NewSigningKey(w.policy.Scheme), inbox: suite.NewKEMSecret(w.policy.KEM),
		ticket: suite.NewKEMSecret(w.policy.KEM)}
}

// request returns the request of member k and its hash.
func (w pieces) request(t testing.TB, k int) (Request, suite.Digest) {
	t.Helper()
	m := w.members[k]
	q, err := NewIntroductionRequest(w.space, w.template.Config.Public, m.ticket.Public, m.in)
	require.NoError(t, err)
	return q, q.Hash()
}

// commit returns a commit of member k from the genesis and its secret.
func (w pieces) commit(t testing.TB, k int) (Commit, secret.Bytes) {
	t.Helper()
	c, ss, err := NewCommit(w.space, w.id, w.public, w.members[k].share)
	require.NoError(t, err)
	return c, ss
}

// TicketBody returns a ticket of the founder that knows members 2 and 3 and a commit of member 2.
func (w pieces) ticketBody(t testing.TB) TicketBody {
	t.Helper()
	c, _ := w.commit(t, 1)
	child := c.Child(w.space, w.id, 1)
	tree := pprf.NewCommitTree(w.key, piecesDepth)
	_, used, err := tree.Eval(2, child)
	require.NoError(t, err)
	return TicketBody{
		Issuer: 1, Notice: w.notice, Context: w.common, Template: w.template, Roster: w.roster,
		Revokes:       [][]byte{SignRevoke(w.space, RevokeStatement{w.id, []dkg.Index{9, 5}}, w.root).Encode()},
		Answered:      []Answered{{1, 1}, {2, 1 << 40}},
		Introductions: [][]byte{w.members[1].in.Encode(), w.members[2].in.Encode()},
		Epochs: []TicketEpoch{
			{ID: child, Parent: w.id, Generation: 1, Commit: c[:], CommitKey: w.key, Tree: tree},
			{ID: w.id, CommitKey: w.key, Tree: used},
		},
	}
}

// envelope returns message 0 of member 2 in the genesis, carrying a commit.
func (w pieces) envelope(t testing.TB, text string) (Envelope, Content, Header) {
	t.Helper()
	c, _ := w.commit(t, 1)
	key := suite.NewAEAD(w.key)
	h := Header{2, 0}
	e := NewEnvelope(h.Seal(key, w.space, w.id), []SealedCommit{c.Seal(key, w.space, w.id)})
	m := w.members[1]
	body := Content{
		Introduction: m.in.Encode(),
		KeyUpdate:    NewKeyUpdate(w.space, w.id, m.share, 1, m.inbox.Public).Encode(),
		Answers:      true,
		Answered:     7,
		Plaintext:    []byte(text),
	}.Sign(m.signing, w.space, w.id, h, e.Bound)
	e, err := e.Seal(w.space, w.id, w.key, body)
	require.NoError(t, err)
	return e, body, h
}

// second returns the error of a call with two results.
func second[T any](_ T, err error) error { return err }
