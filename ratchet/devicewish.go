package ratchet

import (
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// wishDevice notes that a further device is to come. One that is wished, or invited, already is not wished again.
func (d *edit) wishDevice(device [32]byte) error {
	switch d.st.phase {
	case Removed:
		return ErrRemoved
	case Left:
		return ErrPhase
	}
	if len(d.st.me().rest.Person) > 0 {
		return ErrPhase
	}
	x := d.st.devices.Value()
	x.entrances = slices.DeleteFunc(slices.Clone(x.entrances), func(y storedEntrance) bool { return y.device == device && y.reason != 0 })
	if slices.ContainsFunc(x.wishes, func(w deviceWish) bool { return w.device == device }) ||
		slices.ContainsFunc(x.entrances, func(y storedEntrance) bool { return y.device == device }) {
		return nil
	}
	if len(x.wishes)+len(x.entrances) >= maxDevices {
		return dkg.ErrExhausted
	}
	if _, r, ok := d.preferred(); ok && d.st.phase == Member {
		if err := mayBring(r, d.st.me().maker()); err != nil {
			return err
		}
	}
	x.wishes = append(slices.Clip(x.wishes), deviceWish{device: device, since: d.age()})
	d.setDevices(x)
	d.maintainWishes()
	return nil
}

// maintainWishes does what is due about further devices of this member's person: it gives wishes up that are over, makes invites as an
// owner, and says again what is wished.
func (d *edit) maintainWishes() {
	x := d.st.devices.Value()
	next, changed := devices{}, false
	for _, y := range x.entrances {
		if d.age()-y.since >= deviceInviteFor {
			changed = true
			if y.reason != 0 {
				continue // nobody asked what became of it
			}
			y = d.noEntrance(y.device, outcome.ErrHintExpired)
		}
		next.entrances = append(next.entrances, y)
	}
	for _, w := range x.wishes {
		if err := d.wishIsOver(w); err != nil {
			changed = true
			next.entrances = append(next.entrances, d.noEntrance(w.device, err))
			continue
		}
		if y, ok := d.bringAsOwner(w); ok {
			changed = true
			next.entrances = append(next.entrances, y)
			continue
		}
		if d.sayWish(&w) {
			changed = true
		}
		next.wishes = append(next.wishes, w)
	}
	if changed {
		next.given = d.st.devices.Value().given
		d.setDevices(next)
	}
}

// noEntrance is what came of a wish for which there is no invite.
func (d *edit) noEntrance(device [32]byte, err error) storedEntrance {
	y := storedEntrance{device: device, since: d.age(), reason: deviceReason(err)}
	d.emit(Event{Kind: DeviceNotInvited, Reason: deviceReasons[y.reason]})
	return y
}

// wishIsOver returns why a wish is given up, nil if it is not. While joining it waits.
func (d *edit) wishIsOver(w deviceWish) error {
	switch {
	case d.st.phase == Removed:
		return ErrRemoved
	case d.st.phase == Left:
		return ErrPhase
	case d.age()-w.since >= wishFor:
		return ErrHintOwnerNeeded
	}
	if _, r, ok := d.preferred(); ok && d.st.phase == Member {
		if err := mayBring(r, d.st.me().maker()); errors.Is(err, ErrPolicy) || errors.Is(err, dkg.ErrExhausted) {
			return err
		} // anything else may end: it is gone in this root, or has a twin
	}
	return nil
}

// bringAsOwner makes the invite itself, as an owner. One that cannot leaves it to others.
func (d *edit) bringAsOwner(w deviceWish) (storedEntrance, bool) {
	_, r, ok := d.preferred()
	if _, owner := d.place(r); !ok || !owner || d.st.phase != Member || !d.mayGiveDevice(r, d.st.me().maker()) {
		return storedEntrance{}, false
	}
	try := *d
	made, err := try.invite(invite.Private(givenForMost))
	if err != nil {
		return storedEntrance{}, false
	}
	link, err := invites.Link(made.Link)
	if err != nil {
		return storedEntrance{}, false
	}
	y, err := try.entrance(w.device, link)
	if err != nil {
		return storedEntrance{}, false
	}
	try.noteDevice(try.st.me().maker(), made.Link.First, made.Record.Certificate.Name())
	*d = try
	return y, true
}

// sayWish says a wish if that is due. It reports whether it did.
func (d *edit) sayWish(w *deviceWish) bool {
	_, r, ok := d.preferred()
	if !ok || d.st.phase != Member || r.Size() < 2 || w.times > 0 && !passed(d.now, w.said, min(wishAgain<<min(w.times-1, 5), day)) {
		return false
	}
	try := *d
	if try.say(statement(proto.InviteWanted{Invite: dkg.Private, For: proto.ForDevice})) != nil {
		return false
	}
	*d = try
	w.said, w.times = d.now, min(w.times, 99)+1
	return true
}

// takeEntrance takes in the link of an invite that an owner gave for a device: it is for the oldest wish. One that is not wished any more
// is dropped.
func (d *edit) takeEntrance(l invite.Link) error {
	x := d.st.devices.Value()
	if len(x.wishes) == 0 {
		return nil
	}
	y, err := d.entrance(x.wishes[0].device, l)
	if err != nil {
		return err
	}
	x.wishes, x.entrances = x.wishes[1:], append(slices.Clip(x.entrances), y)
	d.setDevices(x)
	return nil
}

// entrance vouches for an invite.
func (d *edit) entrance(device [32]byte, l invite.Link) (storedEntrance, error) {
	vouch, err := d.vouch(l)
	if err != nil {
		return storedEntrance{}, err
	}
	d.emit(Event{Kind: DeviceInvited})
	return storedEntrance{device: device, since: d.age(), link: l, vouch: vouch}, nil
}

// vouch returns what a further device gives to JoinAsDevice beside a private link: this member's signature that whoever comes by the link
// is a device of the same person. It returns ErrPolicy for a link that is not private or of another space, and ErrPhase on a device that
// another one signed for: the first device of a person signs for all others.
func (d *edit) vouch(l invite.Link) ([]byte, error) {
	link, err := openLink(l)
	if err != nil {
		return nil, err
	}
	me := d.st.me()
	switch {
	case link.Kind != dkg.Private || link.Space != d.st.space:
		return nil, ErrPolicy
	case d.st.phase != Member || len(me.rest.Person) > 0:
		return nil, ErrPhase
	}
	keys, err := link.Keys()
	if err != nil {
		return nil, err
	}
	return proto.NewVouch(link.Space, me.signing, link.First, keys.Admission.Public).Encode(), nil
}
