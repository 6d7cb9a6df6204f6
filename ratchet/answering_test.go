package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
)

// A device that cannot send does not pile tickets up: while one waits in the outbox, a request that is repeated brings no other (§9).
func TestTicketThatWaitsIsNotMadeAgain(t *testing.T) {
	n := newNetwork(t, 73)
	founder := n.found(rules.Policy{})
	x := n.join(founder.invite(invite.Private(0)), "x")
	x.offline = true
	request := founder.frames(proto.TypeRequest)
	repeat := func(source string, queued bool) int {
		x.frames(proto.TypeTicket)
		require.Error(t, founder.edit(func(d *edit) error {
			d.queued = queued
			_, err := openFrame(d, newIncoming(state.Frame{Source: source, Data: request[0]}))
			if err == nil {
				err = ErrStale // what matters here is what was posted
			}
			return err
		}))
		return len(x.frames(proto.TypeTicket))
	}
	founder.sync()
	require.Equal(t, 1, repeat("a", true), "the first one is made, whatever waits")
	n.now = n.now.Add(61 * time.Minute)
	founder.sync()
	require.Zero(t, repeat("b", true))
	n.now = n.now.Add(61 * time.Minute)
	founder.sync()
	require.Equal(t, 1, repeat("c", false))
}

// Records of used invites in a ticket count as if they came after its epochs: who came by one of them and asks is shown nothing of these
// that may be older than its invite (§9, Merging, step 7).
func TestUsedRecordsComeAfterTheEpochs(t *testing.T) {
	n := newNetwork(t, 74)
	founder := n.found(rules.Policy{})
	n.member(founder, "early")
	x := n.member(founder, "late")
	d, err := newEdit(x.space, n.now, Options{})
	require.NoError(t, err)
	_, r, ok := d.preferred()
	require.True(t, ok)
	used := r.Used()
	require.NotEmpty(t, used)
	for _, v := range used {
		_, serial, ok := r.Record(v.Tag(r.Space()))
		require.True(t, ok)
		require.NotZero(t, serial)
	}
}
