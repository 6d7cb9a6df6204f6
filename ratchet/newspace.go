package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
)

// founder is the index of whoever made a space.
const founder dkg.Index = 1

// NewSpace makes a space with this device as its only member, owner and dealer, for up to dkg.DefaultCapacity members. The
// profile is what others are shown of this member, at most MaxApplicationData bytes. It returns ErrPolicy for a scheme or KEM
// that is none of the protocol's, and ErrTooLong.
func NewSpace(now time.Time, p rules.Policy, profile []byte) (Space, error) {
	g, err := newGenesis(now, p, profile)
	if err != nil {
		return Space{}, err
	}
	return g.found(g.founder)
}

// genesis is a space while it is made: what its notice fixes, and the secret of its first epoch.
type genesis struct {
	now     millis
	policy  proto.Policy
	poly    dkg.Polynomial
	founder person
	root    suite.SigningKey // root owner key
	terms   rootTerms
	epoch   proto.EpochKeys
	next    dkg.Index // the first index that is free
}

// person is a member that the notice of a genesis lists.
type person struct {
	identity
	body proto.BodyHash
}

// newPerson draws the keys of a member that the notice of a genesis lists.
func newPerson(i dkg.Index, s suite.Suite, now millis, profile []byte) person {
	inbox := suite.NewKEMSecret(s.KEM())
	me := identity{
		index: i, signing: suite.NewSigningKey(s.Scheme()), inboxes: []inboxKey{{secret: inbox}},
		rest: proto.Rest{Inbox: proto.HashOfInbox(inbox.Public), Capabilities: capabilities(), App: profile, Time: uint64(now)},
	}
	return person{me, proto.HashOfBody(i, me.signing.Public, me.rest.Hash(), suite.PublicKey{})}
}

// capabilities are what this release says that it can do.
func capabilities() proto.Capabilities { return proto.Capabilities{Newest: proto.Version} }

// newGenesis draws all keys of a new space and signs its notice. Others are members that the notice lists beside the founder:
// none but in tests, in which a space begins as after a rekey.
func newGenesis(now time.Time, p rules.Policy, profile []byte, others ...person) (g genesis, err error) {
	g.now = now.UnixMilli()
	if len(profile) > MaxApplicationData {
		return genesis{}, ErrTooLong
	}
	if g.policy, err = encodePolicy(p); err != nil {
		return genesis{}, err
	}
	g.poly = dkg.NewPolynomial()
	g.founder = newPerson(founder, g.policy.Suite, g.now, profile)
	g.root = suite.NewSigningKey(rootScheme(p))
	origin := proto.NewOrigin(g.root.Public)
	owners, err := proto.NewOwnerList(g.root, origin, 1, 0, g.founder.signing.Public)
	if err != nil {
		return genesis{}, err
	}
	t := proto.Template{
		Owners: owners, Policy: g.policy, Public: g.poly.Commitment(), Depth: dkg.DefaultDepth, K: secret.Random(suite.KeySize),
	}
	var roster proto.Roster
	for _, x := range append([]person{g.founder}, others...) {
		roster = append(roster, proto.RosterEntry{Index: x.index, Signing: x.signing.Public, Body: x.body})
		g.next = x.index + 1
	}
	n := proto.Notice{Owners: owners, Members: roster.Bitmap(), Common: proto.Common{
		Space: origin.Space(), Public: t.Public, Depth: t.Depth, Cursor: g.next, Template: t.Hash(), Roster: roster.Digest(nil),
	}}
	place := n.Common.Place()
	g.epoch = proto.DeriveKeys(secret.Random(64), place)
	n.Check = g.epoch.Check(place)
	if n, err = n.Sign(g.founder.signing); err != nil {
		return genesis{}, err
	}
	g.terms, err = newRootTerms(origin, n, t, roster)
	return g, err
}

// found returns the space of a member that the notice lists. The founder deals, and holds the root owner key.
func (g genesis) found(x person) (Space, error) {
	me := x.identity
	me.origin, me.owners = g.terms.origin, g.terms.template.Owners
	s, err := g.poly.Share(me.index)
	if err != nil {
		return Space{}, err
	}
	evals, root := dkg.NoEvals(), rootOwner{}
	if me.index == founder {
		root.key = g.root
		evals, err = g.poly.Evals(dkg.Terms{
			Root: g.terms.ID(), Depth: g.terms.Depth(), Capacity: dkg.DefaultCapacity, Next: g.next,
		})
		if err != nil {
			return Space{}, err
		}
	}
	st := newState(me, g.now)
	st.rootOwner = state.NewSegment(root)
	r, _, err := members.NewRoot(g.terms.Terms).Tell(proto.TicketMember{Index: me.index, HasRest: true, Rest: me.rest, Inbox: me.inboxes[0].secret.Public})
	if err != nil {
		return Space{}, err
	}
	st.roots = st.roots.Put(newRootRow(r, s))
	st.forest, _ = st.forest.Found(epochs.Root{
		ID: g.terms.ID(), Depth: g.terms.Depth(), Public: g.terms.template.Public,
	}, proto.EpochID{}, g.terms.notice.Common.Place(), g.terms.notice.Check, g.epoch, g.now)
	return newSpace(st.space, st, newTemplate(st.space).with(g.terms), evals)
}
