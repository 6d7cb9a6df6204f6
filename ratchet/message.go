package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Message is what Decrypt read.
type Message struct {
	// ID names the message: alike for all who read it, unlike that of any other, and of no use to guess its text (§7).
	ID [32]byte
	// Sender is the member who wrote it, by index and signing key. The signature of every message is checked.
	Sender    dkg.Index
	SenderKey PublicKey
	// Own says that this member wrote it, in a state that was lost since. Another binding of its index is somebody else.
	Own bool
	// AfterRemoval says that the sender is gone, or that nobody let it into the root that a removal made, and that nobody can tell whether
	// it was sent before.
	AfterRemoval bool
	// Epoch and Number say where it stands. Together with Sender they are unique in a space; they are no order.
	Epoch  [32]byte
	Number uint32
	// Sent is when it was sent, in milliseconds since 1970, as the sender says. It decides nothing.
	Sent int64
	// Expiry is after how many milliseconds from reading on programs should forget it, as the sender asks; 0 if never.
	Expiry int64
	// Plaintext is what was sent, at most 64 KiB. It is empty for messages that keep the space going and say nothing.
	Plaintext []byte

	// Events are what else came of it. They are set with an error, too. They are not part of its encoding.
	Events []state.Event
}

// messageVersion is the version of a message's encoding.
const messageVersion = 2

// Flags of a message's encoding.
const (
	messageOwn = 1 << iota
	messageAfterRemoval
	messageFlags = 1<<iota - 1
)

// MarshalBinary implements encoding.BinaryMarshaler: it is how messages lie in a vault's inbox.
func (m Message) MarshalBinary() ([]byte, error) {
	w := wire.NewWriter(192 + len(m.Plaintext))
	w.U16(messageVersion)
	w.Fixed(m.ID[:])
	w.U32(uint32(m.Sender))
	w.Vec16(m.SenderKey.Bytes())
	var flags uint8
	for i, set := range []bool{m.Own, m.AfterRemoval} {
		if set {
			flags |= 1 << i
		}
	}
	w.U8(flags)
	w.Fixed(m.Epoch[:])
	w.U32(m.Number)
	w.U64(uint64(m.Sent))
	w.U64(uint64(m.Expiry))
	w.Vec32(m.Plaintext)
	return w.Bytes(), nil
}

// ParseMessage reads what MarshalBinary returned. It returns ErrMalformed for anything else, state.ErrTooOld or
// state.ErrTooNew for an encoding of another release.
func ParseMessage(b []byte) (m Message, err error) {
	r := wire.NewReader(b)
	r.Version16(messageVersion, messageVersion)
	r.Into(m.ID[:])
	if m.Sender = dkg.Index(r.U32()); r.Err() == nil && m.Sender.Check(dkg.MaxDepth) != nil {
		r.Fail("index")
	}
	m.SenderKey = PublicKey{suite.ReadPublicKey(r)}
	flags := r.U8()
	if flags&^uint8(messageFlags) != 0 {
		r.Fail("unknown flags")
	}
	m.Own, m.AfterRemoval = flags&messageOwn != 0, flags&messageAfterRemoval != 0
	r.Into(m.Epoch[:])
	m.Number = r.U32()
	m.Sent, m.Expiry = int64(r.U64()), int64(r.U64())
	m.Plaintext = r.Vec32(proto.MaxPlaintext)
	if err := r.Done(); err != nil {
		return Message{}, outcome.Malformed(err)
	}
	return m, nil
}

// String says whose message it is and shows nothing of its plaintext.
func (m Message) String() string {
	return fmt.Sprintf("message %d of member %d in epoch %x", m.Number, m.Sender, m.Epoch[:4])
}

// GoString is String: %#v shows no more than %v.
func (m Message) GoString() string { return m.String() }
