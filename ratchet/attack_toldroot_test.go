package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// A member that the parts of a rekey never reached reads what was sent in the new root before it asked, if a member hands its box on:
// whether the ticket of the owner, who boxes the share alone, came before or after.
func TestHandedOnBoxCountsAfterTheOwnersTicket(t *testing.T) {
	for _, ownerFirst := range []bool{true, false} {
		t.Run(fmt.Sprint("owner first ", ownerFirst), func(t *testing.T) {
			n, all := five(t, 80)
			away := all[3]
			n.lose = func(x *node, f []byte) bool { return x == away && f[0]&0xf == byte(proto.TypeRekey) }
			all[0].do(step.Rekey())
			n.settle()
			n.forget()
			for k := range 3 {
				all[1].send(fmt.Sprint("in the new root ", k))
				n.settle()
			}
			n.now = n.now.Add(2 * time.Hour)
			for _, x := range all {
				x.offline = true
			}
			require.NoError(t, away.edit(func(d *edit) error { d.st.rhythm.ask = true; return d.ask() }))
			var tickets [2][][]byte
			for at, x := range []*node{all[0], all[2]} { // both answer
				requests := x.frames(proto.TypeRequest)
				require.Len(t, requests, 1)
				x.mailbox = nil
				require.NoError(t, x.edit(func(d *edit) error { d.caughtUp(); return nil }))
				_, frames, err := Admit(x.space, n.now, requests[0])
				require.NoError(t, err)
				tickets[at] = frames
			}
			if !ownerFirst {
				tickets[0], tickets[1] = tickets[1], tickets[0]
			}
			for at, frames := range tickets {
				for _, f := range frames {
					away.receive(newIncoming(state.Frame{Source: fmt.Sprint(at), Data: f}))
				}
			}
			require.EqualValues(t, 1, away.gen())
			for _, x := range all {
				x.offline = false
			}
			for range 3 {
				n.settle()
				n.now = n.now.Add(time.Hour)
			}
			require.Subset(t, away.texts(), []string{"2: in the new root 0", "2: in the new root 1", "2: in the new root 2"})
		})
	}
}
