package orphans

import (
	"github.com/trefoil-im/trefoil/state"
)

// Due says what a member owes because of what it cannot read (§7, Waiting).
type Due uint8

const (
	// Nothing is due.
	Nothing Due = iota
	// Send something, an empty text if need be: it shows others what this member lacks.
	Send
	// Ask for a ticket.
	Ask
)

// Times of waiting, by the wall clock: they only delay what is sent.
const (
	second          = 1000
	minute   Millis = 60 * second
	hour            = 60 * minute
	day             = 24 * hour
	fromHere        = minute      // a frame that an epoch held opens, or from the mailbox of a member
	fromAway        = 10 * minute // any other
	mostWait        = day
	askAway         = 7 * day // between requests because of frames from elsewhere
	sends           = 3       // after so many that were due a ticket is asked for
	rounds          = 5       // how often a frame counts again after a merged ticket: after 1, 2, 4, 8 and 16 days
)

// waiting is what was done because of frames that wait.
type waiting struct {
	done   uint8  // sends and requests that were due since a retained frame was read
	last   Millis // when the last one was
	away   Millis // when a ticket was asked for because of frames from elsewhere
	merged Millis // when the last ticket was merged
}

func (w waiting) encode(e *state.Encoder) {
	e.Uint8(w.done)
	for _, t := range []Millis{w.last, w.away, w.merged} {
		e.Int64(t)
	}
}

func decodeWaiting(d *state.Decoder) (w waiting) {
	w.done = d.Uint8()
	for _, t := range []*Millis{&w.last, &w.away, &w.merged} {
		*t = d.Int64()
	}
	return w
}

// passed reports whether a wait since a time is over. It is if the clock stands more than an hour before that time, so that a
// clock that was ahead holds nothing up.
func passed(now, since, wait Millis) bool { return now-since >= wait || now < since-hour }

// step returns the wait that begins with first and doubles with all that was done.
func (w waiting) step(first Millis) Millis { return min(first<<min(w.done, 20), mostWait) }

// Waits returns what is due by the wall clock. Jitter, which differs from member to member, is in seconds, below 600.
func (x Index) Waits(now Millis, jitter uint32) Due {
	w, spread := x.waiting, Millis(jitter)*second
	due := func(first Millis) bool {
		wait := w.step(first) + spread
		return (w.done == 0 || passed(now, w.last, wait)) && x.counts(now, wait, first == fromAway)
	}
	if due(fromHere) {
		return w.kind()
	}
	if due(fromAway) && (w.kind() == Send || w.away == 0 || passed(now, w.away, askAway)) {
		return w.kind()
	}
	return Nothing
}

func (w waiting) kind() Due {
	if w.done < sends {
		return Send
	}
	return Ask
}

// counts reports whether a frame counts that waited so long.
func (x Index) counts(now, wait Millis, away bool) bool {
	for _, s := range x.lookup.order.up() {
		n, _ := x.pages.get(s)
		if n.rest() || n.Form != Message || n.Prior || n.Unsaid || n.away() != away {
			continue
		}
		if since, ok := x.waiting.since(n, now); ok && passed(now, since, wait) {
			return true
		}
	}
	return false
}

// away reports whether a frame came from elsewhere, and nothing says that it is of this space.
func (n Note) away() bool { return !n.Opened && !n.Member }

// since returns from when on a frame counts: from when it came, or, if it was there when the last ticket was merged or came
// within an hour after it, again 1, 2, 4, 8 and 16 days after it came: another branch may answer then (D53).
func (w waiting) since(n Note, now Millis) (Millis, bool) {
	if w.merged == 0 || n.Arrived > w.merged+hour || now < w.merged-hour {
		return n.Arrived, true
	}
	for r := rounds - 1; r >= 0; r-- {
		if t := n.Arrived + day<<r; t > w.merged && t <= now {
			return t, true
		}
	}
	return 0, false
}

// Did returns the index that notes that what was due was done.
func (x Index) Did(d Due, now Millis) Index {
	if d == Nothing {
		return x
	}
	away := !x.counts(now, 0, false)
	x.waiting.last = now
	if x.waiting.done < 255 {
		x.waiting.done++
	}
	if d == Ask && away {
		x.waiting.away = now
	}
	return x
}

// Merged returns the index that notes that a ticket was merged.
func (x Index) Merged(now Millis) Index {
	x.waiting.merged = now
	return x
}

// ReadOne returns the index that notes that a frame was read that was retained: waiting starts anew.
func (x Index) ReadOne() Index {
	x.waiting.done = 0
	return x
}
