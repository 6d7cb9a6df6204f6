package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// mayGiveDevice reports whether an owner may give a member an invite for a further device.
func (d *edit) mayGiveDevice(r members.Root, who proto.Maker) bool {
	if mayBring(r, who) != nil {
		return false
	}
	x := d.st.devices.Value()
	asked, open, openOfAll := 0, 0, 0
	for _, g := range x.given {
		waits := g.is == undecided && !r.Gone(g.index) && d.age()-g.since < deviceInviteFor
		if waits {
			openOfAll++
		}
		if g.asker != who {
			continue
		}
		if g.is == misused {
			return false
		}
		asked++
		if waits {
			open++
		}
	}
	return asked < maxDevicesAsked && open < maxDevicesOpen && openOfAll < maxGivenDevices && len(x.given) < maxKeptDevices &&
		len(r.Devices(who.Key))+open < maxDevices
}

// giveForDevice gives a member an invite for a further device. It reports whether it did.
func (d *edit) giveForDevice(r members.Root, who proto.Maker) bool {
	if !d.mayGiveDevice(r, who) {
		return false
	}
	made, ok := d.give(r, who.Index, proto.ForDevice)
	if ok {
		d.noteDevice(who, made.Link.First, made.Record.Certificate.Name())
	}
	return ok
}

// noteDevice notes that a member was given an invite for a further device.
func (d *edit) noteDevice(who proto.Maker, i dkg.Index, n proto.InviteName) {
	x := d.st.devices.Value()
	known := slices.ContainsFunc(x.given, func(g deviceInvite) bool { return g.name == n })
	if known || len(x.given) >= maxKeptDevices {
		return
	}
	x.given = append(slices.Clip(x.given), deviceInvite{asker: who, index: i, name: n, since: d.age()})
	d.setDevices(x)
}

// givenByOther takes in, as an owner, that another one gave a link: nobody has to give it again, and what it was for is judged by all. An
// index with which somebody came already is none that was given.
func (d *edit) givenByOther(l *reading, s proto.InviteGiven) {
	r, ok := d.root(l.epoch.Root())
	if _, owner := d.place(r); !ok || !owner {
		return
	}
	if b, listed := r.ListedBinding(l.maker.Index); !listed || b.Maker != l.maker || !isSeat(r, l.maker.Index) {
		return
	}
	if x, w := d.st.duties.Value(), (wanted{s.Asker, s.For}); slices.Contains(x.wanted, w) {
		x.wanted = slices.DeleteFunc(slices.Clone(x.wanted), func(o wanted) bool { return o == w })
		d.st.duties = state.NewSegment(x)
	}
	asker, known := r.ListedBinding(s.Asker)
	if _, listed := r.Listed(s.Index); s.For == proto.ForDevice && known && !listed && !r.Met(s.Index) {
		d.noteDevice(asker.Maker, s.Index, s.Name)
	}
}

// isForDeviceOf reports whether an invite is one that one of these members was given for a device.
func (d *edit) isForDeviceOf(n proto.InviteName, askers []dkg.Index) bool {
	return slices.ContainsFunc(d.st.devices.Value().given, func(g deviceInvite) bool {
		return g.name == n && g.is == undecided && slices.Contains(askers, g.asker.Index)
	})
}

// judgeDevices looks who came by the invites that were given for devices, and revokes those with which somebody else came than a device of
// the asker, or whose asker is gone.
func (d *edit) judgeDevices() {
	_, r, _ := d.preferred()
	x := d.st.devices.Value()
	var kept []deviceInvite
	changed := false
	for _, g := range x.given {
		next, revoke := d.judge(r, g)
		if revoke {
			if !d.expel(r, g.index) {
				kept = append(kept, g) // it is tried again
				continue
			}
			_, r, _ = d.preferred() // who came may be the asker of the next one
		}
		changed = changed || next != g
		if d.age()-next.since >= keepGiven && (next.is != undecided || next.came == 0) {
			changed = true
			continue
		}
		kept = append(kept, next)
	}
	if changed {
		x.given = kept
		d.setDevices(x)
	}
}

// judge says who came by an invite for a device, and whether its index is to be revoked. Who is at its index came by it if the key of the
// invite admitted it: in another root, made by an owner that did not know of it, the index may be somebody else's.
func (d *edit) judge(r members.Root, g deviceInvite) (next deviceInvite, revoke bool) {
	if g.is != undecided {
		return g, false
	}
	asker, known := r.ListedBinding(g.asker.Index)
	stands := known && asker.Maker == g.asker && !r.Gone(g.asker.Index)
	b, _ := r.ListedBinding(g.index)
	_, listed := r.Listed(g.index)
	switch {
	case r.Gone(g.index) && d.strangerCame(g): // another owner was faster
		g.is = misused
		return g, false
	case r.Gone(g.index):
		g.is = settled
		return g, false
	case !listed && !r.Met(g.index):
		if stands || !isAt(r, g) {
			return g, false
		}
		g.is = settled
		return g, true
	case !b.CameBy(g.name):
		return g, false // or it is not known yet by which invite
	case !b.Profiled && g.came == 0:
		g.came = d.age()
		return g, false
	case !b.Profiled && d.age()-g.came < silentFor:
		return g, false // what it says of itself is on its way
	case !b.Profiled || r.PersonOf(b) != g.asker.Key || !stands && !listed:
		g.is = misused
		return g, true
	}
	g.is = settled
	return g, slices.Index(r.Devices(g.asker.Key), g.index) >= maxDevices
}

// isAt reports whether an invite has its index in a root.
func isAt(r members.Root, g deviceInvite) bool {
	x, ok := r.Invite(g.name)
	return ok && x.IsOpen() && x.Certificate.First == g.index
}

// strangerCame reports whether somebody else than a device of the asker came by an invite, in whatever root.
func (d *edit) strangerCame(g deviceInvite) bool {
	for row := range d.st.roots.All() {
		r, ok := d.root(row.id)
		if b, known := r.ListedBinding(g.index); ok && known && b.CameBy(g.name) && b.Profiled && r.PersonOf(b) != g.asker.Key {
			return true
		}
	}
	return false
}

// expel revokes an index. It reports whether it did.
func (d *edit) expel(r members.Root, i dkg.Index) bool {
	e, _, ok := d.preferred()
	if !ok {
		return false
	}
	try := *d
	said, err := invites.Expel(r, d.invitesOwner(), e.ID(), []dkg.Index{i})
	if try.stateAll(said, err) != nil {
		return false
	}
	*d = try
	return true
}

// isSeat reports whether a member has an owner's key.
func isSeat(r members.Root, i dkg.Index) bool {
	for _, seat := range r.Seats() {
		if seat == i {
			return true
		}
	}
	return false
}
