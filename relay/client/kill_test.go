//go:build unix

package client_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/internal/porttest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/relaytest"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
)

// dying is a relay that is a process, which is killed again and again and started again each time.
type dying struct {
	*testing.T
	s     settings
	rows  *sqlrelay.Store // the database as others see it
	w     *server
	apart int64      // how many points there are between two deaths, on average
	rng   *rand.Rand // of the supervisor

	mu     sync.Mutex
	now    *exec.Cmd
	deaths int
	over   bool // the next process lives: what is left to be done must not depend on how long one lives
	ended  bool
	gone   error         // why there is no next process
	came   chan struct{} // closed when the next process serves
}

// newDying starts the relay and what starts it again.
func newDying(t *testing.T, s settings, apart int64) *dying {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s.Dir, s.Listen = t.TempDir(), porttest.Address(t)
	rows, err := s.open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { rows.Close() })
	d := &dying{T: t, s: s, rows: rows, apart: apart, rng: rand.New(rand.NewPCG(seed, 0)), came: make(chan struct{})}
	require.NoError(t, d.start())
	d.w = &server{TB: t, url: "http://" + d.s.Listen, people: make(map[string]*person)}
	var group sync.WaitGroup
	group.Go(d.supervise)
	t.Cleanup(func() {
		d.mu.Lock()
		d.ended = true
		d.now.Process.Kill()
		d.mu.Unlock()
		group.Wait()
	})
	return d
}

// start starts a process that will die after some points.
func (d *dying) start() error {
	if d.s.Die = 1 + d.rng.Int64N(2*d.apart); d.over {
		d.s.Die = 0
	}
	c, err := newProcess(d.s)
	if err == nil {
		d.now = c
	}
	return err
}

// supervise waits for each death, looks at what is left, and starts the next process.
func (d *dying) supervise() {
	for d.now.Wait(); d.again(); {
		d.now.Wait()
	}
}

// again starts the next process after a death. It reports whether there is one.
func (d *dying) again() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return false
	}
	if err := relaytest.Audit(context.WithoutCancel(d.Context()), d.rows); err != nil { // it may die while the test ends
		d.Errorf("after point %d: %v", d.s.Die, err)
	}
	d.deaths++
	if d.gone = d.start(); d.gone != nil {
		d.Errorf("after death %d: %v", d.deaths, d.gone)
	}
	close(d.came)
	d.came = make(chan struct{})
	return d.gone == nil
}

// does makes a call until it is answered: with nil, or with an error that says that it was carried out before.
func (d *dying) does(what string, f func() error, before ...error) {
	d.Helper()
	for deadline := time.Now().Add(patience); ; {
		d.mu.Lock()
		came, gone := d.came, d.gone
		d.mu.Unlock()
		require.NoError(d, gone)
		err := f()
		for _, b := range before {
			if errors.Is(err, b) {
				return
			}
		}
		if err == nil {
			return
		}
		require.ErrorIs(d, err, client.ErrUnavailable, what)
		require.Less(d, time.Now(), deadline, "%s: %v", what, err)
		select {
		case <-came:
		case <-time.After(time.Second): // it was not dead, or came before
		}
	}
}

// The process of the relay is killed by SIGKILL before writes, before commits and after them, while devices do all that they can do and
// make again as it was what was not answered. Every mutation is whole or absent, nothing is lost, nothing is there twice. With
// TREFOIL_LONG in the environment it is killed many times.
func TestKilledAnywhere(t *testing.T) {
	rounds, apart := 1, int64(60)
	if os.Getenv("TREFOIL_LONG") != "" {
		rounds, apart = 10, 10
	}
	for range rounds {
		t.Run("SQLite", func(t *testing.T) { newDying(t, settings{}, apart).story() })
		t.Run("Postgres", func(t *testing.T) { newDying(t, settings{Postgres: pgtest.Database(t)}, apart).story() })
	}
}

// story is all mutations of devices, one after the other, while one of them receives.
func (d *dying) story() {
	ctx, w := d.Context(), d.w
	a, b, c := newPerson(d), newPerson(d), newPerson(d)
	from, to, third := w.client(a, nil), w.client(b, nil), w.client(c, nil)
	for _, p := range []*person{a, b, c} {
		d.does("publish", func() error { _, err := from.Directory.Publish(ctx, p.first); return err })
	}
	d.does("stock", func() error { _, err := to.Directory.Stock(ctx, nil, b.oneTime(d, 5)); return err }, api.ErrReused)
	var mu sync.Mutex
	var notices []string
	var told once
	listening := w.client(b, func(o *client.Options) {
		o.Poll = 20 * time.Millisecond
		o.Notify = func(n client.Notice) {
			mu.Lock()
			defer mu.Unlock()
			if text := fmt.Sprint(n.Kind, n.Number); told.isNew(d, text) {
				notices = append(notices, text)
			}
			n.Ack()
		}
	})
	d.does("subscribe", func() error { return to.Subscribe(ctx, "topic") })
	r := d.stays(listening, func() {
		mu.Lock()
		defer mu.Unlock()
		told.line++
	})
	r.end()

	claim := requestKey()
	var claimed []api.Claimed
	d.does("claim", func() (err error) {
		claimed, err = from.Directory.Claim(ctx, claim, b.user.Public().Address())
		return err
	})
	group := w.proposal(a, b)
	group.Members = append(group.Members, c.user.Public().Address())
	group.Envelopes = append(group.Envelopes, envelope(c))
	const sessions, frames = 4, 20
	for n := range uint64(sessions) {
		p := group
		p.Key, p.Base = requestKey(), n
		d.does("begin", func() error { _, err := from.Conversations.Begin(ctx, p); return err })
		for i := range uint64(frames / sessions) {
			text, k := fmt.Sprint("frame ", n*frames/sessions+i), requestKey()
			d.does("post", func() error { _, err := from.Mailboxes.Post(ctx, k, "topic", []byte(text)); return err })
		}
	}
	for i := range frames {
		f := r.next()
		require.Equal(d, fmt.Sprint("frame ", i), string(f.Data), "each comes, once, in the order of their sender")
		f.Ack()
	}
	blob := make([]byte, 2*api.ChunkSize+1)
	address := api.BlobAddress(sha256.Sum256(blob))
	var at int64
	d.does("start a blob", func() (err error) { at, err = from.Blobs.Start(ctx, address, int64(len(blob))); return err })
	for at < int64(len(blob)) {
		d.does("append", func() error {
			received, err := from.Blobs.Append(ctx, address, at, blob[at:min(at+api.ChunkSize, int64(len(blob)))])
			if err == nil {
				at = received
			}
			return err
		})
	}
	q := api.KeyRequest{Conversation: group.Conversation, Number: 1, Requester: b.id, Target: c.id}
	q.Signature = b.device.Sign(q.Message())
	var request api.RequestID
	d.does("request", func() (err error) { request, err = to.Conversations.Request(ctx, q); return err })
	answer := envelope(b)
	d.does("fulfil", func() error { return third.Conversations.Fulfil(ctx, request, answer) })
	d.does("leave", func() error { return third.Conversations.Leave(ctx, group.Conversation) })
	without := w.proposal(a, b)
	without.Base = sessions
	d.does("begin without", func() error { _, err := from.Conversations.Begin(ctx, without); return err })
	gone := api.Deletion{Person: c.user.Public(), Version: 2}
	gone.Signature = c.user.Sign(gone.Message())
	d.does("delete", func() error { _, err := from.Directory.Delete(ctx, gone); return err })

	// Nothing is lost or there twice. What is counted here, Audit does not know. A process that lives acknowledges all at once.
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
	now := relay.New(d.rows, relay.Options{Name: relayName})
	require.Eventually(d, func() bool {
		page, err := now.Mailboxes.Page(ctx, b.id, 0, api.MaxPage)
		return err == nil && len(page.Items) == 0
	}, patience, time.Millisecond, "all is acknowledged")
	d.mu.Lock()
	defer d.mu.Unlock()
	mu.Lock()
	defer mu.Unlock()
	require.NoError(d, relaytest.Audit(ctx, d.rows))
	require.Equal(d, []string{"2 1", "2 2", "2 3", "2 4", "6 1", "4 4", "2 5"}, notices, "each was told once")
	head, err := now.Directory.Log(ctx)
	require.NoError(d, err)
	require.Equal(d, uint64(4), head.Size)
	found, err := now.Directory.Lookup(ctx, b.user.Public().Address(), 0)
	require.NoError(d, err)
	require.Equal(d, 4, found.Devices[0].Unclaimed)
	again, err := now.Directory.Claim(ctx, a.id, claim, b.user.Public().Address())
	require.NoError(d, err)
	require.Equal(d, claimed, again)
	conversation, err := now.Conversations.Get(ctx, a.id, group.Conversation)
	require.NoError(d, err)
	require.Equal(d, uint64(sessions+1), conversation.Number)
	require.ElementsMatch(d, []key.Address{a.user.Public().Address(), b.user.Public().Address()}, conversation.Members)
	_, size, err := now.Blobs.Read(ctx, b.id, address, 0)
	require.NoError(d, err)
	require.Equal(d, int64(len(blob)), size)
	require.Positive(d, d.deaths, "the relay was killed")
	d.Logf("%d deaths", d.deaths)
}

// once is what was handed over: what is not acknowledged comes again on the next line, and nothing twice on one.
type once struct {
	line int
	on   map[string]int // the last line of each
}

func (o *once) isNew(t testing.TB, text string) bool {
	if o.on == nil {
		o.on = make(map[string]int)
	}
	before, known := o.on[text]
	if known && before == o.line {
		t.Errorf("%q came twice on one line", text)
	}
	o.on[text] = o.line
	return !known
}

// stays receives as a trefoil.Client does: a line that is down is brought up again. Each frame is handed over once.
func (d *dying) stays(c *client.Client, before func()) *receiver {
	r := &receiver{TB: d, frames: make(chan trefoil.Frame, 100), down: make(chan error, 1)}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(d.Context())
	go func() {
		var came once
		for ; ctx.Err() == nil; came.line++ {
			before()
			c.Receive(ctx, func(func(string) bool) {}, func(f trefoil.Frame) {
				if came.isNew(d, f.Topic+string(f.Data)) {
					r.frames <- f
				} else if f.Topic != "" {
					f.Ack()
				}
			})
		}
		r.down <- ctx.Err()
	}()
	d.Cleanup(r.close)
	return r
}

// oneTime draws one-time pre-keys. They are drawn once: what is published again is the same.
func (p *person) oneTime(tb testing.TB, n int) [][]byte {
	if p.drawn == nil {
		_, keys, err := p.device.Issue(n)
		require.NoError(tb, err)
		for _, k := range keys {
			raw, err := k.MarshalBinary()
			require.NoError(tb, err)
			p.drawn = append(p.drawn, raw)
		}
	}
	return p.drawn
}
