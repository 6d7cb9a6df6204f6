package ceremony

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

const (
	runVersion = 1
	// maxSetup bounds a stored setup: 255 parties, a key of 255 commitments, a context.
	maxSetup = 64 + MaxContext + threshold.MaxParties*(2+ed25519.PublicKeySize) + threshold.MaxKeySize
)

// IsZero reports whether this is the zero Run.
func (r Run) IsZero() bool { return r.setup.setup == nil }

// Encode implements state.Part. Each message is a segment, so that a save writes what came.
func (r Run) Encode(e *state.Encoder) {
	e.Version(runVersion)
	e.Bytes(r.setup.Bytes())
	e.Uint8(uint8(r.self))
	e.Uint8(uint8(r.phase))
	e.Bool(r.split)
	e.Fixed(r.identity.Expose())
	e.Bytes(r.boxSeed.Expose())
	e.Uint8(uint8(len(r.dealt.Coefficients())))
	for _, c := range r.dealt.Coefficients() {
		e.Fixed(c.Bytes())
	}
	e.Fixed(r.held.Bytes())
	e.Fixed(r.value.Bytes())
	e.Bytes(r.key.Bytes())
	e.Uint32(uint32(len(r.blamed)))
	for _, b := range r.blamed {
		e.Bytes(b.Evidence)
		e.Uint8(uint8(b.Participant))
		e.Uint8(uint8(b.Round))
	}
	e.Uint32(uint32(len(r.accused)))
	for _, a := range r.accused {
		e.Bytes(a.bytes(r.setup))
		e.Uint8(uint8(a.after))
	}
	slots := slices.SortedFunc(maps.Keys(r.messages), func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.round, b.round), cmp.Compare(a.maker, b.maker))
	})
	e.Uint32(uint32(len(slots)))
	for _, at := range slots {
		e.Uint8(uint8(at.round))
		e.Uint8(uint8(at.maker))
		r.messages[at].Encode(e, at.String())
	}
}

// String names the segment of a message.
func (s slot) String() string { return fmt.Sprintf("%v %d", s.round, s.maker) }

// Decode implements state.Part.
func (Run) Decode(d *state.Decoder) (Run, error) {
	d.Version(runVersion, runVersion)
	rawSetup := d.Bytes(maxSetup)
	if err := d.Err(); err != nil {
		return Run{}, err
	}
	s, err := ParseSetup(rawSetup)
	if err != nil {
		return Run{}, err
	}
	r := Run{setup: s, messages: make(map[slot]state.Segment[message])}
	r.self, r.phase, r.split = threshold.Index(d.Uint8()), Round(d.Uint8()), d.Bool()
	r.identity = secret.Own(d.Fixed(ed25519.SeedSize))
	if seed := d.Bytes(32); len(seed) > 0 {
		r.boxSeed = secret.Own(seed)
	}
	var coefficients []ed448.Scalar
	for range int(d.Uint8()) + 2 {
		raw := d.Fixed(ed448.ScalarSize)
		if err := d.Err(); err != nil {
			return Run{}, err
		}
		v, err := ed448.ParseScalar(raw)
		if err != nil {
			return Run{}, err
		}
		coefficients = append(coefficients, v)
	}
	n := len(coefficients) - 2
	r.dealt, r.held, r.value = poly.Of(coefficients[:n:n]), coefficients[n], coefficients[n+1]
	if raw := d.Bytes(threshold.MaxKeySize); len(raw) > 0 {
		if r.key, err = threshold.ParseKey(raw); err != nil {
			return Run{}, err
		}
	}
	for range d.Count(threshold.MaxParties, 4+2) {
		b := &BlameError{Evidence: d.Bytes(s.maxBody()), Participant: threshold.Index(d.Uint8()), Round: Round(d.Uint8())}
		if len(b.Evidence) == 0 {
			return Run{}, fmt.Errorf("%w: no evidence", wire.ErrMalformed)
		}
		b.Reason = Reason(b.Evidence[0])
		r.blamed = append(r.blamed, b)
	}
	for range d.Count(threshold.MaxParties, 4+1) {
		m, err := readMessage(s, d.Bytes(maxStored))
		if err != nil {
			return Run{}, err
		}
		r.accused = append(r.accused, accusation{m, int(d.Uint8())})
	}
	for range d.Count(4*threshold.MaxParties, 2) {
		at := slot{Round(d.Uint8()), threshold.Index(d.Uint8())}
		seg, err := state.DecodeSegment[message](d, at.String())
		if err != nil {
			return Run{}, err
		}
		m := seg.Value()
		if m.round != at.round || m.maker != at.maker || !s.speaks(at.round, at.maker) || s.wellFormed(m) != nil {
			return Run{}, fmt.Errorf("%w: message %v", wire.ErrMalformed, at)
		}
		r.messages[at] = seg
	}
	return r, r.consistent()
}

// consistent returns an error if a stored run is none that Begin and Receive make.
func (r Run) consistent() error {
	bad := func(reason string) error { return fmt.Errorf("%w: %s", wire.ErrMalformed, reason) }
	if r.phase < Join || r.phase > done || r.setup.position(r.self) < 0 {
		return bad("phase or party")
	}
	for round := Join; round <= Echo; round++ {
		_, said := r.get(round, r.self)
		if want := round <= r.phase && r.setup.speaks(round, r.self); said != want {
			return bad("own messages")
		}
	}
	for round := Join; round < min(r.phase, Echo); round++ {
		for _, i := range r.setup.speakers(round) {
			if _, ok := r.get(round, i); !ok {
				return bad("messages of a round that is over")
			}
		}
	}
	if needs := r.phase <= Deal && r.setup.is(r.self, deals); needs != (len(r.dealt.Coefficients()) == r.setup.coefficients()) {
		return bad("polynomial")
	}
	if needs := r.phase <= Deal || r.self == r.setup.lost && r.phase < done; needs != (r.boxSeed.Len() == 32) {
		return bad("box seed")
	}
	if needs := r.phase == done || r.phase >= Echo && !r.split; needs && r.key.IsZero() {
		return bad("key")
	}
	return nil
}

// Succeeds implements state.Part. It returns ErrStale unless the run is of the same party in the same ceremony, as far on
// as prev and with all messages that prev has.
func (r Run) Succeeds(prev Run) error {
	if r.IsZero() || prev.IsZero() || r.setup.id != prev.setup.id || r.self != prev.self {
		return fmt.Errorf("%w: another ceremony or party", ErrStale)
	}
	if r.phase < prev.phase || len(r.accused) < len(prev.accused) || len(r.blamed) < len(prev.blamed) {
		return fmt.Errorf("%w: phase", ErrStale)
	}
	for i, a := range prev.accused {
		if r.accused[i].digest != a.digest || r.accused[i].after != a.after {
			return fmt.Errorf("%w: accusation", ErrStale)
		}
	}
	for at, seg := range prev.messages {
		if m, ok := r.get(at.round, at.maker); !ok || m.digest != seg.Value().digest {
			return fmt.Errorf("%w: message %v", ErrStale, at)
		}
	}
	return nil
}
