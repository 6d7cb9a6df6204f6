package session

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/gaps"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/sentlog"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// healing is what a pair knows of messages that were not read on either side (SPEC §18.8). Times are in milliseconds since 1970.
type healing struct {
	said     uint64      // the number of the last message that was sent
	log      sentlog.Log // what was sent and is not known to be read
	peerRead uint64      // the other side said that it read all up to this number
	arrived  gaps.Read   // what of the other side's was read

	unread    bool   // a frame was not read since the last notice
	notices   uint64 // the number of the last notice that was sent
	told      int64  // when
	toldAbove uint64 // and the highest number that had come then

	heard   uint64   // the number of the last notice that was received
	asked   bool     // the other side asks for a session or for copies
	unheard bool     // it does not read the session to send on
	again   []uint64 // the numbers of messages to be sent again
	healed  int64    // when the other side was answered last
}

// givenUp returns the number up to which no message can be sent again.
func (h healing) givenUp() uint64 {
	if first, ok := h.log.First(); ok {
		return first.Number - 1
	}
	return h.said
}

// restored returns the same for a pair from a backup: numbers that the lost state has used are passed over, also if it came from
// the same backup, and what it said is not sent again. The clock tells two states of one backup apart; if it is wrong, messages
// of the second one that are lost may not be sent again.
func (h healing) restored(now time.Time) healing {
	h.said = max(min(h.said, math.MaxUint64-restoreMessages)+restoreMessages, millis(now)<<messagesPerMilli)
	h.notices = restoredNumber(h.notices, now)
	h.log, h.again, h.asked, h.unheard = sentlog.Log{}, nil, false, false
	return h
}

// forgotten returns the same without anything to be sent again.
func (h healing) forgotten() healing {
	h.log, h.again, h.asked, h.unheard, h.unread = sentlog.Log{}, nil, false, false, false
	return h
}

// withOtherKeys returns the same for a peer with other keys: all that is not known to be read is sent again, and a thief of the
// keys before shall not have used up the numbers of notices.
func (h healing) withOtherKeys() healing {
	h.heard = 0
	h.again = h.log.Missing(nil, h.peerRead)
	h.asked, h.unheard = len(h.again) > 0, true
	return h
}

// isInVain reports whether the other side still asks for a message that was sent before it was answered last. Then copies in the
// present session do not help: it may be that somebody who stole its keys has written in it, and both sides went on from there
// with different ones.
func (h healing) isInVain() bool {
	if len(h.again) == 0 || h.healed == 0 {
		return false
	}
	first, ok := h.log.Find(h.again[0])
	return ok && first.Sent <= h.healed
}

// Tasks are what a slot needs its device to do. None of them is urgent within a minute.
type Tasks struct {
	// Tell: the peer is to be told that not all it sent is read.
	Tell bool
	// Heal: the peer does not read all that was sent, or has not answered for 30 days. A session is to be begun, or messages are to
	// be sent again.
	Heal bool
	// Forget: the log holds messages that are too old to be sent again.
	Forget bool
}

// Due returns what is due in a slot. Only slots in the hybrid suite have tasks.
func (p Pair) Due(now time.Time) Tasks {
	isNew := p.unread || p.arrived.Misses(p.toldAbove)
	return Tasks{
		Tell: p.sessions.pinned == hybrid && (isNew && isOver(p.told, tellEvery, now) ||
			p.arrived.Misses(0) && isOver(p.told, tellAgainEvery, now)),
		Heal:   p.asked && isOver(p.healed, healEvery, now) || !p.asked && len(p.again) > 0 || p.sessions.isUnanswered(now),
		Forget: p.log.IsExpired(now),
	}
}

// isOver reports whether the time since then is over. A clock that was wrong does not extend it.
func isOver(then int64, wait time.Duration, now time.Time) bool {
	ms := now.UnixMilli()
	return then == 0 || max(ms-then, then-ms) >= wait.Milliseconds()
}

// Maintain returns an Update for Vault.Update that does what is due (see Pair.Due), all in one transaction: it tells the peer what
// is not read, and begins a session and sends again for a peer that said so. Call it for each slot at start and every minute or
// so, after what is stored was received. Peer is needed for Tasks.Heal only; otherwise it may be zero. A one-time pre-key in it is
// not used. Where nothing is due it changes nothing; what Initiate would refuse with ErrUnverified is left for later.
//
// It emits Unread and SentAgain. It returns ErrNotReady for another device.
func Maintain(d Device, peer directory.Peer, now time.Time) func(*state.Tx[Session]) error {
	return func(tx *state.Tx[Session]) error {
		next, out, events, err := maintain(tx.Value().Part(), d, peer, now)
		if err != nil {
			return classify(err)
		}
		if next.moves != tx.Value().Part().moves {
			tx.Set(tx.Value().With(next))
		}
		for _, o := range out {
			tx.Send(o.To.String(), o.Frame)
		}
		for _, e := range events {
			tx.Emit(e)
		}
		return nil
	}
}

// maintain returns the pair after what is due in it, with what is to be sent and told.
func maintain(p Pair, d Device, peer directory.Peer, now time.Time) (Pair, []Outgoing, []state.Event, error) {
	s, err := p.of(d)
	if err != nil {
		return p, nil, nil, err
	}
	var out []Outgoing
	var events []state.Event
	due := s.Due(now)
	if due.Forget {
		s.log = s.log.Expired(now)
		s.moves++
	}
	if s.sessions.isUnanswered(now) {
		s.sessions.beginNext, s.again = true, s.log.Missing(nil, s.peerRead)
		s.moves++
	}
	if due.Tell {
		var o Outgoing
		if s, o, err = s.tell(now); err != nil {
			return p, nil, nil, err
		}
		out, events = append(out, o), append(events, Unread{s.peer, s.device.Name()})
	}
	if s.Due(now).Heal && !peer.Person().IsZero() {
		next, again, did, err := s.heal(peer, now)
		switch {
		case err == nil:
			s, out, events = next, append(out, again...), append(events, did)
		case !errors.Is(err, ErrUnverified): // otherwise it waits for what the peer has to publish
			return p, nil, nil, err
		}
	}
	return s.Pair, out, events, nil
}

// tell returns the frame that tells the peer what this side does not read.
func (s side) tell(now time.Time) (side, Outgoing, error) {
	next := s
	next.notices++
	n := notice{number: next.notices, person: s.person, identity: s.identity, mailbox: s.own.mailbox.Public()}
	for _, t := range s.sessions.list {
		if t.lastRead != 0 || t.awaitingReply { // otherwise it is from before a restore
			n.sessions = append(n.sessions, nameOf(t.ephemeral))
		}
	}
	n.missing, n.above = s.arrived.Missing(maxMissing)
	b, err := box.Seal(s.device.Inbox(), n.sign(s.peer, s.device, s.own.mailbox).marshal())
	if err != nil {
		return s, Outgoing{}, err
	}
	next.unread, next.told, next.toldAbove = false, now.UnixMilli(), s.arrived.Highest()
	next.moves++
	return next, Outgoing{To: s.device.Mailbox(), Frame: frame.Frame{Kind: frame.Notice, Box: b}.Marshal()}, nil
}

// heal begins a session if the peer does not read the one to send on, and sends again what it has not read.
func (s side) heal(peer directory.Peer, now time.Time) (next side, out []Outgoing, did SentAgain, err error) {
	if next, err = s.towards(peer); err != nil {
		return s, nil, did, err
	}
	did = SentAgain{Person: next.peer, Device: next.device.Name()}
	if next.unheard || !next.IsReady() {
		if next, err = next.begin(peer.WithoutOneTime()); err != nil {
			return s, nil, did, err
		}
		did.Began = true
	}
	if next.asked {
		next.healed = now.UnixMilli()
	}
	next.asked, next.unheard = false, false
	next.moves++
	for len(next.again) > 0 && did.Messages < maxAgain {
		t, ok := next.log.Find(next.again[0])
		next.again = next.again[1:]
		if !ok {
			continue // it was read, or is too old
		}
		var o Outgoing
		if next.Pair, o, err = next.seal(now, content{number: t.Number, isCopy: true, text: t.Expose()}); err != nil {
			return s, nil, did, err
		}
		out = append(out, o)
		did.Messages++
	}
	return next, out, did, nil
}

// Unread is the event of a peer that was told that not all it sends is read. It sends that again, if it still can.
type Unread struct {
	Person key.Address
	Device key.PublicKey[key.Identity] // its name
}

// String returns one line for a log.
func (e Unread) String() string {
	return fmt.Sprintf("device %v of %v was told that not all it sends is read", e.Device, e.Person)
}

// SentAgain is the event of a peer that did not read all that was sent to it, or has not answered for 30 days, and for which that was
// sent again.
type SentAgain struct {
	Person   key.Address
	Device   key.PublicKey[key.Identity] // its name
	Began    bool                        // a session was begun
	Messages int
}

// String returns one line for a log.
func (e SentAgain) String() string {
	began := ""
	if e.Began {
		began = " in a new session"
	}
	return fmt.Sprintf("%d messages were sent again to device %v of %v%s", e.Messages, e.Device, e.Person, began)
}

func (h healing) write(w *wire.Writer) {
	w.U64(h.said)
	w.U64(h.peerRead)
	h.arrived.Write(w)
	w.Bool(h.unread)
	w.U64(h.notices)
	w.U64(uint64(h.told))
	w.U64(h.toldAbove)
	w.U64(h.heard)
	w.Bool(h.asked)
	w.Bool(h.unheard)
	w.U32(uint32(len(h.again)))
	for _, n := range h.again {
		w.U64(n)
	}
	w.U64(uint64(h.healed))
}

// readHealing reads all but the log.
func readHealing(r *wire.Reader) (h healing) {
	h.said, h.peerRead, h.arrived = r.U64(), r.U64(), gaps.Parse(r)
	h.unread, h.notices, h.told, h.toldAbove = r.Bool(), r.U64(), int64(r.U64()), r.U64()
	h.heard = r.U64()
	h.asked, h.unheard = r.Bool(), r.Bool()
	for range r.Count(sentlog.MaxTexts, 8) {
		h.again = append(h.again, r.U64())
	}
	h.healed = int64(r.U64())
	return h
}

// healingStored bounds what write appends, in bytes.
const healingStored = 128 + gaps.Max*gaps.Stored + 8*sentlog.MaxTexts
