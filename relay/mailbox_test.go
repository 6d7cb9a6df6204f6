package relay_test

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session"

	"github.com/trefoil-im/trefoil/relay/api"
)

// texts returns what the items of a mailbox say.
func texts(items []api.Item) (out []string) {
	for _, it := range items {
		if it.Reason > 0 {
			out = append(out, fmt.Sprintf("%d of %s given up: %d", it.Count, it.Topic, it.Reason))
		} else {
			out = append(out, string(it.Data))
		}
	}
	return out
}

// A frame is stored for every subscriber but the device that posts it, and is kept until each has acknowledged it.
func TestFramesAreKeptUntilAcknowledged(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(2), w.person(1)
	from, own, to := a.devices[0], a.devices[1], b.devices[0]
	require.Zero(t, from.post("topic", "before anybody asked"))
	for _, d := range []*device{from, own, to, to} {
		d.subscribe("topic")
	}
	require.Equal(t, 2, from.post("topic", "one"))
	require.Equal(t, 2, to.post("topic", "two"))
	require.Equal(t, []string{"two"}, texts(from.inbox()))
	require.Equal(t, []string{"one", "two"}, texts(own.inbox()))
	require.Equal(t, []string{"one"}, texts(to.inbox()))
	require.Equal(t, []string{"one"}, texts(to.inbox()), "reading is no acknowledgement")
	it := own.inbox()[1]
	require.Equal(t, to.id, it.Sender)
	require.Equal(t, b.address(), it.Person)

	require.NoError(t, w.r.Mailboxes.Acknowledge(t.Context(), own.id, own.inbox()[1].Seq, 999))
	require.Equal(t, []string{"one"}, texts(own.inbox()), "the second one before the first one")
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, swept.Messages, "each of both waits for somebody")
	to.acknowledge()
	own.acknowledge()
	from.acknowledge()
	swept, err = w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, swept.Messages)
	require.NotContains(t, w.dump(), "messages ")
	require.NotContains(t, w.dump(), "usage ")

	require.NoError(t, w.r.Mailboxes.Unsubscribe(t.Context(), to.id, "topic"))
	require.Equal(t, 1, from.post("topic", "three"))
	require.Empty(t, to.inbox())
}

// What came by a subscription goes with it, and nothing else does: no frame of another topic, and no notice of a conversation
// that has the name of the topic.
func TestUnsubscribeDropsFrames(t *testing.T) {
	w := inMemory(t)
	w.share = api.DefaultShare
	w.r = w.on(w.store)
	a, b := w.person(1), w.person(1)
	from, to, id := a.devices[0], b.devices[0], newConversation()
	require.NoError(t, w.r.Mailboxes.Subscribe(t.Context(), to.id, id.String(), "another"))
	for range 300 {
		from.post(id.String(), "dropped")
	}
	from.begin(from.junk(id, api.Group, 0, a, b))
	from.post("another", "kept")
	require.NoError(t, w.r.Mailboxes.Unsubscribe(t.Context(), to.id, id.String()))
	got := to.inbox()
	require.Len(t, got, 2)
	require.Equal(t, api.SessionBegan, got[0].Kind)
	require.Equal(t, "kept", string(got[1].Data))
	to.acknowledge()
	_, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.NotContains(t, w.dump(), "usage ", "what was dropped counts no longer")
}

// The same frame with the same key is stored once, however often it is posted.
func TestPostsRepeat(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(1)
	b.devices[0].subscribe("topic")
	k := requestKey()
	for i := range 3 {
		n, err := w.r.Mailboxes.Post(t.Context(), a.devices[0].id, k, "topic", []byte("once"))
		require.NoError(t, err)
		require.Equal(t, i == 0, n.Stored == 1)
	}
	require.Equal(t, []string{"once"}, texts(b.devices[0].inbox()))
	w.refused(api.ErrReused, func() error {
		_, err := w.r.Mailboxes.Post(t.Context(), a.devices[0].id, k, "topic", []byte("another"))
		return err
	})
	for name, f := range map[string]func() error{
		"no key": func() error {
			_, err := w.r.Mailboxes.Post(t.Context(), a.devices[0].id, api.RequestKey{}, "t", nil)
			return err
		},
		"too long": func() error {
			_, err := w.r.Mailboxes.Post(t.Context(), a.devices[0].id, k, "t", make([]byte, api.MaxFrame+1))
			return err
		},
		"no topic": func() error { _, err := w.r.Mailboxes.Post(t.Context(), a.devices[0].id, k, "", nil); return err },
		"long topic": func() error {
			return w.r.Mailboxes.Subscribe(t.Context(), a.devices[0].id, string(make([]byte, api.MaxTopic+1)))
		},
		"many acks": func() error {
			return w.r.Mailboxes.Acknowledge(t.Context(), a.devices[0].id, make([]uint64, api.MaxAcknowledged+1)...)
		},
		"absurd ack":  func() error { return w.r.Mailboxes.Acknowledge(t.Context(), a.devices[0].id, 1<<63) },
		"absurd page": func() error { _, err := w.r.Mailboxes.Page(t.Context(), a.devices[0].id, 1<<63, 1); return err },
	} {
		t.Run(name, func(t *testing.T) { w.refused(api.ErrMalformed, f) })
	}
	require.Equal(t, 1, a.devices[0].post("topic", ""), "a frame may be empty")
}

// Only the key of a mailbox lets a device subscribe to its address; anybody posts to it.
func TestAddressesBelongToAKey(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(1)
	own := b.devices[0]
	require.Equal(t, 1, a.devices[0].post(own.d.Mailbox().String(), "to a device"))
	require.Equal(t, []string{"to a device"}, texts(own.inbox()))
	w.refused(api.ErrForbidden, func() error {
		return w.r.Mailboxes.Subscribe(t.Context(), a.devices[0].id, own.d.Mailbox().String())
	})
	slot, err := session.New(own.d, a.devices[0].peer(a.address(), a.devices[0].id))
	require.NoError(t, err)
	pair := slot.Part()
	proof := pair.Sign(api.SubscribeProof(pair.Mailbox(), own.id))
	w.refused(api.ErrUnverified, func() error {
		return w.r.Mailboxes.SubscribeMailboxes(t.Context(), a.devices[0].id, api.MailboxProof{Mailbox: pair.MailboxKey(), Signature: proof})
	})
	require.NoError(t, w.r.Mailboxes.SubscribeMailboxes(t.Context(), own.id, api.MailboxProof{Mailbox: pair.MailboxKey(), Signature: proof}))
	require.Equal(t, 1, a.devices[0].post(pair.Mailbox().String(), "of a pair"))
	require.Equal(t, []string{"to a device", "of a pair"}, texts(own.inbox()))
}

// Pages are bounded in bytes, come in order, lose and repeat nothing, and the last one says so.
func TestPages(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(1)
	to := b.devices[0]
	to.subscribe("topic")
	var want []string
	for i := range 50 {
		want = append(want, string(bytes.Repeat([]byte{'a' + byte(i%26)}, i*7%100)))
		a.devices[0].post("topic", want[i])
	}
	for _, size := range []int{-1, 1, 100, 1000, 1 << 20, math.MaxInt} {
		var got []string
		for after := uint64(0); ; {
			page, err := w.r.Mailboxes.Page(t.Context(), to.id, after, size)
			require.NoError(t, err)
			length := 0
			for _, it := range page.Items {
				length += len(it.Data)
			}
			require.True(t, length <= max(size, 1) || len(page.Items) == 1, "%d bytes for %d", length, size)
			got = append(got, texts(page.Items)...)
			if after = page.Next; page.End {
				break
			}
		}
		require.Equal(t, want, got, "pages of %d bytes", size)
	}
	page, err := w.r.Mailboxes.Page(t.Context(), to.id, 1<<61, 1)
	require.NoError(t, err)
	require.Equal(t, api.Page{Next: 1 << 61, End: true}, page)
}

// What nobody acknowledged in time is given up, and each device is told how much of it, and why.
func TestExpiryLeavesATombstone(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(2)
	here, away := b.devices[0], b.devices[1]
	here.subscribe("topic")
	away.subscribe("topic")
	for i := range 5 {
		a.devices[0].post("topic", fmt.Sprint(i))
	}
	here.acknowledge()
	w.now = w.now.Add(api.MinKeep)
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, swept.Expired)
	w.now = w.now.Add(api.DefaultKeep)
	swept, err = w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 5, swept.Expired)
	require.Empty(t, here.inbox())
	require.Equal(t, []string{"5 of topic given up: 1"}, texts(away.inbox()))
	require.NotContains(t, w.dump(), "messages ")

	// A tombstone that was read and has counted more since is not acknowledged with what was read.
	seq := away.inbox()[0].Seq
	a.devices[0].post("topic", "5")
	here.acknowledge()
	w.now = w.now.Add(api.DefaultKeep + time.Hour)
	_, err = w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.r.Mailboxes.Acknowledge(t.Context(), away.id, seq))
	require.Equal(t, []string{"6 of topic given up: 1"}, texts(away.inbox()))
	away.acknowledge()
	require.Empty(t, away.inbox())
}

// A sender fills its own share of a mailbox, and nobody else's; other mailboxes get what it sends.
func TestSharesOfAMailbox(t *testing.T) {
	w := inMemory(t)
	flood, honest, b := w.person(2), w.person(1), w.person(2)
	away, here := b.devices[0], b.devices[1]
	away.subscribe("topic")
	here.subscribe("topic")
	const most = smallShare / (1024 + 256)
	for i := range most + 3 {
		flood.devices[i%2].post("topic", string(bytes.Repeat([]byte("x"), 1024)))
		here.acknowledge()
	}
	got1, err := w.r.Mailboxes.Post(t.Context(), flood.devices[0].id, requestKey(), "topic", make([]byte, 1024))
	require.NoError(t, err)
	require.Equal(t, api.Posted{Stored: 1, Full: 1}, got1)
	here.acknowledge()
	honest.devices[0].post("topic", "honest")
	got := texts(away.inbox())
	require.Len(t, got, most+2)
	require.Equal(t, []string{"4 of topic given up: 2", "honest"}, got[most:])
	require.Equal(t, []string{"honest"}, texts(here.inbox()))
	away.acknowledge()
	flood.devices[0].post("topic", "after")
	require.Equal(t, []string{"after"}, texts(away.inbox()))
}

// A revoked device gets nothing more, and leaves nothing behind.
func TestRevokedMailboxIsEmptied(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(2)
	lost := b.devices[0]
	lost.subscribe("topic")
	a.devices[0].post("topic", "one")
	b.revoke(0)
	require.Zero(t, a.devices[0].post("topic", "two"))
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, swept.Messages)
	for _, table := range []string{"messages ", "items ", "usage ", "freed "} {
		require.NotContains(t, w.dump(), table)
	}
}

// Five members of a group that was made just now all post at once, on every store: each has a part in its session and all frames,
// numbered without gaps, in one order for those of one sender.
func manyPostAtOnce(t *testing.T, w *world) {
	const each = 8
	var people []*person
	var members []*device
	for range 5 {
		people = append(people, w.person(1))
	}
	id := newConversation()
	for _, p := range people {
		members = append(members, p.devices[0])
		p.devices[0].subscribe(id.String())
	}
	members[0].begin(members[0].proposal("fresh", id, api.Group, 0, people...))
	var all sync.WaitGroup
	for i, d := range members {
		all.Go(func() {
			for n := range each {
				if _, err := w.r.Mailboxes.Post(w.ctx, d.id, requestKey(), id.String(), []byte{byte(i), byte(n)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i, d := range members {
		got := d.inbox()
		if i > 0 {
			require.Equal(t, api.SessionBegan, got[0].Kind)
			require.Equal(t, "fresh", d.opens(id, 1))
			got = got[1:]
		}
		require.Len(t, got, 4*each)
		next := make([]byte, 5)
		for n, it := range got {
			require.Equal(t, got[0].Seq+uint64(n), it.Seq)
			require.NotEqual(t, byte(i), it.Data[0])
			require.Equal(t, next[it.Data[0]], it.Data[1])
			next[it.Data[0]]++
		}
	}
}
