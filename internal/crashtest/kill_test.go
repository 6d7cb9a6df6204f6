package crashtest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/disktest"
)

// times returns how often something is tried: many times in the long run, and few in the short one, which has the race
// detector in it.
func times(ordinary, many int) int {
	switch {
	case os.Getenv("TREFOIL_LONG") != "":
		return many
	case testing.Short():
		return ordinary / 4
	}
	return ordinary
}

// A process that is killed at any write, truncation, sync, creation or deletion of a file, or in the middle of a write,
// leaves a store that is whole (G4).
func TestKilledAtEachOperationOnTheDisk(t *testing.T) {
	const ops = 60
	all := len(record(t, 1, ops).trace)
	kills, done := min(all, times(10, 1000)), 0
	for i := range kills {
		c := child{Path: filepath.Join(t.TempDir(), file), Seed: 1, Ops: ops, Fault: disktest.Kill + disktest.Fault(i%2)}
		c.KillAt = 1 + i*all/kills
		journal, killed := c.start(t, nil)
		_, _, err := c.crashed(t, newScript(c.Seed, c.Ops), journal)
		require.NoError(t, err)
		if killed {
			done++
		}
	}
	// Two runs differ by a few operations, since what is sealed is random: the last kills may come too late.
	require.Greater(t, done, kills*9/10)
}

// A program that is killed at any moment, started again from what was left, and killed again, does everything once (G4).
func TestKilledAtAnyMoment(t *testing.T) {
	killAtAnyMoment(t, times(10, 1000), func(uint64) child { return child{Path: filepath.Join(t.TempDir(), file)} }, nil)
}

// killAtAnyMoment kills children that run in the places that place returns for seeds, or does what kill does instead, unless
// that is nil, which ends them: so often in all.
func killAtAnyMoment(t *testing.T, total int, place func(seed uint64) child, kill func()) {
	const ops, killsEach = 60, 10
	for seed := uint64(100); total > 0; seed++ {
		r := rand.New(rand.NewPCG(seed, 2))
		c := place(seed)
		c.Seed, c.Ops = seed, ops
		s := newScript(seed, ops)
		var journal []entry
		for kills := 0; ; {
			last := r.IntN(2 * ops / killsEach)
			pause := time.Duration(r.IntN(3000)) * time.Microsecond
			hit := false
			more, killed := c.start(t, func(entries int) bool {
				if entries <= last || hit {
					return false
				}
				time.Sleep(pause) // which moment it is does not matter
				hit = true
				if kill != nil {
					kill()
				}
				return kill == nil
			})
			require.True(t, hit || !killed, "seed %d: it ended by itself", seed)
			journal = append(journal, more...)
			at, rest, err := c.crashed(t, s, journal)
			require.NoError(t, err, "kill %d of seed %d", kills, seed)
			if hit {
				kills++
				total--
			}
			if !killed {
				require.Equal(t, ops, at, "seed %d", seed)
				break
			}
			c.Skip, s = at, rest
			journal = append(journal, entry{Event: done, Op: at}) // it is known now
		}
	}
}

// The tests above see a program that acknowledges before it has done, unless it is killed by chance where that makes no difference.
func TestEarlyAcknowledgementIsSeen(t *testing.T) {
	all := len(record(t, 1, 60).trace)
	for i, seen := 0, false; !seen; i++ {
		require.Less(t, i, 40, "not seen")
		c := child{Path: filepath.Join(t.TempDir(), file), Seed: 1, Ops: 60, KillAt: all/2 + i*7, Fault: disktest.Kill, Early: true}
		journal, killed := c.start(t, nil)
		require.True(t, killed)
		_, _, err := c.crashed(t, newScript(c.Seed, c.Ops), journal)
		seen = err != nil
	}
}
