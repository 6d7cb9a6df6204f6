package invites_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

const (
	now     = int64(1_795_000_000_000)
	hour    = int64(3_600_000)
	ofSuite = suite.Ed25519X25519
)

// world is a space with two owners, both of whom have the polynomial. The founder, with the first key, has index 1.
type world struct {
	t      testing.TB
	owners []invites.Owner
	evals  []dkg.Evals
	root   members.Root
	poly   dkg.Polynomial
	epoch  proto.EpochID
	who    map[dkg.Index]person
}

type person struct {
	signing suite.SigningKey
	inbox   suite.KEMSecret
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, poly: dkg.NewPolynomial(), epoch: proto.EpochID{42}, who: map[dkg.Index]person{}}
	rootKey := suite.NewSigningKey(suite.Ed25519)
	keys := []suite.SigningKey{suite.NewSigningKey(suite.Ed25519), suite.NewSigningKey(suite.Ed25519)}
	origin := proto.NewOrigin(rootKey.Public)
	list, err := proto.NewOwnerList(rootKey, origin, 1, 0, keys[0].Public, keys[1].Public)
	require.NoError(t, err)
	founder := person{keys[0], suite.NewKEMSecret(ofSuite.KEM())}
	w.who[1] = founder
	rest := proto.Rest{Inbox: proto.HashOfInbox(founder.inbox.Public), Time: uint64(now)}
	binding := proto.NewBinding(origin.Space(), 1, rest.Hash(), suite.SigningKey{}, founder.signing)
	roster := proto.Roster{{Index: 1, Signing: founder.signing.Public, Body: binding.Hash()}}
	tmpl := proto.Template{Owners: list, Policy: proto.Policy{Suite: ofSuite, MembersMayInvite: true}, Public: w.poly.Commitment(), Depth: dkg.DefaultDepth, K: secret.Random(suite.KeySize)}
	c := proto.Common{Space: origin.Space(), Public: w.poly.Commitment(), Depth: tmpl.Depth, Cursor: 2, Template: tmpl.Hash(), Roster: roster.Digest(nil)}
	k := proto.DeriveKeys(secret.Random(64), c.Place())
	n, err := proto.Notice{Common: c, Check: k.Check(c.Place()), Members: roster.Bitmap(), Owners: list}.Sign(keys[0])
	require.NoError(t, err)
	terms, err := members.NewTerms(origin, n, tmpl, roster)
	require.NoError(t, err)
	w.root = members.NewRoot(terms)
	w.root, _, err = w.root.Tell(proto.TicketMember{Index: 1, HasRest: true, Rest: rest, Inbox: founder.inbox.Public})
	require.NoError(t, err)
	for k, key := range keys {
		w.owners = append(w.owners, invites.Owner{Key: key, Self: dkg.Index(1 + k), Newest: 1})
		ev, err := w.poly.Evals(dkg.Terms{Root: terms.ID(), Next: 2, Depth: dkg.DefaultDepth, Capacity: 4096})
		require.NoError(t, err)
		w.evals = append(w.evals, ev)
	}
	return w
}

// make makes an invite by an owner, of which all members hear.
func (w *world) make(owner int, t invite.Terms) invites.Made {
	var made invites.Made
	var err error
	w.evals[owner], made, err = invites.Make(w.evals[owner], w.root, invites.Last(w.root), w.owners[owner], t, now)
	require.NoError(w.t, err)
	w.root, _, err = w.root.AddRecord(made.Record, 1)
	require.NoError(w.t, err)
	return made
}

// join lets somebody in by a link, of whom a message was read.
func (w *world) join(made invites.Made, i dkg.Index) {
	w.joinAs(made, i, suite.NewSigningKey(ofSuite.Scheme()))
}

func (w *world) joinAs(made invites.Made, i dkg.Index, key suite.SigningKey) {
	keys, err := made.Link.Keys()
	require.NoError(w.t, err)
	p := person{key, suite.NewKEMSecret(ofSuite.KEM())}
	rest := proto.Rest{Inbox: proto.HashOfInbox(p.inbox.Public), Time: uint64(now)}
	b := proto.NewBinding(w.root.Space(), i, rest.Hash(), keys.Admission, p.signing)
	w.root, _, err = w.root.Introduce(proto.Introduction{Credential: proto.Credential{Certificate: made.Record.Certificate, Binding: b}, Rest: rest, Inbox: p.inbox.Public}, members.Via{})
	require.NoError(w.t, err)
	w.root, _, err = w.root.ReadFrom(proto.Maker{Index: i, Key: p.signing.Public}, 0)
	require.NoError(w.t, err)
	w.who[i] = p
}

func (w *world) apply(all ...proto.OwnerStatement) {
	for _, s := range all {
		var err error
		w.root, _, err = w.root.Apply(s, members.Older, now)
		require.NoError(w.t, err)
	}
}

// seat lets the second owner in.
func (w *world) seat(made invites.Made) {
	w.joinAs(made, made.Link.First, w.owners[1].Key)
	w.owners[1].Self = made.Link.First
}
