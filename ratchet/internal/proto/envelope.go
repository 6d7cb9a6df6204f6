package proto

import (
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Envelope is a sealed message as it goes over the network (§7).
type Envelope struct {
	Ways
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

// Bound returns H(headerCT ‖ ways).
func (e Envelope) Bound() Digest {
	return suite.Hash(e.Header[:], encode(e.Ways.Size(), e.Ways.write))
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
	if err := e.Ways.check(); err != nil {
		return Envelope{}, err
	}
	aad := ctx.bodyAAD()
	e.Body = suite.NewAEAD(message).Seal(make([]byte, 0, len(c.encoded)+suite.AEADOverhead), c.encoded, aad[:])
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
	return 1 + e.Ways.Size() + sealedHeaderSize + 4 + suite.AEADOverhead + content
}

// Frame returns u8(0x20) ‖ ways ‖ headerCT ‖ vec32 body.
func (e Envelope) Frame() []byte {
	return encode(e.Size(len(e.Body)-suite.AEADOverhead), func(w *wire.Writer) {
		w.U8(TypeMessage.first())
		e.Ways.write(w)
		w.Fixed(e.Header[:])
		w.Vec32(e.Body)
	})
}

func readEnvelope(r *wire.Reader) (e Envelope) {
	e.Ways = readWays(r)
	r.Into(e.Header[:])
	e.Body = r.Vec32(LargestMaxFrame)
	if r.Err() == nil && len(e.Body) <= suite.AEADOverhead {
		r.Fail("length of a body")
	}
	return e
}

// ParseEnvelope reads a frame of type TypeMessage.
func ParseEnvelope(frame []byte) (Envelope, error) {
	return parseFrame(frame, TypeMessage, LargestMaxFrame, readEnvelope)
}
