package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// content is what the body of an envelope holds (§7).
type content struct {
	introduction []byte // nil if none
	keyUpdate    []byte // nil if none
	signature    []byte // nil if none
	control      bool   // plaintext is a control statement
	answers      bool   // answered counts
	answered     uint64 // counter of the request that the sender answered with a ticket
	plaintext    []byte
}

// Flags of a content.
const (
	flagIntroduction = 1 << iota
	flagKeyUpdate
	flagSignature
	flagControl
	flagAnswered
	flagsKnown = 1<<iota - 1
)

// Limits of a content.
const (
	maxKeyUpdate = 4 + 2 + maxBoxKey + 32 + ed448.ScalarSize
	maxContent   = 1 + 2 + maxIntroduction + 2 + maxKeyUpdate + 2 + maxSignature + 8 + MaxPlaintext
)

func (c content) flags() (f uint8) {
	for i, set := range []bool{c.introduction != nil, c.keyUpdate != nil, c.signature != nil, c.control, c.answers} {
		if set {
			f |= 1 << i
		}
	}
	return f
}

// check refuses contents beyond a limit.
func (c content) check() error {
	switch {
	case len(c.introduction) > maxIntroduction, len(c.keyUpdate) > maxKeyUpdate, len(c.signature) > maxSignature,
		len(c.plaintext) > MaxPlaintext:
		return fmt.Errorf("%w: a content is longer than its limit", wire.ErrMalformed)
	case c.introduction != nil && len(c.introduction) == 0, c.keyUpdate != nil && len(c.keyUpdate) == 0,
		c.signature != nil && len(c.signature) == 0:
		return fmt.Errorf("%w: an empty field of a content", wire.ErrMalformed)
	}
	return nil
}

// encode returns u8 flags ‖ [vec16 introduction] ‖ [vec16 key update] ‖ [vec16 signature] ‖ [u64 counter] ‖ plaintext, or
// wire.ErrMalformed if a field is beyond its limit.
func (c content) encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w := wire.NewWriter(1 + 3*2 + 8 + len(c.introduction) + len(c.keyUpdate) + len(c.signature) + len(c.plaintext))
	w.U8(c.flags())
	for _, field := range [][]byte{c.introduction, c.keyUpdate, c.signature} {
		if field != nil {
			w.Vec16(field)
		}
	}
	if c.answers {
		w.U64(c.answered)
	}
	w.Fixed(c.plaintext)
	return w.Bytes(), nil
}

// parseContent reads a content.
func parseContent(b []byte) (c content, err error) {
	r := wire.NewReader(b)
	flags := r.U8()
	if flags&^uint8(flagsKnown) != 0 {
		r.Fail("unknown flags")
	}
	if flags&flagIntroduction != 0 {
		c.introduction = r.Vec16(maxIntroduction)
	}
	if flags&flagKeyUpdate != 0 {
		c.keyUpdate = r.Vec16(maxKeyUpdate)
	}
	if flags&flagSignature != 0 {
		c.signature = r.Vec16(maxSignature)
	}
	c.control = flags&flagControl != 0
	if c.answers = flags&flagAnswered != 0; c.answers {
		c.answered = r.U64()
	}
	c.plaintext = r.Rest()
	if err = r.Done(); err == nil {
		err = c.check()
	}
	if err != nil {
		return content{}, err
	}
	return c, nil
}

// emptyHash is H of nothing.
var emptyHash = hash()

// signed returns what a sender signs: space ‖ id_e ‖ u32 index ‖ u32 number ‖ H(headerCT ‖ sealed commits) ‖ flags ‖
// H(introduction) ‖ H(key update) ‖ H([u64 counter] ‖ plaintext). The flags say that there is a signature.
func (c content) signed(space state.ID, id epochID, h header, bound digest) []byte {
	w := make([]byte, 0, 2*32+2*4+1+4*hashSize)
	w = append(w, space[:]...)
	w = append(w, id[:]...)
	w = append(w, u32(uint32(h.index))...)
	w = append(w, u32(h.number)...)
	w = append(w, bound[:]...)
	w = append(w, c.flags()|flagSignature)
	for _, field := range [][]byte{c.introduction, c.keyUpdate} {
		d := emptyHash
		if field != nil {
			d = hash(field)
		}
		w = append(w, d[:]...)
	}
	var answered []byte
	if c.answers {
		answered = u64(c.answered)
	}
	d := hash(answered, c.plaintext)
	return append(w, d[:]...)
}

// sign returns the content with the sender's signature. Members share chain keys, so without one any of them could write
// as another.
func (c content) sign(k signingKey, space state.ID, id epochID, h header, bound digest) content {
	c.signature = k.sign(signMessage, c.signed(space, id, h, bound))
	return c
}

// verify checks the signature. A content without one is errInvalid; whether a space allows that is for its policy to say.
func (c content) verify(k PublicKey, space state.ID, id epochID, h header, bound digest) error {
	return k.verify(c.signature, signMessage, c.signed(space, id, h, bound))
}
