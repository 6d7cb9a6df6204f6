package sqlstore

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
)

// turnsEnv makes the test binary a process that takes turns: the path of the store.
const turnsEnv = "TREFOIL_TURNS"

// TestTurnsProcess is the process, not a test: it commits with four writers until there is a file "stop" beside the store.
func TestTurnsProcess(t *testing.T) {
	path := os.Getenv(turnsEnv)
	if path == "" {
		return
	}
	s := open(t, path)
	create, _ := row()
	var turns atomic.Int64
	var writers sync.WaitGroup
	for range 4 { // one of them always waits for the lock
		writers.Go(func() {
			for {
				if _, err := os.Stat(path + ".stop"); err == nil {
					return
				}
				if err := s.Commit(t.Context(), other(create)); err != nil {
					t.Error(err)
					return
				}
				count := strconv.FormatInt(turns.Add(1), 10)
				if err := os.WriteFile(path+"."+strconv.Itoa(os.Getpid()), []byte(count), 0o600); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
}

// TestProcessesTakeTurns: of three processes that write without a pause, each gets its turns. How many the system lets run at once
// is not looked at: none has a hundred times as many as another, as it is with SQLite's own waiting.
func TestProcessesTakeTurns(t *testing.T) {
	const processes, share, most = 3, 30, 3000
	path := file(t)
	require.NoError(t, open(t, path).Close())
	var running []*exec.Cmd
	for range processes {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTurnsProcess$")
		c.Env = append(os.Environ(), turnsEnv+"="+path)
		require.NoError(t, c.Start())
		running = append(running, c)
	}
	counts := make([]int, processes)
	look := func() []int {
		time.Sleep(time.Millisecond) // rather than keep the processes from running
		for i, c := range running {
			b, _ := os.ReadFile(path + "." + strconv.Itoa(c.Process.Pid))
			if n, err := strconv.Atoi(string(b)); err == nil { // or else it is being written
				counts[i] = n
			}
		}
		return slices.Clone(counts)
	}
	begun := look()
	for slices.Min(begun) == 0 { // those that started first do not count yet
		begun = look()
	}
	turns := make([]int, processes)
	for slices.Min(turns) < share && slices.Max(turns) < most {
		for i, n := range look() {
			turns[i] = n - begun[i]
		}
	}
	require.NoError(t, os.WriteFile(path+".stop", nil, 0o600))
	for _, c := range running {
		require.NoError(t, c.Wait())
	}
	require.GreaterOrEqual(t, slices.Min(turns), share, "%v", turns)
}

// TestWaitingHeedsTheContext: a writer whose context ends while another handle holds the lock returns, and then goes on.
func TestWaitingHeedsTheContext(t *testing.T) {
	path := file(t)
	s, holder := open(t, path), open(t, path)
	create, update := row()
	require.NoError(t, s.Commit(t.Context(), create))
	err := holder.writer.use(t.Context(), nil, func(c *conn) error {
		return c.transaction(t.Context(), holder.dialect.write, func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, s.Commit(ctx, update), context.DeadlineExceeded)
			return nil
		})
	})
	require.NoError(t, err)
	require.NoError(t, s.Commit(t.Context(), update))
	got, err := s.Load(t.Context(), store.Spaces, create.ID)
	require.NoError(t, err)
	require.Equal(t, update.Next, got.Head)
}
