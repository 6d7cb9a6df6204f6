package rekey

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Draft is a rekey while an owner prepares it. It is immutable; the zero Draft is none.
type Draft struct {
	wish  Wish
	keys  state.Segment[keys]
	boxes segmap.Map[sealed]
}

// keys are the secrets of a rekey.
type keys struct {
	polynomial dkg.Polynomial
	x          secret.Bytes // opens the content, and with the place in the parent's tree gives the root
	y          secret.Bytes // opens the owners' part
	k          secret.Bytes // of the template
}

// Recipient is a member that gets a box.
type Recipient struct {
	Index dkg.Index
	Inbox suite.KEMKey
	Seat  bool // it gets the key of the owners' part
}

// sealed is a box, with what it was made for. A box that could not be sealed is empty: its member is listed without one.
type sealed struct {
	index dkg.Index
	inbox [32]byte // H(inbox key)[:32]
	seat  bool
	box   state.Segment[blob]
}

// NewDraft draws the secrets of a rekey that changes something.
func NewDraft(w Wish) Draft {
	return Draft{
		wish: Wish{}.And(w),
		keys: state.NewSegment(keys{dkg.NewPolynomial(), secret.Random(suite.KeySize), secret.Random(suite.KeySize), secret.Random(suite.KeySize)}),
	}
}

// IsZero reports whether there is no draft.
func (d Draft) IsZero() bool { return d.keys.IsZero() }

// Wish returns what the rekey changes.
func (d Draft) Wish() Wish { return d.wish }

// Wishing returns the draft that changes more.
func (d Draft) Wishing(more Wish) Draft {
	d.wish = d.wish.And(more)
	return d
}

// Unsigned returns the draft without the owner list that others signed.
func (d Draft) Unsigned() Draft {
	d.wish.Signed = proto.OwnerList{}
	return d
}

// Sealed returns how many of some recipients have their box.
func (d Draft) Sealed(to []Recipient) int { return len(to) - len(d.missing(to)) }

// missing returns the recipients whose box is to be made: with another inbox key, or in another role, a box is of no use.
func (d Draft) missing(to []Recipient) (out []Recipient) {
	for _, r := range to {
		b, ok := d.boxes.Get(segmap.ByIndex(uint32(r.Index)))
		if !ok || b.inbox != proto.HashOfInbox(r.Inbox) || b.seat != r.Seat {
			out = append(out, r)
		}
	}
	return out
}

// Seal returns the draft with at most so many boxes more, made on all processors, and how many are still to be made. It returns an
// error of dkg.Polynomial.Share, which happens to one draft in 2^425: draw another.
func (d Draft) Seal(space state.ID, to []Recipient, most int) (Draft, int, error) {
	missing := d.missing(to)
	now := missing[:min(len(missing), most)]
	shares := make([]dkg.Share, len(now))
	for n, r := range now {
		var err error
		if shares[n], err = d.keys.Value().polynomial.Share(r.Index); err != nil {
			return d, 0, err
		}
	}
	made := make([][]byte, len(now))
	onAll(len(now), func(n int) { made[n] = d.seal(space, now[n], shares[n]) })
	for n, r := range now {
		d.boxes = d.boxes.Put(sealed{r.Index, proto.HashOfInbox(r.Inbox), r.Seat, state.NewSegment(blob(made[n]))})
	}
	return d, len(missing) - len(now), nil
}

// seal makes one box; nil if the key cannot be boxed to.
func (d Draft) seal(space state.ID, r Recipient, s dkg.Share) []byte {
	k := d.keys.Value()
	box := proto.RekeyBox{Share: s, X: k.x, Y: k.y}
	if !r.Seat {
		box.Y = secret.Random(suite.KeySize)
	}
	b, err := box.Seal(space, r.Inbox)
	if err != nil {
		return nil
	}
	return b
}

// onAll calls f for 0 to n-1 on all processors.
func onAll(n int, f func(int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wait.Wait()
}

// Key implements segmap.Row.
func (s sealed) Key() segmap.Key { return segmap.ByIndex(uint32(s.index)) }

// Encode implements state.Piece.
func (s sealed) Encode(e *state.Encoder) {
	e.Uint32(uint32(s.index))
	e.Fixed(s.inbox[:])
	e.Bool(s.seat)
	s.box.Encode(e, fmt.Sprintf("%x", s.index))
}

// Decode implements state.Piece.
func (sealed) Decode(d *state.Decoder) (s sealed, err error) {
	s.index = dkg.Index(d.Uint32())
	d.Into(s.inbox[:])
	s.seat = d.Bool()
	s.box, err = state.DecodeSegment[blob](d, fmt.Sprintf("%x", s.index))
	return s, err
}

// blob is bytes that are stored by themselves.
type blob []byte

// Encode implements state.Piece.
func (b blob) Encode(e *state.Encoder) { e.Bytes(b) }

// Decode implements state.Piece.
func (blob) Decode(d *state.Decoder) (blob, error) {
	b := d.Bytes(proto.MaxRekey)
	return b, d.Err()
}

// Encode implements state.Piece.
func (k keys) Encode(e *state.Encoder) {
	e.Fixed(k.polynomial.Bytes().Expose())
	for _, s := range []secret.Bytes{k.x, k.y, k.k} {
		e.Fixed(s.Expose())
	}
}

// Decode implements state.Piece.
func (keys) Decode(d *state.Decoder) (k keys, err error) {
	b := d.Fixed(dkg.PolynomialSize)
	for _, s := range []*secret.Bytes{&k.x, &k.y, &k.k} {
		*s = secret.Own(d.Fixed(suite.KeySize))
	}
	if err := d.Err(); err != nil {
		return keys{}, err
	}
	k.polynomial, err = dkg.ParsePolynomial(b)
	return k, err
}

// Encode implements state.Piece.
func (d Draft) Encode(e *state.Encoder) {
	d.wish.encode(e)
	d.keys.Encode(e, "keys")
	d.boxes.Encode(e, "b")
}

// Decode implements state.Piece.
func (Draft) Decode(d *state.Decoder) (x Draft, err error) {
	if x.wish, err = decodeWish(d); err != nil {
		return Draft{}, err
	}
	if x.keys, err = state.DecodeSegment[keys](d, "keys"); err != nil {
		return Draft{}, err
	}
	x.boxes, err = segmap.Decode[sealed](d, "b")
	return x, err
}

// String shows nothing of what the draft holds.
func (d Draft) String() string { return fmt.Sprintf("draft of a rekey, %d boxes", d.boxes.Size()) }

// GoString is String: %#v shows no more than %v.
func (d Draft) GoString() string { return d.String() }
