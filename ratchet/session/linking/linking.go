package linking

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// Errors of this package, besides ErrCode.
var (
	// ErrPhase: it is not the time for this.
	ErrPhase = errors.New("linking: not now")
	// ErrDigits: the other device shows other digits. The linking has ended: somebody may be in between.
	ErrDigits = errors.New("linking: the digits differ")
	// ErrTwice: two devices used the code. The linking has ended: whoever saw the code may be one of them.
	ErrTwice = errors.New("linking: two devices used the code")
	// ErrExpired: it took too long, and has ended.
	ErrExpired = errors.New("linking: expired")
	// ErrIgnored: a frame that says nothing now. It may be discarded.
	ErrIgnored = errors.New("linking: nothing for this device")
)

const (
	// codeFor is how long a code can be used, by the clock of the first device, and linkFor how long a linking takes at most.
	codeFor = 15 * time.Minute
	linkFor = 24 * time.Hour
	// MaxPayload bounds what the devices send each other, in bytes: links to some 2,000 spaces.
	MaxPayload = 512 << 10
)

// Phase says how far a linking is.
type Phase uint8

// The phases, in their order.
const (
	Waiting   Phase = 1 // for the other device
	Comparing Phase = 2 // both show the digits
	Confirmed Phase = 3 // on this device
	Done      Phase = 4
	Ended     Phase = 5 // without success
)

// Linking is one device's side of a linking. The zero Linking is none. It shows nothing when printed.
type Linking struct {
	_      [0]func()
	first  bool
	phase  Phase
	begun  int64 // milliseconds since 1970
	code   code
	own    keys
	person key.Address // of the first device; known on the further one once its hello was read
	ours   []byte      // hello of this device, nil once the linking has ended
	theirs []byte      // hello of the other device, nil before
	sent   []byte      // payload of this device
	got    []byte      // payload of the other one, whose signature was right
}

// Offer returns the linking of the first device of a person, which shows its Code.
func Offer(person key.Address, now time.Time) Linking {
	l := begin(person, now)
	l.first, l.person, l.code = true, person, newCode(l.ours)
	return l
}

// Accept returns the linking of a further device, which was given a code. It returns ErrCode, state.ErrTooNew or state.ErrTooOld.
func Accept(code string, now time.Time) (Linking, error) {
	c, err := parseCode(code)
	if err != nil {
		return Linking{}, err
	}
	l := begin(key.Address{}, now)
	l.code = c
	return l, nil
}

// begin draws the keys of a device, and has it say of itself whose it is.
func begin(person key.Address, now time.Time) Linking {
	own := newKeys()
	return Linking{phase: Waiting, begun: now.UnixMilli(), own: own, ours: own.hello(person)}
}

// ID names the linking: both devices post and read at it. Nobody without the code can tell what it is of.
func (l Linking) ID() state.ID { return l.code.place() }

// First reports whether this is the first device.
func (l Linking) First() bool { return l.first }

// Phase says how far the linking is.
func (l Linking) Phase() Phase { return l.phase }

// Begun returns when this device began it.
func (l Linking) Begun() time.Time { return time.UnixMilli(l.begun) }

// Person returns the person that the further device becomes one of; zero on that device before Comparing.
func (l Linking) Person() key.Address { return l.person }

// Payload returns what the other device sent, after its signature was verified; nil before.
func (l Linking) Payload() []byte { return slices.Clone(l.got) }

// transcript binds all that was said before the digits.
func (l Linking) transcript() []byte {
	first, further := l.ours, l.theirs
	if !l.first {
		first, further = further, first
	}
	return l.code.transcript(further, first)
}

// Digits returns the six digits that both devices show from Comparing on, in two groups, and nothing before and after.
func (l Linking) Digits() string {
	if l.phase != Comparing && l.phase != Confirmed {
		return ""
	}
	n := binary.BigEndian.Uint64(hash("digits", l.transcript())) % 1_000_000 // 2^64 mod 10^6: no digit is favoured by more than 2^-44
	return fmt.Sprintf("%03d %03d", n/1000, n%1000)
}

// Confirm says that the person read these digits on the other device. With others the linking ends, and the error is ErrDigits: who
// is in between has one guess. The further device gives its payload with it.
func (l Linking) Confirm(digits string, payload []byte) (Linking, error) {
	switch {
	case l.phase != Comparing:
		return l, ErrPhase
	case len(payload) > MaxPayload || l.first != (len(payload) == 0):
		return l, key.ErrArgument
	case subtle.ConstantTimeCompare(onlyDigits(digits), onlyDigits(l.Digits())) != 1:
		return l.End(), ErrDigits
	}
	l.phase, l.sent = Confirmed, payload
	return l, nil
}

func onlyDigits(s string) (out []byte) {
	for _, c := range []byte(s) {
		if '0' <= c && c <= '9' {
			out = append(out, c)
		}
	}
	return out
}

// Grant gives the further device what it is to have. The first device does so once: after Confirm, and when Payload is there.
func (l Linking) Grant(payload []byte) (Linking, error) {
	if !l.first || l.phase != Confirmed || l.got == nil || l.sent != nil {
		return l, ErrPhase
	}
	if len(payload) == 0 || len(payload) > MaxPayload {
		return l, key.ErrArgument
	}
	l.sent = payload
	return l, nil
}

// Granted reports whether the first device gave what it has to give.
func (l Linking) Granted() bool { return l.first && l.sent != nil }

// Taken returns the linking without the payload that the first device sent, once what is in it lies elsewhere.
func (l Linking) Taken() Linking {
	l.got = nil
	return l
}

// End returns the linking that has ended without success, and holds no keys.
func (l Linking) End() Linking {
	return Linking{first: l.first, phase: Ended, begun: l.begun, code: l.code}
}

// Tick returns the linking at a time: one that takes too long ends, with ErrExpired.
func (l Linking) Tick(now time.Time) (Linking, error) {
	age := time.Duration(now.UnixMilli()-l.begun) * time.Millisecond
	if l.phase < Done && (age > linkFor || l.first && l.phase == Waiting && age > codeFor) {
		return l.End(), ErrExpired
	}
	return l, nil
}

// Format of a stored Linking.
const format = 1

// Encode implements state.Piece.
func (l Linking) Encode(e *state.Encoder) {
	e.Version(format)
	e.Bool(l.first)
	e.Uint32(uint32(l.phase))
	e.Uint64(uint64(l.begun))
	e.Fixed(l.code.secret[:])
	e.Fixed(l.code.commitment[:])
	e.Fixed(l.own.nonce[:])
	e.Fixed(l.person[:])
	var seeds []byte
	if l.phase < Ended {
		seeds = l.own.seeds()
	}
	e.Bytes(seeds)
	e.Bytes(l.theirs)
	e.Bytes(l.sent)
	e.Bytes(l.got)
}

// Decode implements state.Piece.
func (Linking) Decode(d *state.Decoder) (l Linking, err error) {
	d.Version(format, format)
	l.first, l.phase, l.begun = d.Bool(), Phase(d.Uint32()), int64(d.Uint64())
	d.Into(l.code.secret[:])
	d.Into(l.code.commitment[:])
	d.Into(l.own.nonce[:])
	d.Into(l.person[:])
	seeds := d.Bytes(seedsSize)
	l.theirs, l.sent, l.got = orNil(d.Bytes(helloSize)), orNil(d.Bytes(MaxPayload)), orNil(d.Bytes(MaxPayload))
	if err := d.Err(); err != nil || l.phase == Ended {
		return l, err
	}
	if l.phase < Waiting || l.phase > Ended {
		return l, wire.ErrMalformed
	}
	if l.own, err = parseKeys(seeds, l.own.nonce); err != nil {
		return l, err
	}
	whose := key.Address{}
	if l.first {
		whose = l.person
	}
	l.ours = l.own.hello(whose)
	return l, nil
}

// orNil returns nil for what is empty.
func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// Succeeds reports whether a linking may replace another one: it does not go back.
func (l Linking) Succeeds(prev Linking) error {
	if l.code.secret != prev.code.secret || l.first != prev.first || l.phase < prev.phase || len(prev.sent) > 0 && l.phase < Done && string(l.sent) != string(prev.sent) {
		return state.ErrStale
	}
	return nil
}

// IsZero reports whether there is no linking.
func (l Linking) IsZero() bool { return l.phase == 0 }

// String says how far it is and shows nothing else.
func (l Linking) String() string { return fmt.Sprintf("linking in phase %d", l.phase) }

// GoString is String.
func (l Linking) GoString() string { return l.String() }
