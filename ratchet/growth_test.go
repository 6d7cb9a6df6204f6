package ratchet

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/cputest"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// desk is the reader of a crowd with a vault, whose work is measured.
type desk struct {
	*crowd
	backend *countingStore
	vault   *state.Vault[Space]
	open    state.Opener[Space]
	waiting int // messages in the inbox
}

func (c *crowd) newDesk() *desk {
	d := &desk{crowd: c, backend: &countingStore{Memory: store.NewMemory(), paths: map[string]int{}}}
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(c, err)
	clock := func() time.Time { return c.now }
	d.vault, err = state.Open[Space](c.Context(), d.backend, key, state.Options{Now: clock, ForgetEvery: -1})
	require.NoError(c, err)
	require.NoError(c, d.vault.Create(c.Context(), c.reader, nil))
	d.open = Opener(Options{Now: clock})
	return d
}

// receive gives the vault a frame and returns what became of it.
func (d *desk) receive(source int, frame []byte) state.Receipt {
	r, err := d.vault.Receive(d.Context(), d.reader.ID(), state.Frame{Source: fmt.Sprint(source), Data: frame}, d.open)
	require.NoError(d, err)
	return r
}

// read gives the vault a frame that it can read, and takes 100 messages out at a time.
func (d *desk) read(source int, frame []byte) {
	r := d.receive(source, frame)
	require.Equal(d, state.Read, r.Verdict, "%v", r.Reason)
	if d.waiting++; d.waiting == 100 {
		d.waiting = 0
		require.NoError(d, d.vault.Drain(d.Context(), d.reader.ID(), func(context.Context, state.Incoming) error { return nil }))
	}
}

// growth is the sizes in one direction, and what builds a desk of a size, with the frames that are then measured.
type growth struct {
	name    string
	members int
	sizes   []int
	build   func(c *crowd, size int) (d *desk, measured [][]byte)
}

// measured is how many messages are measured.
const measured = 200

// next returns frames that one member sends next.
func (c *crowd) next() (frames [][]byte) {
	for range measured {
		frames = append(frames, c.say(1, kilobyte))
	}
	return frames
}

// maintain does what a day brings at the desk and for the witness, who reads what the desk sends.
func (d *desk) maintain() {
	o := Options{Now: func() time.Time { return d.now }}
	for _, update := range []func(*state.Tx[Space]) error{CaughtUp(o), Maintain(o)} {
		require.NoError(d, d.vault.Update(d.Context(), d.reader.ID(), update))
	}
	_, err := d.vault.Flush(d.Context(), d.reader.ID(), func(_ context.Context, out state.Outgoing) state.Delivery {
		var err error
		d.witness, _, err = Decrypt(d.witness, d.now, out.Data)
		require.NoError(d, err)
		return state.Delivered()
	})
	require.NoError(d, err)
	e, err := newEdit(d.witness, d.now, o)
	require.NoError(d, err)
	e.caughtUp()
	e.prune()
	d.witness = e.space()
}

// grow lets the desk follow that many commits, each by another member than the one before.
func (d *desk) grow(n int) {
	for k := range n { // a maker has a bounded number
		d.read(1+k%38, d.commit(1+k%38, nil))
	}
}

// growths are the directions in which a space grows. The history is that of one epoch and many: its members commit by their
// clocks, and what nobody needs any more is dropped.
var growths = []growth{
	{"members", 0, []int{10, 100, 1_000}, func(c *crowd, n int) (*desk, [][]byte) {
		d := c.newDesk()
		for i := 1; i < min(n-1, 100); i++ { // their chains begin
			d.read(i, c.say(i, nil))
		}
		return d, c.next()
	}},
	{"epochs", 40, []int{10, 100, 1_000, 2_000}, func(c *crowd, n int) (*desk, [][]byte) {
		d := c.newDesk()
		d.grow(n - 1)
		return d, c.next()
	}},
	{"commits", 40, []int{10, 100, 1_000, 3_000}, func(c *crowd, n int) (d *desk, commits [][]byte) {
		d = c.newDesk()
		d.grow(n - 1) // more are made than are held in the end
		for k := range measured {
			commits = append(commits, c.commit(1+k%38, kilobyte))
		}
		return d, commits
	}},
	// Each measured message brings a commit from the epoch from which so many others committed before: many joined at once.
	{"children", 1_250, []int{10, 100, 1_000}, func(c *crowd, n int) (d *desk, firsts [][]byte) {
		d = c.newDesk()
		for k := range n + measured {
			_, frames, err := Encrypt(due(c.as(1+k)), c.now, kilobyte)
			require.NoError(c, err)
			if f := frames[len(frames)-1]; k < n {
				d.read(1+k, f)
			} else {
				firsts = append(firsts, f)
			}
		}
		return d, firsts
	}},
	{"skipped", 4, []int{250, 1_000, 2_000}, func(c *crowd, n int) (d *desk, late [][]byte) {
		d = c.newDesk()
		sender, err := c.genesis.found(c.people[1])
		require.NoError(c, err)
		for out := 0; out < n; {
			var frames [][]byte
			sender, frames, err = Encrypt(sender, c.now, kilobyte)
			require.NoError(c, err)
			f := frames[len(frames)-1]
			e, err := proto.ParseEnvelope(f)
			require.NoError(c, err)
			if len(e.Ways.Own) > 0 {
				d.read(1, f)
			} else if out++; len(late) < measured {
				late = append(late, f)
			}
		}
		return d, late
	}},
	{"orphans", 4, []int{10, 1_000, 10_000}, func(c *crowd, n int) (*desk, [][]byte) {
		d := c.newDesk()
		for k := range n {
			e := proto.Envelope{Body: kilobyte[:64]}
			rand.Read(e.Header[:])
			d.receive(k/500, e.Frame())
		}
		return d, c.next()
	}},
	{"history", 10, []int{100, 1_000, 10_000, 100_000}, func(c *crowd, n int) (*desk, [][]byte) {
		d := c.newDesk()
		for k := range n {
			if c.now = c.now.Add(time.Minute); k%(24*60) == 0 {
				d.maintain()
			}
			d.read(1+k%8, c.say(1+k%8, nil))
		}
		return d, c.next()
	}},
}

// BenchmarkGrowth receives messages of 1 KiB in a vault, in spaces that have grown in one direction, and counts the bytes that are
// handed to the store besides the message. The short run builds the smallest of each.
func BenchmarkGrowth(b *testing.B) {
	for _, g := range growths {
		for k, size := range g.sizes {
			if testing.Short() && k > 0 {
				break
			}
			b.Run(fmt.Sprintf("%s=%d", g.name, size), func(b *testing.B) {
				var spent time.Duration
				written, n := 0, 0
				for b.Loop() {
					d, frames := g.build(newCrowd(b, cmp.Or(g.members, size), rules.Policy{Unpadded: true}), size)
					runtime.GC() // what was built leaves garbage, which is no part of a message
					before, at := d.backend.written, cputest.Used()
					for _, f := range frames {
						d.read(1, f)
					}
					spent += cputest.Used() - at
					written += d.backend.written - before
					n += len(frames)
				}
				b.ReportMetric(float64(spent)/float64(n), "cpu-ns/message")
				b.ReportMetric(float64(written)/float64(n)-float64(len(kilobyte)), "B/message")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
