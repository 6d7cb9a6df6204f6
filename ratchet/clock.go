package ratchet

import "github.com/trefoil-im/trefoil/state"

// Lengths of time in milliseconds.
const (
	second millis = 1_000
	minute        = 60 * second
	hour          = 60 * minute
	day           = 24 * hour
)

// clock is the pruning clock (§5, The clock of what is kept): the one rule for every age. What is kept for a time is stamped
// with its reading, and an age is the reading minus the stamp. A clock of the device that jumps or flaps ages nothing by more
// than a day, and nothing that lies unread in the mailbox is outlived.
type clock struct {
	reading millis // c
	mark    millis
	high    millis // the highest time ever seen
	end     millis // the reading when the end of the mailbox was last reached
	free    millis // u: the reading without the bound by end
	freeEnd millis // u when the end of the mailbox was last reached
	reached millis // wall clock of that
	warned  millis // u when MailboxNotRead was reported last
}

const (
	// longestStep is the most that one call ages what is kept, and how far the reading goes past the end of the mailbox.
	longestStep = day
	// longestBack is how far the device's clock may go back without being believed: until it passes where it was nothing counts.
	longestBack = 7 * day
	// unreadWarning is after how long without an end of the mailbox the program is told, and unreadLimit after how long the
	// mailbox bounds the clock no more.
	unreadWarning = 14 * day
	unreadLimit   = 30 * day
)

// newClock returns the clock of a space that begins now, with an empty mailbox.
func newClock(now millis) clock {
	return clock{reading: now, mark: now, high: now, end: now, free: now, freeEnd: now, reached: now, warned: now}
}

// at returns the clock after a call at a time of the device's clock.
func (c clock) at(t millis) clock {
	d, step := t-c.mark, millis(0)
	switch {
	case d >= 0 && d <= longestStep:
		step = d
	case d > longestStep && t > c.high:
		step = min(longestStep, t-c.high)
	}
	if d >= 0 || d < -longestBack {
		c.mark = t
	}
	c.free += step
	next := c.reading + step
	if c.free-c.freeEnd <= unreadLimit {
		next = min(next, c.end+longestStep)
	}
	c.reading = max(c.reading, next)
	c.high = max(c.high, t)
	return c
}

// caughtUp returns the clock after the end of the mailbox was reached.
func (c clock) caughtUp(t millis) clock {
	c.end, c.freeEnd, c.reached = c.reading, c.free, t
	return c
}

// age returns how old something is that was stamped.
func (c clock) age(stamp millis) millis { return c.reading - stamp }

// unread returns the clock that notes that MailboxNotRead is reported, once a day, if it is to be.
func (c clock) unread() (clock, bool) {
	if c.free-c.freeEnd <= unreadWarning || c.free-c.warned < day {
		return c, false
	}
	c.warned = c.free
	return c, true
}

// falls reports whether the clock would go back behind another one.
func (c clock) falls(prev clock) bool { return c.reading < prev.reading || c.high < prev.high }

// passed reports whether a wait by the wall clock is over. It is if the clock stands more than an hour before the time that was
// noted, so that a clock that was ahead holds nothing up.
func passed(now, since, wait millis) bool { return now-since >= wait || now < since-hour }

func (c clock) encode(e *state.Encoder) {
	for _, t := range []millis{c.reading, c.mark, c.high, c.end, c.free, c.freeEnd, c.reached, c.warned} {
		e.Int64(t)
	}
}

func decodeClock(d *state.Decoder) (c clock) {
	for _, t := range []*millis{&c.reading, &c.mark, &c.high, &c.end, &c.free, &c.freeEnd, &c.reached, &c.warned} {
		*t = d.Int64()
	}
	return c
}
