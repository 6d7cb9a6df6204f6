package ratchet

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// act is what a member that may does.
type act struct {
	may func(Summary, rules.Rights) bool
	do  func(h *ownership, x *node) error
}

func anyone(Summary, rules.Rights) bool        { return true }
func owner(s Summary, _ rules.Rights) bool     { return s.Owner }
func holder(s Summary, _ rules.Rights) bool    { return s.HoldsRootKey }
func moderator(s Summary, r rules.Rights) bool { return !s.Owner && r&rules.MayRemove != 0 }

var acts = []act{
	{owner, (*ownership).remove}, {owner, (*ownership).remove}, {moderator, (*ownership).removeByRole}, {owner, (*ownership).replace},
	{owner, func(_ *ownership, x *node) error { return x.try(step.Rekey()) }},
	{owner, (*ownership).invite}, {owner, (*ownership).invite},
	{holder, (*ownership).nameOwners}, {holder, (*ownership).nameOwners}, {holder, (*ownership).handOver},
	{owner, (*ownership).appoint}, {owner, (*ownership).setPolicy},
	{anyone, (*ownership).leave}, {anyone, (*ownership).away}, {anyone, (*ownership).away}, {anyone, (*ownership).seize}, {anyone, (*ownership).seize},
}

func (h *ownership) remove(x *node) error {
	i := h.some().place()
	err := x.try(step.Remove(i))
	if err == nil {
		h.removed[i] = x
	}
	return err
}

func (h *ownership) removeByRole(x *node) error { return x.try(step.Remove(h.some().place())) }

// replace removes a member, and somebody comes by the link in its place.
func (h *ownership) replace(x *node) error {
	i := h.some().place()
	var made invite.Made
	err := x.try(step.Replace(i, 0, &made))
	if err == nil {
		h.removed[i] = x
		h.join(made.Link, fmt.Sprint("again ", i))
	}
	return err
}

func (h *ownership) invite(x *node) error {
	var made invite.Made
	err := x.try(step.NewInvite([]invite.Terms{invite.Private(0), invite.Public(16, 0)}[h.rng.IntN(2)], &made))
	if err == nil {
		h.join(made.Link, fmt.Sprint("x", len(h.all)))
	}
	return err
}

// nameOwners names the holder of the root owner key and one or two others.
func (h *ownership) nameOwners(x *node) error {
	named := []dkg.Index{x.place(), h.some().place(), h.some().place()}
	slices.Sort(named)
	err := x.try(step.SetOwners(slices.Compact(named)...))
	h.unseen = h.unseen || err == nil
	return err
}

func (h *ownership) handOver(x *node) error { return x.try(step.HandOver(h.some().place())) }

func (h *ownership) appoint(x *node) error {
	return x.try(step.Appoint(rules.Rights(h.rng.IntN(8)), h.some().place()))
}

func (h *ownership) setPolicy(x *node) error {
	p := Info(x.space).Policy
	p.MembersMayInvite, p.RekeyHours = !p.MembersMayInvite, []uint16{0, 24, 1000}[h.rng.IntN(3)]
	return x.try(step.SetPolicy(p))
}

func (h *ownership) leave(x *node) error {
	in := x.rootID()
	err := x.try(step.Leave())
	if err == nil {
		h.left[x] = in
	}
	return err
}

func (h *ownership) away(x *node) error {
	x.offline = !x.offline
	return nil
}

// seize copies the state of a member.
func (h *ownership) seize(x *node) error {
	h.log.thieves = append(h.log.thieves, newThief(x))
	return nil
}
