package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	relaystore "github.com/trefoil-im/trefoil/relay/store"
)

// belonging signs for a device that belongs to nobody, and then to a person.
type belonging struct {
	mu sync.Mutex
	to *person
}

func (b *belonging) belong(p *person) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.to = p
}

func (b *belonging) Device(context.Context) (key.Address, key.PublicKey[key.Identity], error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.to == nil {
		return key.Address{}, key.PublicKey[key.Identity]{}, trefoil.ErrNoPerson
	}
	return b.to.user.Public().Address(), b.to.device.Name(), nil
}

func (b *belonging) Sign(_ context.Context, mailbox key.Address, statement []byte) (key.VerifyKey, []byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.to == nil || !mailbox.IsZero() {
		return key.VerifyKey{}, nil, trefoil.ErrNoPerson
	}
	return b.to.mailbox.Public(), b.to.device.Sign(statement), nil
}

// recorder notes requests, so that they can be made again.
type recorder struct {
	http.Handler
	mu     sync.Mutex
	all    map[string]recorded // the last one of each path
	silent string              // a path whose next request is carried out and not answered
}

type recorded struct {
	header http.Header
	body   []byte
}

func (r *recorder) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	r.all[req.URL.Path] = recorded{req.Header.Clone(), body}
	silent := r.silent == req.URL.Path
	if silent {
		r.silent = ""
	}
	r.mu.Unlock()
	if silent {
		r.Handler.ServeHTTP(httptest.NewRecorder(), req)
		panic(http.ErrAbortHandler)
	}
	r.Handler.ServeHTTP(rw, req)
}

// again makes a request again that was noted, and returns the code of the answer.
func (r *recorder) again(t *testing.T, method, path string) int {
	t.Helper()
	r.mu.Lock()
	noted, found := r.all[path]
	r.mu.Unlock()
	require.True(t, found, path)
	req := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(noted.body))
	req.Header = noted.header
	out := httptest.NewRecorder()
	r.Handler.ServeHTTP(out, req)
	return out.Code
}

// guest returns a client of a device that belongs to nobody, and who signs for it.
func (w *server) guest() (*client.Client, *belonging) {
	w.Helper()
	c, err := client.New(client.Options{URL: w.url, Name: relayName, Guest: true, Poll: 20 * time.Millisecond})
	require.NoError(w, err)
	b := new(belonging)
	c.SignWith(b)
	return c, b
}

// registrations returns how many publications there were.
func (w *server) registrations() uint64 {
	w.Helper()
	head, err := w.relay.Directory.Log(w.Context())
	require.NoError(w, err)
	return head.Size
}

// A guest is one person at the relay, also when its registration was not answered and when its token has ended, until the device belongs to
// a person. Then it is taken out, and nothing that it said counts when it is said again.
func TestGuest(t *testing.T) {
	w := serve(t, relaystore.NewMemory(), httprelay.Options{})
	r := &recorder{Handler: w.h, all: make(map[string]recorded), silent: "/v1/publications"}
	w.front(r)
	ctx := t.Context()
	c, signer := w.guest()
	require.Zero(t, w.registrations(), "it is nobody before it asks for something")
	c.Subscribe(ctx, "link") // the registration is not answered: an error, unless it is asked for again at once
	require.NoError(t, c.Subscribe(ctx, "link"))
	require.Equal(t, uint64(1), w.registrations(), "it is the same one")
	require.NoError(t, w.store.Update(ctx, func(tx relaystore.Tx) error {
		rows, err := tx.Scan(relaystore.Tokens, relaystore.Query{Limit: 9})
		for _, row := range rows {
			err = tx.Delete(relaystore.Tokens, relaystore.Tokens.Key(row))
		}
		return err
	}))
	_, err := c.Mailboxes.Page(ctx, 0, 0)
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.registrations())
	require.Equal(t, http.StatusOK, r.again(t, http.MethodGet, "/v1/mailbox"), "the token of the guest counts")
	r.mu.Lock()
	token := r.all["/v1/mailbox"]
	r.mu.Unlock()

	me := w.person("me")
	signer.belong(me)
	r.mu.Lock()
	r.silent = "/v1/deletions"
	r.mu.Unlock()
	c.Subscribe(ctx, "link") // nor is the deletion
	require.NoError(t, c.Subscribe(ctx, "link"))
	require.Equal(t, uint64(3), w.registrations(), "the guest, me, and that the guest is gone")
	_, err = w.relay.Mailboxes.Post(ctx, w.person("other").id, requestKey(), "link", []byte("frame"))
	require.NoError(t, err)
	page, err := w.relay.Mailboxes.Page(ctx, me.id, 0, 99)
	require.NoError(t, err)
	require.Len(t, page.Items, 1, "it reads as itself")

	require.Equal(t, http.StatusOK, r.again(t, http.MethodPost, "/v1/deletions"), "which says what is so")
	require.Equal(t, http.StatusGone, r.again(t, http.MethodPost, "/v1/publications"))
	r.mu.Lock()
	r.all["/v1/mailbox"] = token
	r.mu.Unlock()
	require.Equal(t, http.StatusUnauthorized, r.again(t, http.MethodGet, "/v1/mailbox"))
	require.Equal(t, uint64(4), w.registrations(), "with the other one")
}

// A guest may do what any person may, for itself: it neither reads what is another's nor acts as another, and what it fills is its own
// share.
func TestGuestIsNobodyElse(t *testing.T) {
	w := serve(t, relaystore.NewMemory(), httprelay.Options{})
	ctx := t.Context()
	a, b := w.person("a"), w.person("b")
	small := relay.New(w.store, relay.Options{Name: relayName, Share: 8 << 10})
	w.h = httprelay.New(small, httprelay.Options{})
	w.front(w.h)
	_, err := w.relay.Conversations.Begin(ctx, a.id, w.proposal(a, b))
	require.NoError(t, err)
	conversation := w.proposal(a, b).Conversation
	inbox := b.mailbox.Public().Address()

	c, _ := w.guest()
	require.ErrorIs(t, c.Mailboxes.Subscribe(ctx, inbox.String()), api.ErrForbidden)
	require.ErrorIs(t, c.Subscribe(ctx, inbox.String()), trefoil.ErrNoPerson, "it has no key of a mailbox that somebody asks for")
	require.ErrorIs(t, c.Mailboxes.SubscribeMailboxes(ctx, api.MailboxProof{Mailbox: b.mailbox.Public(),
		Signature: b.device.Sign(api.SubscribeProof(inbox, b.id))}), api.ErrUnverified, "a proof of another device")
	_, err = c.Conversations.Get(ctx, conversation)
	require.ErrorIs(t, err, api.ErrForbidden)
	_, err = c.Conversations.Initial(ctx, conversation, 1)
	require.ErrorIs(t, err, api.ErrForbidden)
	_, err = c.Conversations.Begin(ctx, w.proposal(a, b))
	require.ErrorIs(t, err, api.ErrForbidden, "it begins no session of others")
	q := api.KeyRequest{Conversation: conversation, Number: 1, Requester: b.id, Target: a.id}
	q.Signature = b.device.Sign(q.Message())
	_, err = c.Conversations.Request(ctx, q)
	require.ErrorIs(t, err, api.ErrMalformed, "nor asks for keys as another")
	bundle, err := b.device.Bundle().MarshalBinary()
	require.NoError(t, err)
	_, err = c.Directory.Stock(ctx, bundle, nil)
	require.Error(t, err, "nor replaces another's keys")
	page, err := c.Mailboxes.Page(ctx, 0, 0)
	require.NoError(t, err)
	require.Empty(t, page.Items)

	full := 0
	for range 4 {
		posted, err := c.Mailboxes.Post(ctx, requestKey(), inbox.String(), make([]byte, 4<<10))
		require.NoError(t, err)
		full += posted.Full
	}
	require.Positive(t, full, "its share is full")
	posted, err := w.client(a, nil).Mailboxes.Post(ctx, requestKey(), inbox.String(), make([]byte, 4<<10))
	require.NoError(t, err)
	require.Zero(t, posted.Full, "and that of others is not")
	data := []byte("a file of b")
	address := api.BlobAddress(sha256.Sum256(data))
	_, err = c.Blobs.Start(ctx, address, int64(len(data)))
	require.NoError(t, err)
	_, err = c.Blobs.Append(ctx, address, 0, []byte("another one"))
	require.Error(t, err)
	_, err = w.client(b, nil).Blobs.Start(ctx, address, int64(len(data)))
	require.NoError(t, err)
	_, err = w.client(b, nil).Blobs.Append(ctx, address, 0, data)
	require.NoError(t, err, "an address is taken by nobody")

	again, _ := w.guest()
	require.NoError(t, again.Subscribe(ctx, "topic"))
	require.Equal(t, uint64(4), w.registrations(), "each device is a guest of its own")
}

// What a guest acknowledges when the device belongs to a person already is not taken for what lies in the person's mailbox.
func TestGuestAcknowledgesItsOwn(t *testing.T) {
	w := serve(t, relaystore.NewMemory(), httprelay.Options{})
	ctx := t.Context()
	c, signer := w.guest()
	r := w.receive(c, "link")
	r.end()
	me, other := w.person("me"), w.person("other")
	post := func(topic, text string) {
		_, err := w.relay.Mailboxes.Post(ctx, other.id, requestKey(), topic, []byte(text))
		require.NoError(t, err)
	}
	post("link", "of the linking")
	last := r.next()
	require.NoError(t, w.relay.Mailboxes.Subscribe(ctx, me.id, "topic"))
	post("topic", "first")
	var acknowledged atomic.Int32
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v1/mailbox/acknowledge" {
			acknowledged.Add(1)
		}
		w.h.ServeHTTP(rw, req)
	}))
	signer.belong(me)
	last.Ack() // which finds out that the device belongs to a person
	err := <-r.down
	r.down <- err
	require.ErrorContains(t, err, "belongs to a person")
	last.Ack()
	own := w.receive(c, "topic")
	f := own.next()
	require.Equal(t, "first", string(f.Data))
	last.Ack()
	own.end()
	require.Zero(t, acknowledged.Load())
	f.Ack()
	require.Eventually(t, func() bool { return w.holds(me, 0) }, patience, time.Millisecond)
	own.close()
}

// The line of a guest that finds out by itself that the device belongs to a person ends with that, and not with what its own end made
// fail.
func TestLineOfAGuestEnds(t *testing.T) {
	w := serve(t, relaystore.NewMemory(), httprelay.Options{})
	c, signer := w.guest()
	r := w.receive(c, "link")
	r.end()
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v1/challenges" { // of the login as the person's device, for the line of the guest
			io.Copy(io.Discard, req.Body)
			<-req.Context().Done()
			return
		}
		w.h.ServeHTTP(rw, req)
	}))
	signer.belong(w.person("me"))
	err := <-r.down
	r.down <- err
	require.ErrorContains(t, err, "belongs to a person")
}

// A device that was a guest registers its person with its own key, as what it publishes first.
func TestGuestRegistersItsPerson(t *testing.T) {
	w := serve(t, relaystore.NewMemory(), httprelay.Options{})
	ctx := t.Context()
	c, signer := w.guest()
	require.NoError(t, c.Subscribe(ctx, "link"))
	me := newPerson(t)
	signer.belong(me)
	_, err := c.Publish(ctx, trefoil.Publication{Person: me.user.Public(), Sign: me.user.Sign, Registration: me.first.Registration,
		Version: 1, Bundle: me.device.Bundle()})
	require.NoError(t, err)
	require.Equal(t, uint64(3), w.registrations(), "the guest, that it is gone, and me")
	_, err = c.Mailboxes.Page(ctx, 0, 0)
	require.NoError(t, err)
}

// Who may register says who may be a guest.
func TestGuestThatIsNotAdmitted(t *testing.T) {
	w := serve(t, relaystore.NewMemory(), httprelay.Options{Admit: func(*http.Request, api.Publication) error { return api.ErrForbidden }})
	c, _ := w.guest()
	require.ErrorIs(t, c.Subscribe(t.Context(), "link"), api.ErrForbidden)
	require.Zero(t, w.registrations())
}
