package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Content is what the body of an envelope holds (§7).
type Content struct {
	Introduction []byte // nil if none
	KeyUpdate    []byte // nil if none
	Signature    []byte // nil if none
	Statement    bool   // plaintext is a control statement
	Answers      bool   // answered counts
	Answered     uint64 // counter of the request that the sender answered with a ticket
	Plaintext    []byte
}

// Flags of a content.
const (
	flagIntroduction = 1 << iota
	flagKeyUpdate
	flagSignature
	flagStatement
	flagAnswered
	flagsKnown = 1<<iota - 1
)

// Limits of a content.
const (
	maxKeyUpdate = 4 + 2 + suite.MaxKEMKey + 32 + ed448.ScalarSize
	maxContent   = 1 + 2 + MaxIntroduction + 2 + maxKeyUpdate + 2 + suite.MaxSignature + 8 + MaxPlaintext
)

func (c Content) flags() (f uint8) {
	for i, set := range []bool{c.Introduction != nil, c.KeyUpdate != nil, c.Signature != nil, c.Statement, c.Answers} {
		if set {
			f |= 1 << i
		}
	}
	return f
}

// check refuses contents beyond a limit.
func (c Content) check() error {
	switch {
	case len(c.Introduction) > MaxIntroduction, len(c.KeyUpdate) > maxKeyUpdate, len(c.Signature) > suite.MaxSignature,
		len(c.Plaintext) > MaxPlaintext:
		return fmt.Errorf("%w: a content is longer than its limit", wire.ErrMalformed)
	case c.Introduction != nil && len(c.Introduction) == 0, c.KeyUpdate != nil && len(c.KeyUpdate) == 0,
		c.Signature != nil && len(c.Signature) == 0:
		return fmt.Errorf("%w: an empty field of a content", wire.ErrMalformed)
	}
	return nil
}

// Encode returns u8 flags ‖ [vec16 introduction] ‖ [vec16 key update] ‖ [vec16 signature] ‖ [u64 counter] ‖ plaintext, or
// wire.ErrMalformed if a field is beyond its limit.
func (c Content) Encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w := wire.NewWriter(1 + 3*2 + 8 + len(c.Introduction) + len(c.KeyUpdate) + len(c.Signature) + len(c.Plaintext))
	w.U8(c.flags())
	for _, field := range [][]byte{c.Introduction, c.KeyUpdate, c.Signature} {
		if field != nil {
			w.Vec16(field)
		}
	}
	if c.Answers {
		w.U64(c.Answered)
	}
	w.Fixed(c.Plaintext)
	return w.Bytes(), nil
}

// parseContent reads a content.
func parseContent(b []byte) (c Content, err error) {
	r := wire.NewReader(b)
	flags := r.U8()
	if flags&^uint8(flagsKnown) != 0 {
		r.Fail("unknown flags")
	}
	if flags&flagIntroduction != 0 {
		c.Introduction = r.Vec16(MaxIntroduction)
	}
	if flags&flagKeyUpdate != 0 {
		c.KeyUpdate = r.Vec16(maxKeyUpdate)
	}
	if flags&flagSignature != 0 {
		c.Signature = r.Vec16(suite.MaxSignature)
	}
	c.Statement = flags&flagStatement != 0
	if c.Answers = flags&flagAnswered != 0; c.Answers {
		c.Answered = r.U64()
	}
	c.Plaintext = r.Rest()
	if err = r.Done(); err == nil {
		err = c.check()
	}
	if err != nil {
		return Content{}, err
	}
	return c, nil
}

// emptyHash is H of nothing.
var emptyHash = suite.Hash()

// signed returns what a sender signs: space ‖ id_e ‖ u32 index ‖ u32 number ‖ H(headerCT ‖ sealed commits) ‖ flags ‖
// H(introduction) ‖ H(key update) ‖ H([u64 counter] ‖ plaintext). The flags say that there is a signature.
func (c Content) signed(space state.ID, id EpochID, h Header, bound suite.Digest) []byte {
	w := make([]byte, 0, 2*32+2*4+1+4*suite.HashSize)
	w = append(w, space[:]...)
	w = append(w, id[:]...)
	w = append(w, suite.U32(uint32(h.Index))...)
	w = append(w, suite.U32(h.Number)...)
	w = append(w, bound[:]...)
	w = append(w, c.flags()|flagSignature)
	for _, field := range [][]byte{c.Introduction, c.KeyUpdate} {
		d := emptyHash
		if field != nil {
			d = suite.Hash(field)
		}
		w = append(w, d[:]...)
	}
	var answered []byte
	if c.Answers {
		answered = suite.U64(c.Answered)
	}
	d := suite.Hash(answered, c.Plaintext)
	return append(w, d[:]...)
}

// Sign returns the content with the sender's signature. Members share chain keys, so without one any of them could write
// as another.
func (c Content) Sign(k suite.SigningKey, space state.ID, id EpochID, h Header, bound suite.Digest) Content {
	c.Signature = k.Sign(suite.SignMessage, c.signed(space, id, h, bound))
	return c
}

// Verify checks the signature. A content without one is suite.ErrInvalid; whether a space allows that is for its policy to say.
func (c Content) Verify(k suite.PublicKey, space state.ID, id EpochID, h Header, bound suite.Digest) error {
	return k.Verify(c.Signature, suite.SignMessage, c.signed(space, id, h, bound))
}
