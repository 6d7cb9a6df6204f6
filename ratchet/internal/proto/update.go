package proto

import (
	"bytes"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Update is a member's new inbox key (§9). It belongs to the binding whose key signed it. The zero Update is none.
type Update struct {
	Index     dkg.Index
	Counter   uint32
	Inbox     suite.KEMKey
	Signature []byte
}

// NewUpdate signs an update.
func NewUpdate(space state.ID, i dkg.Index, counter uint32, inbox suite.KEMKey, member suite.SigningKey) Update {
	u := Update{Index: i, Counter: counter, Inbox: inbox}
	u.Signature = member.Sign(suite.SignInboxKey, space[:], u.body())
	return u
}

// IsZero reports whether there is no update.
func (u Update) IsZero() bool { return u.Index == 0 }

// VerifySignature checks the member's signature, or returns suite.ErrInvalid.
func (u Update) VerifySignature(space state.ID, member suite.PublicKey) error {
	return member.Verify(u.Signature, suite.SignInboxKey, space[:], u.body())
}

// Verify checks the member's signature, that the inbox key is of the suite, and that something can be boxed to it. It returns
// suite.ErrInvalid, or wire.ErrMalformed for the inbox key.
func (u Update) Verify(space state.ID, member suite.PublicKey, s suite.Suite) error {
	if err := u.VerifySignature(space, member); err != nil {
		return err
	}
	return u.Fits(s)
}

// Fits checks what Verify does besides the signature.
func (u Update) Fits(s suite.Suite) error {
	if u.Inbox.KEM() != s.KEM() {
		return invalid("inbox key of another suite")
	}
	return u.Inbox.Try()
}

// Hash returns H(update).
func (u Update) Hash() Digest { return suite.Hash(u.Encode()) }

// Newer reports whether u counts before o, both of one binding: the greater counter, then the smaller hash.
func (u Update) Newer(o Update) bool {
	switch {
	case u.IsZero() || o.IsZero():
		return !u.IsZero()
	case u.Counter != o.Counter:
		return u.Counter > o.Counter
	}
	a, b := u.Hash(), o.Hash()
	return bytes.Compare(a[:], b[:]) < 0
}

func (u Update) body() []byte {
	return encode(maxUpdate, func(w *wire.Writer) {
		w.U32(uint32(u.Index))
		w.U32(u.Counter)
		w.Vec16(u.Inbox.Bytes())
	})
}

// Encode returns u32(j) ‖ u32 counter ‖ vec16 inbox key ‖ vec16 signature; of the zero Update nothing.
func (u Update) Encode() []byte {
	if u.IsZero() {
		return nil
	}
	return encode(maxUpdate, func(w *wire.Writer) {
		w.Fixed(u.body())
		w.Vec16(u.Signature)
	})
}

func readUpdate(r *wire.Reader) (u Update) {
	u.Index = readIndex(r)
	u.Counter = r.U32()
	u.Inbox = readKEMKey(r)
	u.Signature = readSignature(r)
	return u
}

// ParseUpdate reads an update without verifying it.
func ParseUpdate(b []byte) (Update, error) { return parseAll(b, maxUpdate, readUpdate) }

// readOptionalUpdate reads an update behind its length, or the zero one for an empty field.
func readOptionalUpdate(r *wire.Reader) Update {
	b := r.Vec16(maxUpdate)
	if len(b) == 0 {
		return Update{}
	}
	return readNested(r, b, readUpdate)
}
