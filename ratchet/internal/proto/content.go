package proto

import (
	"encoding/binary"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Content is what the body of an envelope holds (§7): what is said, and its sender's signature.
type Content struct {
	Inner     Inner
	encoded   []byte // vec16 signature ‖ inner
	signature []byte // a part of encoded
	said      Digest // H(inner)
}

// MessageID names a message by all that was signed and the signature, so that nobody without the signing key can guess an
// erased text from it.
type MessageID [32]byte

// Sign returns the content that a sender signs. It returns wire.ErrMalformed for an Inner beyond its limits.
func (n Inner) Sign(k suite.SigningKey, ctx MessageContext) (Content, error) {
	if err := n.check(); err != nil {
		return Content{}, err
	}
	size := k.Public.Scheme().SignatureSize()
	c := Content{Inner: n, encoded: encode(n.Size(size)+n.padding, func(w *wire.Writer) {
		w.Vec16(make([]byte, size))
		n.write(w)
	})}
	c = c.split(size)
	copy(c.signature, k.Sign(suite.SignMessage, ctx.signed(c.said)))
	return c, nil
}

// split returns the content with the parts of its encoding, of which the signature has so many bytes.
func (c Content) split(signature int) Content {
	c.signature = c.encoded[2 : 2+signature]
	c.said = suite.Hash(c.encoded[2+signature:])
	return c
}

// Verify checks the signature of the sender, or returns suite.ErrInvalid.
func (c Content) Verify(k suite.PublicKey, ctx MessageContext) error { return c.Check(k, ctx)() }

// Check returns Verify as a function that reads nothing of the message but its signature: the hash of what is said was made before.
func (c Content) Check(k suite.PublicKey, ctx MessageContext) func() error {
	signature, signed := c.signature, ctx.signed(c.said)
	return func() error { return k.Verify(signature, suite.SignMessage, signed) }
}

// ID returns the name of the message with this content.
func (c Content) ID(ctx MessageContext) MessageID {
	return suite.HashTo32(suite.Hash32Message, ctx.signed(c.said), c.signature)
}

// signed returns space ‖ id_e ‖ u32(i) ‖ u32(n) ‖ bound ‖ H(inner).
func (c MessageContext) signed(said Digest) []byte {
	b := make([]byte, 0, 2*32+2*4+2*suite.HashSize)
	b = append(b, c.Space[:]...)
	b = append(b, c.Epoch[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(c.Header.Index))
	b = binary.BigEndian.AppendUint32(b, c.Header.Number)
	b = append(b, c.Bound[:]...)
	return append(b, said[:]...)
}

// parseContent reads a content. The caller gives the bytes up.
func parseContent(b []byte) (Content, error) {
	r := wire.Owning(b)
	signature := readSignature(r)
	inner := r.Rest()
	if err := r.Done(); err != nil {
		return Content{}, err
	}
	said, err := parseInner(inner)
	if err != nil {
		return Content{}, err
	}
	return Content{Inner: said, encoded: b}.split(len(signature)), nil
}
