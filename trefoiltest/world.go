package trefoiltest

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// Start is when every world begins.
var Start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// World is some devices and what is between them. It is used by the goroutine of its test only.
type World struct {
	T       testing.TB
	now     time.Time
	rng     *rand.Rand
	net     *Net
	dir     *transporttest.Directory
	devices []*Device
	written int // messages so far, in the order in which they were written
	spaces  map[state.ID]*Device
}

// New returns a world in which nobody is. Seed decides everything that is drawn, keys too; a failed test says it. New panics in a test
// that is parallel, or runs in one that is.
func New(t *testing.T, seed uint64) *World {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("trefoiltest: repeat with seed %d", seed)
		}
	})
	return newWorld(t, t, seed, nil)
}

func newWorld(t *testing.T, tb testing.TB, seed uint64, muted map[int]bool) *World {
	cryptotest.SetGlobalRandom(t, seed) // it panics in a test that is parallel
	processors := runtime.GOMAXPROCS(1) // the boxes of a rekey are made on all of them, each with keys of its own
	t.Cleanup(func() { runtime.GOMAXPROCS(processors) })
	w := &World{T: tb, now: Start, rng: rand.New(rand.NewPCG(seed, 0)), dir: transporttest.NewDirectory(), spaces: make(map[state.ID]*Device)}
	w.net = newNet(w, seed, muted)
	return w
}

// Net returns the network.
func (w *World) Net() *Net { return w.net }

// Now returns the time of the world.
func (w *World) Now() time.Time { return w.now }

// Directory returns where the devices look persons up.
func (w *World) Directory() *transporttest.Directory { return w.dir }

// Device returns a new device with a store in memory. Change adapts its options; its handler is called after the event was noted.
func (w *World) Device(name string, change ...func(*trefoil.Options)) *Device {
	w.T.Helper()
	return w.DeviceOn(name, store.NewMemory(), change...)
}

// DeviceOn returns a new device on a store, which may be one of the test's own. Two devices of one name are two processes on one
// device: give both Options.Shared and the same store.
func (w *World) DeviceOn(name string, s store.Store, change ...func(*trefoil.Options)) *Device {
	w.T.Helper()
	d := &Device{Name: name, world: w, store: s, change: change, line: w.net.line(name), member: make(map[state.ID]int)}
	d.open()
	w.devices = append(w.devices, d)
	return d
}

// Space has the first device found a space, and lets the others in by links. It returns when all are members.
func (w *World) Space(founder *Device, others ...*Device) state.ID {
	w.T.Helper()
	s, err := founder.Client.NewSpace(w.T.Context())
	require.NoError(w.T, err)
	w.spaces[s.ID()] = founder
	founder.member[s.ID()] = 0
	for _, d := range others {
		d.Join(founder.Invite(s.ID()))
		w.Settle()
	}
	for _, d := range others {
		_, member := d.member[s.ID()]
		require.True(w.T, member, "%s was not let in", d.Name)
	}
	return s.ID()
}

// maxRounds bounds Settle: so many exchanges no flow of a few devices needs.
const maxRounds = 200

// Settle lets every device that is online work, one after the other, until nothing moves: all that the network has was delivered, and
// nothing was posted in a whole round.
func (w *World) Settle() {
	w.T.Helper()
	for range maxRounds {
		posted := w.net.posts
		order := slices.Clone(w.devices)
		w.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, d := range order {
			d.work()
		}
		if w.net.posts == posted && !w.net.waiting() {
			return
		}
	}
	require.FailNow(w.T, "trefoiltest: the world does not settle")
}

// Advance lets time pass in steps, and the devices work in between.
func (w *World) Advance(d time.Duration) {
	w.T.Helper()
	for end := w.now.Add(d); ; {
		w.Settle()
		if !w.now.Before(end) {
			return
		}
		w.now = w.now.Add(min(end.Sub(w.now), max(time.Minute, d/16)))
	}
}

// Check requires that every device was told of every message that was written while it was a member, in each space and direct
// conversation, once and alike. What a test lets the network lose, and devices that are offline, it does not excuse: heal them and
// Settle first.
func (w *World) Check() {
	w.T.Helper()
	for _, author := range w.devices {
		for _, m := range author.messages {
			if !m.Own || author.copied {
				continue
			}
			for _, d := range w.devices {
				since, member := d.member[m.Chat]
				if d.copied || !member || since > m.order {
					continue
				}
				got := d.find(m.ID)
				require.Len(w.T, got, 1, "%s was told %d times of a message of %s: %v", d.Name, len(got), author.Name, m.Message)
				require.Equal(w.T, m.Body, got[0].Body)
				require.Equal(w.T, m.From, got[0].From)
			}
		}
	}
}

// context is that of everything that devices do.
func (w *World) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(w.T.Context(), time.Minute)
}
