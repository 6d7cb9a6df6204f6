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
	mixed bool   // from the initiator: the exchange that ended last gave a secret
	held  uint16 // the parts of the receiver's that the sender holds, a bit each
	data  [dataSize]byte
}

// ChunkSize is the size of a Chunk in bytes.
const ChunkSize = 4 + 1 + 2 + dataSize

// noIndex is the index of a chunk without a part, and mixedBit is set beside the bits of what is held.
const (
	noIndex  = 0xff
	mixedBit = 1 << 15
)

// Append appends the ChunkSize bytes of the chunk.
func (c Chunk) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, c.epoch)
	b = append(b, c.index)
	held := c.held
	if c.mixed {
		held |= mixedBit
	}
	b = binary.BigEndian.AppendUint16(b, held)
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
		mixed: in[5]&(mixedBit>>8) != 0,
		held:  binary.BigEndian.Uint16(in[5:]) &^ mixedBit,
		data:  [dataSize]byte(in[7:]),
	}
	out, from := b.role.chunks()
	if c.index >= from && c.index != noIndex || c.index == noIndex && c.data != [dataSize]byte{} || c.held > all(out) ||
		c.mixed && b.role != responder {
		return Chunk{}, fmt.Errorf("%w: chunk", ErrMalformed)
	}
	return c, nil
}

// all returns the bits of n chunks.
func all(n uint8) uint16 { return 1<<n - 1 }

// outgoing is what a side sends in an exchange: the offer or the answer. The zero value is nothing.
type outgoing struct {
	object object // none before it is made
	held   uint16 // the chunks that the receiver said last that it holds
	next   uint8  // the chunk whose turn it is
}

// incoming is what a side has of the other's object.
type incoming struct {
	object object // with zeros where a chunk is not held; none before the first one, and again when it was used
	held   uint16
}

// object is an offer or an answer. It is no secret, but nobody wants to see a kilobyte of it where a session is printed.
type object = secret.Bytes

// take puts the next chunk that the receiver does not hold into c. Taking turns, instead of sending a chunk until it is known
// to be held, makes progress also while the other side is silent.
func (o outgoing) take(c *Chunk) outgoing {
	c.index = noIndex
	n := uint8(o.object.Len() / dataSize)
	if o.held == all(n) { // or there is none
		return o
	}
	for o.held&(1<<o.next) != 0 {
		o.next = (o.next + 1) % n
	}
	c.index = o.next
	c.data = [dataSize]byte(o.object.Expose()[int(o.next)*dataSize:])
	o.next = (o.next + 1) % n
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

// complete reports whether the object is there and was not used.
func (i incoming) complete() bool {
	return !i.object.IsZero() && bits.OnesCount16(i.held)*dataSize == i.object.Len()
}
