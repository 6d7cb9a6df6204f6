package session

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/keywire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// ratchetSession is one session of a pair of devices: a Double Ratchet, and the initiation that it came from. The
// initiator's ephemeral key names it on both sides. newRatchetSession is its only constructor, in memory and from the store.
type ratchetSession struct {
	ephemeral  key.PublicKey[key.Ephemeral]
	suite      suite
	generation uint64 // bound into the agreement in the hybrid suite; counted by each side for itself in the classic one
	ratchet    double.Ratchet
	lastRead   uint64 // Pair.moves when the peer was last read in it, 0 for never since it was made or restored
	ahead      ahead

	// awaitingReply is set on the initiator's side until a message was read: as long as it is, every message is sent with
	// the initiation, so that any one of them will do, and the ratchet's own key is the ephemeral one.
	awaitingReply bool
	offer         *offer // of an unanswered initiation of the hybrid suite
	since         int64  // when its first message was sent, in milliseconds since 1970; 0 for never, and without offer

	// introduce is set on the responder's side until the initiator is known to have read where to send its answers.
	introduce bool

	// usedOneTime is, on the responder's side, the ID of the one-time pre-key that the initiation used, 0 for none.
	usedOneTime uint32
}

// newRatchetSession is the one constructor of a ratchetSession. There is none without an ephemeral key, and none of the hybrid
// suite without a braid, whoever asks for it.
func newRatchetSession(f suite, generation uint64, ephemeral key.PublicKey[key.Ephemeral], r double.Ratchet) (ratchetSession, error) {
	if ephemeral.IsZero() || r.IsZero() || f != classic && f != hybrid || r.Form() != f.form() {
		return ratchetSession{}, fmt.Errorf("%w: a session without its initiation", ErrMalformed)
	}
	return ratchetSession{ephemeral: ephemeral, suite: f, generation: generation, ratchet: r}, nil
}

// compare orders sessions by which one both sides send on: the stronger suite, then the newer generation, then,
// when both sides began at once, the greater ephemeral key.
func (s ratchetSession) compare(o ratchetSession) int {
	return cmp.Or(cmp.Compare(o.suite, s.suite), cmp.Compare(o.generation, s.generation),
		bytes.Compare(o.ephemeral.Bytes(), s.ephemeral.Bytes()))
}

// ephemeralPrivate returns the key that an unanswered initiation was made with: until an answer is read, the ratchet's own
// key is that one.
func (s ratchetSession) ephemeralPrivate() (keypair.PrivateKey[key.Ephemeral], error) {
	return keypair.Stored(s.ratchet.Own().Bytes(), s.ephemeral)
}

// read opens a message with the ratchet. It reports whether frames that were too far ahead may be readable now. On error the
// session returned is s, or notes that this frame is too far ahead.
func (s ratchetSession) read(m double.Message) (next ratchetSession, plaintext []byte, due bool, err error) {
	r, plaintext, err := s.ratchet.Decrypt(m)
	if err != nil {
		var far *double.AheadError
		if errors.As(err, &far) {
			s.ahead = s.ahead.with(far)
		}
		return s, nil, false, err
	}
	newChain := !r.Remote().Equal(s.ratchet.Remote())
	if newChain {
		// The peer began a new chain: it has read something of the chain before, and where to answer with it.
		s.introduce = false
	}
	s.ahead, due = s.ahead.moved(newChain, r.Received())
	s.awaitingReply, s.offer, s.since = false, nil, 0
	s.ratchet = r
	return s, plaintext, due, nil
}

// Bits of the byte of flags of a stored session.
const (
	flagAwaitingReply = 1 << iota
	flagOffer
	flagIntroduce
	flagUsedOneTime
	allFlags = 1<<iota - 1
)

func (s ratchetSession) write(w *wire.Writer) {
	var flags uint8
	if s.awaitingReply {
		flags |= flagAwaitingReply
	}
	if s.offer != nil {
		flags |= flagOffer
	}
	if s.introduce {
		flags |= flagIntroduce
	}
	if s.usedOneTime != 0 {
		flags |= flagUsedOneTime
	}
	w.Fixed(s.ephemeral.Bytes())
	w.U8(uint8(s.suite))
	w.U64(s.generation)
	w.U64(s.lastRead)
	w.U64(uint64(s.since))
	w.U8(flags)
	if s.offer != nil {
		w.U64(s.offer.heard)
		w.U32(s.offer.bundle)
		w.U32(s.offer.oneTime)
		w.Fixed(s.offer.ciphertext[:])
		w.Fixed(s.offer.proof[:])
	}
	if s.usedOneTime != 0 {
		w.U32(s.usedOneTime)
	}
	s.ahead.write(w)
	s.ratchet.Write(w)
}

func readRatchetSession(in *wire.Reader) ratchetSession {
	ephemeral := keywire.Stored[key.Ephemeral](in)
	f, generation, lastRead, since, flags := suite(in.U8()), in.U64(), in.U64(), int64(in.U64()), in.U8()
	var o *offer
	if flags&flagOffer != 0 {
		o = &offer{generation: generation, heard: in.U64(), bundle: in.U32(), oneTime: in.U32()}
		in.Into(o.ciphertext[:])
		in.Into(o.proof[:])
	}
	var usedOneTime uint32
	if flags&flagUsedOneTime != 0 {
		if usedOneTime = in.U32(); usedOneTime == 0 {
			in.Fail("one-time pre-keys are numbered from 1")
		}
	}
	far := readAhead(in)
	r := double.Read(in)
	if in.Err() != nil {
		return ratchetSession{}
	}
	s, err := newRatchetSession(f, generation, ephemeral, r)
	s.awaitingReply, s.offer, s.introduce = flags&flagAwaitingReply != 0, o, flags&flagIntroduce != 0
	s.usedOneTime, s.lastRead, s.since, s.ahead = usedOneTime, lastRead, since, far
	if err != nil || flags > allFlags || (o != nil) != (s.awaitingReply && f == hybrid) || since != 0 && o == nil {
		in.Fail("a session's initiation")
	}
	return s
}
