package relay_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/relaytest"
)

// isWoken reports whether a channel has a value, and takes it.
func isWoken(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Whoever gets something is woken after the commit, once for all that it has not looked at; nobody else is, and nobody by what
// was not committed.
func TestCommitsWake(t *testing.T) {
	w := inMemory(t)
	var told []api.DeviceID
	w.r = direct(relay.New(w.store, relay.Options{Name: relayName, Woken: func(devices []api.DeviceID) { told = append(told, devices...) }}))
	a, b := w.person(1), w.person(2)
	from, to, other := a.devices[0], b.devices[0], b.devices[1]
	to.subscribe("topic")
	woken, stop := w.r.Watch(to.id)
	asleep, stopOther := w.r.Watch(other.id)
	defer stopOther()
	require.True(t, isWoken(woken), "at once")
	require.True(t, isWoken(asleep), "at once")

	from.post("topic", "one")
	from.post("topic", "two")
	require.Equal(t, []api.DeviceID{to.id, to.id}, told)
	require.True(t, isWoken(woken))
	require.False(t, isWoken(woken))
	require.False(t, isWoken(asleep))
	to.acknowledge()
	require.False(t, isWoken(woken), "what goes wakes nobody")

	failing := w.on(relaytest.Fail(w.store, relaytest.AtCommit, nil))
	lost, stopLost := failing.Watch(to.id)
	defer stopLost()
	require.True(t, isWoken(lost))
	_, err := failing.Mailboxes.Post(t.Context(), from.id, requestKey(), "topic", []byte("three"))
	requireFault(t, err)
	require.False(t, isWoken(lost))

	from.begin(from.junk(newConversation(), api.Group, 0, a, b))
	require.True(t, isWoken(woken))
	require.True(t, isWoken(asleep))
	b.revoke(0)
	require.True(t, isWoken(woken), "its line has to end")
	stop()
	w.r.Wake(to.id)
	require.False(t, isWoken(woken))
}

// A relay that is told of no commit of the others finds out by itself.
func TestPollFindsWhatOthersStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory(t)
		from, to := w.person(1).devices[0], w.person(1).devices[0]
		to.subscribe("topic")
		other := w.on(w.store)
		woken, stop := other.Watch(to.id)
		defer stop()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- other.Poll(ctx, time.Second) }()
		<-woken
		<-woken // the first look cannot know
		synctest.Wait()
		from.post("topic", "one")
		require.False(t, isWoken(woken))
		<-woken
		time.Sleep(10 * time.Second)
		require.False(t, isWoken(woken), "nothing is new")
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}
