package client_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	relaystore "github.com/trefoil-im/trefoil/relay/store"
	"github.com/trefoil-im/trefoil/state"
)

// The relay has one session for each request, after whichever is current, also when an answer was lost; for other devices it has none until
// they are right.
func TestBeginSession(t *testing.T) {
	w := serve(t, relaystore.NewMemory(), httprelay.Options{})
	ctx := t.Context()
	begins := func(p *person) func(to *person, request byte, all ...trefoil.Envelope) state.Delivery {
		c, err := client.New(client.Options{URL: w.url, Name: relayName})
		require.NoError(t, err)
		signer := new(belonging)
		signer.belong(p)
		c.SignWith(signer)
		return func(to *person, request byte, all ...trefoil.Envelope) state.Delivery {
			return c.BeginSession(ctx, to.user.Public().Address(), [16]byte{request}, all)
		}
	}
	a, b := w.person("a"), w.person("b")
	envelope := func(to *person) trefoil.Envelope {
		return trefoil.Envelope{Person: to.user.Public().Address(), Device: to.device.Name(),
			Ephemeral: keypair.GenerateKey[key.Ephemeral]().Public(), Topic: to.mailbox.Public().Address().String(), Frame: []byte("frame")}
	}
	current := func() api.Conversation {
		all, err := w.relay.Conversations.List(ctx, a.id, api.ConversationID{}, 9)
		require.NoError(t, err)
		require.Len(t, all, 1)
		v, err := w.relay.Conversations.Get(ctx, a.id, all[0])
		require.NoError(t, err)
		return v
	}
	fromA, fromB := begins(a), begins(b)
	toB, toA := envelope(b), envelope(a)

	after, again := fromA(b, 1).Again()
	require.True(t, again, "a device is missing")
	require.Equal(t, time.Minute, after)
	for range 2 {
		require.Equal(t, state.Delivered(), fromA(b, 1, toB))
		require.Equal(t, uint64(1), current().Number)
	}
	for range 2 { // the second time it is begun from another base than the one that was taken
		require.Equal(t, state.Delivered(), fromB(a, 2, toA))
		require.Equal(t, uint64(2), current().Number)
	}
	require.Equal(t, state.Delivered(), fromA(b, 3, toB))
	require.Equal(t, uint64(3), current().Number)
	_, again = fromA(newPerson(t), 4, toB).Again()
	require.False(t, again, "nobody that the relay knows")

	r := w.receive(w.client(a, nil))
	f := r.next()
	require.Equal(t, toA.Topic, f.Topic)
	require.Equal(t, "frame", string(f.Data))
	require.Equal(t, b.user.Public().Address().String(), f.From)
	f.Ack()
	r.close()
}
