package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Entrance is how a further device of a person comes into a space, or why it does not.
type Entrance struct {
	// Device is what step.InviteDevice was told.
	Device [32]byte
	// Link and Vouch must reach that device alone, and at once: the link is good for 7 days. Vouch is the first device's signature that
	// whoever comes by the link is a device of its person. Profile is what the first device says of itself.
	Link           invite.Link
	Vouch, Profile []byte
	// Reason is why there is no invite, else nil: ErrPolicy where members bring no devices, dkg.ErrExhausted for a person with 8 devices,
	// ErrHintOwnerNeeded if no owner answered for 30 days, ErrHintExpired for an invite that nobody took for 7 days, ErrRemoved, and ErrPhase
	// after Leave and for a device that another one signed for.
	Reason error
}

// InviteDevice implements step.Taker.
func (d taker) InviteDevice(device [32]byte) error { return d.wishDevice(device) }

// Entrances returns what came of step.InviteDevice, the oldest first, until step.TakeEntrance.
func Entrances(s Space) (out []Entrance) {
	st := stateOf(s)
	for _, y := range st.devices.Value().entrances {
		e := Entrance{Device: y.device, Link: y.link, Vouch: slices.Clone(y.vouch), Reason: deviceReasons[y.reason]}
		if y.reason == 0 {
			e.Profile = ownProfile(s)
		}
		out = append(out, e)
	}
	return out
}

// TakeEntrance implements step.Taker.
func (d taker) TakeEntrance(device [32]byte) error {
	x := d.st.devices.Value()
	x.entrances = slices.DeleteFunc(slices.Clone(x.entrances), func(y storedEntrance) bool { return y.device == device })
	d.setDevices(x)
	return nil
}

// ownProfile returns what others are shown of this member.
func ownProfile(s Space) []byte {
	index, _ := s.State().Self()
	for _, m := range Members(s) {
		if m.Index == index {
			return m.Profile
		}
	}
	return nil
}

// JoinAsDevice is Join for a further device of a person, by what step.InviteDevice brought on the first one. Members then shows both as one
// person, under the profile that either of them set last. It returns ErrMalformed for an entrance without an invite, and for what is no
// vouch for its link.
func JoinAsDevice(by Entrance, now time.Time) (Space, []byte, error) {
	link, err := openLink(by.Link)
	if err != nil {
		return Space{}, nil, err
	}
	v, err := proto.ParseVouch(by.Vouch)
	if err != nil {
		return Space{}, nil, ErrMalformed
	}
	keys, err := link.Keys()
	if err != nil || v.Verify(link.Space, link.First, keys.Admission.Public) != nil {
		return Space{}, nil, ErrMalformed
	}
	return join(by.Link, now, by.Profile, by.Vouch)
}
