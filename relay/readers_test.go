package relay_test

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/api"
)

// Whoever writes a session, in whatever way, every device that it is for reads its envelope and opens it, with nothing but what
// the relay answers: no other device takes part. Sessions and keys are real.
func everyWriterEveryReader(t *testing.T, w *world) {
	a, b, c := w.person(2), w.person(2), w.person(1)
	first, id, pair := a.devices[0], newConversation(), newConversation()
	var number uint64

	reads := func(what string, by *device, conversation api.ConversationID, n uint64, people ...*person) {
		t.Helper()
		for _, d := range others(by, people...) {
			require.Equal(t, what, d.opens(conversation, n), "%s, by %v", what, d.id)
			require.Contains(t, d.noticed(), fmt.Sprint(api.SessionBegan, conversation, n))
		}
	}
	write := func(what string, by *device, conversation api.ConversationID, kind api.Kind, people ...*person) uint64 {
		t.Helper()
		base := number
		if kind == api.Direct {
			base = 0
		}
		n := by.begin(by.proposal(what, conversation, kind, base, people...))
		reads(what, by, conversation, n, people...)
		return n
	}
	write("create direct", first, pair, api.Direct, a, b)
	number = write("create group", first, id, api.Group, a, b)
	number = write("rotate", b.devices[1], id, api.Group, a, b)
	number = write("add", a.devices[1], id, api.Group, a, b, c)
	number = write("remove", first, id, api.Group, a, c)
	require.Contains(t, b.devices[0].noticed(), fmt.Sprint(api.MemberRemoved, id, number))
	_, err := w.r.Conversations.Initial(t.Context(), b.devices[0].id, id, number)
	require.ErrorIs(t, err, api.ErrForbidden)
	number = write("add again", c.devices[0], id, api.Group, a, b, c)
	require.NoError(t, w.r.Conversations.Leave(t.Context(), c.devices[0].id, id))
	require.Contains(t, b.devices[0].noticed(), fmt.Sprint(api.MemberLeaves, id, number))
	number = write("leave", b.devices[0], id, api.Group, a, b)
	lost := b.revoke(0)
	due, err := w.r.Conversations.Get(t.Context(), first.id, id)
	require.NoError(t, err)
	require.Equal(t, []api.DeviceID{lost.id}, due.Due.Extra)
	number = write("revoke", first, id, api.Group, a, b)

	// A device that comes later asks for the session, and reads what the other one answers when that comes by.
	b.publish(b.newDevice())
	late := b.devices[1]
	_, err = w.r.Conversations.Initial(t.Context(), late.id, id, number)
	require.ErrorIs(t, err, api.ErrBeforeJoined)
	request := late.asks(id, number, a.devices[1])
	require.NoError(t, w.r.Conversations.Fulfil(t.Context(), a.devices[1].id, request, a.devices[1].seal("fulfil", late)))
	require.Equal(t, "fulfil", late.opens(id, number))
	require.Contains(t, late.noticed(), fmt.Sprint(api.KeyAnswered, id, number))
	number = write("rotate for the late one", late, id, api.Group, a, b)

	// What was said lies nowhere at the relay.
	for _, text := range []string{"create direct", "rotate", "fulfil", "revoke"} {
		require.NotContains(t, w.dump(), hex.EncodeToString([]byte(text)))
	}

	// And all that was written before is still read.
	require.Equal(t, "create direct", b.devices[0].opens(pair, 1))
	require.Equal(t, "add", c.devices[0].opens(id, 3))
}

// noticed returns the notices in the device's mailbox.
func (d *device) noticed() (out []string) {
	d.p.w.t.Helper()
	for _, it := range d.inbox() {
		n, err := api.ParseNotice(it.Data)
		require.NoError(d.p.w.t, err)
		require.Equal(d.p.w.t, n.Conversation.String(), it.Topic)
		out = append(out, fmt.Sprint(it.Kind, n.Conversation, n.Number))
	}
	return out
}

// asks stores a key request and returns its name.
func (d *device) asks(c api.ConversationID, number uint64, target *device) api.RequestID {
	d.p.w.t.Helper()
	q := d.request(c, number, target)
	id, err := d.p.w.r.Conversations.Request(d.p.w.ctx, d.id, q)
	require.NoError(d.p.w.t, err)
	return id
}

func (d *device) request(c api.ConversationID, number uint64, target *device) api.KeyRequest {
	q := api.KeyRequest{Conversation: c, Number: number, Requester: d.id, Target: target.id}
	q.Signature = d.d.Sign(q.Message())
	return q
}
