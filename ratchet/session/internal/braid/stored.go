package braid

import (
	"math/bits"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// MaxStored bounds a stored braid, in bytes.
const MaxStored = 1 + 4 + 1 + 1 + seedSize + 2 + 1 + offerSize + 2 + answerSize

// Write appends the stored form. What the roles and the bits tell is not written: the length of an object, and the chunks
// that are not held.
func (b Braid) Write(w *wire.Writer) {
	w.U8(uint8(b.role))
	w.U32(b.epoch)
	w.Bool(b.mixed)
	w.Bool(!b.own.IsZero())
	if !b.own.IsZero() {
		w.Fixed(b.own.Expose())
		w.Fixed(b.out.object.Expose())
		w.U16(b.out.held)
		w.U8(b.out.next)
	}
	w.U16(b.in.held)
	if !b.in.object.IsZero() {
		each(b.in.object.Expose(), b.in.held, w.Fixed)
	}
}

// each calls f with the place of each chunk that is held in an object.
func each(object []byte, held uint16, f func(part []byte)) {
	for ; held != 0; held &= held - 1 {
		at := bits.TrailingZeros16(held) * dataSize
		f(object[at : at+dataSize])
	}
}

// Read reads what Write appended.
func Read(r *wire.Reader) (b Braid) {
	b.role = role(r.U8())
	b.epoch = r.U32()
	b.mixed = r.Bool()
	if b.role != initiator && (b.role != responder || b.mixed) {
		r.Fail("role in a braid")
	}
	out, in := b.role.chunks()
	own := r.Bool()
	if own {
		size := seedSize
		if b.role == responder {
			size = secretSize
		}
		b.own = secret.Own(r.Fixed(size))
		b.out.object = secret.Own(r.Fixed(int(out) * dataSize))
		b.out.held, b.out.next = r.U16(), r.U8()
	}
	b.in.held = r.U16()
	before := all(in) // what a side holds that does not collect: nothing yet, or all
	if b.role == initiator {
		before = 0
	}
	switch {
	case b.out.held > all(out) || own && b.out.next >= out || b.in.held > all(in):
		r.Fail("chunks that there are not")
	case !b.collects() && b.in.held != before:
		r.Fail("an answer without its offer")
	case b.collects() && b.in.held != 0 && r.Err() == nil:
		object := make([]byte, int(in)*dataSize)
		each(object, b.in.held, r.Into)
		b.in.object = secret.Own(object)
	}
	if r.Err() != nil {
		return Braid{}
	}
	return b
}

// marshal returns the stored form.
func (b Braid) marshal() []byte {
	w := wire.NewWriter(MaxStored)
	b.Write(w)
	return w.Bytes()
}

// parseBraid reads the stored form.
func parseBraid(in []byte) (Braid, error) {
	r := wire.NewReader(in)
	b := Read(r)
	if err := r.Done(); err != nil {
		return Braid{}, err
	}
	return b, nil
}
