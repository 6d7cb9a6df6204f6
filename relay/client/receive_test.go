package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// patience bounds how long a test waits for what must come. Only a relay or a client that fails takes it.
const patience = 5 * time.Minute

// receiver is one Receive.
type receiver struct {
	testing.TB
	frames chan trefoil.Frame
	cancel context.CancelFunc
	down   chan error
}

func (w *server) receive(c *client.Client, topics ...string) *receiver {
	r := &receiver{w.TB, make(chan trefoil.Frame, 100), nil, make(chan error, 1)}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(w.Context())
	go func() {
		r.down <- c.Receive(ctx, slices.Values(topics), func(f trefoil.Frame) { r.frames <- f })
	}()
	w.Cleanup(r.close)
	return r
}

// next returns the next frame.
func (r *receiver) next() trefoil.Frame {
	r.Helper()
	f, err := r.take()
	require.NoError(r, err)
	return f
}

// take is next for any goroutine.
func (r *receiver) take() (trefoil.Frame, error) {
	select {
	case f := <-r.frames:
		return f, nil
	case err := <-r.down:
		r.down <- err
		return trefoil.Frame{}, fmt.Errorf("the line is down: %w", err)
	case <-time.After(patience):
		return trefoil.Frame{}, errors.New("nothing came")
	}
}

// end waits for the end of the backlog, and returns the texts before it.
func (r *receiver) end() (texts []string) {
	r.Helper()
	for {
		f := r.next()
		if f.Topic == "" {
			return texts
		}
		texts = append(texts, string(f.Data))
	}
}

func (r *receiver) close() {
	r.cancel()
	r.down <- <-r.down
}

// lines counts the WebSockets that are open.
type lines struct {
	mu   sync.Mutex
	open int
	some chan struct{} // closed when one opens
}

func newLines() *lines { return &lines{some: make(chan struct{})} }

func (l *lines) Request(string, int, time.Duration) {}
func (l *lines) Frame(int, int)                     {}
func (l *lines) Line(change int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open += change
	if change > 0 {
		close(l.some)
		l.some = make(chan struct{})
	}
}

// wait waits until a line is open.
func (l *lines) wait(t *testing.T) {
	t.Helper()
	for {
		l.mu.Lock()
		open, some := l.open, l.some
		l.mu.Unlock()
		if open > 0 {
			return
		}
		select {
		case <-some:
		case <-time.After(patience):
			require.FailNow(t, "no line is opened")
		}
	}
}

// A wake brings what comes at once. Poll is an hour here: nothing else would.
func TestWakes(t *testing.T) {
	l := newLines()
	w := serve(t, store.NewMemory(), httprelay.Options{Meter: l})
	from, to := w.client(w.person("a"), nil), w.client(w.person("b"), func(o *client.Options) { o.Poll = time.Hour })
	r := w.receive(to, "topic")
	r.end()
	l.wait(t)
	for _, text := range []string{"one", "two", "three"} {
		from.Post(t.Context(), "topic", []byte(text))
		f := r.next()
		require.Equal(t, text, string(f.Data))
		require.Equal(t, w.person("a").user.Public().Address().String(), f.From)
	}
}

// The end of a WebSocket wakes the line: what comes from then on is told by nobody, so the device looks, and goes on as one without a WebSocket.
// Poll is an hour here: nothing else would make it look.
func TestEndOfWakes(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	from, to := w.person("a"), w.person("b")
	old, looks := w.h, make(chan struct{}, 100)
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		old.ServeHTTP(rw, req)
		if req.URL.Path == "/v1/mailbox" {
			looks <- struct{}{}
		}
	}))
	r := w.receive(w.client(to, func(o *client.Options) { o.Poll = time.Hour }), "topic")
	r.end()
	for range 2 { // the first one, and that of the WebSocket, which wakes when it opens
		select {
		case <-looks:
		case <-time.After(patience):
			require.FailNow(t, "no look")
		}
	}
	w.start(httprelay.Options{Lines: -1})
	_, err := w.relay.Mailboxes.Post(t.Context(), from.id, requestKey(), "topic", []byte("frame")) // which the old relay is not told of
	require.NoError(t, err)
	require.NoError(t, old.Shutdown(t.Context()))
	require.Equal(t, "frame", string(r.next().Data))
}

// silent is a relay that stores and dies before it wakes anybody.
type silent struct {
	store.Store
	die func()
}

func (s silent) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := s.Store.Update(ctx, f); err != nil {
		return err
	}
	s.die()
	panic(http.ErrAbortHandler) // the connection ends without an answer
}

// The relay is killed after a commit and before it told anybody: the sender sends again, and the receiver, whose line was up, gets
// the frame once, from the relay that was started again.
func TestKilledAfterCommit(t *testing.T) {
	for _, push := range []bool{true, false} {
		w := serve(t, store.NewMemory(), httprelay.Options{})
		change := func(o *client.Options) { o.NoPush, o.Poll = !push, 20*time.Millisecond }
		from, to := w.client(w.person("a"), change), w.client(w.person("b"), change)
		r := w.receive(to, "topic")
		r.end()
		require.NoError(t, from.Subscribe(t.Context(), "logs in"))

		old := w.h
		dying := relay.New(silent{w.store, func() { w.front(nil) }}, relay.Options{Name: relayName})
		w.front(httprelay.New(dying, httprelay.Options{}))
		_, again := from.Post(t.Context(), "topic", []byte("frame")).Again()
		require.True(t, again, "nobody has answered")
		require.NoError(t, old.Shutdown(t.Context()))
		w.start(httprelay.Options{})
		_, again = from.Post(t.Context(), "topic", []byte("frame")).Again()
		require.False(t, again)
		require.Equal(t, "frame", string(r.next().Data))
		from.Post(t.Context(), "topic", []byte("next"))
		require.Equal(t, "next", string(r.next().Data), "the frame came once")
		r.close()
	}
}

// A relay that is away for a while ends no line; one that stays away does.
func TestResumes(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	from, to := w.client(w.person("a"), nil), w.client(w.person("b"), func(o *client.Options) { o.NoPush, o.Poll = true, time.Millisecond })
	r := w.receive(to, "topic")
	r.end()
	var mu sync.Mutex
	failures := 0
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if failures++; failures == 2 {
			w.front(w.h)
		}
		panic(http.ErrAbortHandler)
	}))
	for again := true; again; {
		_, again = from.Post(t.Context(), "topic", []byte("frame")).Again()
	}
	require.Equal(t, "frame", string(r.next().Data))
}

// A device that was revoked is told so and does not try for ever.
func TestRefusedLineEnds(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	r := w.receive(w.client(newPerson(t), nil))
	select {
	case err := <-r.down:
		require.ErrorIs(t, err, api.ErrForbidden)
		r.down <- err
	case <-time.After(patience):
		require.FailNow(t, "the line stays")
	}
}

// Tombstones are told as frames that were given up, notices to who asked for them; notices stay otherwise.
func TestTombstonesAndNotices(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	now := time.Now()
	w.relay = relay.New(w.store, relay.Options{Name: relayName, Share: 300, Clock: func() time.Time { return now }})
	a, b := w.person("a"), w.person("b")
	require.NoError(t, w.relay.Mailboxes.Subscribe(t.Context(), b.id, "topic"))
	post := func(text string) {
		_, err := w.relay.Mailboxes.Post(t.Context(), a.id, requestKey(), "topic", []byte(text))
		require.NoError(t, err)
	}
	post("one")
	post("two")
	post("three")
	again := relay.New(w.store, relay.Options{Name: relayName})
	_, err := again.Conversations.Begin(t.Context(), a.id, w.proposal(a, b))
	require.NoError(t, err)

	r := w.receive(w.client(b, nil))
	require.Equal(t, "one", string(r.next().Data))
	lost := r.next()
	require.Equal(t, 2, lost.Lost)
	require.Equal(t, "topic", lost.Topic)
	require.Empty(t, lost.Data)
	lost.Ack()
	require.True(t, r.next().Topic == "", "the notice is not for the transport")
	r.close()

	notices := make(chan client.Notice, 1)
	r = w.receive(w.client(b, func(o *client.Options) { o.Notify = func(n client.Notice) { notices <- n } }))
	r.end()
	n := <-notices
	require.Equal(t, api.SessionBegan, n.Kind)
	require.Equal(t, uint64(1), n.Number)
	require.Equal(t, a.id, n.Sender)
	n.Ack()
	require.Eventually(t, func() bool { return w.holds(b, 1) }, patience, time.Millisecond)
}

// What could not be acknowledged is acknowledged later, by requests that each name many.
func TestAcknowledgesLater(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	a, b := w.person("a"), w.person("b")
	require.NoError(t, w.relay.Mailboxes.Subscribe(t.Context(), b.id, "topic"))
	for i := range 50 {
		_, err := w.relay.Mailboxes.Post(t.Context(), a.id, requestKey(), "topic", []byte{byte(i)})
		require.NoError(t, err)
	}
	r := w.receive(w.client(b, func(o *client.Options) { o.NoPush = true }))
	var all []trefoil.Frame
	for range 50 {
		all = append(all, r.next())
	}
	r.close()
	var mu sync.Mutex
	requests := 0
	acknowledged := make(chan struct{})
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		mu.Lock()
		requests++
		refused := requests < 3
		mu.Unlock()
		<-acknowledged
		if refused {
			panic(http.ErrAbortHandler)
		}
		w.h.ServeHTTP(rw, req)
	}))
	for _, f := range all {
		f.Ack()
		f.Ack()
	}
	close(acknowledged)
	require.Eventually(t, func() bool { return w.holds(b, 0) }, patience, time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	require.Less(t, requests, 10)
}

// What could not be acknowledged, for whatever reason that may pass, is acknowledged later on the same line.
func TestAcknowledgesOnTheSameLine(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	a, b := w.person("a"), w.person("b")
	require.NoError(t, w.relay.Mailboxes.Subscribe(t.Context(), b.id, "topic"))
	_, err := w.relay.Mailboxes.Post(t.Context(), a.id, requestKey(), "topic", []byte("one"))
	require.NoError(t, err)
	var refused atomic.Int32
	var open atomic.Bool
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v1/mailbox/acknowledge" && !open.Load() {
			refused.Add(1)
			rw.WriteHeader(http.StatusUnauthorized) // of something between, that does not know the device for a while
			return
		}
		w.h.ServeHTTP(rw, req)
	}))
	r := w.receive(w.client(b, func(o *client.Options) { o.Poll = time.Millisecond }), "topic")
	r.next().Ack()
	r.end()
	require.Eventually(t, func() bool { return refused.Load() > 0 }, patience, time.Millisecond)
	open.Store(true)
	require.Eventually(t, func() bool { return w.holds(b, 0) }, patience, time.Millisecond)
	r.close()
}
