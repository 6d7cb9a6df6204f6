package backoff

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The wait doubles up to its bound, whatever the number of failures, and is never shorter than what the other side asks for.
func TestWait(t *testing.T) {
	for _, c := range []struct {
		failures    int
		least, want time.Duration
	}{
		{0, 0, time.Second}, {1, 0, 2 * time.Second}, {8, 0, 256 * time.Second}, {9, 0, Longest}, {math.MaxInt, 0, Longest},
		{0, time.Minute, time.Minute}, {9, time.Hour, time.Hour}, {3, time.Second, 8 * time.Second}, {0, -1, time.Second},
	} {
		for range 100 {
			got := Wait(c.failures, c.least)
			require.GreaterOrEqual(t, got, c.want)
			require.Less(t, got, c.want+c.want/4)
		}
	}
}
