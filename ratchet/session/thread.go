package session

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// thread is one session of a pair of devices: a ratchet, and the initialization that it came from. The initiator's
// ephemeral key names it on both sides. Every thread, in memory or from the store, comes out of newThread.
type thread struct {
	ephemeral  PublicKey[Ephemeral]
	form       form
	generation uint64 // bound into the agreement in the hybrid form; counted by each side for itself in the deployed one
	ratchet    Ratchet

	// unanswered is set on the initiator's side until a message was read: as long as it is, every message is sent with
	// the initialization, so that any one of them will do, and the ratchet's own key is the ephemeral one.
	unanswered bool
	offer      *offer // of an unanswered initialization of the hybrid form

	// introduce is set on the responder's side until the initiator is known to have read where to send its answers.
	introduce bool

	// spent is, on the responder's side, the one-time pre-key that the initialization used up, 0 for none.
	spent uint32
}

// newThread is the one constructor of a thread. There is none without an ephemeral key, whoever asks for it.
func newThread(f form, generation uint64, ephemeral PublicKey[Ephemeral], r Ratchet) (thread, error) {
	if ephemeral.IsZero() || r.IsZero() || f != deployed && f != hybrid {
		return thread{}, fmt.Errorf("%w: a session without its initialization", ErrMalformed)
	}
	return thread{ephemeral: ephemeral, form: f, generation: generation, ratchet: r}, nil
}

// compare orders threads by which one both sides shall send on: the stronger form, then the newer generation, then,
// when both sides began at once, the greater ephemeral key.
func (t thread) compare(o thread) int {
	return cmp.Or(cmp.Compare(o.form, t.form), cmp.Compare(o.generation, t.generation),
		bytes.Compare(o.ephemeral.encoding[:], t.ephemeral.encoding[:]))
}

// ephemeralPrivate returns the key that an unanswered initialization was made with.
func (t thread) ephemeralPrivate() PrivateKey[Ephemeral] {
	return PrivateKey[Ephemeral]{scalar: t.ratchet.own, public: t.ephemeral}
}

// read opens a message with the thread's ratchet.
func (t thread) read(m Message) (thread, []byte, error) {
	r, plaintext, err := t.ratchet.Decrypt(m)
	if err != nil {
		return t, nil, err
	}
	if !r.remote.Equal(t.ratchet.remote) {
		// The peer has turned: it has read something of the chain before, and where to answer with it.
		t.introduce = false
	}
	t.unanswered, t.offer = false, nil
	t.ratchet = r
	return t, plaintext, nil
}

// Bits of the byte of flags of a stored thread.
const (
	threadUnanswered = 1 << iota
	threadOffer
	threadIntroduce
	threadSpent
	threadFlags = 1<<iota - 1
)

func (t thread) write(w *wire.Writer) {
	var flags uint8
	if t.unanswered {
		flags |= threadUnanswered
	}
	if t.offer != nil {
		flags |= threadOffer
	}
	if t.introduce {
		flags |= threadIntroduce
	}
	if t.spent != 0 {
		flags |= threadSpent
	}
	w.Fixed(t.ephemeral.encoding[:])
	w.U8(uint8(t.form))
	w.U64(t.generation)
	w.U8(flags)
	if t.offer != nil {
		w.U32(t.offer.oneTime)
		w.Fixed(t.offer.ciphertext[:])
	}
	if t.spent != 0 {
		w.U32(t.spent)
	}
	t.ratchet.write(w)
}

func readThread(in *wire.Reader) thread {
	ephemeral := readStoredKey[Ephemeral](in)
	f, generation, flags := form(in.U8()), in.U64(), in.U8()
	var o *offer
	if flags&threadOffer != 0 {
		o = &offer{generation: generation, oneTime: in.U32()}
		in.Into(o.ciphertext[:])
	}
	var spent uint32
	if flags&threadSpent != 0 {
		if spent = in.U32(); spent == 0 {
			in.Fail("one-time pre-keys are numbered from 1")
		}
	}
	r := readRatchet(in)
	if in.Err() != nil {
		return thread{}
	}
	t, err := newThread(f, generation, ephemeral, r)
	t.unanswered, t.offer, t.introduce = flags&threadUnanswered != 0, o, flags&threadIntroduce != 0
	t.spent = spent
	if err != nil || flags > threadFlags || (o != nil) != (t.unanswered && f == hybrid) {
		in.Fail("a session's initialization")
	}
	return t
}
