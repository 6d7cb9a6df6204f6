package proto

import (
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Content is what the body of an envelope holds (§7): what is said, and its sender's signature.
type Content struct {
	Inner     Inner
	signature []byte
	inner     []byte // its encoding, which is what was signed
}

// MessageID names a message by all that was signed and the signature, so that nobody without the signing key can guess an
// erased text from it.
type MessageID [32]byte

// Sign returns the content that a sender signs. It returns wire.ErrMalformed for an Inner beyond its limits.
func (n Inner) Sign(k suite.SigningKey, ctx MessageContext) (Content, error) {
	if err := n.check(); err != nil {
		return Content{}, err
	}
	inner := n.encode()
	return Content{n, k.Sign(suite.SignMessage, ctx.signed(inner)), inner}, nil
}

// Verify checks the signature of the sender, or returns suite.ErrInvalid.
func (c Content) Verify(k suite.PublicKey, ctx MessageContext) error {
	return k.Verify(c.signature, suite.SignMessage, ctx.signed(c.inner))
}

// ID returns the name of the message with this content.
func (c Content) ID(ctx MessageContext) MessageID {
	return suite.HashTo32(suite.Hash32Message, ctx.Space[:], ctx.Epoch[:], suite.U32(uint32(ctx.Header.Index)),
		suite.U32(ctx.Header.Number), ctx.Bound[:], c.encode())
}

// signed returns space ‖ id_e ‖ u32(i) ‖ u32(n) ‖ bound ‖ H(inner).
func (c MessageContext) signed(inner []byte) []byte {
	b := make([]byte, 0, 2*32+2*4+2*suite.HashSize)
	b = append(b, c.Space[:]...)
	b = append(b, c.Epoch[:]...)
	b = append(b, suite.U32(uint32(c.Header.Index))...)
	b = append(b, suite.U32(c.Header.Number)...)
	b = append(b, c.Bound[:]...)
	d := suite.Hash(inner)
	return append(b, d[:]...)
}

// encode returns vec16 signature ‖ inner.
func (c Content) encode() []byte {
	return encode(2+len(c.signature)+len(c.inner), func(w *wire.Writer) {
		w.Vec16(c.signature)
		w.Fixed(c.inner)
	})
}

// parseContent reads a content.
func parseContent(b []byte) (Content, error) {
	r := wire.NewReader(b)
	c := Content{signature: readSignature(r), inner: r.Rest()}
	err := r.Done()
	if err == nil {
		c.Inner, err = parseInner(c.inner)
	}
	if err != nil {
		return Content{}, err
	}
	return c, nil
}
