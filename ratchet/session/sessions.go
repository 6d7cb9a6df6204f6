package session

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// sessions are those between two devices, side by side, and what decides which one is sent on and which new ones are taken in. It
// is immutable.
type sessions struct {
	list []ratchetSession // the one to send on first

	// pinned is the strongest suite that the other device has signed for or used. Nothing weaker is accepted or made.
	pinned     suite
	generation uint64 // the highest of any session, ever
	accepted   uint64 // the highest of a session that the other device began in the hybrid suite, ever
	seen       []seenInitiation

	restored  bool   // they come from a backup, and none was begun since
	floor     uint64 // the generation of the first session that this side began after it was last restored, 0 for never
	beginNext bool   // one is to be begun before the next message: the peer may not know the one to send on, or has not answered
}

// isReady reports whether there is a session to send on that the peer is likely to read.
func (s sessions) isReady() bool { return len(s.list) > 0 && !s.restored && !s.beginNext }

// isPostQuantum reports whether the session to send on was agreed in the hybrid suite.
func (s sessions) isPostQuantum() bool { return len(s.list) > 0 && s.list[0].suite == hybrid }

// isUnanswered reports whether the peer has not answered in the session to send on for so long that it may have erased the keys
// that it was begun with. It cannot say so if it has no slot for this device.
func (s sessions) isUnanswered(now time.Time) bool {
	if len(s.list) == 0 || s.beginNext {
		return false
	}
	t := s.list[0]
	return t.since != 0 && isOver(t.since, keepReplaced, now)
}

// knows reports whether there is one of that ephemeral key.
func (s sessions) knows(e key.PublicKey[key.Ephemeral]) bool {
	return slices.ContainsFunc(s.list, func(t ratchetSession) bool { return t.ephemeral.Equal(e) })
}

// with returns them with a new one. If they become too many, one is dropped.
func (s sessions) with(t ratchetSession) sessions {
	s.list = append(slices.Clone(s.list), t)
	slices.SortFunc(s.list, ratchetSession.compare)
	if len(s.list) > maxSessions {
		s.list = s.withoutOne()
	}
	s.generation = max(s.generation, t.generation)
	s.pinned = max(s.pinned, t.suite)
	return s
}

// withoutOne drops the session that ranks lowest of those that the peer is not likely to send on, from a list that is in no other
// value. It keeps the session to send on, the newest of one's own that is unanswered, the highest one in which the peer was read (in
// the hybrid suite, where both sides rank sessions alike, the peer sends on that one or on one above it), and the two in which the
// peer was read last.
func (s sessions) withoutOne() []ratchetSession {
	keep := []int{0,
		slices.IndexFunc(s.list, func(t ratchetSession) bool { return t.awaitingReply }),
		slices.IndexFunc(s.list, func(t ratchetSession) bool { return t.lastRead != 0 })}
	for range 2 {
		last := -1
		for i, t := range s.list {
			if t.lastRead != 0 && !slices.Contains(keep[3:], i) && (last < 0 || t.lastRead > s.list[last].lastRead) {
				last = i
			}
		}
		keep = append(keep, last)
	}
	for i := len(s.list) - 1; ; i-- {
		if !slices.Contains(keep, i) {
			return slices.Delete(s.list, i, i+1)
		}
	}
}

// replace returns them with session i in another state.
func (s sessions) replace(i int, t ratchetSession) sessions {
	s.list = slices.Clone(s.list)
	s.list[i] = t
	return s
}

// ranked returns them with session i, which is in the list of nobody else, under a generation above all others.
func (s sessions) ranked(i int) sessions {
	s.generation++
	s.list[i].generation = s.generation
	slices.SortFunc(s.list, ratchetSession.compare)
	return s
}

// read opens a message with whichever session has the key, and returns that one, before it is ranked anew; at becomes its lastRead.
// With double.ErrAhead the sessions returned note what the frame waits for, with any other error they are s.
func (s sessions) read(m double.Message, at uint64) (next sessions, read ratchetSession, plain []byte, retry bool, err error) {
	failure := error(double.ErrNoKey)
	for i, t := range s.list {
		read, plain, retry, err := t.read(m)
		switch {
		case err == nil:
			read.lastRead = at
			return s.replace(i, read).preferred(i, t), read, plain, retry, nil
		case errors.Is(err, double.ErrAhead):
			return s.replace(i, read), read, nil, false, err
		case !errors.Is(err, double.ErrNoKey):
			failure = err // it is a message of this session
		}
	}
	return s, ratchetSession{}, nil, false, failure
}

// preferred follows the other side's choice in the classic suite, where both count generations by themselves: if it was
// read that session i, of one's own, is answered although another one of the other side's comes first here, then it does not
// come first there. Was is the session before.
func (s sessions) preferred(i int, was ratchetSession) sessions {
	if was.suite != classic || !was.awaitingReply || i == 0 || s.list[0].awaitingReply {
		return s
	}
	return s.ranked(i)
}

// goOn returns them with this side's own unanswered session as the one to send on, if there is one that was made with the same bundle
// and one-time pre-key of the peer, whose entry is the one that it was made with: the peer may answer it at any time, so it must
// not be dropped, however often a program begins.
func (s sessions) goOn(peer directory.Peer) (sessions, bool) {
	i := slices.IndexFunc(s.list, func(t ratchetSession) bool { return t.awaitingReply })
	if i < 0 || s.restored || s.beginNext {
		return s, false
	}
	oneTime, _ := peer.OneTime()
	bundle, _ := peer.Bundle()
	switch offer := s.list[i].offer; {
	case (offer != nil) != peer.IsHybrid() || offer != nil && (offer.oneTime != oneTime.ID() || offer.bundle != bundle.Number()):
		return s, false // of other keys
	case i == 0:
		return s, true
	case offer != nil:
		return s, false // its generation is bound into its keys, and the peer has begun a newer one
	}
	return s.replace(i, s.list[i]).ranked(i), true
}

// begun returns them with a session that this side has begun as the one to send on.
func (s sessions) begun(t ratchetSession) sessions {
	if len(s.list) > 0 && s.list[0].awaitingReply && !s.list[0].ratchet.HasSent() {
		s.list = s.list[1:] // nobody can answer it
	}
	if s.restored {
		s.floor = t.generation
	}
	s.restored, s.beginNext = false, false
	return s.with(t)
}

// admits decides whether an initiation is new, and returns the generation by which its session ranks. One that was overtaken
// by a newer one reads what is sent in it, and ranks below, so that nothing is ever sent on it.
func (s sessions) admits(i initiation) (uint64, error) {
	switch {
	case slices.ContainsFunc(s.seen, func(one seenInitiation) bool { return one.name == nameOf(i.ephemeral) }):
		return 0, fmt.Errorf("%w: %w", ErrReplayed, errGone)
	case i.suite() < s.pinned:
		return 0, fmt.Errorf("%w: an initiation weaker than what the peer can do", ErrUnverified)
	case i.offer != nil && i.offer.generation == 0:
		return 0, fmt.Errorf("%w: generation", ErrMalformed)
	case i.offer != nil && i.offer.generation <= s.accepted:
		if s.accepted-i.offer.generation >= maxLate {
			return 0, fmt.Errorf("%w: %w", ErrReplayed, errGone)
		}
		return s.below(min(i.offer.generation, s.accepted-1), i), nil
	case i.offer != nil && i.offer.generation > s.generation && i.offer.generation-s.generation > maxGenerationStep:
		return 0, fmt.Errorf("%w: generation", ErrMalformed)
	case i.offer != nil:
		return s.below(i.offer.generation, i), nil
	case len(s.list) > 0 && s.list[0].awaitingReply:
		// Both sides began at once, as far as can be seen here. The other side sees the same and gives its own the same
		// rank as ours, so both choose the same.
		return s.list[0].generation, nil
	}
	return s.generation + 1, nil
}

// below returns the generation by which a session ranks that the peer began. One that it began before it knew of any that this
// side began after a restore may be a recording that the lost state has accepted, so that its keys are used up: it reads, and
// nothing is sent on it.
func (s sessions) below(generation uint64, i initiation) uint64 {
	if i.offer.heard < s.floor {
		return min(generation, s.floor-1)
	}
	return generation
}

// accept returns them with the session of an initiation that they admitted.
func (s sessions) accept(t ratchetSession, i initiation) sessions {
	s = s.with(t)
	if i.offer != nil {
		s.accepted = max(s.accepted, i.offer.generation)
	}
	s.seen = s.remember(i)
	s.generation = max(s.generation, s.accepted)
	s.beginNext = s.isSetBack(i)
	return s
}

// isSetBack reports whether this side has to begin a session, after it accepted an initiation, so that both send on the same
// one: because the peer is not likely to know the session to send on, or this side does not know whether it can send on the
// peer's. An initiation that is only late looks the same, and costs a session.
func (s sessions) isSetBack(i initiation) bool {
	if i.offer == nil || s.list[0].ephemeral.Equal(i.ephemeral) {
		return false
	}
	return !s.list[0].awaitingReply || i.offer.heard < s.floor && i.offer.generation >= s.list[0].generation
}

// afterRestore returns them for a pair that comes from a backup.
func (s sessions) afterRestore(now time.Time) sessions {
	s.restored = true
	s.generation = restoredNumber(s.generation, now)
	s.list = slices.Clone(s.list)
	for i := range s.list {
		t := &s.list[i]
		t.awaitingReply, t.offer, t.since = false, nil, 0 // it may have been answered
		t.lastRead = 0                                    // the peer may have gone on to where this state does not read
	}
	return s
}

// ended returns what is known of them when they all have ended.
func (s sessions) ended() sessions {
	s.list, s.restored, s.beginNext = nil, false, false
	return s
}

// begunAnew returns them as if there had never been one, for other keys of either device: nothing that was recorded opens with
// them, and a thief that began sessions with the old ones shall not have used up the generations.
func (s sessions) begunAnew() sessions { return sessions{pinned: s.pinned} }
