package client_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

const relayName = "relay.test"

// server is a relay behind HTTP that can be taken away and brought back at the same address.
type server struct {
	testing.TB
	store  store.Store
	relay  *relay.Relay
	h      *httprelay.Handler
	url    string
	mu     sync.Mutex
	now    http.Handler // what answers; nil if the server is down
	people map[string]*person
	prefix string
}

// withoutPush has every relay push nothing, and devices look often.
var withoutPush bool

func serve(tb testing.TB, s store.Store, o httprelay.Options) *server {
	w := &server{TB: tb, store: s, people: make(map[string]*person)}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		w.mu.Lock()
		h := w.now
		w.mu.Unlock()
		if h == nil {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(rw, req)
	}))
	w.url = front.URL
	w.start(o)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(tb, w.h.Shutdown(ctx))
		front.CloseClientConnections()
		front.Close()
	})
	return w
}

// start brings the relay up, in place of the one before.
func (w *server) start(o httprelay.Options) {
	if withoutPush {
		o.Lines = -1
	}
	w.relay = relay.New(w.store, relay.Options{Name: relayName})
	w.h = httprelay.New(w.relay, o)
	w.front(w.h)
}

// front puts a handler in front, nil for none.
func (w *server) front(h http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = h
}

func openSQLite(tb testing.TB) store.Store {
	db, err := sql.Open("sqlite", filepath.Join(tb.TempDir(), "relay.db"))
	require.NoError(tb, err)
	s, err := sqlrelay.SQLite(tb.Context(), db)
	require.NoError(tb, err)
	tb.Cleanup(func() { s.Close(); db.Close() })
	return s
}

// person has one device.
type person struct {
	user    keypair.SigningKey
	mailbox keypair.SigningKey
	device  session.Device
	id      api.DeviceID
	first   api.Publication
	drawn   [][]byte // one-time pre-keys
}

func newPerson(tb testing.TB) *person {
	p := &person{user: keypair.GenerateSigningKey(), mailbox: keypair.GenerateSigningKey()}
	k := keypair.DeviceKeys{Identity: keypair.GenerateKey[key.Identity](), PreKey: keypair.GenerateKey[key.PreKey](),
		Mailbox: p.mailbox, Inbox: keypair.GenerateKey[key.Inbox]()}
	var err error
	address := p.user.Public().Address()
	p.device, err = session.ImportDevice(address, k, time.Now())
	require.NoError(tb, err)
	p.id = api.NewDeviceID(address, p.device.Name())
	r, err := directory.NewRegistration(p.user.Public(), keypair.GenerateKey[key.Account]().Public(), p.user.Sign, p.device.Entry())
	require.NoError(tb, err)
	bundle, err := p.device.Bundle().MarshalBinary()
	require.NoError(tb, err)
	p.first = api.Publication{Person: p.user.Public(), Version: 1, Registration: r.JSON(), Devices: []api.PublishedDevice{
		{Bundle: bundle, Proof: p.device.Sign(p.device.Entry().Consent(address))}}}
	p.first.Signature = p.user.Sign(p.first.Message())
	return p
}

// person returns the registered person of a name.
func (w *server) person(name string) *person {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.people[name]
	if p == nil {
		p = newPerson(w)
		w.people[name] = p
		_, err := w.relay.Directory.Publish(w.Context(), p.first)
		require.NoError(w, err)
	}
	return p
}

// client returns a client of the person's device.
func (w *server) client(p *person, change func(*client.Options)) *client.Client {
	w.Helper()
	o := client.Options{URL: w.url + w.prefix, Name: relayName, Device: p.id, Sign: p.device.Sign}
	if withoutPush {
		o.Poll = 20 * time.Millisecond
	}
	if change != nil {
		change(&o)
	}
	c, err := client.New(o)
	require.NoError(w, err)
	return c
}

// proposal returns one that creates a group of two people.
func (w *server) proposal(by, other *person) api.Proposal {
	return api.Proposal{Key: requestKey(), Conversation: api.ConversationID{1}, Kind: api.Group, Envelopes: []api.Envelope{envelope(other)},
		Members: []key.Address{by.user.Public().Address(), other.user.Public().Address()}}
}

// envelope returns one that nobody can open.
func envelope(to *person) api.Envelope {
	return api.Envelope{Device: to.id, Ephemeral: keypair.GenerateKey[key.Ephemeral]().Public().Bytes(), Sealed: []byte("sealed")}
}

func requestKey() (k api.RequestKey) {
	rand.Read(k[:])
	return k
}
