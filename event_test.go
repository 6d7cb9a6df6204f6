package trefoil_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// What waits when its writer leaves is told as not sent, by the ID that Send returned.
func TestNotSent(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		bob, line := w.tapped("bob")
		bob.run()
		space := w.newSpace(alice, bob)
		line.plug(false)
		w.pass(time.Minute)
		id := bob.send(space, "too late")
		require.NoError(t, bob.client.Space(space).Leave(t.Context()))
		line.plug(true)
		w.pass(10 * time.Minute)
		notSent := told[event.NotSent](bob)
		require.Len(t, notSent, 1)
		require.Equal(t, id, notSent[0].Message)
		require.ErrorIs(t, notSent[0].Reason, ratchet.ErrPhase)
		require.Empty(t, alice.read())
	})
}

// A frame that the relay refuses for good is told, and so are those that it gave up.
func TestRejectedAndGivenUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, line := w.tapped("alice")
		alice.run()
		space := w.newSpace(alice)
		line.onPost(func(string, []byte) (state.Delivery, bool) { return state.Rejected("too long for this relay"), true })
		alice.send(space, "hello")
		w.pass(time.Second)
		rejected := told[event.Rejected](alice)
		require.Len(t, rejected, 1)
		require.Equal(t, "too long for this relay", rejected[0].Reason)

		var acknowledged atomic.Int32
		line.onFrame(func(f *trefoil.Frame) { f.Data, f.Lost, f.Ack = nil, 3, func() { acknowledged.Add(1) } })
		w.net.Device("relay").Post(t.Context(), space.String(), []byte("x"))
		w.pass(time.Second)
		require.Equal(t, 3, told[event.GivenUp](alice)[0].Frames)
		require.EqualValues(t, 1, acknowledged.Load())
	})
}

// A joiner is not told of what was written before it came; who is in the space is told of what it cannot read.
func TestUnread(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob := w.device("alice").run(), w.device("bob").run()
		space := w.newSpace(alice, bob)
		require.NoError(t, w.net.Device("carol").Subscribe(t.Context(), space.String()))
		for i := range 20 {
			alice.send(space, fmt.Sprint("before ", i))
		}
		carol := w.device("carol").run()
		alice.letIn(space, carol)
		alice.send(space, "after")
		w.pass(time.Minute)
		require.Equal(t, []string{"after"}, carol.read())
		require.Empty(t, told[event.Unread](carol))
	})
}

// Whoever has a copy of a state and writes with it is noticed: by the device itself, and by others where numbers are used twice.
func TestImpersonated(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		bob := w.device("bob").run()
		space := w.newSpace(alice, bob)
		copied, err := bob.client.Space(space).Load(t.Context())
		require.NoError(t, err)
		bob.send(space, "one")
		w.pass(time.Second)
		for _, text := range []string{"of a copy", "of a copy again"} {
			var frames [][]byte
			copied, frames, err = ratchet.Encrypt(copied, time.Now(), []byte(text))
			require.NoError(t, err)
			for _, f := range frames {
				w.net.Device("thief").Post(t.Context(), space.String(), f)
			}
		}
		w.pass(time.Minute)
		require.ErrorIs(t, told[event.Unread](alice)[0].Reason, ratchet.ErrLost)
		require.ErrorIs(t, told[event.Unread](bob)[0].Reason, ratchet.ErrForged)
		require.Len(t, told[event.Impersonated](bob), 1)
		require.Equal(t, []string{"one"}, alice.read(), "what no client wrote is no message")
	})
}

// No event shows what was written, whatever prints it.
func TestEventsShowNothing(t *testing.T) {
	m := event.Message{Body: []byte("a secret text")}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("event", "event", m)
	fmt.Fprintf(&b, "%v %+v %#v %s %q %x %d", m, m, m, m, m, m, m)
	fmt.Fprint(&b, errors.New(m.String()), []event.Event{m}, map[string]event.Event{"": m})
	for _, hidden := range []string{"a secret text", "612073656372657420", "YSBzZWNyZXQgdGV4dA", "97 32 115"} {
		require.NotContains(t, b.String(), hidden)
	}
}

// Events are durable: what was told before a crash is told after it, with the same ID.
func TestEventsAreDurable(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		bob := w.device("bob", func(o *trefoil.Options) {
			o.Handle = func(context.Context, event.Event) error { return errors.New("not now") }
		}).run()
		link := alice.link(w.newSpace(alice), invite.Private(0))
		_, err := bob.client.Join(t.Context(), link)
		require.NoError(t, err)
		w.pass(time.Minute)
		bob.stop()
		again := w.open("bob", bob.store, w.net.Device("bob")).run()
		w.pass(time.Minute)
		require.Equal(t, told[event.Joined](bob)[0], told[event.Joined](again)[0])
	})
}
