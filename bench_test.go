package trefoil

import (
	"context"
	"database/sql"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/internal/cputest"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// nowhere is a transport that takes everything and delivers a backlog.
type nowhere struct {
	backlog []Frame
	posted  [][]byte
}

func (n *nowhere) Post(_ context.Context, _ string, frame []byte) state.Delivery {
	n.posted = append(n.posted, frame)
	return state.Delivered()
}
func (*nowhere) Subscribe(context.Context, string) error   { return nil }
func (*nowhere) Unsubscribe(context.Context, string) error { return nil }
func (n *nowhere) Receive(ctx context.Context, topics iter.Seq[string], handle func(Frame)) error {
	for range topics {
	}
	for _, f := range n.backlog {
		handle(f)
	}
	n.backlog = nil
	handle(Frame{})
	<-ctx.Done()
	return ctx.Err()
}

func openClient(b *testing.B, s store.Store, t Transport, o Options) *Client {
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(b, err)
	c, err := Open(b.Context(), s, key, t, o)
	require.NoError(b, err)
	return c
}

// What Send costs beside the vault call that it makes, in memory, where a commit costs least. The metric ratio is the client's time
// for a message over that of the call; both are measured in turn, so that the load of the machine is in both.
func BenchmarkSend(b *testing.B) {
	c := openClient(b, store.NewMemory(), &nowhere{}, Options{})
	r, err := begin(b.Context(), c, false)
	require.NoError(b, err)
	defer r.end()
	s, err := c.NewSpace(b.Context())
	require.NoError(b, err)
	r.chat(aSpace, s.id).ready = true
	body, ctx := make([]byte, 100), b.Context()
	plain := newContent(time.Now(), body).encode()
	var client, call time.Duration
	for i := 0; b.Loop(); i++ {
		if i%1000 == 0 {
			b.StopTimer()
			_, err := bodyOf(c).spaces.Flush(ctx, s.id, func(context.Context, state.Outgoing) state.Delivery { return state.Delivered() })
			require.NoError(b, err)
			require.NoError(b, bodyOf(c).spaces.Drain(ctx, s.id, func(context.Context, state.Incoming) error { return nil }))
			b.StartTimer()
		}
		began := time.Now()
		_, err := s.Send(ctx, body)
		client += time.Since(began)
		require.NoError(b, err)
		began = time.Now()
		err = bodyOf(c).spaces.Update(ctx, s.id, func(tx spaceTx) error {
			if err := ratchet.Send(groupOf(c, s.id).o, plain)(tx); err != nil {
				return err
			}
			tx.Deliver(plain)
			return nil
		})
		call += time.Since(began)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(client)/float64(call), "ratio")
}

// A Sync of a backlog of 10,000 messages on SQLite: received, handed over and acknowledged. The CPU time hardly depends on what else
// the machine does.
func BenchmarkSync(b *testing.B) {
	const n = 10_000
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer() // only the pass is timed
		cpu += syncOnce(b, n)
		b.StartTimer()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(n*b.N), "cpu-µs/message")
}

// syncOnce reads a backlog of n messages, with the timer running, and returns the CPU time of that.
func syncOnce(b *testing.B, n int) time.Duration {
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "bob.db"))
	require.NoError(b, err)
	s, err := sqlstore.SQLite(b.Context(), db)
	require.NoError(b, err)
	defer func() {
		require.NoError(b, s.Close())
		require.NoError(b, db.Close())
	}()
	read, acknowledged := 0, 0
	alices, bobs := &nowhere{}, &nowhere{}
	alice := openClient(b, store.NewMemory(), alices, Options{})
	bob := openClient(b, s, bobs, Options{Handle: func(_ context.Context, e event.Event) error {
		if _, ok := e.(event.Message); ok {
			read++
		}
		return nil
	}})
	space, err := alice.NewSpace(b.Context())
	require.NoError(b, err)
	made, err := space.Invite(b.Context(), invite.Private(0))
	require.NoError(b, err)
	link, err := made.Link.URL("https://chat.example/")
	require.NoError(b, err)
	_, err = bob.Join(b.Context(), link)
	require.NoError(b, err)
	// pass syncs a device with what another has posted.
	pass := func(from *nowhere, to *Client, line *nowhere) {
		for _, f := range from.posted {
			line.backlog = append(line.backlog, Frame{Topic: topicOf(space.id), From: "peer", Data: f, Ack: func() { acknowledged++ }})
		}
		from.posted = nil
		require.NoError(b, to.Sync(b.Context()))
	}
	pass(alices, bob, bobs) // asks
	pass(bobs, alice, alices)
	pass(alices, bob, bobs) // enters, and writes first
	pass(bobs, alice, alices)
	v, err := space.Load(b.Context())
	require.NoError(b, err)
	for range n {
		var frames [][]byte
		v, frames, err = ratchet.Encrypt(v, time.Now(), newContent(time.Now(), make([]byte, 100)).encode())
		require.NoError(b, err)
		alices.posted = append(alices.posted, frames...)
	}
	posted := len(alices.posted)
	acknowledged = 0
	start := cputest.Used()
	b.StartTimer()
	pass(alices, bob, bobs)
	b.StopTimer()
	cpu := cputest.Used() - start
	require.Equal(b, n, read)
	require.Equal(b, posted, acknowledged)
	return cpu
}
