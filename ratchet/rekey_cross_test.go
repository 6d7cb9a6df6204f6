package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// Two rekeys of one generation, here of one owner on two devices, remove two members: all come to stand in one root, in whatever order they
// come, nobody shows either of the two, and the next rekey keeps both out.
func TestRekeysCross(t *testing.T) {
	for seed := uint64(70); seed < 72; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			n, all := five(t, seed)
			founder := all[0]
			twin := founder.copyOf("twin")
			founder.do(step.Remove(stateOf(all[4].space).me().index))
			twin.do(step.Remove(stateOf(all[3].space).me().index))
			n.settle()
			for _, x := range all[:3] {
				require.Equal(t, founder.rootID(), x.rootID(), x.name)
				require.Len(t, x.members(), 3, x.name)
			}
			for range 2 {
				n.now = n.now.Add(time.Hour)
				n.settle()
			}
			for _, x := range all[:3] {
				require.EqualValues(t, 2, x.gen(), x.name)
				x.restart()
			}
			n.forget()
			for _, x := range all[:3] {
				x.send("from " + x.name)
			}
			n.settle()
			for _, x := range all[:3] {
				require.Len(t, x.texts(), 2, x.name)
			}
			for _, x := range all[3:] {
				require.Equal(t, Removed, x.phase(), x.name)
				require.Empty(t, x.texts(), x.name)
			}
		})
	}
}

// A rekey in which anything was changed moves nobody, and keeps nobody from following the right one.
func TestAlteredRekey(t *testing.T) {
	n, all := five(t, 73)
	m := all[1]
	var frames [][]byte
	n.lose = func(x *node, f []byte) bool {
		if x == m && f[0] == 0x21 {
			frames = append(frames, f)
			return true
		}
		return false
	}
	all[0].do(step.Rekey())
	n.lose = nil
	require.Len(t, frames, 1)
	for range 40 {
		f := append([]byte(nil), frames[0]...)
		f[1+n.rng.IntN(len(f)-1)] ^= 1 << n.rng.IntN(8)
		m.mailbox = append(m.mailbox, newIncoming(state.Frame{Data: f}))
	}
	m.sync()
	require.EqualValues(t, 0, m.gen())
	require.Equal(t, Member, m.phase())
	m.receive(newIncoming(state.Frame{Data: frames[0]}))
	require.EqualValues(t, 1, m.gen())
}
