package state

import (
	"crypto/subtle"
	"fmt"
	"reflect"
	"strings"

	"github.com/trefoil-im/trefoil/state/store"
)

// Value is what a Vault holds: a SpaceEncryptionState, or a One. It is sealed; no other type can satisfy it.
type Value[V any] interface {
	// ID names the row in which the value is stored.
	ID() ID

	kind() store.Kind
	// check returns ErrIncomplete if the value was not made by its constructor. It is called on any value and given the one to be
	// checked by its address: copies of parts would be the most of what it costs.
	check(*V) error
	// encode writes the value's parts, one Encoder for each name of kind().Parts().
	encode([]*Encoder)
	// decode is called on the zero value with one Decoder for each part.
	decode(ID, []*Decoder) (V, error)
	succeeds(prev V) error
	// forget has the keepers among the parts forget frames; keeps reports whether there are any.
	forget(frames [][32]byte) V
	keeps() bool
}

// SpaceEncryptionState holds the ratchet state, the template and the evals of one space, always all three. The zero value
// holds nothing and is refused everywhere; New is the only way to make one, the With methods the only way to change one.
// It is immutable, safe to share, cannot be compared with == and shows nothing when printed.
type SpaceEncryptionState[State Part[State], Template Part[Template], Evals Part[Evals]] struct {
	_        [0]func()
	id       ID
	state    State
	template Template
	evals    Evals
}

// New returns the encryption state of the space id. Whoever has no template or evals of its own says so with an explicit
// value of those types. A nil pointer or interface is refused with ErrIncomplete, and so are the zero ID and a part with a
// method IsZero that returns true.
func New[S Part[S], T Part[T], E Part[E]](id ID, state S, template T, evals E) (SpaceEncryptionState[S, T, E], error) {
	s := SpaceEncryptionState[S, T, E]{id: id, state: state, template: template, evals: evals}
	if err := s.check(&s); err != nil {
		return SpaceEncryptionState[S, T, E]{}, err
	}
	return s, nil
}

// ID names the space.
func (s SpaceEncryptionState[S, T, E]) ID() ID { return s.id }

// State returns the ratchet state.
func (s SpaceEncryptionState[S, T, E]) State() S { return s.state }

// Template returns the template.
func (s SpaceEncryptionState[S, T, E]) Template() T { return s.template }

// Evals returns the evals.
func (s SpaceEncryptionState[S, T, E]) Evals() E { return s.evals }

// WithState returns a value with another ratchet state and the same template and evals.
func (s SpaceEncryptionState[S, T, E]) WithState(next S) SpaceEncryptionState[S, T, E] {
	s.state = next
	return s
}

// WithTemplate returns a value with another template and the same ratchet state and evals.
func (s SpaceEncryptionState[S, T, E]) WithTemplate(next T) SpaceEncryptionState[S, T, E] {
	s.template = next
	return s
}

// WithEvals returns a value with other evals and the same ratchet state and template.
func (s SpaceEncryptionState[S, T, E]) WithEvals(next E) SpaceEncryptionState[S, T, E] {
	s.evals = next
	return s
}

// Equal reports whether both values would be stored as the same bytes. It encodes both, so it is for tests, not for hot
// paths. It takes time that depends on sizes only.
func (s SpaceEncryptionState[S, T, E]) Equal(o SpaceEncryptionState[S, T, E]) bool {
	return equal(s, o)
}

// String names the space and shows nothing of what it holds.
func (s SpaceEncryptionState[S, T, E]) String() string { return "space " + s.id.String() }

// GoString is String: %#v shows no more than %v.
func (s SpaceEncryptionState[S, T, E]) GoString() string { return s.String() }

func (s SpaceEncryptionState[S, T, E]) kind() store.Kind { return store.Spaces }

func (SpaceEncryptionState[S, T, E]) check(s *SpaceEncryptionState[S, T, E]) error {
	return whole(s.id, &s.state, &s.template, &s.evals)
}

func (s SpaceEncryptionState[S, T, E]) encode(e []*Encoder) {
	s.state.Encode(e[0])
	s.template.Encode(e[1])
	s.evals.Encode(e[2])
}

func (s SpaceEncryptionState[S, T, E]) decode(id ID, d []*Decoder) (SpaceEncryptionState[S, T, E], error) {
	out := SpaceEncryptionState[S, T, E]{id: id}
	for i, err := range []error{
		decodePart(d[0], &out.state),
		decodePart(d[1], &out.template),
		decodePart(d[2], &out.evals),
	} {
		if err != nil {
			return SpaceEncryptionState[S, T, E]{}, fmt.Errorf("part %s: %w", store.Spaces.Parts()[i], err)
		}
	}
	return out, nil
}

func (s SpaceEncryptionState[S, T, E]) succeeds(prev SpaceEncryptionState[S, T, E]) error {
	if err := s.state.Succeeds(prev.state); err != nil {
		return err
	}
	if err := s.template.Succeeds(prev.template); err != nil {
		return err
	}
	return s.evals.Succeeds(prev.evals)
}

func (s SpaceEncryptionState[S, T, E]) forget(frames [][32]byte) SpaceEncryptionState[S, T, E] {
	s.state, s.template, s.evals = forget(s.state, frames), forget(s.template, frames), forget(s.evals, frames)
	return s
}

func (s SpaceEncryptionState[S, T, E]) keeps() bool {
	return keeps(s.state) || keeps(s.template) || keeps(s.evals)
}

// One is a stored value of a single part: the sessions with one device of somebody else, or the keys of a device or person.
// A part with a method StoredAs() store.Kind is stored as that kind, any other as store.Sessions. The zero value holds
// nothing and is refused everywhere.
type One[P Part[P]] struct {
	_    [0]func()
	id   ID
	part P
}

// NewOne returns the value of the ID id, or ErrIncomplete for the zero ID or an empty part as New does.
func NewOne[P Part[P]](id ID, part P) (One[P], error) {
	o := One[P]{id: id, part: part}
	if err := o.check(&o); err != nil {
		return One[P]{}, err
	}
	return o, nil
}

// ID names the value.
func (o One[P]) ID() ID { return o.id }

// Part returns the part.
func (o One[P]) Part() P { return o.part }

// With returns a value of the same ID with another part.
func (o One[P]) With(next P) One[P] {
	o.part = next
	return o
}

// Equal reports whether both values would be stored as the same bytes. It is for tests.
func (o One[P]) Equal(other One[P]) bool { return equal(o, other) }

// String names the value by its kind and ID and shows nothing of what it holds.
func (o One[P]) String() string {
	return strings.TrimSuffix(o.kind().String(), "s") + " " + o.id.String()
}

// GoString is String: %#v shows no more than %v.
func (o One[P]) GoString() string { return o.String() }

func (o One[P]) kind() store.Kind {
	if k, ok := any(o.part).(interface{ StoredAs() store.Kind }); ok {
		return k.StoredAs()
	}
	return store.Sessions
}

func (One[P]) check(o *One[P]) error     { return whole(o.id, &o.part) }
func (o One[P]) encode(e []*Encoder)     { o.part.Encode(e[0]) }
func (o One[P]) succeeds(p One[P]) error { return o.part.Succeeds(p.part) }
func (o One[P]) keeps() bool             { return keeps(o.part) }

func (o One[P]) forget(frames [][32]byte) One[P] {
	o.part = forget(o.part, frames)
	return o
}

func (o One[P]) decode(id ID, d []*Decoder) (One[P], error) {
	out := One[P]{id: id}
	if err := decodePart(d[0], &out.part); err != nil {
		return One[P]{}, err
	}
	return out, nil
}

// whole refuses the zero ID, parts that are nil, and parts that say of themselves that they are zero values. It is given the
// addresses of the parts.
func whole(id ID, parts ...any) error {
	if id == (ID{}) {
		return fmt.Errorf("%w: no ID", ErrIncomplete)
	}
	for _, part := range parts {
		v := reflect.ValueOf(part).Elem()
		if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface { // its address has none of its methods
			part = v.Interface()
			v = reflect.ValueOf(part)
		}
		switch v.Kind() {
		case reflect.Invalid:
			return fmt.Errorf("%w: a part is nil", ErrIncomplete)
		case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
			if v.IsNil() {
				return fmt.Errorf("%w: a part is nil", ErrIncomplete)
			}
		}
		if z, ok := part.(interface{ IsZero() bool }); ok && z.IsZero() {
			return fmt.Errorf("%w: a part is its zero value", ErrIncomplete)
		}
	}
	return nil
}

// decodePart reads a whole part.
func decodePart[P Part[P]](d *Decoder, out *P) error {
	return d.run(func(d *Decoder) (err error) {
		var zero P
		*out, err = zero.Decode(d)
		return err
	})
}

// equal compares encodings with their segments in line.
func equal[V Value[V]](a, b V) bool {
	if a.ID() != b.ID() || a.check(&a) != nil || b.check(&b) != nil {
		return false
	}
	same := 1
	ea, eb := encoders(a.kind()), encoders(b.kind())
	a.encode(ea)
	b.encode(eb)
	for i := range ea {
		same &= subtle.ConstantTimeCompare(ea[i].plain(), eb[i].plain())
	}
	return same == 1
}

// encoders returns Encoders that write segments in line.
func encoders(k store.Kind) []*Encoder {
	out := make([]*Encoder, len(k.Parts()))
	for i := range out {
		out[i] = new(Encoder)
	}
	return out
}
