package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// founder is the index of whoever made a space.
const founder dkg.Index = 1

// NewSpace makes a space with this device as its only member, owner and dealer, for up to dkg.DefaultCapacity members. It
// returns ErrPolicy for a scheme or KEM that is none of the protocol's.
func NewSpace(now time.Time, p Policy) (Space, error) {
	policy, err := proto.Policy{Scheme: suite.Scheme(p.Scheme), KEM: suite.KEM(p.KEM), Repudiable: p.Repudiable}.WithDefaults()
	if err != nil {
		return Space{}, outcome.ErrPolicy
	}
	f := dkg.NewPolynomial()
	share, err := f.Share(founder)
	if err != nil {
		return Space{}, err
	}
	keys := ownerKeys{owner: suite.NewSigningKey(policy.Scheme), root: suite.NewSigningKey(policy.Scheme)}
	me := identity{
		origin: proto.NewOrigin(keys.root.Public), index: founder, signing: suite.NewSigningKey(policy.Scheme),
		updatedAt: now.UnixMilli(), committed: now.UnixMilli(),
	}.withInbox(policy.KEM)
	space := me.origin.Space()
	if me.owners, err = proto.NewOwnerList(keys.root, space, 1, keys.owner.Public); err != nil {
		return Space{}, err
	}
	t := rootTerms{template: proto.Template{
		Owners: me.owners, Policy: policy, Public: f.Commitment(), Depth: dkg.DefaultDepth,
		Config: suite.NewKEMSecret(policy.KEM), Key: secret.Random(suite.KeySize),
	}}
	inbox := me.newest().secret.Public
	self := member{RosterEntry: proto.RosterEntry{Index: founder, Signing: me.signing.Public, Inbox: inbox.Digest()}, inboxKey: inbox.Bytes()}
	members := proto.Roster{}.With(self.RosterEntry)
	t.context = proto.RootContext{
		Space: space, Public: t.template.Public, Depth: t.template.Depth, Cursor: uint32(founder) + 1,
		Template: t.template.Digest(), Roster: members.Digest(),
	}
	t.id = t.context.ID()
	if t.notice, err = proto.NewRootNotice(keys.owner, me.owners, t.context, members); err != nil {
		return Space{}, err
	}
	evals, err := f.Evals(dkg.Terms{
		Root: t.id, Depth: t.template.Depth, Capacity: dkg.DefaultCapacity, Held: []dkg.Index{founder}, Next: founder + 1,
	})
	if err != nil {
		return Space{}, err
	}
	d := &edit{now: now.UnixMilli(), ev: evals}
	d.st = State{
		space: space, phase: Member, self: state.NewSegment(me), owner: state.NewSegment(keys), clock: d.now, pruned: d.now, lastRead: d.now,
	}
	d.tp = Template{space: space, grant: state.NewSegment(storedGrant{})}.with(t)
	d.setRoot(root{id: t.id, share: share, members: segmap.Map[member]{}.Put(self)})
	d.enterEpoch(newEpoch(epochMeta{id: t.id, root: t.id, attributed: founder, entered: d.now, depth: t.template.Depth},
		expandEpoch(secret.Random(64), t.id)))
	return state.New(space, d.st, d.tp, d.ev)
}
