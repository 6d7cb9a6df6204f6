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
		Tell: p.pinned == hybrid && (isNew && isOver(p.told, tellEvery, now) ||
			p.arrived.Misses(0) && isOver(p.told, tellAgainEvery, now)),
		Heal:   p.asked && isOver(p.healed, healEvery, now) || !p.asked && len(p.again) > 0 || p.isUnanswered(now),
		Forget: p.log.IsExpired(now),
	}
}

// isUnanswered reports whether the peer has not answered in the session to send on for so long that it may have erased the keys
// that it was begun with. It cannot say so if it has no slot for this device.
func (p Pair) isUnanswered(now time.Time) bool {
	if len(p.sessions) == 0 || p.beginNext {
		return false
	}
	t := p.sessions[0]
	return t.since != 0 && isOver(t.since, keepReplaced, now)
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
		next, out, events, err := tx.Value().Part().maintain(d, peer, now)
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

func (p Pair) maintain(d Device, peer directory.Peer, now time.Time) (next Pair, out []Outgoing, events []state.Event, err error) {
	next, err = p.withDevice(d)
	if err != nil {
		return p, nil, nil, err
	}
	due := next.Due(now)
	if due.Forget {
		next.log = next.log.Expired(now)
		next.moves++
	}
	if next.isUnanswered(now) {
		next.beginNext, next.again = true, next.log.Missing(nil, next.peerRead)
		next.moves++
	}
	if due.Tell {
		var o Outgoing
		if next, o, err = next.tell(d, now); err != nil {
			return p, nil, nil, err
		}
		out, events = append(out, o), append(events, Unread{next.peer, next.device.Name()})
	}
	if next.Due(now).Heal && !peer.Person().IsZero() {
		var again []Outgoing
		var did SentAgain
		next, again, did, err = next.heal(d, peer, now)
		switch {
		case err == nil:
			out, events = append(out, again...), append(events, did)
		case !errors.Is(err, ErrUnverified): // otherwise it waits for what the peer has to publish
			return p, nil, nil, err
		}
	}
	return next, out, events, nil
}

// tell returns the frame that tells the peer what this side does not read.
func (p Pair) tell(d Device, now time.Time) (Pair, Outgoing, error) {
	p.notices++
	n := notice{number: p.notices, person: p.person, identity: p.identity, mailbox: d.mailbox.Public()}
	for _, t := range p.sessions {
		if t.lastRead != 0 || t.awaitingReply { // otherwise it is from before a restore
			n.sessions = append(n.sessions, nameOf(t.ephemeral))
		}
	}
	n.missing, n.above = p.arrived.Missing(maxMissing)
	b, err := box.Seal(p.device.Inbox(), n.sign(p.peer, p.device, d.mailbox).marshal())
	if err != nil {
		return p, Outgoing{}, err
	}
	p.unread, p.told, p.toldAbove = false, now.UnixMilli(), p.arrived.Highest()
	p.moves++
	return p, Outgoing{To: p.device.Mailbox(), Frame: frame.Frame{Kind: frame.Notice, Box: b}.Marshal()}, nil
}

// heal begins a session if the peer does not read the one to send on, and sends again what it has not read.
func (p Pair) heal(d Device, peer directory.Peer, now time.Time) (next Pair, out []Outgoing, did SentAgain, err error) {
	if next, err = p.checked(d, peer); err != nil {
		return p, nil, did, err
	}
	did = SentAgain{Person: next.peer, Device: next.device.Name()}
	if next.unheard || !next.IsReady() {
		if next, err = next.begin(d, peer.WithoutOneTime()); err != nil {
			return p, nil, did, err
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
		if next, o, err = next.seal(now, content{number: t.Number, isCopy: true, text: t.Expose()}); err != nil {
			return p, nil, did, err
		}
		out = append(out, o)
		did.Messages++
	}
	return next, out, did, nil
}

// noting returns the pair with the note that a frame was not read, if that is what an error means.
func (p Pair) noting(err error) Pair {
	if !p.unread && p.pinned == hybrid && isUnread(err) {
		p.unread = true
		p.moves++
	}
	return p
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
