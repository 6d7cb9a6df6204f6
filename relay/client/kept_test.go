package client_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// pair begins sessions of the direct conversation of two people, which nobody can open.
func (w *server) pair(from, to *person, sessions int) api.ConversationID {
	w.Helper()
	p := w.proposal(from, to)
	p.Kind = api.Direct
	for n := range sessions {
		p.Key, p.Base = requestKey(), uint64(n)
		_, err := w.relay.Conversations.Begin(w.Context(), from.id, p)
		require.NoError(w, err)
	}
	return p.Conversation
}

// whileInitial has requests for sessions wait until the function returned is called.
func (w *server) whileInitial() (release func()) {
	free := make(chan struct{})
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/initial") {
			select {
			case <-free:
			case <-req.Context().Done():
			}
		}
		w.h.ServeHTTP(rw, req)
	}))
	return func() { close(free) }
}

// However many sessions somebody begins with a person, what others have posted does not wait until the device has read them.
func TestSessionsKeepNobodyWaiting(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	stranger, friend, to := w.person("stranger"), w.person("friend"), w.person("to")
	require.NoError(t, w.relay.Mailboxes.Subscribe(t.Context(), to.id, "topic"))
	w.pair(stranger, to, 100)
	_, err := w.relay.Mailboxes.Post(t.Context(), friend.id, requestKey(), "topic", []byte("hello"))
	require.NoError(t, err)
	release := w.whileInitial()
	r := w.receive(w.client(to, nil))
	require.Equal(t, "hello", string(r.next().Data))
	release()
	r.end()
	r.close()
}

// The number of sessions is what the relay says. Whatever it says, the backlog ends, and what is posted comes.
func TestConversationOfAnyNumber(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	from, to := w.person("from"), w.person("to")
	require.NoError(t, w.relay.Mailboxes.Subscribe(t.Context(), to.id, "topic"))
	id := w.pair(from, to, 1)
	w.expire()
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v1/conversations/"+id.String() {
			rw.Header().Set("Content-Type", "application/json")
			rw.Write([]byte(`{"id":"` + id.String() + `","kind":"direct","number":18446744073709551615}`))
			return
		}
		w.h.ServeHTTP(rw, req)
	}))
	r := w.receive(w.client(to, nil))
	r.end()
	_, err := w.relay.Mailboxes.Post(t.Context(), from.id, requestKey(), "topic", []byte("hello"))
	require.NoError(t, err)
	require.Equal(t, "hello", string(r.next().Data))
	r.close()
}

// Sessions in which there is nothing for a device are a notice, in the order of the conversation, and those of another conversation come
// meanwhile.
func TestConversationsTakeTurns(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	many, few, to := w.person("many"), w.person("few"), w.person("to")
	w.pair(many, to, 3)
	p := w.proposal(few, to)
	p.Conversation, p.Kind = api.ConversationID{2}, api.Direct
	p.Members = []key.Address{few.user.Public().Address(), to.user.Public().Address()}
	_, err := w.relay.Conversations.Begin(t.Context(), few.id, p)
	require.NoError(t, err)
	var got []client.Notice
	r := w.receive(w.client(to, func(o *client.Options) { o.Notify = func(n client.Notice) { got = append(got, n) } }))
	r.end()
	r.close()
	var numbers []uint64
	for _, n := range got {
		numbers = append(numbers, n.Number)
	}
	require.Equal(t, []uint64{1, 1, 2, 3}, numbers)
	require.Equal(t, few.id, got[1].Sender)
}
