package worker_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
)

// relay is what the workers of a test send to.
type relay struct {
	mu      sync.Mutex
	random  *rand.Rand
	kills   int                  // still to be made
	got     map[string][]arrival // by value and destination
	missing map[string]bool      // frames that did not come yet
	all     chan struct{}        // closed when none is missing
	died    chan struct{}        // one for each kill
}

type arrival struct {
	frame string
	by    *process
}

// handle is called with a frame from a worker. It kills the worker now and then: before the frame has arrived, before that is
// known to the worker, or at any moment after.
func (r *relay) handle(p *process, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	to, frame := line[:strings.LastIndex(line, " ")], line[strings.LastIndex(line, " ")+1:]
	if strings.HasSuffix(to, " dead") {
		fmt.Fprintln(p.in, "later", line)
		return
	}
	moment := -1
	if r.kills > 0 && (r.random.IntN(6) == 0 || len(r.missing) <= 4*r.kills) { // all kills are made
		r.kills--
		moment = r.random.IntN(3)
	}
	if moment == 0 {
		p.kill()
		r.died <- struct{}{}
		return
	}
	r.got[to] = append(r.got[to], arrival{frame, p})
	if moment != 1 {
		fmt.Fprintln(p.in, "taken", line)
	}
	if moment >= 0 {
		p.kill()
		r.died <- struct{}{}
	}
	delete(r.missing, line)
	if len(r.missing) == 0 { // after the answer: the processes are stopped now, and one that has no answer gives the frame to another
		select {
		case <-r.all:
		default:
			close(r.all)
		}
	}
}

// sendAll has processes send from one place, of which some are killed on the way and replaced, while frames are written.
func sendAll(t *testing.T, place string, seed uint64, processes, kills int, sendTime time.Duration) *relay {
	const values, destinations, frames = 3, 3, 8
	v, closePlace, err := openPlace(t.Context(), place, sendTime)
	require.NoError(t, err)
	defer closePlace()
	r := &relay{
		random: rand.New(rand.NewPCG(seed, 0)), kills: kills, got: make(map[string][]arrival), missing: make(map[string]bool),
		all: make(chan struct{}), died: make(chan struct{}, kills),
	}
	var ids []state.ID
	for range values {
		ids = append(ids, state.NewID())
		one, err := state.NewOne(ids[len(ids)-1], nothing{})
		require.NoError(t, err)
		require.NoError(t, v.Create(t.Context(), one, nil))
		for n := range frames {
			for to := range destinations {
				r.missing[fmt.Sprintf("%v to%d %d", one.ID(), to, n)] = true
			}
		}
	}
	var running []*process
	for n := range processes {
		running = append(running, start(t, n, place, sendTime, r.handle))
	}
	for n := range frames {
		for _, id := range ids {
			require.NoError(t, v.Update(t.Context(), id, func(tx *state.Tx[value]) error {
				tx.Send("dead", []byte("undeliverable"))
				for to := range destinations {
					tx.Send(fmt.Sprint("to", to), fmt.Append(nil, n))
				}
				return nil
			}))
		}
	}
	for done := false; !done; {
		select {
		case <-r.all:
			done = true
		case <-r.died:
			running = append(running, start(t, len(running), place, sendTime, r.handle))
		}
	}
	for _, p := range running {
		p.stop(t)
	}
	for _, id := range ids {
		pending, err := v.Pending(t.Context(), id)
		require.NoError(t, err)
		if kills == 0 {
			require.Equal(t, frames, pending.Outbox, "only what is for the dead destination")
		}
	}
	return r
}

// file returns the place of a new SQLite file.
func file(t *testing.T) string { return filepath.Join(t.TempDir(), "trefoil.db") }

// G7: with several processes on one file each frame leaves exactly once, in order for its destination, and a dead destination
// stops none. One send may take long: no process is ever relieved.
func TestG7EachFrameOnce(t *testing.T) { eachFrameOnce(t, file(t)) }

func eachFrameOnce(t *testing.T, place string) {
	r := sendAll(t, place, 1, 3, 0, time.Hour)
	require.Len(t, r.got, 9)
	for to, arrivals := range r.got {
		for n, a := range arrivals {
			require.Equal(t, fmt.Sprint(n), a.frame, to)
		}
		require.Len(t, arrivals, 8)
	}
}

// gone reports whether another process may have taken over what this one was sending.
func (p *process) gone() bool { return p.killed || p.still }

// G35: workers that are killed at any moment lose nothing. Each frame leaves at least once, for the first time in order, and
// more than once only if a process that sent it was killed or stood still for too long.
func TestG35KilledWorkers(t *testing.T) { killedWorkers(t, file(t)) }

func killedWorkers(t *testing.T, place string) {
	const seed = 5
	r := sendAll(t, place, seed, 3, 5, time.Second)
	require.Zero(t, r.kills, "seed %d", seed)
	for to, arrivals := range r.got {
		var first []string
		for n, a := range arrivals {
			if !slices.Contains(first, a.frame) {
				require.Equal(t, fmt.Sprint(len(first)), a.frame, "%s, seed %d", to, seed)
				first = append(first, a.frame)
				continue
			}
			for _, before := range arrivals[:n] {
				if before.frame == a.frame {
					require.True(t, before.by.gone() || a.by.gone(), "%s: %s twice, seed %d", to, a.frame, seed)
				}
			}
		}
		require.Len(t, first, 8, "%s, seed %d", to, seed)
	}
}
