package state

// A segment's name is 1 to maxName bytes without a slash, and its path, the names from its part down to itself joined
// by slashes, at most maxPath bytes: so segments nest less than 128 deep. A piece has at most maxSegments segments of its own.
// The limits keep a forged or damaged row from costing more than it is long; they are part of the format.
const (
	maxName     = 96
	maxPath     = 255
	maxSegments = 1 << 16
)

// Segment is a piece of a part that is stored by itself, so that a save writes only the pieces that changed. It is
// immutable and safe to share; a changed piece is a new Segment. The zero Segment holds nothing and must not be encoded.
type Segment[T Piece[T]] struct{ p *segment[T] }

type segment[T Piece[T]] struct {
	value  T
	stored mark
}

// NewSegment returns a segment that holds v.
func NewSegment[T Piece[T]](v T) Segment[T] { return Segment[T]{&segment[T]{value: v}} }

// Value returns what the segment holds, the zero value of T for the zero Segment.
func (s Segment[T]) Value() (v T) {
	if s.p != nil {
		v = s.p.value
	}
	return v
}

// IsZero reports whether the segment holds nothing.
func (s Segment[T]) IsZero() bool { return s.p == nil }

// Encode lists the segment under name, which is 1 to 96 bytes without a slash and unlike the other names in the same
// piece. A segment that the store holds already is not encoded again.
func (s Segment[T]) Encode(e *Encoder, name string) {
	s.p.stored.set(e.segment(name, s.p.stored.get(), s.p.value.Encode))
}

// DecodeSegment reads the segment that was listed under name. Segments are read in the order in which they were listed.
func DecodeSegment[T Piece[T]](d *Decoder, name string) (Segment[T], error) {
	var zero T
	var out Segment[T]
	n, err := d.segment(name, func(sub *Decoder) error {
		v, err := zero.Decode(sub)
		out = NewSegment(v)
		return err
	})
	if err != nil {
		return Segment[T]{}, err
	}
	out.p.stored.set(n)
	return out, nil
}
