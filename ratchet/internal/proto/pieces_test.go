package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// pieces is a small space taken apart: what the formats are made of. The founder has index 1 and an Ed448 owner key beside
// another owner's of the suite's scheme; members 2 and 3 came by private invites, 21 by a run.
type pieces struct {
	suite    suite.Suite
	rootKey  suite.SigningKey // root owner key
	owner    suite.SigningKey // the founder's
	origin   Origin
	space    state.ID
	poly     dkg.Polynomial
	owners   OwnerList
	template Template
	founder  piecesMember
	joiners  []piecesMember
	roster   Roster
	notice   Notice
	id       EpochID // of the genesis
	place    Place
	keys     EpochKeys
}

type piecesMember struct {
	share   dkg.Share
	seed    secret.Bytes
	keys    InviteKeys
	signing suite.SigningKey
	inbox   suite.KEMSecret
	ticket  suite.KEMSecret
	binding Binding
	rest    Rest
	record  Record
}

const piecesDepth = dkg.DefaultDepth

// piecesTime is when everything happens, in milliseconds since 1970.
const piecesTime = 1_795_000_000_000

func newPieces(t testing.TB, s suite.Suite) (p pieces) {
	t.Helper()
	var err error
	p.suite = s
	p.rootKey = suite.NewSigningKey(suite.Ed448)
	p.owner = suite.NewSigningKey(s.Scheme())
	p.origin = NewOrigin(p.rootKey.Public)
	p.space = p.origin.Space()
	p.poly = dkg.NewPolynomial()
	p.owners, err = NewOwnerList(p.rootKey, p.origin, 3, 0, suite.NewSigningKey(suite.Ed448).Public, p.owner.Public)
	require.NoError(t, err)
	p.template = Template{Owners: p.owners, Policy: Policy{Suite: s, Padding: Padme, MembersMayInvite: true, RekeyInterval: 720},
		Public: p.poly.Commitment(), Depth: piecesDepth, K: secret.Random(suite.KeySize)}

	p.founder = p.member(t, 1)
	p.founder.binding = NewBinding(p.space, 1, p.founder.rest.Hash(), suite.SigningKey{}, p.founder.signing)
	p.roster = Roster{{1, p.founder.signing.Public, p.founder.binding.Hash()}}
	common := Common{Space: p.space, Public: p.poly.Commitment(), Depth: piecesDepth, Cursor: 2,
		Template: p.template.Hash(), Roster: p.roster.Digest(nil)}
	p.place = common.Place()
	p.keys = DeriveKeys(secret.Random(64), p.place)
	p.notice, err = Notice{Common: common, Check: p.keys.Check(p.place), Members: p.roster.Bitmap(), Owners: p.owners}.Sign(p.owner)
	require.NoError(t, err)
	p.id = p.notice.Root()
	for _, i := range []dkg.Index{2, 3, 21} {
		p.joiners = append(p.joiners, p.join(t, i))
	}
	return p
}

func (p pieces) member(t testing.TB, i dkg.Index) (m piecesMember) {
	t.Helper()
	share, err := p.poly.Share(i)
	require.NoError(t, err)
	m = piecesMember{share: share, signing: suite.NewSigningKey(p.suite.Scheme()), inbox: suite.NewKEMSecret(p.suite.KEM()),
		ticket: suite.NewKEMSecret(p.suite.KEM())}
	m.rest = Rest{Inbox: HashOfInbox(m.inbox.Public), Capabilities: Capabilities{Version, []uint16{1, 7}}, App: []byte("Ada"), Time: piecesTime}
	return m
}

// join returns a member that comes by an invite of its own: a private one, or, from index 21 on, a run.
func (p pieces) join(t testing.TB, i dkg.Index) piecesMember {
	t.Helper()
	m := p.member(t, i)
	m.seed = secret.Random(suite.KeySize)
	var err error
	m.keys, err = KeysOfInvite(m.seed, p.space, p.suite)
	require.NoError(t, err)
	m.binding = NewBinding(p.space, i, m.rest.Hash(), m.keys.Admission, m.signing)
	c := Certificate{Kind: dkg.Private, Root: p.id, Owner: p.place0(), First: i, Count: 1, Step: 1, Expires: piecesTime/3_600_000 + 24,
		Admission: m.keys.Admission.Public}
	mask := MaskOf(m.keys.M, p.space, p.poly.Commitment())
	v := mask.HideShare(m.share)
	if i >= 21 {
		c.Kind, c.First, c.Count, c.Step = dkg.Public, 11, 32, 2
		v = mask.HidePolynomial(p.poly)
	}
	m.record = NewRecord(p.owner, p.space, c.Sign(p.owner, p.space), m.keys.RequestKey, v)
	return m
}

// place0 is the founder's place in the owner list.
func (p pieces) place0() uint8 {
	place, _ := p.owners.PlaceOf(p.owner.Public)
	return place
}

func (m piecesMember) credential() Credential { return Credential{m.record.Certificate, m.binding} }

func (m piecesMember) introduction() Introduction {
	return Introduction{m.credential(), m.rest, m.inbox.Public}
}

// view is the genesis as checks see it.
func (p pieces) view() piecesView { return piecesView{p} }

type piecesView struct{ p pieces }

func (v piecesView) Space() state.ID                           { return v.p.space }
func (v piecesView) ID() EpochID                               { return v.p.id }
func (v piecesView) Suite() suite.Suite                        { return v.p.suite }
func (v piecesView) Depth() int                                { return piecesDepth }
func (v piecesView) Owner(place uint8) (suite.PublicKey, bool) { return v.p.owners.At(place) }
func (v piecesView) Public(i dkg.Index) (ed448.Point, error) {
	return v.p.poly.Commitment().PublicShare(i)
}
func (v piecesView) Listed(i dkg.Index) (suite.PublicKey, bool) {
	e, ok := v.p.roster.Find(i)
	return e.Signing, ok
}

// commit returns a commit of a member from the genesis, the keys of its child, and the tree of the genesis without it.
func (p pieces) commit(t testing.TB, m piecesMember) (Shown, EpochKeys, pprf.Frontier) {
	t.Helper()
	core, ss, err := NewCore(p.space, p.id, p.poly.Commitment(), m.share)
	require.NoError(t, err)
	place := core.Place(p.space, p.id, 1)
	seed, tree, err := pprf.New(p.keys.CommitRoot, piecesDepth+pprf.ChildBits).Eval(pprf.Path(core.Maker, piecesDepth, place[:pprf.ChildBits/8]))
	require.NoError(t, err)
	keys := DeriveKeys(EpochSecret(seed, ss), place)
	shown := Shown{Commit: core.Sign(m.signing, p.space, p.id, 1, keys.Check(place))}
	if !m.seed.IsZero() {
		shown.Credential = m.credential()
	}
	return shown, keys, tree
}

// inner returns an inner content with every field.
func (p pieces) inner(t testing.TB) Inner {
	t.Helper()
	m := p.joiners[0]
	return Inner{Time: piecesTime, Introduction: m.introduction(), Update: NewUpdate(p.space, 2, 9, m.inbox.Public, m.signing),
		Introduced: []Introduction{p.joiners[1].introduction(), p.joiners[2].introduction()}, Answered: piecesTime - 1, Expiry: 60_000,
		Shown: []ShownRequest{p.resync(t).Shown()}, Plaintext: []byte("hello")}
}

// envelope returns message 0 of member 2 in the genesis, with a commit of its own before it and two lines of others.
func (p pieces) envelope(t testing.TB, n Inner) (Envelope, MessageContext, Content) {
	t.Helper()
	key := suite.NewAEAD(p.keys.Commit)
	sealed := func(m piecesMember) Sealed {
		s, _, _ := p.commit(t, m)
		return s.Seal(key, p.space, p.id)
	}
	e := Envelope{Ways: Ways{Own: Way{sealed(p.joiners[0])}, Others: []Way{{sealed(p.founder)}, {sealed(p.joiners[1]), sealed(p.joiners[2])}}}}
	return p.seal(t, e, n)
}

// seal seals a message 0 of member 2 in the genesis.
func (p pieces) seal(t testing.TB, e Envelope, n Inner) (Envelope, MessageContext, Content) {
	t.Helper()
	ctx := MessageContext{Space: p.space, Epoch: p.id, Header: Header{2, 0}}
	e.Header = ctx.Header.Seal(suite.NewAEAD(p.keys.Header), p.space, p.id)
	ctx.Bound = e.Bound()
	c, err := n.Sign(p.joiners[0].signing, ctx)
	require.NoError(t, err)
	e, err = e.Seal(ctx, p.keys.Header, c)
	require.NoError(t, err)
	return e, ctx, c
}

// ask returns what member 2 asks as a joiner, and resync what it asks as a member.
func (p pieces) ask(t testing.TB) Asked {
	t.Helper()
	m := p.joiners[0]
	return Asked{Kind: Join, Ticket: m.ticket.Public, Counter: piecesTime, Index: 2, Binding: m.binding, Rest: m.rest,
		Inbox: m.inbox.Public}.Sign(m.signing, p.space)
}

func (p pieces) resync(t testing.TB) Asked {
	t.Helper()
	m := p.joiners[0]
	return Asked{Kind: Resync, Ticket: m.ticket.Public, Counter: piecesTime + 1, Index: 2, Root: p.id, Preferred: p.id,
		Credential: m.credential(), Update: NewUpdate(p.space, 2, 10, m.inbox.Public, m.signing)}.Sign(m.signing, p.space)
}

// statements returns one of each kind.
func (p pieces) statements(t testing.TB) map[string]Statement {
	t.Helper()
	m, by := p.joiners[0], Said{Root: p.id, By: p.place0()}
	box, err := p.founder.inbox.Public.Seal(suite.HPKEMask, p.space, 1, m.keys.M.Expose())
	require.NoError(t, err)
	given, err := m.inbox.Public.Seal(suite.HPKEInvite, p.space, 2, []byte("https://chat.example/#A"))
	require.NoError(t, err)
	role := Sign(Role{Root: p.id, By: p.place0(), Index: 2, Key: m.signing.Public, Rights: MayRemove | MayTitle}, p.space, p.owner)
	return map[string]Statement{
		"leave":   Sign(Leave{Index: 2, Body: m.binding.Hash(), Root: p.id, Epoch: p.id, Time: piecesTime}, p.space, m.signing),
		"revoke":  Sign(Revoke{Said: by, Epoch: p.id, Indices: []dkg.Index{5, 9}}, p.space, p.owner),
		"bind":    Sign(Bind{Said: by, Index: 2, Body: m.binding.Hash()}, p.space, p.owner),
		"close":   Sign(Close{Said: by, Invite: m.record.Certificate.Name()}, p.space, p.owner),
		"invite":  InviteMade{p.joiners[2].record, []MaskBox{{1, box}}},
		"profile": Sign(Profile{Index: 2, Counter: 1, App: []byte("Ada L.")}, p.space, m.signing),
		"title":   Sign(Title{Said: by, Counter: 4, Title: []byte("friends")}, p.space, p.owner),
		"root":    Sign(RootKey{Counter: 1, Index: 2, Box: given}, p.space, p.rootKey),
		"role":    role,
		"removal": Sign(Revoke{Said: Said{Root: p.id, Role: role}, Epoch: p.id, Indices: []dkg.Index{5}}, p.space, m.signing),
		"named":   Sign(Title{Said: Said{Root: p.id, Role: role}, Counter: 5, Title: []byte("foes")}, p.space, m.signing),
		"wanted":  InviteWanted{Invite: dkg.Private, For: ForDevice},
		"given":   InviteGiven{Asker: 2, For: ForDevice, Index: 3, Name: m.record.Certificate.Name(), Box: given},
		"notice":  p.notice,
		"current": Sign(Current{Root: p.id, Time: piecesTime}, p.space, p.owner),
	}
}

// ticketBody returns a ticket of the founder for member 2: the child that member 3 made, readable, and the genesis, cut.
func (p pieces) ticketBody(t testing.TB) TicketBody {
	t.Helper()
	shown, keys, tree := p.commit(t, p.joiners[1])
	place := shown.Commit.Core.Place(p.space, p.id, 1)
	s := p.statements(t)
	child := TicketEpoch{Readable: true, Parent: p.id, Generation: 1, Commit: shown.Commit, Header: keys.Header, CommitKey: keys.Commit,
		Authenticator: keys.Authenticator, CommitTree: pprf.New(keys.CommitRoot, piecesDepth+pprf.ChildBits),
		SenderTree: pprf.New(keys.SenderRoot, piecesDepth), Chains: []TicketChain{{1, 4, keys.Exporter}, {3, 0, place.secret()}}}
	genesis := TicketEpoch{Cut: true, HeaderCheck: p.keys.HeaderCheck(p.place), CommitKey: p.keys.Commit, Authenticator: p.keys.Authenticator, CommitTree: tree}
	lost, _, _ := p.commit(t, p.joiners[0])
	return TicketBody{
		Issuer: 1, Origin: p.origin, Root: TicketRoot{Notice: p.notice, Roster: p.roster}, Template: p.template,
		Certificate: p.joiners[0].record.Certificate, Masked: p.joiners[0].record.Masked, HoldsPreferred: true,
		Update: p.resync(t).Update, ShareForm: BoxedShare, ShareBox: p.shareBox(t), Current: s["current"].(Current),
		Statements: [][]byte{EncodeStatement(s["leave"]), EncodeStatement(s["revoke"])},
		Members: []TicketMember{
			{Index: 1, HasRest: true, Rest: p.founder.rest, Inbox: p.founder.inbox.Public},
			{Index: 3, Credential: p.joiners[1].credential(), HasRest: true, Rest: p.joiners[1].rest,
				Update: NewUpdate(p.space, 3, 7, p.joiners[1].inbox.Public, p.joiners[1].signing)},
		},
		Answered: []Answered{{1, 1}, {2, piecesTime}},
		Records:  []Record{p.joiners[2].record, p.joiners[1].record.Used()},
		Returned: []Returned{{Parent: p.id, Shown: lost, Secret: secret.Own(lost.Commit.Core.R.Bytes())}},
		Epochs:   []TicketEpoch{child, genesis},
	}
}

// secret returns the place as bytes of a key, for a chain that nobody uses.
func (p Place) secret() secret.Bytes { return secret.New(p[:]) }

func (p pieces) shareBox(t testing.TB) []byte {
	t.Helper()
	box, err := SealShare(p.space, p.joiners[0].inbox.Public, p.joiners[0].share)
	require.NoError(t, err)
	return box
}

// rekey returns the parts of a rekey, of which only the formats are right.
func (p pieces) rekey(t testing.TB) (RekeyContent, RekeyOwners, Rekey) {
	t.Helper()
	m := p.joiners[0]
	x := RekeyBox{m.share, secret.Random(suite.KeySize), secret.Random(suite.KeySize)}
	box, err := x.Seal(p.space, m.inbox.Public)
	require.NoError(t, err)
	content := RekeyContent{Notice: p.notice, Template: p.template, Roster: p.roster, BoxTags: []BoxTag{{}}, Records: []Record{m.record},
		Said: [][]byte{EncodeStatement(p.statements(t)["role"])}}
	owners := RekeyOwners{Polynomial: p.poly, Invites: []OpenInvite{{m.record.Certificate.Name(), m.keys.M}},
		Inboxes: []KnownInbox{{Index: 1, Inbox: p.founder.inbox.Public}, {Index: 2, Update: p.resync(t).Update}}}
	aad, commit := EpochAAD(p.space, p.id), suite.NewAEAD(p.keys.Commit)
	shown, _, _ := p.commit(t, m)
	return content, owners, Rekey{
		Notice: commit.Seal(nil, p.notice.Encode(), aad), Ways: Ways{Own: Way{shown.Seal(commit, p.space, p.id)}}, Wholes: 1,
		Boxes:   []TaggedBox{{TagOfBox(p.space, 1, m.binding.Index, m.inbox.Public), box}},
		Content: suite.NewAEAD(RekeyBodyKey(x.X, p.space)).Seal(nil, content.Encode().Expose(), aad),
		Owners:  suite.NewAEAD(x.Y).Seal(nil, owners.Encode().Expose(), aad)}
}

// link returns the link of a joiner's invite.
func (p pieces) link(m piecesMember) Link {
	c := m.record.Certificate
	return Link{c.Kind, p.suite, p.space, c.First, c.Count, c.Step, m.seed, c.Expires, 3}
}
