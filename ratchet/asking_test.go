package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
