package transporttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
)

// Rule 1: what was accepted is stored for a subscriber that is not there.
func (k kit) storedBeforeAccepted() {
	k.subscribe("bob", topic)
	k.post("alice", topic, []byte("hello"))
	l := k.open("bob")
	got := l.backlog()
	require.Equal(k, []string{"hello"}, textsOf(got))
	require.Equal(k, topic, got[0].Topic, "Frame.Topic")
	require.NotNil(k, got[0].Ack, "Frame.Ack")
}

// Rule 2: every subscriber gets every frame of its topics and no other, whoever posts at the same time.
func (k kit) everySubscriber() {
	devices := []string{"alice", "bob", "carol", "dave"}
	for _, d := range devices {
		k.subscribe(d, topic)
	}
	k.subscribe("carol", "another")
	var wg sync.WaitGroup
	ctx, errs := k.ctx(), make([]error, len(devices))
	for n, d := range devices {
		wg.Go(func() {
			for i := range 10 {
				errs[n] = errors.Join(errs[n], k.tryPost(ctx, d, topic, fmt.Append(nil, d, i)))
			}
		})
	}
	wg.Wait()
	require.NoError(k, errors.Join(errs...))
	k.post("alice", "another", []byte("for carol"))
	for _, d := range devices {
		got := k.stored(d)
		for _, from := range devices {
			for i := range 10 {
				if text := fmt.Sprint(from, i); from != d {
					require.Contains(k, got, text, "%s misses a frame", d)
				}
			}
		}
		if d == "carol" {
			require.Contains(k, got, "for carol")
		} else {
			require.NotContains(k, got, "for carol")
		}
	}
}

// Rule 4: the device that posts a frame does not get it.
func (k kit) notToTheSender() {
	k.subscribe("alice", topic)
	k.subscribe("bob", topic)
	k.post("alice", topic, []byte("from alice"))
	k.post("bob", topic, []byte("from bob"))
	require.Equal(k, []string{"from bob"}, k.stored("alice"))
	require.Equal(k, []string{"from alice"}, k.stored("bob"))
}

// A frame is not changed: whatever its bytes, from 1 to 1 MiB.
func (k kit) bytesAsTheyAre() {
	k.subscribe("bob", topic)
	chance := rand.NewChaCha8([32]byte{7})
	var want []string
	for _, n := range []int{1, 2, 255, 256, 1 << 10, 64 << 10, 1 << 20} {
		b := make([]byte, n)
		chance.Read(b)
		want = append(want, string(b))
		k.post("alice", topic, b)
	}
	got := k.stored("bob")
	require.Len(k, got, len(want))
	for _, text := range want {
		found := false
		for _, other := range got {
			found = found || text == other
		}
		require.True(k, found, "a frame of %d bytes came changed", len(text))
	}
}

// Two members may post equal bytes. Frames are told apart by who posts them, and each is delivered.
func (k kit) equalFrames() {
	k.subscribe("carol", topic)
	k.post("alice", topic, []byte("equal"))
	k.post("bob", topic, []byte("equal"))
	l := k.open("carol")
	require.GreaterOrEqual(k, len(l.backlog()), 2)
}

// Rule 5: what was not acknowledged comes again with the next line.
func (k kit) againUntilAcknowledged() {
	k.subscribe("bob", topic)
	k.post("alice", topic, []byte("hello"))
	for range 3 {
		require.Equal(k, []string{"hello"}, k.stored("bob"))
	}
}

// Rule 5: what was acknowledged comes on no other line. To acknowledge twice, or after the line is down, is no error.
func (k kit) acknowledgedOnce() {
	k.subscribe("bob", topic)
	k.post("alice", topic, []byte("first"))
	k.post("alice", topic, []byte("second"))
	l := k.open("bob")
	late := ""
	for _, f := range l.backlog() {
		if late == "" {
			late = string(f.Data)
			defer f.Ack()
			continue
		}
		f.Ack()
		f.Ack()
	}
	k.settle("bob", late)
	l.close()
	require.Equal(k, []string{late}, k.stored("bob"))
}

// Rule 5: an acknowledgement is for one frame, not for those before it.
func (k kit) acknowledgedSingly() {
	k.subscribe("bob", topic)
	for _, text := range []string{"1", "2", "3"} {
		k.post("alice", topic, []byte(text))
	}
	l := k.open("bob")
	got := l.backlog()
	require.Len(k, got, 3)
	got[2].Ack()
	k.settle("bob", string(got[0].Data), string(got[1].Data))
	l.close()
	require.ElementsMatch(k, textsOf(got[:2]), k.stored("bob"))
}

// settle waits until the acknowledgements of a line have reached the relay, as other lines of the device see it, and no more
// than what is left is stored.
func (k kit) settle(device string, left ...string) {
	k.Helper()
	for ctx := k.ctx(); len(k.stored(device)) > len(left); {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			require.FailNow(k, "what was acknowledged comes again")
		}
	}
}

// Rule 7: the end of the backlog is said once, after everything that was stored before.
func (k kit) endOfBacklog() {
	empty := k.open("carol", topic)
	require.Empty(k, empty.backlog())
	k.subscribe("bob", topic)
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprint(i))
		k.post("alice", topic, fmt.Append(nil, i))
	}
	l := k.open("bob")
	require.ElementsMatch(k, want, textsOf(l.backlog()))
	k.post("alice", topic, []byte("live"))
	l.wait("live")
	empty.wait("live")
	require.Equal(k, 1, l.ended())
	require.Equal(k, 1, empty.ended())
}

// Rule 7: after the backlog a frame comes as it is posted.
func (k kit) liveAfterBacklog() {
	l := k.open("bob", topic)
	l.backlog()
	k.post("alice", topic, []byte("live"))
	l.wait("live")
}

// Rule 8: once Subscribe has returned nothing is missed, on a line that is up and without one.
func (k kit) subscribeBeforeAsk() {
	l := k.open("bob")
	l.backlog()
	for i := range 20 {
		topic := fmt.Sprint("topic-", i)
		k.subscribe("bob", topic, topic)
		k.post("alice", topic, []byte(topic))
		l.wait(topic)
	}
	k.subscribe("carol", topic)
	k.post("alice", topic, []byte("for carol"))
	require.Equal(k, []string{"for carol"}, k.stored("carol"))
}

// Rule 8: a subscription lasts when the line is down, also one that Receive made.
func (k kit) subscriptionLasts() {
	l := k.open("bob", topic)
	l.backlog()
	l.close()
	k.post("alice", topic, []byte("meanwhile"))
	require.Equal(k, []string{"meanwhile"}, k.stored("bob"))
}

// A subscription ends with Unsubscribe, with what is stored of it. There need not be one.
func (k kit) unsubscribe() {
	bob := k.connect("bob")
	require.NoError(k, bob.Unsubscribe(k.ctx(), topic), "Unsubscribe without a subscription")
	k.subscribe("bob", topic, "another")
	k.post("alice", topic, []byte("before"))
	require.NoError(k, bob.Unsubscribe(k.ctx(), topic))
	k.post("alice", topic, []byte("after"))
	k.post("alice", "another", []byte("kept"))
	require.Equal(k, []string{"kept"}, k.stored("bob"))
}

// Rule 11: a device that does not read delays no other.
func (k kit) silentDevice() {
	ctx, cancel := context.WithCancel(k.ctx())
	k.subscribe("silent", topic)
	k.post("alice", topic, []byte("first"))
	reading, blocked := make(chan struct{}), make(chan struct{})
	var once sync.Once
	down := make(chan struct{})
	go func() {
		defer close(down)
		k.connect("silent").Receive(ctx, func(func(string) bool) {}, func(f trefoil.Frame) {
			if f.Topic != "" {
				once.Do(func() { close(reading) })
				<-blocked
			}
		})
	}()
	defer func() { cancel(); close(blocked); <-down }()
	select {
	case <-reading:
	case <-ctx.Done():
		require.FailNow(k, "nothing came")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if k.connect("bob").Subscribe(ctx, topic) == nil {
			k.connect("alice").Post(ctx, topic, []byte("second"))
		}
	}()
	select {
	case <-done:
	case <-time.After(patience):
		require.FailNow(k, "a device that does not read holds up others")
	}
	require.Equal(k, []string{"second"}, k.stored("bob"))
}

// Every method returns when its context ends.
func (k kit) context() {
	ctx, cancel := context.WithCancel(k.ctx())
	cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		bob := k.connect("bob")
		bob.Post(ctx, topic, []byte("hello"))
		bob.Subscribe(ctx, topic)
		bob.Unsubscribe(ctx, topic)
		bob.Receive(ctx, func(func(string) bool) {}, func(trefoil.Frame) {})
	}()
	select {
	case <-done:
	case <-time.After(patience):
		require.FailNow(k, "a method goes on although its context has ended")
	}
	l := k.open("bob", topic)
	l.backlog()
	l.close()
}
