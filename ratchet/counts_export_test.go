package ratchet

// Unseen returns the space as if no message had been seen in the preferred epoch: a sender that does not commit when it is
// due.
func Unseen(s Space) Space {
	d := &edit{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	e, _, _, _ := d.preferred()
	e.received = 0
	d.putEpoch(e)
	return d.space()
}

// Committing returns the space as one whose next send commits.
func Committing(s Space) Space {
	st := s.State()
	st.commit = true
	return s.WithState(st)
}

// Held returns how many headers and commits of retained messages a space holds.
func Held(s Space) (headers, commits int) { return s.State().headers.Size(), s.State().commits.Size() }

// Epochs returns how many epochs a space holds.
func Epochs(s Space) int { return s.State().epochs.Size() }

// Evict returns the space with at most limit epochs.
func Evict(s Space, limit int) Space {
	d := &edit{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	for d.evict(limit) {
	}
	return d.space()
}

// InboxCounters returns the counters of the members' inbox keys as a space knows them.
func InboxCounters(s Space) (out []uint32) {
	d := &edit{st: s.State(), tp: s.Template()}
	_, r, _, _ := d.preferred()
	for m := range r.members.All() {
		out = append(out, m.inboxCounter)
	}
	return out
}

// WaitingSends returns how many messages were sent without effect while others were retained.
func WaitingSends(s Space) int { return int(s.State().backoff.sends) }
