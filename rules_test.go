package trefoil_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// These are the nine rules of a device that no compiler checks. A Client keeps them, whatever its program does.

// Rule 1: what a call put into the outbox leaves, without another call.
func TestRule1WhatIsWrittenLeaves(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob := w.device("alice").run(), w.device("bob").run()
		space := w.newSpace(alice, bob) // invite, request, ticket
		require.NoError(t, bob.client.Space(space).Update(t.Context(), func(tx *state.Tx[ratchet.Space]) error {
			return ratchet.Send(ratchet.Options{Topic: bob.client.Space(space).Topic()}, []byte("of a program of its own"))(tx)
		}))
		bob.send(space, "hello")
		w.pass(time.Second)
		require.Equal(t, []string{"hello"}, alice.read())
		require.Len(t, told[event.Unread](alice), 1, "what no client wrote is told, too")
		require.NoError(t, bob.client.Space(space).Leave(t.Context()))
		w.pass(time.Second)
		require.Len(t, told[event.Left](alice), 1)
		for _, d := range []*device{alice, bob} {
			members, err := d.client.Space(space).Members(t.Context())
			require.NoError(t, err)
			require.Len(t, members, 1, d.name)
		}
		_, err := bob.client.Space(space).Send(t.Context(), []byte("too late"))
		require.ErrorIs(t, err, ratchet.ErrPhase)
	})
}

// Rule 2: what was read is handed over, also what an earlier process has read.
func TestRule2WhatIsReadIsHandedOver(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob := w.device("alice").run(), w.device("bob").run()
		space := w.newSpace(alice, bob)
		bob.stop()
		alice.send(space, "hello")
		w.pass(time.Minute)
		deaf := w.open("bob", bob.store, w.net.Device("bob"), func(o *trefoil.Options) {
			o.Handle = func(context.Context, event.Event) error { return errors.New("not now") }
		})
		require.ErrorContains(t, deaf.client.Sync(t.Context()), "not now")
		again := w.open("bob", bob.store, w.net.Device("bob"))
		require.NoError(t, again.client.Sync(t.Context()))
		require.Equal(t, []string{"hello"}, again.read())
		require.Equal(t, told[event.Message](deaf)[0].Stamp, told[event.Message](again)[0].Stamp)
	})
}

// Rule 3: nothing is encrypted, answered or asked for before the backlog was read; then what is due is done, what was read
// is handed over, and what waits leaves.
func TestRule3BacklogFirst(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		bob, line := w.tapped("bob")
		bob.run()
		space := w.newSpace(alice, bob)
		line.plug(false)
		for range 3 {
			alice.send(space, "while bob is away")
		}
		w.pass(time.Hour)
		bob.send(space, "offline")
		status, err := bob.client.Space(space).Status(t.Context())
		require.NoError(t, err)
		require.False(t, status.Ready)
		require.Equal(t, 1, status.Outbox)
		before := line.count()
		slow := 0 // what had left when a frame of the backlog was through
		line.onFrame(func(*trefoil.Frame) {
			time.Sleep(10 * time.Second)
			calls := line.calls()
			slices.Reverse(calls)
			if !slices.Contains(calls[:slices.Index(calls, "receive")], "end") {
				slow = line.count()
			}
		})
		line.plug(true)
		w.pass(10 * time.Minute)
		bob.stop()
		require.Equal(t, before, slow, "something left before the end of the backlog")
		require.Contains(t, alice.read(), "offline")
		require.Len(t, bob.read(), 4)
		status, err = bob.client.Space(space).Status(t.Context())
		require.NoError(t, err)
		require.Zero(t, status.Outbox+status.Inbox)
	})
}

// Rule 4: a frame is acknowledged once it is dealt with: read, discarded, or of nobody; a retained one when it is read; and one that
// could not be stored not at all.
func TestRule4Acknowledgement(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		bob, line := w.tapped("bob")
		bob.run()
		space := w.newSpace(alice, bob)
		stored := func() (n int) {
			ctx, cancel := context.WithCancel(t.Context())
			w.net.Device("bob").Receive(ctx, func(func(string) bool) {}, func(f trefoil.Frame) {
				if n++; f.Topic == "" {
					n--
					cancel()
				}
			})
			return n
		}
		require.Zero(t, stored(), "everything is read")

		other := w.net.Device("mallory")
		nobody := state.NewID().String()
		require.NoError(t, w.net.Device("bob").Subscribe(t.Context(), nobody))
		for topic, frame := range map[string]string{space.String(): "\x23 of no request", nobody: "of no space", "no space": ""} {
			require.NoError(t, w.net.Device("bob").Subscribe(t.Context(), topic))
			other.Post(t.Context(), topic, []byte(frame))
		}
		w.pass(time.Second)
		require.Zero(t, stored(), "junk is acknowledged")

		var held []trefoil.Frame // the first message comes after the second, in another epoch
		line.onFrame(func(f *trefoil.Frame) {
			if len(held) == 0 {
				held = append(held, *f)
				f.Data, f.Ack = []byte{}, func() {}
			}
		})
		alice.send(space, "first")
		w.pass(time.Second)
		require.Len(t, held, 1)
		line.onFrame(nil)
		require.Equal(t, 1, stored())
		line.plug(false)
		line.plug(true)
		w.pass(time.Minute)
		require.Equal(t, []string{"first"}, bob.read())
		require.Zero(t, stored())
	})
}

// Rule 5: there is one clock.
func TestRule5OneClock(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		then := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		alice := w.device("alice", func(o *trefoil.Options) { o.Now = func() time.Time { return then } }).run()
		bob := w.device("bob").run() // a generation behind
		space := w.newSpace(alice, bob)
		alice.send(space, "from the future")
		bob.send(space, "from the past")
		w.pass(time.Minute)
		for _, d := range []*device{alice, bob} {
			require.ElementsMatch(t, []string{"from the future", "from the past"}, d.read())
			for _, m := range told[event.Message](d) {
				require.Equal(t, m.Own == (d == alice), m.Sent.Equal(then))
			}
		}
	})
}

// Rule 6: who handed a frame to the relay bounds what is kept, and nothing else: no name makes a frame unreadable.
func TestRule6Source(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		bob, line := w.tapped("bob")
		bob.run()
		space := w.newSpace(alice, bob)
		var want []string
		for _, name := range []string{"", "alice", strings.Repeat("a", state.MaxAddress), strings.Repeat("a", 1<<20), "\x00\xff"} {
			line.onFrame(func(f *trefoil.Frame) { f.From = name })
			want = append(want, alice.send(space, "hello").String())
			w.pass(time.Second)
		}
		var got []string
		for _, m := range told[event.Message](bob) {
			got = append(got, m.ID.String())
		}
		require.Equal(t, want, got)
	})
}

// Rule 7: functions of a transaction run again. What a program gives to the client does not: each message is written once, also
// if two clients write at once.
func TestRule7WrittenOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob := w.device("alice").run(), w.device("bob").run()
		space := w.newSpace(alice, bob)
		app := w.open("bob", bob.store, w.net.Device("bob"))
		ids := make(chan event.ID)
		for _, c := range []*device{bob, app} {
			go func() {
				for range 20 {
					id, err := c.client.Space(space).Send(t.Context(), []byte("hello"))
					assert.NoError(t, err)
					ids <- id
				}
			}()
		}
		var want []event.ID
		for range 40 {
			want = append(want, <-ids)
		}
		w.pass(10 * time.Minute)
		var got []event.ID
		for _, m := range told[event.Message](alice) {
			got = append(got, m.ID)
		}
		require.ElementsMatch(t, want, got)
	})
}

// Rule 8: a device has subscribed before it asks, however the line comes and goes.
func TestRule8SubscribedBeforeAsking(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		bob, line := w.tapped("bob")
		space := w.newSpace(alice)
		link := alice.link(space, invite.Private(0))
		line.plug(false)
		bob.run()
		s, err := bob.client.Join(t.Context(), link)
		require.NoError(t, err, "joining needs no network")
		_, err = s.Send(t.Context(), []byte("written before bob was let in"))
		require.NoError(t, err)
		w.pass(time.Hour)
		require.NotContains(t, line.calls(), "post", "the relay would not store the answer")
		line.plug(true)
		w.pass(10 * time.Minute)
		calls := line.calls()
		first := slices.Index(calls, "post")
		require.True(t, slices.Contains(calls[:first], "end") || slices.Contains(calls[:first], "subscribe"), calls)
		require.Len(t, told[event.Joined](bob), 1)
		require.Equal(t, []string{"written before bob was let in"}, alice.read())
	})
}

// Rule 9: an item of the inbox that the program cannot be given, or does not take, holds up nothing behind a chat's own next.
func TestRule9InboxItems(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		bob := w.device("bob", func(o *trefoil.Options) {
			o.Handle = func(_ context.Context, e event.Event) error {
				if m, ok := e.(event.Message); ok && bytes.Equal(m.Body, []byte("poison")) {
					return errors.New("cannot show this")
				}
				return nil
			}
		}).run()
		first, second := w.newSpace(alice, bob), w.newSpace(alice, bob)
		require.NoError(t, bob.client.Space(first).Update(t.Context(), func(tx *state.Tx[ratchet.Space]) error {
			tx.Deliver([]byte("\x00\x02 nothing of ours"))
			tx.Deliver(nil)
			tx.Deliver([]byte{0xff, 0xff, 1}) // of a newer release: it stays
			return nil
		}))
		alice.send(first, "behind")
		w.pass(time.Minute)
		require.Equal(t, []string{"behind"}, bob.read())
		require.Len(t, told[event.Unread](bob), 2)

		alice.send(first, "poison")
		alice.send(first, "held up")
		alice.send(second, "in another chat")
		w.pass(time.Hour)
		require.NotContains(t, bob.read(), "held up")
		require.Contains(t, bob.read(), "in another chat")
		tries := 0
		for _, body := range bob.read() {
			if body == "poison" {
				tries++
			}
		}
		require.Greater(t, tries, 10)
		require.Less(t, tries, 30, "an hour, with 5 minutes between tries")
	})
}
