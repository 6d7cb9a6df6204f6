package client_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	relaystore "github.com/trefoil-im/trefoil/relay/store"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// onRelays runs a test on a relay in memory and on one in SQLite.
func onRelays(t *testing.T, test func(*testing.T, *server)) {
	for name, open := range map[string]func(testing.TB) relaystore.Store{
		"memory": func(testing.TB) relaystore.Store { return relaystore.NewMemory() }, "SQLite": openSQLite,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, serve(t, open(t), httprelay.Options{}))
		})
	}
}

// writes has a device write to another one's person.
func (w *server) writes(from, to *device, text string) {
	w.Helper()
	_, err := from.Direct(to.who).Send(w.Context(), []byte(text))
	require.NoError(w, err)
}

// conversation waits until the one conversation of a device has a number of sessions, and returns it.
func (w *server) conversation(d *device, sessions uint64) (v api.Conversation) {
	w.Helper()
	require.Eventually(w, func() bool {
		all, err := d.line.Conversations.List(w.Context(), api.ConversationID{}, 9)
		if err != nil || len(all) != 1 {
			return false
		}
		v, err = d.line.Conversations.Get(w.Context(), all[0])
		return err == nil && v.Number == sessions
	}, patience, time.Millisecond)
	return v
}

// expire has the relay give up all that waits in mailboxes.
func (w *server) expire() {
	w.Helper()
	later := relay.New(w.store, relay.Options{Name: relayName, Clock: func() time.Time { return time.Now().Add(2 * api.DefaultKeep) }})
	swept, err := later.Sweep(w.Context())
	require.NoError(w, err)
	require.NotZero(w, swept.Expired)
}

// registered waits until others can write to a device.
func (w *server) registered(all ...*device) {
	w.Helper()
	for _, d := range all {
		require.Eventually(w, func() bool {
			found, err := d.line.Directory.Lookup(w.Context(), d.who, 0)
			return err == nil && len(found.Devices) > 0
		}, patience, time.Millisecond)
	}
}

// count returns how often a device was told a text that others wrote.
func (d *device) count(text string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.told {
		if m, ok := e.(event.Message); ok && !m.Own && string(m.Body) == text {
			n++
		}
	}
	return n
}

// The first message to a device outlasts its mailbox, and the life of all other devices. What is no first message is posted only.
func TestConversationOutlastsTheMailbox(t *testing.T) {
	onRelays(t, func(t *testing.T, w *server) {
		ann, bob := w.device("ann", nil), w.device("bob", nil)
		w.registered(ann, bob)
		bob.stop()
		w.writes(ann, bob, "the first")
		v := w.conversation(ann, 1)
		require.Equal(t, api.Direct, v.Kind)
		w.writes(ann, bob, "the second")
		require.Eventually(t, func() bool { return w.sent(ann) }, patience, time.Millisecond)
		ann.stop()
		w.expire()

		w.run(bob)
		w.reads(bob, "the first")
		w.conversation(bob, 1)
		require.Zero(t, bob.count("the second"))
		w.run(ann) // has it still, and is told that it was not read
		w.writes(ann, bob, "the third")
		w.reads(bob, "the third")
		require.Equal(t, 1, bob.count("the first"))
	})
}

// sent reports whether nothing waits in the outboxes of direct conversations. Any goroutine may ask.
func (w *server) sent(d *device) bool {
	v, err := state.Open[session.Session](w.Context(), d.store, d.key, state.Options{})
	if err != nil {
		return false
	}
	ids, err := v.List(w.Context())
	for _, id := range ids {
		if p, err := v.Pending(w.Context(), id); err != nil || p.Outbox > 0 {
			return false
		}
	}
	return err == nil
}

// An invite into a space that is written to a person outlasts its mailbox, too, when there is a session already.
func TestInviteOutlastsTheMailbox(t *testing.T) {
	onRelays(t, func(t *testing.T, w *server) {
		ann, bob := w.device("ann", nil), w.device("bob", nil)
		w.registered(ann, bob)
		w.writes(ann, bob, "hello bob")
		w.reads(bob, "hello bob")
		w.writes(bob, ann, "hello ann")
		w.reads(ann, "hello ann")
		w.conversation(ann, 1)
		bob.stop()
		space, err := ann.NewSpace(t.Context())
		require.NoError(t, err)
		made, err := space.InvitePerson(t.Context(), bob.who, 0, "https://chat.example/")
		require.NoError(t, err)
		w.conversation(ann, 2)
		ann.stop()
		w.expire()

		w.run(bob)
		link, err := made.Link.URL("https://chat.example/")
		require.NoError(t, err)
		w.reads(bob, link)
		require.Equal(t, 1, bob.count("hello bob"))
		joined, err := bob.Join(t.Context(), link)
		require.NoError(t, err)
		require.Equal(t, space.ID(), joined.ID())
		w.run(ann)
		w.wait(bob, "Joined", func(e event.Event) bool { _, ok := e.(event.Joined); return ok })
	})
}

// Two devices that write to each other for the first time at once have one conversation, with a session of each, and read each other.
func TestConversationOfTwoAtOnce(t *testing.T) {
	onRelays(t, func(t *testing.T, w *server) {
		ann, bob := w.device("ann", nil), w.device("bob", nil)
		w.registered(ann, bob)
		both := make(chan struct{})
		release := sync.OnceFunc(func() { close(both) })
		t.Cleanup(release) // before the relay shuts down, which waits for its requests
		var once sync.Map  // who has come, by its token
		var devices atomic.Int32
		front := w.h
		w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			switch req.URL.Path {
			case "/v1/sessions":
				if _, came := once.LoadOrStore(req.Header.Get("Authorization"), true); !came && devices.Add(1) == 2 {
					release()
				}
				<-both
			case "/v1/frames":
				<-both
			}
			front.ServeHTTP(rw, req)
		}))
		w.writes(ann, bob, "hello bob")
		w.writes(bob, ann, "hello ann")
		v := w.conversation(ann, 2)
		require.Equal(t, v, w.conversation(bob, 2))
		w.reads(bob, "hello bob")
		w.reads(ann, "hello ann")
		for _, d := range []*device{ann, bob} {
			first, err := d.line.Conversations.Initial(t.Context(), v.ID, 1)
			require.NoError(t, err)
			second, err := d.line.Conversations.Initial(t.Context(), v.ID, 2)
			require.NoError(t, err)
			require.Equal(t, 1, len(first.Envelopes)+len(second.Envelopes))
		}
	})
}

// withoutSessions has the relay take no sessions until the function returned is called.
func (w *server) withoutSessions() (restore func()) {
	front := w.h
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v1/sessions" {
			panic(http.ErrAbortHandler)
		}
		front.ServeHTTP(rw, req)
	}))
	return func() { w.front(front) }
}

// A device that dies after the commit and before the relay keeps the session gives it to the relay when it is back. What it wrote comes
// meanwhile, and once.
func TestSessionIsKeptAfterACrash(t *testing.T) {
	onRelays(t, func(t *testing.T, w *server) {
		ann, bob := w.device("ann", nil), w.device("bob", nil)
		w.registered(ann, bob)
		restore := w.withoutSessions()
		w.writes(ann, bob, "hello bob")
		w.reads(bob, "hello bob")
		ann.stop()
		all, err := ann.line.Conversations.List(t.Context(), api.ConversationID{}, 9)
		require.NoError(t, err)
		require.Empty(t, all)

		restore()
		again := w.open("ann", ann.store, nil)
		again.who = ann.who
		w.run(again)
		v := w.conversation(again, 1)
		w.writes(again, bob, "and again")
		w.reads(bob, "and again")
		require.Equal(t, v, w.conversation(bob, 1))
		require.Equal(t, 1, bob.count("hello bob"))
	})
}

// further opens one more device of a device's person, which holds the person's keys.
func (w *server) further(d *device, name string) *device {
	w.Helper()
	persons, err := state.Open[state.One[session.Person]](w.Context(), d.store, d.key, state.Options{})
	require.NoError(w, err)
	ids, err := persons.List(w.Context())
	require.NoError(w, err)
	person, err := persons.Load(w.Context(), ids[0])
	require.NoError(w, err)
	other := w.open(name, store.NewMemory(), nil)
	own, err := session.NewDevice(d.who, time.Now())
	require.NoError(w, err)
	put(w, other, person)
	first, err := state.NewOne(own.ID(), own)
	require.NoError(w, err)
	put(w, other, first)
	other.who = d.who
	w.run(other)
	return other
}

func put[P state.Part[P]](w *server, d *device, first state.One[P]) {
	w.Helper()
	v, err := state.Open[state.One[P]](w.Context(), d.store, d.key, state.Options{})
	require.NoError(w, err)
	require.NoError(w, v.Create(w.Context(), first, nil))
}

// A device that is added while a session waits to be kept has a frame in it. One that is added later is told that it came later, and has
// part in the next session, with which a message to it begins.
func TestSessionsOfDevicesThatAreAdded(t *testing.T) {
	onRelays(t, func(t *testing.T, w *server) {
		ann, bob := w.device("ann", nil), w.device("bob", nil)
		w.registered(ann, bob)
		restore := w.withoutSessions()
		w.writes(ann, bob, "hello bob")
		w.reads(bob, "hello bob")
		tablet := w.further(bob, "tablet")
		w.devices(ann, bob, 2)
		restore()
		v := w.conversation(ann, 1)
		w.reads(tablet, "hello bob")
		require.Empty(t, v.Due, "both devices have a frame")

		phone := w.further(bob, "phone")
		w.devices(ann, bob, 3)
		_, err := phone.line.Conversations.Initial(t.Context(), v.ID, 1)
		var before *api.BeforeJoinedError
		require.ErrorAs(t, err, &before)
		require.Zero(t, before.First)
		w.writes(ann, bob, "hello all")
		w.conversation(ann, 2)
		for _, d := range []*device{bob, tablet, phone} {
			w.reads(d, "hello all")
			initial, err := d.line.Conversations.Initial(t.Context(), v.ID, 2)
			require.NoError(t, err)
			require.Len(t, initial.Envelopes, 1)
			require.Equal(t, 1, d.count("hello all"))
		}
		_, err = phone.line.Conversations.Initial(t.Context(), v.ID, 1)
		require.ErrorAs(t, err, &before)
		require.Equal(t, uint64(2), before.First)
		require.Zero(t, phone.count("hello bob"))
	})
}

// devices waits until one device sees so many of another one's person.
func (w *server) devices(from, of *device, n int) {
	w.Helper()
	require.Eventually(w, func() bool {
		l, err := from.line.Lookup(w.Context(), of.who)
		return err == nil && len(l.Bundles) == n
	}, patience, time.Millisecond)
}
