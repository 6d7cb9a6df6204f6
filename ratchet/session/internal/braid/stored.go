package braid

import (
	"math/bits"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// MaxStored bounds a stored braid, in bytes.
const MaxStored = 1 + 4 + 1 + seedSize + 2 + 1 + offerSize + 2 + 1 + answerSize

// Write appends the stored form. What the roles and the bits tell is not written: the length of an object, and the chunks
// that are not held.
func (b Braid) Write(w *wire.Writer) {
	w.U8(uint8(b.role))
	w.U32(b.epoch)
	w.Bool(!b.own.IsZero())
	w.Fixed(b.own.Expose())
	if !b.own.IsZero() {
		w.U16(b.out.held)
		w.U8(b.out.next)
		w.Fixed(b.out.object.Expose())
	}
	w.U16(b.in.held)
	w.Bool(!b.in.object.IsZero())
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
	if b.role != initiator && b.role != responder {
		r.Fail("role in a braid")
	}
	b.epoch = r.U32()
	out, in := b.role.chunks()
	own := r.Bool()
	if own {
		size := seedSize
		if b.role == responder {
			size = secretSize
		}
		b.own = secret.Own(r.Fixed(size))
		if b.out.held, b.out.next = r.U16(), r.U8(); b.out.held > all(out) || b.out.next >= out {
			r.Fail("chunks that were sent")
		}
		if b.out.held != all(out) {
			b.out.object = secret.Own(r.Fixed(int(out) * dataSize))
		} else if b.out.next != 0 {
			r.Fail("a chunk to be sent of what is held")
		}
	}
	if b.in.held = r.U16(); b.in.held > all(in) {
		r.Fail("chunks that were collected")
	}
	if r.Bool() && r.Err() == nil {
		object := make([]byte, int(in)*dataSize)
		each(object, b.in.held, r.Into)
		b.in.object = secret.Own(object)
	}
	// There is an object from the first chunk until it is used, which takes all of them. The initiator collects only while it
	// offers, and the responder until it answers.
	collecting, complete := !b.in.object.IsZero(), b.in.held == all(in)
	if (b.in.held != 0) != collecting && !complete || collecting && own != (b.role == initiator) ||
		b.role == initiator && !own && b.in.held != 0 || b.role == responder && own && !complete {
		r.Fail("a braid whose parts contradict each other")
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
