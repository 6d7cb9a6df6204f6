package session

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
)

// What the relay of a simulation does with frames, and what must come of it.

// give hands a frame to a slot, which need not be the one that it is for, and retries what was retained if it was read.
func (s *simulation) give(to *slot, n int, frame []byte) {
	next, r, err := decrypt(to.s, to.d, frame)
	if err != nil {
		require.True(s.t, forgetful(next, to.s).Equal(to.s), "seed %d: a failure changed the session", s.seed)
		to.s = next
		if n >= 0 && s.sent[n].to == to {
			if errors.Is(err, ErrNotYet) {
				to.retained[n] = true
			}
			s.sent[n].late = to.comesLate(&s.sent[n])
		}
		return
	}
	require.GreaterOrEqual(s.t, n, 0, "seed %d: a damaged or misdirected frame was read", s.seed)
	d := &s.sent[n]
	require.Same(s.t, d.to, to, "seed %d: frame %d was read in another slot", s.seed, n)
	require.False(s.t, d.read && !d.excused, "seed %d: frame %d was read twice", s.seed, n)
	s.learn(n, r)
	before := to.s
	to.s, d.read = next, true
	to.noteDropped(before)
	if d.heard && !isNotice(d.frame) {
		to.other.unheard = false
	}
	delete(to.retained, n)
	if r.retry {
		for _, n := range slices.Sorted(maps.Keys(to.retained)) {
			delete(to.retained, n)
			s.give(to, n, s.sent[n].frame)
		}
	}
}

// learn notes what a frame said.
func (s *simulation) learn(n int, r Received) {
	if r.Silent {
		require.False(s.t, s.sent[n].original && !s.sent[n].known, "seed %d: text %d was not delivered", s.seed, n)
		return
	}
	text, err := strconv.Atoi(string(r.Plaintext()))
	require.NoError(s.t, err, "seed %d", s.seed)
	require.True(s.t, s.sent[text].original && (text == n || !s.sent[n].original), "seed %d: frame %d said %d", s.seed, n, text)
	d := &s.sent[text]
	require.Same(s.t, d.to, s.sent[n].to, "seed %d: text %d was read in another slot", s.seed, text)
	require.False(s.t, d.known && !d.excused, "seed %d: text %d was read twice", s.seed, text)
	d.known = true
}

// forgetful returns a session without what it noted of a frame that was not read.
func forgetful(s, before Session) Session {
	p, was := s.Part(), before.Part()
	p.unread, p.waits, p.moves = was.unread, was.waits, was.moves
	p.sessions.list = slices.Clone(p.sessions.list)
	for i := range min(len(p.sessions.list), len(was.sessions.list)) {
		p.sessions.list[i].ahead = was.sessions.list[i].ahead
	}
	return s.With(p)
}

// isNotice reports whether a frame is a notice, which does not show its reader a session to go on in.
func isNotice(f []byte) bool { return f[1] == frame.Notice }

func (s *simulation) arrive(n int) {
	s.sent[n].delivered = true
	s.give(s.sent[n].to, n, s.sent[n].frame)
}

func (s *simulation) deliverOne(loss int) {
	if len(s.flying) == 0 {
		return
	}
	i := s.rand.IntN(len(s.flying))
	n := s.flying[i]
	s.flying = append(s.flying[:i], s.flying[i+1:]...)
	if s.rand.IntN(100) >= loss {
		s.arrive(n)
	}
}

// repeat delivers a frame that was sent before. One that was lost so far counts as delivered now.
func (s *simulation) repeat(n int) {
	if s.sent[n].read {
		if s.sent[n].excused {
			s.arrive(n)
			return
		}
		next, _, err := Decrypt(s.sent[n].to.s, s.sent[n].to.d, s.sent[n].frame)
		require.Error(s.t, err, "seed %d: frame %d is read twice", s.seed, n)
		require.True(s.t, next.Equal(s.sent[n].to.s))
		return
	}
	s.arrive(n)
}

// settle lets both sides of each pair speak in turns, without loss: in the second round at the latest everything is read.
func (s *simulation) settle() {
	const rounds = 4
	for i := 0; i < len(s.slots); i += 2 {
		for round := range rounds {
			ok := true
			for _, from := range s.slots[i : i+2] {
				s.send(from)
				n := len(s.sent) - 1
				s.arrive(n)
				ok = ok && s.sent[n].read
			}
			if ok {
				s.counts[fmt.Sprint("settled in round ", round)]++
				break
			}
			require.Less(s.t, round, rounds-1, "seed %d: a direction is lost", s.seed)
		}
	}
	s.flying = nil
}

// heal lets all devices do what is due, without loss. Then everything that was ever sent is read, delivered or not, except what
// was sent before a restore and is in no log.
func (s *simulation) heal() {
	for range 2 {
		s.now = s.now.Add(tellAgainEvery)
		for range 2 {
			for _, x := range s.slots {
				s.maintain(x)
				for n := len(s.sent) - len(s.flying); n < len(s.sent); n++ {
					s.arrive(n)
				}
				s.flying = nil
			}
		}
	}
	for n, d := range s.sent {
		s.counts["sent"]++
		if d.read {
			s.counts["read"]++
		}
		require.True(s.t, !d.original || d.known || d.excused || d.session.suite == classic, "seed %d: text %d was never read", s.seed, n)
	}
	for _, x := range s.slots {
		for t := range x.s.Part().log.All {
			n, err := strconv.Atoi(string(t.Expose()))
			require.NoError(s.t, err)
			require.True(s.t, s.sent[n].known, "seed %d: text %d can be sent again and was not read", s.seed, n)
		}
	}
}

// comesLate reports whether a frame comes to a slot that has dropped its session, or has accepted maxLate newer ones before it.
func (x *slot) comesLate(d *delivery) bool {
	p := x.s.Part()
	return x.dropped[nameOf(d.session.ephemeral)] ||
		d.session.suite == hybrid && !p.sessions.knows(d.session.ephemeral) && p.sessions.accepted >= d.session.generation+maxLate
}

// noteDropped notes which sessions a slot has dropped. It drops one for want of room, or its own that nothing was sent in.
func (x *slot) noteDropped(before Session) {
	for _, t := range before.Part().sessions.list {
		if !x.s.Part().sessions.knows(t.ephemeral) && (!t.awaitingReply || t.ratchet.HasSent()) {
			require.Len(x.t, before.Part().sessions.list, maxSessions)
			x.dropped[nameOf(t.ephemeral)] = true
		}
	}
}
