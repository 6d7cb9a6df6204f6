package worker

import (
	"time"

	"github.com/trefoil-im/trefoil/state"
)

// schedule says when which outbox is to be sent from. One goroutine uses it.
type schedule struct {
	due     map[state.ID]time.Time
	running map[state.ID]bool
}

// add makes outboxes due now.
func (s *schedule) add(ids []state.ID, now time.Time) {
	for _, id := range ids {
		s.due[id] = now
	}
}

// later makes an outbox due, unless it is sooner.
func (s *schedule) later(id state.ID, at time.Time) {
	if due, ok := s.due[id]; !ok || at.Before(due) {
		s.due[id] = at
	}
}

// next takes the outbox that has been due the longest.
func (s *schedule) next(now time.Time) (first state.ID, ok bool) {
	for id, at := range s.due {
		if !s.running[id] && !at.After(now) && (!ok || at.Before(s.due[first])) {
			first, ok = id, true
		}
	}
	if ok {
		delete(s.due, first)
		s.running[first] = true
	}
	return first, ok
}

// wait returns how long until an outbox that is not being sent from is due, or until the given time.
func (s *schedule) wait(now, until time.Time) time.Duration {
	for id, at := range s.due {
		if !s.running[id] && at.After(now) && at.Before(until) {
			until = at
		}
	}
	return until.Sub(now)
}
