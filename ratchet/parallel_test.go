package ratchet

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
)

// receiveAll gives the peer many frames at once, and returns the receipts and how often they were given to the vault.
func (p *peer) receiveAll(frames []state.Frame) (receipts []state.Receipt, calls int) {
	receipts, err := Parallel(p.options(), func(o Options) ([]state.Receipt, error) {
		calls++
		return p.vault.ReceiveAll(p.Context(), p.id, frames, Opener(o))
	})
	require.NoError(p, err)
	p.drain()
	return receipts, calls
}

// What is read of frames is the same whether the signatures are checked one by one or in parallel: also of a
// frame that an insider wrote under the name of another member, first, in the middle or last in a commit. It costs the commit twice.
func TestParallel(t *testing.T) {
	for _, forged := range []int{-1, 0, 3, 5, 70} { // of 100 frames, in two commits
		t.Run(fmt.Sprint("forged ", forged), func(t *testing.T) {
			g := newGroup(t, 4, rules.Policy{})
			st := g.peers[2].state()
			me := st.me()
			me.signing = suite.NewSigningKey(me.signing.Public.Scheme())
			st.self = state.NewSegment(me)
			insider := g.newPeer(withState(g.peers[2].space(), st))
			var frames []state.Frame
			for k := range 100 {
				from := g.peers[k%2]
				if k == forged {
					from = insider
				}
				frames = append(frames, state.Frame{Source: fmt.Sprint(from.index), Data: from.send(fmt.Sprint(k))})
			}
			reader := g.peers[3]
			other := reader.backup()
			want := make([]state.Receipt, len(frames))
			for i, f := range frames {
				want[i] = other.receive(f.Data, f.Source)
			}
			got, calls := reader.receiveAll(frames)
			require.Equal(t, other.texts(), reader.texts())
			require.True(t, other.space().Equal(reader.space()))
			for i := range frames {
				require.Equal(t, want[i].Verdict, got[i].Verdict, "frame %d", i)
			}
			if forged < 0 {
				require.Equal(t, 1, calls)
				return
			}
			require.Equal(t, 2, calls)
			require.ErrorIs(t, got[forged].Reason, outcome.ErrForged)
		})
	}
}

// What a transaction does after a message was opened, and what was dealt with before a wrong signature was found: the one is not committed,
// the other is told.
func TestParallelWithMoreInATransaction(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	st := g.peers[1].state()
	me := st.me()
	me.signing = suite.NewSigningKey(me.signing.Public.Scheme())
	st.self = state.NewSegment(me)
	insider := g.newPeer(withState(g.peers[1].space(), st))
	reader := g.peers[2]
	frames := []state.Frame{{Data: g.peers[0].send("right")}, {Data: insider.send("wrong")}}
	receipts, err := Parallel(reader.options(), func(o Options) ([]state.Receipt, error) {
		return reader.vault.ReceiveAll(reader.Context(), reader.id, frames, func(tx *state.Tx[Space], f state.Frame) error {
			if err := Opener(o)(tx, f); err != nil {
				return err
			}
			return CaughtUp(o)(tx)
		})
	})
	require.NoError(t, err)
	reader.drain()
	require.Equal(t, []string{"right"}, reader.texts())
	require.Equal(t, state.Read, receipts[0].Verdict)
	require.ErrorIs(t, receipts[1].Reason, outcome.ErrForged)

	lost := [32]byte{1}
	got := dealtWith([]state.Receipt{{Verdict: state.Read, Acknowledge: [][32]byte{lost}}, {}},
		[]state.Receipt{{Verdict: state.Discard, Reason: state.ErrSeen}, {Verdict: state.Read}})
	require.Equal(t, []state.Receipt{{Verdict: state.Read, Acknowledge: [][32]byte{lost}}, {Verdict: state.Read}}, got)
}

// No check that was made holds the message whose signature it looked at.
func TestChecksLetGo(t *testing.T) {
	right := func() error { return nil }
	all := []func() error{right, right, right}
	require.True(t, (&checks{waiting: all}).hold())
	for _, check := range all {
		require.Nil(t, check)
	}
}

// A state that rests on a wrong signature succeeds none, also after the checks have ended.
func TestPresumedStateIsRefused(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	before := g.peers[0].state()
	next := before
	next.presumed = new(checks)
	next.presumed.begin(func() error { return nil })
	require.NoError(t, next.succeeds(before))
	next.presumed.begin(func() error { return suite.ErrInvalid })
	require.ErrorIs(t, next.succeeds(before), errPresumed)
	require.ErrorIs(t, next.succeeds(before), errPresumed)
}
