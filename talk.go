package trefoil

import (
	"crypto/rand"
	"crypto/sha256"
	"time"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// talk is what a device stores of a direct conversation beside the sessions with each device of the other person: its outbox holds
// what was written and is not encrypted yet, its inbox what was read and is not handed over yet, whichever device it came from.
type talk struct {
	with key.Address
	// known is the fingerprint of the person as it was written to last, zero before.
	known [sha256.Size]byte
}

// storedTalk is a talk in a vault.
type storedTalk = state.One[talk]

// talkID returns the row of the conversation with a person, which is the Chat of its events.
func talkID(with key.Address) state.ID { return state.ID(with) }

// StoredAs says that a talk is stored apart from sessions.
func (talk) StoredAs() store.Kind { return store.Talks }

// IsZero reports whether it is with nobody.
func (t talk) IsZero() bool { return t.with.IsZero() }

// Succeeds implements state.Part: a conversation stays with the same person.
func (t talk) Succeeds(prev talk) error {
	if t.with != prev.with {
		return state.ErrStale
	}
	return nil
}

const (
	talkVersion = 2
	talkSize    = 2 + len(key.Address{}) + sha256.Size
)

// Encode implements state.Part.
func (t talk) Encode(e *state.Encoder) {
	w := wire.NewWriter(talkSize)
	w.U16(talkVersion)
	w.Fixed(t.with[:])
	w.Fixed(t.known[:])
	e.Bytes(w.Bytes())
}

// Decode implements state.Part.
func (talk) Decode(in *state.Decoder) (t talk, err error) {
	b := in.Bytes(talkSize)
	if err := in.Err(); err != nil {
		return talk{}, err
	}
	r := wire.NewReader(b)
	r.Version16(talkVersion, talkVersion)
	r.Into(t.with[:])
	r.Into(t.known[:])
	return t, r.Done()
}

// letter is a message as devices of the two persons send it. A device of the writer gets it, too, so it says to whom it went:
// u8(1) ‖ address of the person written to ‖ nonce ‖ u64(ms since 1970) ‖ body.
type letter struct {
	to    key.Address
	nonce [16]byte
	sent  time.Time
	body  []byte
}

const (
	letterVersion = 1
	letterHeader  = 1 + len(key.Address{}) + 16 + 8
)

// newLetter returns what is written to a person now.
func newLetter(to key.Address, now time.Time, body []byte) letter {
	l := letter{to: to, sent: now, body: body}
	rand.Read(l.nonce[:])
	return l
}

// write puts the letter where it waits to be encrypted, and hands it to its writer.
func (l letter) write(tx talkTx, to string, self key.Address) {
	tx.Send(to, l.encode())
	tx.Deliver(l.arrived(self))
}

func (l letter) encode() []byte {
	w := wire.NewWriter(letterHeader + len(l.body))
	w.U8(letterVersion)
	w.Fixed(l.to[:])
	w.Fixed(l.nonce[:])
	w.U64(uint64(l.sent.UnixMilli()))
	w.Fixed(l.body)
	return w.Bytes()
}

// parseLetter returns state.ErrTooOld, state.ErrTooNew or wire.ErrMalformed.
func parseLetter(b []byte) (l letter, err error) {
	r := wire.NewReader(b)
	r.Version8(letterVersion, letterVersion)
	r.Into(l.to[:])
	r.Into(l.nonce[:])
	l.sent = time.UnixMilli(int64(r.U64()))
	l.body = r.Rest()
	return l, r.Done()
}

// talkWith returns with whom the conversation is in which a device of one person wrote what a device of another read. It is false for
// a letter to somebody else, which was passed on as if it were to this person.
func (l letter) talkWith(from, self key.Address) (key.Address, bool) {
	switch {
	case from == self:
		return l.to, true
	case l.to == self:
		return from, true
	}
	return key.Address{}, false
}

// id returns the ID of a direct message. Like that of a message of a space it covers its writer, so that nobody can write under the ID of
// another's, and all that the letter holds, so that one ID never stands for two texts.
func (l letter) id(from key.Address) event.ID {
	w := wire.NewWriter(64 + letterHeader + len(l.body))
	w.Fixed([]byte("trefoil direct message"))
	w.Fixed(from[:])
	w.Fixed(l.encode())
	h := sha256.Sum256(w.Bytes())
	return event.ID(h[:16])
}

// arrivedVersion is the version of a direct message in the inbox of a talk. Neither a notice nor a message of package ratchet begins
// so.
const arrivedVersion = 0xfe01

// arrived is a letter with its writer, as it lies in the inbox of a talk.
func (l letter) arrived(from key.Address) []byte {
	plain := l.encode()
	w := wire.NewWriter(2 + len(from) + len(plain))
	w.U16(arrivedVersion)
	w.Fixed(from[:])
	w.Fixed(plain)
	return w.Bytes()
}

// decodeArrived reads what arrived returned, in the conversation with a person.
func decodeArrived(chat state.ID, b []byte) (event.Event, error) {
	r := wire.NewReader(b)
	r.Version16(arrivedVersion, arrivedVersion)
	var from key.Address
	r.Into(from[:])
	rest := r.Rest()
	if err := r.Done(); err != nil {
		return nil, err
	}
	l, err := parseLetter(rest)
	if err != nil {
		return nil, err
	}
	own := talkID(from) != chat || l.to == from // or it is a note of a person to itself
	return event.Message{Stamp: event.Stamp{Chat: chat, ID: l.id(from)}, Person: from, Own: own, Sent: l.sent, Body: l.body}, nil
}
