package trefoil

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
)

// A frame that was retained and then read within one call is acknowledged, also where its own receipt says so.
func TestFrameRetainedAndReadIsAcknowledged(t *testing.T) {
	acknowledged := 0
	r := &run{acks: map[[32]byte]func(){}}
	f := state.Frame{Data: []byte("frame")}
	batch := []Frame{{Data: f.Data, Ack: func() { acknowledged++ }}}
	r.deal(batch, []state.Frame{f}, []state.Receipt{{Verdict: state.Retain, Acknowledge: [][32]byte{f.Hash()}}})
	require.Equal(t, 1, acknowledged)
	require.Empty(t, r.acks)
}
