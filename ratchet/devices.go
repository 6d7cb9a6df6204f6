package ratchet

import (
	"errors"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// devices is what is known of further devices that are to come into the space (§9, Devices of members): of the first device of a person,
// what it wishes and what came of that; of an owner, which invites were given for devices.
type devices struct {
	wishes    []deviceWish
	entrances []storedEntrance
	given     []deviceInvite
}

// deviceWish is a wish for an invite by which a further device is to come.
type deviceWish struct {
	device [32]byte
	since  millis // pruning clock
	said   millis // wall clock, when it was said last
	times  uint8  // how often
}

// storedEntrance is what came of a wish: an invite with a vouch, or why there is none.
type storedEntrance struct {
	device [32]byte
	since  millis // pruning clock
	reason uint8  // place in deviceReasons, 0: there is an invite
	link   invite.Link
	vouch  []byte
}

// deviceInvite is an invite that an owner gave to a member for a further device.
type deviceInvite struct {
	asker proto.Maker
	index dkg.Index
	name  proto.InviteName
	since millis // pruning clock
	came  millis // pruning clock when somebody was found to have come of whose rest nothing was known; 0 if nobody was
	is    judgement
}

// judgement says what an owner found about who came by an invite for a device.
type judgement uint8

const (
	undecided judgement = iota // nobody came, or nothing is known of who did
	settled                    // a device of the asker came, or the invite is over
	misused                    // somebody else came
)

const (
	// maxDevices is how many devices a person has in a space. Each costs every rekey a box and every member a chain, and a person
	// has few; without a bound one member could fill a space that others are invited to.
	maxDevices = 8
	// maxDevicesAsked is how many invites a member is given for devices within keepGiven, and maxDevicesOpen how many of them nobody came
	// by: each takes an index for good.
	maxDevicesAsked = 8
	maxDevicesOpen  = 3
	// maxGivenDevices bounds those of all members that nobody came by: a quarter of the invites that may be open.
	maxGivenDevices = 64
	// maxKeptDevices bounds what an owner remembers of them.
	maxKeptDevices = 256
	// keepGiven is for how long an owner remembers an invite for a device: its lifetime, and as long again to read who came. Of who
	// came silentFor is the time in which what it says of itself has to be read.
	keepGiven       = 2 * deviceInviteFor
	deviceInviteFor = millis(givenForMost / time.Millisecond)
	silentFor       = 7 * day
	// wishAgain is after how long a wish is said again at first, and wishFor after how long it is given up.
	wishAgain = hour
	wishFor   = 30 * day
)

// deviceReasons are why there is no invite. Their places are part of the stored format.
var deviceReasons = []error{
	1: outcome.ErrPolicy, 2: dkg.ErrExhausted, 3: outcome.ErrHintOwnerNeeded, 4: outcome.ErrRemoved, 5: outcome.ErrPhase, 6: outcome.ErrHintExpired,
}

func deviceReason(err error) uint8 {
	return uint8(max(slices.IndexFunc(deviceReasons, func(r error) bool { return r != nil && errors.Is(err, r) }), 1))
}

func (d *edit) setDevices(x devices) { d.st.devices = state.NewSegment(x) }

// Encode implements state.Piece.
func (x devices) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(x.wishes)))
	for _, w := range x.wishes {
		e.Fixed(w.device[:])
		e.Int64(w.since)
		e.Int64(w.said)
		e.Uint8(w.times)
	}
	e.Uint32(uint32(len(x.entrances)))
	for _, y := range x.entrances {
		e.Fixed(y.device[:])
		e.Int64(y.since)
		e.Uint8(y.reason)
		if y.reason == 0 {
			e.Bytes(y.link.Bytes())
			e.Bytes(y.vouch)
		}
	}
	e.Uint32(uint32(len(x.given)))
	for _, g := range x.given {
		e.Uint32(uint32(g.asker.Index))
		e.Bytes(g.asker.Key.Bytes())
		e.Uint32(uint32(g.index))
		e.Fixed(g.name[:])
		e.Int64(g.since)
		e.Int64(g.came)
		e.Uint8(uint8(g.is))
	}
}

// Decode implements state.Piece.
func (devices) Decode(d *state.Decoder) (x devices, err error) {
	for range d.Count(maxDevices, 49) {
		var w deviceWish
		d.Into(w.device[:])
		w.since, w.said, w.times = d.Int64(), d.Int64(), d.Uint8()
		x.wishes = append(x.wishes, w)
	}
	for range d.Count(maxDevices, 41) {
		var y storedEntrance
		d.Into(y.device[:])
		if y.since, y.reason = d.Int64(), d.Uint8(); int(y.reason) >= len(deviceReasons) {
			err = wire.ErrMalformed
		}
		if y.reason == 0 {
			load(d, &err, &y.link, maxLink, invite.FromBytes)
			load(d, &err, &y.vouch, proto.MaxVouch, func(b []byte) ([]byte, error) {
				_, err := proto.ParseVouch(b)
				return b, err
			})
		}
		x.entrances = append(x.entrances, y)
	}
	for range d.Count(maxKeptDevices, 45) {
		g := deviceInvite{asker: proto.Maker{Index: dkg.Index(d.Uint32())}}
		load(d, &err, &g.asker.Key, suite.MaxPublicKey, suite.LoadPublicKey)
		g.index = dkg.Index(d.Uint32())
		d.Into(g.name[:])
		g.since, g.came, g.is = d.Int64(), d.Int64(), judgement(d.Uint8())
		if g.is > misused {
			err = wire.ErrMalformed
		}
		x.given = append(x.given, g)
	}
	if err == nil {
		err = d.Err()
	}
	return x, err
}

// mayBring returns why a member cannot bring a further device into a root, nil if it can.
func mayBring(r members.Root, who proto.Maker) error {
	b, known := r.ListedBinding(who.Index)
	_, owner := r.Owners().PlaceOf(who.Key)
	switch {
	case known && r.Gone(who.Index):
		return outcome.ErrRemoved
	case !known || b.Maker != who || r.PersonOf(b) != b.Key:
		return outcome.ErrPhase
	case r.Policy().NoDevices && !owner:
		return outcome.ErrPolicy
	case len(r.Devices(b.Key)) >= maxDevices:
		return dkg.ErrExhausted
	}
	return nil
}
