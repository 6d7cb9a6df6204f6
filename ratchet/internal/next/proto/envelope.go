package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Way is a line of commits, each sealed in the epoch that the one before it makes; the first in any epoch (§7).
type Way []Sealed

// Envelope is a sealed message as it goes over the network (§7). Own is the way that ends with the epoch of the message; only
// it says something of the message itself.
type Envelope struct {
	Own    Way
	Others []Way
	Header SealedHeader
	Body   []byte
}

// MessageContext is what a message is bound to: where it stands, and what goes in the clear beside it.
type MessageContext struct {
	Space  state.ID
	Epoch  EpochID
	Header Header
	Bound  Digest
}

// Commits returns the number of commits in all ways.
func (e Envelope) Commits() int {
	n := len(e.Own)
	for _, w := range e.Others {
		n += len(w)
	}
	return n
}

// Bound returns H(headerCT ‖ ways).
func (e Envelope) Bound() Digest {
	return suite.Hash(e.Header[:], encode(2+e.Commits()*(2+minSealed), e.writeWays))
}

// bodyAAD is the additional data of a body: space ‖ id_e ‖ bound.
func (c MessageContext) bodyAAD() (aad [64 + suite.HashSize]byte) {
	copy(aad[:], c.Space[:])
	copy(aad[32:], c.Epoch[:])
	copy(aad[64:], c.Bound[:])
	return aad
}

// Seal returns the envelope with a content as its body, sealed under its message key. The context's Bound is that of the
// envelope, and the content was signed in this context. It returns wire.ErrMalformed for ways that no receiver reads.
func (e Envelope) Seal(ctx MessageContext, message secret.Bytes, c Content) (Envelope, error) {
	if err := e.checkWays(); err != nil {
		return Envelope{}, err
	}
	plain, aad := c.encode(), ctx.bodyAAD()
	e.Body = suite.NewAEAD(message).Seal(make([]byte, 0, len(plain)+suite.AEADOverhead), plain, aad[:])
	return e, nil
}

// Open opens the body with a message key. It returns suite.ErrNotOpened if the key is not this message's, and
// wire.ErrMalformed if the key fits but this is no content.
func (e Envelope) Open(ctx MessageContext, message secret.Bytes) (Content, error) {
	aad := ctx.bodyAAD()
	plain, err := suite.NewAEAD(message).Open(nil, e.Body, aad[:])
	if err != nil {
		return Content{}, err
	}
	return parseContent(plain)
}

// Size returns the length of the frame around a content of that many bytes.
func (e Envelope) Size(content int) int {
	n := 1 + 2 + len(e.Others) + sealedHeaderSize + 4 + suite.AEADOverhead + content
	for _, w := range append([]Way{e.Own}, e.Others...) {
		for _, s := range w {
			n += 2 + len(s)
		}
	}
	return n
}

// checkWays refuses what no receiver reads.
func (e Envelope) checkWays() error {
	ok := len(e.Others)+1 <= MaxWays && e.Commits() <= MaxCommits
	for _, w := range e.Others {
		ok = ok && len(w) > 0
	}
	if !ok {
		return fmt.Errorf("%w: ways of a message", wire.ErrMalformed)
	}
	for _, w := range append([]Way{e.Own}, e.Others...) {
		for _, s := range w {
			if err := s.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Frame returns u8(0x20) ‖ ways ‖ headerCT ‖ vec32 body.
func (e Envelope) Frame() []byte {
	return encode(e.Size(len(e.Body)-suite.AEADOverhead), func(w *wire.Writer) {
		w.U8(TypeMessage.first())
		e.writeWays(w)
		w.Fixed(e.Header[:])
		w.Vec32(e.Body)
	})
}

// writeWays appends own ‖ u8 number of the others ‖ each.
func (e Envelope) writeWays(w *wire.Writer) {
	e.Own.write(w)
	w.U8(uint8(len(e.Others)))
	for _, way := range e.Others {
		way.write(w)
	}
}

func (y Way) write(w *wire.Writer) {
	w.U8(uint8(len(y)))
	for _, s := range y {
		w.Vec16(s)
	}
}

func readWay(r *wire.Reader) (y Way) {
	n := int(r.U8())
	for i := 0; i < n && r.Err() == nil; i++ {
		y = append(y, readSealed(r))
	}
	return y
}

func readEnvelope(r *wire.Reader) (e Envelope) {
	e.Own = readWay(r)
	n := int(r.U8())
	if n+1 > MaxWays {
		r.Fail("number of ways")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		e.Others = append(e.Others, readWay(r))
	}
	r.Into(e.Header[:])
	e.Body = r.Vec32(LargestMaxFrame)
	if r.Err() == nil && (len(e.Body) <= suite.AEADOverhead || e.checkWays() != nil) {
		r.Fail("message")
	}
	return e
}

// ParseEnvelope reads a frame of type TypeMessage.
func ParseEnvelope(frame []byte) (Envelope, error) {
	return parseFrame(frame, TypeMessage, LargestMaxFrame, readEnvelope)
}
