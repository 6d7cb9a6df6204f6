package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

// founder is the index of whoever made a space.
const founder dkg.Index = 1

// NewSpace makes a space with this device as its only member, owner and dealer, for up to dkg.DefaultCapacity members. It
// returns ErrPolicy for a scheme or KEM that is none of the protocol's.
func NewSpace(now time.Time, p Policy) (Space, error) {
	p, err := p.withDefaults()
	if err != nil {
		return Space{}, ErrPolicy
	}
	f := dkg.NewPolynomial()
	share, err := f.Share(founder)
	if err != nil {
		return Space{}, err
	}
	keys := ownerKeys{owner: newSigningKey(p.Scheme), root: newSigningKey(p.Scheme)}
	d := identity{
		origin: newOrigin(keys.root.public), index: founder, signing: newSigningKey(p.Scheme),
		updatedAt: now.UnixMilli(), committed: now.UnixMilli(),
	}.withInbox(p.KEM)
	space := d.origin.space()
	if d.owners, err = newOwnerList(keys.root, space, 1, keys.owner.public); err != nil {
		return Space{}, err
	}
	t := terms{template: template{
		owners: d.owners, policy: p, public: f.Commitment(), depth: dkg.DefaultDepth,
		config: newBoxSecret(p.KEM), key: secret.Random(keySize),
	}}
	inbox := d.newest().secret.public
	self := member{rosterEntry: rosterEntry{founder, d.signing.public, inbox.digest()}, inboxKey: inbox.bytes()}
	members := roster{}.with(self.rosterEntry)
	t.common = common{
		space: space, public: t.template.public, depth: t.template.depth, cursor: uint32(founder) + 1,
		template: t.template.digest(), roster: members.digest(),
	}
	t.id = t.common.id()
	if t.notice, err = newNotice(keys.owner, d.owners, t.common, members); err != nil {
		return Space{}, err
	}
	evals, err := f.Evals(dkg.Terms{
		Root: t.id, Depth: t.template.depth, Capacity: dkg.DefaultCapacity, Held: []dkg.Index{founder}, Next: founder + 1,
	})
	if err != nil {
		return Space{}, err
	}
	w := &work{now: now.UnixMilli(), ev: evals}
	w.st = State{
		space: space, phase: Member, self: state.NewSegment(d), owner: state.NewSegment(keys), clock: w.now, pruned: w.now, heard: w.now,
	}
	w.tp = Template{space: space, grant: state.NewSegment(storedGrant{})}.with(t)
	w.setRoot(root{id: t.id, share: share, members: table[member]{}.put(self)})
	w.add(newEpoch(birth{id: t.id, root: t.id, charged: founder, entered: w.now, depth: t.template.depth},
		expandEpoch(secret.Random(64), t.id)))
	return state.New(space, w.st, w.tp, w.ev)
}

// DrawGrant takes the next share out of the evals for an invite of the given kind. The space that comes back must be
// durable before the grant leaves. It returns ErrPhase for a member that is not the dealer of the preferred root, and
// ErrInvitesExhausted if no share is left.
func DrawGrant(s Space, now time.Time, kind dkg.Kind) (Space, Grant, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, Grant{}, err
	}
	_, r, t, ok := w.preferred()
	if !ok || w.st.phase != Member || !w.isDealer() || !w.ev.CanDeal() {
		return s, Grant{}, ErrPhase
	}
	if id, _ := w.ev.Root(); id != r.id {
		return s, Grant{}, ErrPhase
	}
	if w.ev.Remaining() == 0 {
		return s, Grant{}, ErrInvitesExhausted
	}
	admit := newSigningKey(t.template.policy.Scheme)
	next, share, err := dkg.Draw(s, kind, admit.public.Bytes())
	if err != nil {
		return s, Grant{}, err
	}
	g, err := newGrant(w.st.owner.Value().owner, Grant{
		origin: w.self().origin, owners: w.self().owners, root: r.id, rekey: r.rekey, share: share,
		depth: t.template.depth, public: t.template.public, policy: t.template.policy,
		config: t.template.config.public, admission: admission{key: admit},
	})
	if err != nil {
		return s, Grant{}, err
	}
	return next, g, nil
}
