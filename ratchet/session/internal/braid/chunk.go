package braid

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// Chunk is what one message says about the exchange under way: a part of the offer or the answer, and which parts of the
// other side's have come.
type Chunk struct {
	epoch uint32 // of the sender
	index uint8  // noIndex if the message carries no part
	held  uint16 // the parts of the receiver's that the sender holds, a bit each
	data  [dataSize]byte
}

// ChunkSize is the size of a Chunk in bytes.
const ChunkSize = 4 + 1 + 2 + dataSize

// noIndex is the index of a chunk without a part.
const noIndex = 0xff

// Epoch returns the sender's epoch.
func (c Chunk) Epoch() uint32 { return c.epoch }

// Append appends the ChunkSize bytes of the chunk.
func (c Chunk) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, c.epoch)
	b = append(b, c.index)
	b = binary.BigEndian.AppendUint16(b, c.held)
	return append(b, c.data[:]...)
}

// ParseChunk reads a chunk that the other side made, or returns ErrMalformed.
func (b Braid) ParseChunk(in []byte) (Chunk, error) {
	if len(in) != ChunkSize {
		return Chunk{}, fmt.Errorf("%w: length of a chunk", ErrMalformed)
	}
	c := Chunk{
		epoch: binary.BigEndian.Uint32(in),
		index: in[4],
		held:  binary.BigEndian.Uint16(in[5:]),
		data:  [dataSize]byte(in[7:]),
	}
	out, from := b.role.chunks()
	if c.index >= from && c.index != noIndex || c.index == noIndex && c.data != [dataSize]byte{} || c.held > all(out) {
		return Chunk{}, fmt.Errorf("%w: chunk", ErrMalformed)
	}
	return c, nil
}

// all returns the bits of n chunks.
func all(n uint8) uint16 { return 1<<n - 1 }

// outgoing is what a side sends in an exchange: the offer or the answer. The zero value is nothing.
type outgoing struct {
	object object // none before it is made, and again when the receiver holds it all
	held   uint16 // the chunks that the receiver is known to hold
	next   uint8  // the chunk whose turn it is
}

// incoming is what a side has of the other's object.
type incoming struct {
	object object // with zeros where a chunk is not held; none before the first one, and again when it was used
	held   uint16
}

// object is an offer or an answer. It is no secret, but nobody wants to see a kilobyte of it where a session is printed.
type object = secret.Bytes

// take puts the next chunk that the receiver is not known to hold into c. Taking turns, instead of sending a chunk until it
// is known to be held, makes progress also while the other side is silent.
func (o outgoing) take(c *Chunk) outgoing {
	c.index = noIndex
	if o.object.IsZero() {
		return o
	}
	n := uint8(o.object.Len() / dataSize)
	for o.held&(1<<o.next) != 0 {
		o.next = (o.next + 1) % n
	}
	c.index = o.next
	c.data = [dataSize]byte(o.object.Expose()[int(o.next)*dataSize:])
	o.next = (o.next + 1) % n
	return o
}

// reported returns what is left when the receiver says what it holds. What it said before stays true: messages overtake
// each other.
func (o outgoing) reported(held uint16) outgoing {
	if o.object.IsZero() {
		return o
	}
	if o.held |= held; o.held == all(uint8(o.object.Len()/dataSize)) {
		o.object, o.next = object{}, 0
	}
	return o
}

// with returns the parts together with one more of an object of n chunks. The first one of an index counts.
func (i incoming) with(c Chunk, n uint8) incoming {
	if c.index == noIndex || i.held&(1<<c.index) != 0 {
		return i
	}
	b := make([]byte, int(n)*dataSize)
	copy(b, i.object.Expose())
	copy(b[int(c.index)*dataSize:], c.data[:])
	return incoming{secret.Own(b), i.held | 1<<c.index}
}

// complete reports whether the object is there and can be used.
func (i incoming) complete() bool {
	return !i.object.IsZero() && bits.OnesCount16(i.held)*dataSize == i.object.Len()
}

// used returns what is kept of an object that was used: that it came.
func (i incoming) used() incoming { return incoming{held: i.held} }
