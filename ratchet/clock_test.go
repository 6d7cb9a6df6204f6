package ratchet

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The rule of §5: one call ages what is kept by a day at most; a clock that goes back and forth by less than 7 days ages it by no
// more than the highest time seen; and nothing is aged past a day after the end of the mailbox, until it was not reached for 30
// days.
func TestClockRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := millis(1_800_000_000_000)
		c, now := newClock(start), start
		jumps := rapid.SampledFrom([]millis{minute, 23 * hour, 30 * hour, 6 * day, 36_500 * day}).Draw(t, "jumps")
		gentle := jumps <= 6*day
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			d := rapid.Int64Range(-jumps, jumps).Draw(t, "by")
			if rapid.IntRange(0, 9).Draw(t, "kind") < 7 {
				d = rapid.Int64Range(0, hour).Draw(t, "on")
			}
			if gentle && now+d < c.mark-longestBack {
				d = 0
			}
			now += d
			before := c
			if c = c.at(now); rapid.IntRange(0, 5).Draw(t, "read") == 0 {
				c = c.caughtUp(now)
			}
			step := c.reading - before.reading
			require.True(t, step >= 0 && step <= longestStep, "a step of %d", step)
			require.False(t, c.falls(before))
			if gentle {
				require.LessOrEqual(t, c.reading-start, c.high-start, "aged by more than went by")
			}
			if c.free-c.freeEnd <= unreadLimit {
				require.LessOrEqual(t, c.reading, max(before.reading, c.end+longestStep), "the mailbox is outlived")
			}
		}
	})
}

// A clock that goes on steadily ages what is kept by what went by, and one that stands ages nothing.
func TestClockGoesOn(t *testing.T) {
	c := newClock(0)
	for k := range millis(40 * 24) {
		c = c.at(k * hour).caughtUp(k * hour)
	}
	require.Equal(t, 40*day-hour, c.reading)
	require.Equal(t, c.reading, c.at(c.mark).reading)
}

// D55: back and forth by 23 hours counts once.
func TestClockFlaps(t *testing.T) {
	c := newClock(0)
	for range 100 {
		c = c.at(23 * hour).caughtUp(23 * hour)
		c = c.at(0).caughtUp(0)
	}
	require.Equal(t, 23*hour, c.reading)
}

// A mailbox that nobody reads bounds the clock for 30 days, and the program is told once a day after 14.
func TestClockWaitsForTheMailbox(t *testing.T) {
	c, told := newClock(0), 0
	for k := range millis(40 * 24) {
		c = c.at(k * hour)
		if next, warn := c.unread(); warn {
			c, told = next, told+1
		}
		if k*hour <= unreadLimit {
			require.LessOrEqual(t, c.reading, longestStep)
		}
	}
	require.Greater(t, c.reading, 9*day)
	require.InDelta(t, 26, told, 1)
}
