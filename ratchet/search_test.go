package ratchet

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// unreadable is a store that gives no retained frame.
type unreadable struct{ store.Store }

var errUnreadable = errors.New("the disk does not answer")

func (unreadable) Frames(context.Context, store.Kind, store.ID, ...[32]byte) ([]store.FrameRecord, error) {
	return nil, errUnreadable
}

// A search that cannot load a retained frame because the store fails ends Maintain, and gives up nothing.
func TestSearchWithAStoreThatFails(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	a, b, c := g.peers[0], g.peers[1], g.peers[2]
	commits := func(p *peer, text string) []byte {
		require.NoError(t, p.update(func(tx *state.Tx[Space]) error {
			d, err := newEdit(tx.Value(), p.now, p.options())
			require.NoError(t, err)
			d.st.rhythm.commit = true
			require.NoError(t, d.say(inner(text)))
			d.leave(tx, p.options())
			return nil
		}))
		return p.take()[0]
	}
	commits(b, "lost")
	commits(b, "lost")
	for range 7 {
		b.send("lost")
	}
	require.Equal(t, state.Retain, c.receive(b.send("below two commits that are not known"), "2").Verdict)
	c.receive(commits(a, "another epoch"), "1")
	require.True(t, Due(c.space(), c.now).Search)

	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	failing, err := state.Open[Space](context.Background(), unreadable{c.store}, key, state.Options{ForgetEvery: -1})
	require.NoError(t, err)
	require.ErrorIs(t, failing.Update(context.Background(), c.id, Maintain(c.options())), errUnreadable)
	p, err := c.vault.Pending(context.Background(), c.id)
	require.NoError(t, err)
	require.Equal(t, 1, p.Retained)
}
