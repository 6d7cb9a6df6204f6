package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// However often a joiner has asked, it waits for an hour at least and a day at most.
func TestAskAfter(t *testing.T) {
	last := time.Duration(0)
	for earlier := range 100 {
		next := askAfter(earlier)
		require.GreaterOrEqual(t, next, max(last, time.Hour))
		require.LessOrEqual(t, next, 24*time.Hour)
		last = next
	}
	require.Equal(t, 24*time.Hour, last)
}

// The waiting time starts anew when a message that was waited for is read, and not with a ticket (§7): else one that can
// never be read would make its reader ask for tickets for as long as it is kept.
func TestTicketsDoNotShortenTheWait(t *testing.T) {
	now := time.UnixMilli(1_795_000_000_000)
	s, err := NewSpace(now, Policy{KEM: X25519})
	require.NoError(t, err)
	d, err := newEdit(s, now)
	require.NoError(t, err)
	d.st.backoff = backoff{stage: 5, sends: maxWaitSends, last: 1}
	d.afterTicket(proto.TicketBody{})
	require.Equal(t, backoff{stage: 5, entered: now.UnixMilli()}, d.st.backoff)
}
