package relay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/api"
)

func TestKeyRequests(t *testing.T) {
	w := inMemory(t)
	a, b, c := w.person(1), w.person(1), w.person(1)
	maker, id := a.devices[0], newConversation()
	maker.begin(maker.junk(id, api.Group, 0, a, b))
	b.publish(b.newDevice())
	late := b.devices[1]
	refused := func(want error, by *device, q api.KeyRequest) {
		t.Helper()
		w.refused(want, func() error {
			_, err := w.r.Conversations.Request(t.Context(), by.id, q)
			return err
		})
	}
	good := late.request(id, 1, maker)
	forged := good
	forged.Signature = maker.d.Sign(good.Message())
	refused(api.ErrUnverified, late, forged)
	refused(api.ErrMalformed, maker, good)
	refused(api.ErrForbidden, c.devices[0], c.devices[0].request(id, 1, maker))
	refused(api.ErrForbidden, b.devices[0], b.devices[0].request(id, 1, late))
	refused(api.ErrNotFound, late, late.request(id, 2, maker))

	request := late.asks(id, 1, maker)
	before := w.dump()
	require.Equal(t, request, late.asks(id, 1, maker))
	require.Equal(t, before, w.dump(), "a repeated request is not told again")
	told := maker.inbox()
	n, err := api.ParseNotice(told[len(told)-1].Data)
	require.NoError(t, err)
	require.Equal(t, api.Notice{Conversation: id, Number: 1, Request: request}, n)
	got, answered, err := w.r.Conversations.GetRequest(t.Context(), maker.id, request)
	require.NoError(t, err)
	require.Equal(t, good, got)
	require.False(t, answered)
	_, _, err = w.r.Conversations.GetRequest(t.Context(), c.devices[0].id, request)
	require.ErrorIs(t, err, api.ErrForbidden)

	e := api.Envelope{Device: late.id, Ephemeral: ephemeral(), Sealed: []byte("answer")}
	fulfil := func(by *device, e api.Envelope) error {
		return w.r.Conversations.Fulfil(t.Context(), by.id, request, e)
	}
	w.refused(api.ErrForbidden, func() error { return fulfil(b.devices[0], e) })
	w.refused(api.ErrForbidden, func() error {
		return fulfil(maker, api.Envelope{Device: maker.id, Ephemeral: ephemeral(), Sealed: []byte("x")})
	})
	w.refused(api.ErrMalformed, func() error { return fulfil(maker, api.Envelope{Device: late.id}) })
	require.NoError(t, fulfil(maker, e))
	require.NoError(t, fulfil(maker, e))
	w.refused(api.ErrExists, func() error {
		return fulfil(maker, api.Envelope{Device: late.id, Ephemeral: ephemeral(), Sealed: []byte("x")})
	})
	in, err := w.r.Conversations.Initial(t.Context(), late.id, id, 1)
	require.NoError(t, err)
	require.Equal(t, []api.Received{{By: maker.id, Person: a.address(), Envelope: e}}, in.Envelopes)
}

// A removed member gets no answer to what it asked before.
func TestNoAnswerAfterRemoval(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(1)
	maker, id := a.devices[0], newConversation()
	maker.begin(maker.junk(id, api.Group, 0, a, b))
	asker := b.devices[0]
	request := asker.asks(id, 1, maker)
	maker.begin(maker.junk(id, api.Group, 1, a))
	w.refused(api.ErrForbidden, func() error {
		return w.r.Conversations.Fulfil(t.Context(), maker.id, request, api.Envelope{Device: asker.id, Ephemeral: ephemeral(), Sealed: []byte("x")})
	})
}

// Unanswered requests are budgeted, and the requester is told when one is given up.
func TestKeyRequestsAreBudgetedAndExpire(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(1)
	maker, id := a.devices[0], newConversation()
	for n := range uint64(api.MaxOpenRequests + 1) {
		maker.begin(maker.junk(id, api.Group, n, a, b))
	}
	asker := b.devices[0]
	var last api.RequestID
	for n := range uint64(api.MaxOpenRequests) {
		last = asker.asks(id, n+1, maker)
	}
	over := asker.request(id, api.MaxOpenRequests+1, maker)
	w.refused(api.ErrQuota, func() error {
		_, err := w.r.Conversations.Request(t.Context(), asker.id, over)
		return err
	})
	require.NoError(t, w.r.Conversations.Fulfil(t.Context(), maker.id, last,
		api.Envelope{Device: asker.id, Ephemeral: ephemeral(), Sealed: []byte("x")}))
	_, err := w.r.Conversations.Request(t.Context(), asker.id, over)
	require.NoError(t, err)
	asker.acknowledge()
	w.now = w.now.Add(api.RequestKeep + time.Hour)
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, api.MaxOpenRequests, swept.Requests)
	var told int
	for _, it := range asker.inbox() {
		if it.Kind == api.KeyExpired {
			told++
		}
	}
	require.Equal(t, api.MaxOpenRequests, told)
	_, answered, err := w.r.Conversations.GetRequest(t.Context(), asker.id, last)
	require.NoError(t, err)
	require.True(t, answered, "what was answered stays")
}
