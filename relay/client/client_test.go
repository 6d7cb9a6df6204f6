package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
	"github.com/trefoil-im/trefoil/relay/store"
)

// patterns notes which routes are called.
type patterns struct {
	http.Handler
	under sync.WaitGroup // requests under way
	mu    sync.Mutex
	all   map[string]bool
}

func (p *patterns) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	p.under.Add(1)
	defer p.under.Done()
	p.Handler.ServeHTTP(w, req)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[req.Pattern] = true
}

// The client calls every route that the handler has, so that none is without a user.
func TestClientCallsEveryRoute(t *testing.T) {
	l := newLines()
	w := serve(t, store.NewMemory(), httprelay.Options{Meter: l})
	called := &patterns{Handler: w.h, all: make(map[string]bool)}
	w.front(called)
	a, b := newPerson(t), newPerson(t)
	from, to := w.client(a, nil), w.client(b, nil)
	ctx := t.Context()
	check := func(_ any, err error) {
		t.Helper()
		require.NoError(t, err)
	}
	build, schema, err := from.Health(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, build)
	require.Equal(t, store.Version, schema)
	check(from.Directory.Publish(ctx, a.first))
	check(to.Directory.Publish(ctx, b.first))
	found, err := from.Directory.Lookup(ctx, b.user.Public().Address(), 0)
	require.NoError(t, err)
	require.Equal(t, b.id, found.Devices[0].ID)
	check(from.Directory.Log(ctx))
	check(from.Directory.Leaves(ctx, 0, 1))
	check(from.Directory.Inclusion(ctx, 0, 2))
	check(from.Directory.Consistency(ctx, 1, 2))
	check(to.Directory.Stock(ctx, nil, nil))
	check(from.Directory.Claim(ctx, requestKey(), b.user.Public().Address()))

	p := w.proposal(a, b)
	check(from.Conversations.Begin(ctx, p))
	check(to.Conversations.List(ctx, api.ConversationID{}, 10))
	check(to.Conversations.Get(ctx, p.Conversation))
	check(to.Conversations.Initial(ctx, p.Conversation, 1))
	q := api.KeyRequest{Conversation: p.Conversation, Number: 1, Requester: b.id, Target: a.id}
	q.Signature = b.device.Sign(q.Message())
	id, err := to.Conversations.Request(ctx, q)
	require.NoError(t, err)
	got, answered, err := from.Conversations.GetRequest(ctx, id)
	require.NoError(t, err)
	require.False(t, answered)
	require.Equal(t, q, got)
	require.NoError(t, from.Conversations.Fulfil(ctx, id, envelope(b)))
	require.NoError(t, to.Conversations.Leave(ctx, p.Conversation))

	require.NoError(t, to.Mailboxes.Subscribe(ctx, "topic"))
	require.NoError(t, to.Mailboxes.SubscribeMailboxes(ctx, api.MailboxProof{Mailbox: b.mailbox.Public(),
		Signature: b.device.Sign(api.SubscribeProof(b.mailbox.Public().Address(), b.id))}))
	check(from.Mailboxes.Post(ctx, requestKey(), "topic", []byte("frame")))
	page, err := to.Mailboxes.Page(ctx, 0, 0)
	require.NoError(t, err)
	require.Len(t, page.Items, 3)
	require.NoError(t, to.Mailboxes.Acknowledge(ctx, page.Items[0].Seq))
	require.NoError(t, to.Mailboxes.Unsubscribe(ctx, "topic"))

	data := []byte("a file")
	address := api.BlobAddress(sha256.Sum256(data))
	check(from.Blobs.Start(ctx, address, int64(len(data))))
	check(from.Blobs.Append(ctx, address, 0, data))
	read, size, err := to.Blobs.Read(ctx, address, 2)
	require.NoError(t, err)
	require.Equal(t, "file", string(read))
	require.Equal(t, int64(len(data)), size)

	r := w.receive(to, "topic")
	r.end()
	l.wait(t)
	r.close()
	gone := api.Deletion{Person: a.user.Public(), Version: 2}
	gone.Signature = a.user.Sign(gone.Message())
	check(to.Directory.Delete(ctx, gone))
	require.NoError(t, w.h.Shutdown(ctx))
	called.under.Wait() // a line is noted when it has ended
	called.mu.Lock()    // the client may have begun another request
	defer called.mu.Unlock()

	var d struct {
		Paths map[string]map[string]any
	}
	require.NoError(t, json.Unmarshal(httpapi.OpenAPI(), &d))
	for path, methods := range d.Paths {
		for method := range methods {
			if pattern := strings.ToUpper(method) + " " + path; pattern != "GET /v1/openapi.json" { // which is for people and other programs
				require.True(t, called.all[pattern], "the client does not call %s", pattern)
			}
		}
	}
}

// A device logs in when it has to: first, and when its token has ended. It does so once for all that calls at the same time.
func TestLogsInAgain(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	p := w.person("p")
	logins := 0
	c := w.client(p, func(o *client.Options) {
		o.Sign = func(message []byte) []byte {
			logins++
			return p.device.Sign(message)
		}
	})
	for want := range 3 {
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := c.Mailboxes.Page(t.Context(), 0, 0); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Equal(t, want+1, logins)
		require.NoError(t, w.store.Update(t.Context(), func(tx store.Tx) error {
			rows, err := tx.Scan(store.Tokens, store.Query{Limit: 99})
			for _, r := range rows {
				err = tx.Delete(store.Tokens, store.Tokens.Key(r))
			}
			return err
		}))
	}
	forger := w.client(p, func(o *client.Options) { o.Sign = func([]byte) []byte { return make([]byte, key.SignatureSize) } })
	_, err := forger.Mailboxes.Page(t.Context(), 0, 0)
	require.ErrorIs(t, err, api.ErrUnverified)
	elsewhere := w.client(p, func(o *client.Options) { o.Name = "evil.test" })
	_, err = elsewhere.Mailboxes.Page(t.Context(), 0, 0)
	require.ErrorIs(t, err, api.ErrUnverified)
}

// Two relays that are one store take each other's tokens, and one under a path is reached there.
func TestAnyRelayAndAnyPath(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	p := w.person("p")
	w.prefix = "/chat/relay/"
	first := w.h
	w.front(http.StripPrefix("/chat/relay", first))
	c := w.client(p, nil)
	_, err := c.Mailboxes.Page(t.Context(), 0, 0)
	require.NoError(t, err)
	w.start(httprelay.Options{})
	w.front(http.StripPrefix("/chat/relay", w.h))
	_, err = c.Mailboxes.Page(t.Context(), 0, 0)
	require.NoError(t, err)
	r := w.receive(c, "topic")
	r.end()
	r.close()
	require.NoError(t, first.Shutdown(t.Context()))
}

// What is no URL of a relay is refused, and what JSON would change is not sent.
func TestBadArguments(t *testing.T) {
	for _, bad := range []string{"", "relay.example", "ftp://relay.example", "https://", "https://relay.example?x=1", "https://relay.example#x", "://"} {
		_, err := client.New(client.Options{URL: bad})
		require.ErrorIs(t, err, api.ErrMalformed, bad)
	}
	c, err := client.New(client.Options{URL: "http://127.0.0.1:1"})
	require.NoError(t, err)
	for _, bad := range []string{"", "\xff", strings.Repeat("x", api.MaxTopic+1)} {
		require.ErrorIs(t, c.Subscribe(t.Context(), bad), api.ErrMalformed)
		require.ErrorIs(t, c.Unsubscribe(t.Context(), bad), api.ErrMalformed)
		_, again := c.Post(t.Context(), bad, []byte("frame")).Again()
		require.False(t, again, "it is rejected")
	}
	_, err = c.Mailboxes.Page(t.Context(), 0, 0)
	require.ErrorIs(t, err, api.ErrUnauthenticated, "there is nothing to log in with")
	_, _, err = c.Health(t.Context())
	require.ErrorIs(t, err, client.ErrUnavailable)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = c.Health(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// The answer to a frame decides whether it is sent again.
func TestPostAnswers(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	c, to := w.client(w.person("a"), nil), w.person("b")
	require.NoError(t, w.client(to, nil).Subscribe(t.Context(), "topic"))
	again := func(frame []byte) (time.Duration, bool) { return c.Post(t.Context(), "topic", frame).Again() }
	_, more := again([]byte("frame"))
	require.False(t, more)
	_, more = again([]byte("frame")) // the answer was lost, and the device sends it again
	require.False(t, more)
	page, err := w.relay.Mailboxes.Page(t.Context(), to.id, 0, api.MaxPage)
	require.NoError(t, err)
	require.Len(t, page.Items, 1, "it is stored once")
	_, more = again(bytes.Repeat([]byte{1}, api.MaxFrame))
	require.False(t, more)
	_, more = again(make([]byte, api.MaxFrame+1))
	require.False(t, more, "it is too long for ever")
	require.True(t, w.holds(to, 2))
	w.front(nil)
	_, more = again([]byte("later"))
	require.True(t, more)
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Retry-After", "7")
		rw.WriteHeader(http.StatusServiceUnavailable)
	}))
	after, more := again([]byte("later"))
	require.True(t, more)
	require.Equal(t, 7*time.Second, after)
}

// A relay that closes a connection while a request is on its way there is asked again on another one, unless it would refuse what it
// has carried out.
func TestClosedConnections(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	c := w.client(w.person("a"), func(o *client.Options) { o.HTTP = &http.Client{Transport: &http.Transport{}} })
	closes := func() {
		require.NoError(t, c.Subscribe(t.Context(), "topic")) // there is a connection
		w.front(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			w.front(w.h)
			panic(http.ErrAbortHandler)
		}))
	}
	closes()
	_, again := c.Post(t.Context(), "topic", []byte("frame")).Again()
	require.False(t, again)
	closes()
	_, err := c.Directory.Stock(t.Context(), nil, nil)
	require.ErrorIs(t, err, client.ErrUnavailable)
}

// holds reports whether there are so many items in a mailbox. Any goroutine may ask.
func (w *server) holds(p *person, items int) bool {
	page, err := w.relay.Mailboxes.Page(w.Context(), p.id, 0, api.MaxPage)
	return err == nil && len(page.Items) == items
}
