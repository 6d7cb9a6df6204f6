package trefoil_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/state"
)

// soak is a long run: devices that come and go, write, lose their line, are restarted, and have programs and stores that fail.
type soak struct {
	world
	chance  *rand.Rand
	devices []*soaked
	spaces  []state.ID
	sent    []error // of each number that was to be sent
}

// soaked is a device and what its program was told.
type soaked struct {
	*device
	moody *moody
	line  *tap
	mu    sync.Mutex
	calls int
	read  map[int]event.ID // by number
	twice map[int]int      // told again, under the same ID
}

func (s *soak) handle(d *soaked, e event.Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, ok := e.(event.Message)
	if !ok {
		return nil
	}
	if d.calls++; d.calls%50 == 0 {
		return errors.New("the program fails")
	}
	n, err := strconv.Atoi(string(m.Body))
	require.NoError(s, err)
	if id, before := d.read[n]; before {
		require.Equal(s, id, m.ID)
		d.twice[n]++
	}
	d.read[n] = m.ID
	return nil
}

// begin opens a device and runs it.
func (s *soak) begin(d *soaked) {
	d.moody.fail(0) // who cannot open a store does not run
	d.device = s.open(d.name, d.moody, d.line, func(o *trefoil.Options) {
		o.Handle = func(_ context.Context, e event.Event) error { return s.handle(d, e) }
	})
	d.forgets = true
	d.device.begin()
	d.moody.fail(0.005)
}

// step is a minute or so.
func (s *soak) step() {
	d := s.devices[s.chance.IntN(len(s.devices))]
	switch s.chance.IntN(20) {
	case 0:
		d.line.plug(false)
	case 1, 2, 3:
		d.line.plug(true)
	case 4:
		d.stop()
		s.begin(d)
	default:
		space := s.spaces[s.chance.IntN(len(s.spaces))]
		_, err := d.client.Space(space).Send(s.Context(), []byte(strconv.Itoa(len(s.sent))))
		s.sent = append(s.sent, err)
	}
	s.pass(time.Duration(s.chance.IntN(120)) * time.Second)
}

// settle brings all lines up and lets time pass until everybody was told of everything.
func (s *soak) settle() {
	for _, d := range s.devices {
		d.line.plug(true)
		d.moody.fail(0)
	}
	s.pass(2 * time.Hour)
	for _, d := range s.devices {
		for n, err := range s.sent {
			if _, read := d.read[n]; !errors.Is(err, state.ErrUncertain) {
				require.Equal(s, err == nil, read, "%s: message %d: %v", d.name, n, err)
			}
		}
		for n, again := range d.twice {
			require.Less(s, again, 3, "message %d", n)
		}
	}
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// goroutines returns how many there are in the bubble: the process has others, of tests before.
func goroutines() int {
	b := make([]byte, 16<<20)
	return strings.Count(string(b[:runtime.Stack(b, true)]), ", synctest bubble ")
}

// Devices run for simulated hours with faults: every message is told to everybody under one ID, no goroutine is left, and a client that
// ran for long holds no more memory than a fresh one on the same store (states of spaces grow with their epochs, up to a bound). With
// TREFOIL_LONG=1 there are 8 devices in 20 spaces for 24 hours, which takes 2 minutes of one processor.
func TestLongRun(t *testing.T) {
	devices, spaces, hours := 3, 2, 3
	if os.Getenv("TREFOIL_LONG") == "1" {
		devices, spaces, hours = 8, 20, 24
	}
	t.Logf("repeat with -seed %d", *seed)
	inWorld(t, func(t *testing.T, w world) {
		s := &soak{world: w, chance: rand.New(rand.NewPCG(*seed, 1))}
		none := goroutines()
		for i := range devices {
			name := strconv.Itoa(i)
			d := &soaked{device: &device{name: name}, moody: newMoody(*seed + uint64(i)), line: w.tap(name), read: make(map[int]event.ID), twice: make(map[int]int)}
			d.line.forgets = true
			s.begin(d)
			d.moody.fail(0)
			t.Cleanup(func() { d.stop() })
			s.devices = append(s.devices, d)
		}
		for range spaces {
			s.spaces = append(s.spaces, w.newSpace(s.all()...))
		}
		running := goroutines()
		for _, d := range s.devices {
			d.moody.fail(0.005)
		}
		for began := time.Now(); time.Since(began) < time.Duration(hours)*time.Hour; {
			s.step()
		}
		s.settle()
		require.LessOrEqual(t, goroutines(), running+devices)
		old := heap()
		for _, d := range s.devices {
			d.stop()
			s.begin(d)
		}
		s.settle()
		fresh := heap()
		failed := 0
		for _, d := range s.devices {
			failed += d.moody.failed
			require.ErrorIs(t, d.stop(), context.Canceled)
		}
		s.pass(time.Second)
		require.Equal(t, none, goroutines())
		t.Logf("%d messages, %d failures of stores, %d KiB; %d KiB after a restart", len(s.sent), failed, old>>10, fresh>>10)
		require.Less(t, old, fresh+fresh/4)
	})
}

func (s *soak) all() (out []*device) {
	for _, d := range s.devices {
		out = append(out, d.device)
	}
	return out
}
