package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// rekeyFrom returns the root that a member makes below an epoch, and x.
func (m *member) rekeyFrom(at proto.EpochID) (RekeyRoot, secret.Bytes) {
	parent, ok := m.f.Epoch(at)
	require.True(m.t, ok)
	above, ok := m.f.Root(parent.Root())
	require.True(m.t, ok)
	r := RekeyRoot{Parent: at, Place: proto.Place(secret.Random(32).Expose())}
	r.Root = Root{Generation: above.Generation + 1, Depth: above.Depth, Public: dkg.NewPolynomial().Commitment()}
	x := secret.Random(suite.KeySize)
	keys, err := m.f.DealKeys(at, r.Place, x)
	require.NoError(m.t, err)
	r.Check = keys.Check(r.Place)
	r.ID = proto.ByRekey.ID(r.Place, r.Check)
	return r, x
}

func (m *member) enterRekey(r RekeyRoot, x secret.Bytes) error {
	next, _, err := m.f.Rekeyed(r, x, m.shares(), m.now)
	if err == nil {
		m.f = next
	}
	return err
}

// A root that a rekey makes is preferred by all who have x, from whatever epoch it was made, and its place is used up: a state
// that is seized afterwards does not give it again.
func TestRekeyIsPreferred(t *testing.T) {
	g := newGroup(t)
	all := g.members(3)
	late := all[2]
	for range 3 {
		msg := all[0].say(true)
		require.NoError(t, all[1].read(msg))
	}
	e := all[0].preferred().id
	r, x := all[0].rekeyFrom(e)
	require.NoError(t, all[0].enterRekey(r, x))
	ahead := all[1].say(true) // crosses it
	require.NoError(t, all[1].enterRekey(r, x))
	require.ErrorIs(t, late.enterRekey(r, x), ErrUnknown)
	for _, m := range all[:2] {
		require.Equal(t, r.ID, m.preferred().id)
		parent, _ := m.f.Epoch(e)
		require.False(t, parent.covers(parent.path(rekeyIndex, r.Place)))
		require.NoError(t, m.enterRekey(r, x), "known")
	}
	require.NoError(t, all[0].read(ahead), "the old root is read on")
	require.Equal(t, r.ID, all[0].preferred().id)
	require.NoError(t, late.read(ahead))
	require.NoError(t, late.enterRekey(r, x))
	require.Equal(t, r.ID, late.preferred().id)
}

// Who lacks x, or has another one, or another epoch, does not get the keys.
func TestRekeyNeedsBoth(t *testing.T) {
	g := newGroup(t)
	all := g.members(2)
	e := all[0].preferred().id
	r, x := all[0].rekeyFrom(e)
	require.ErrorIs(t, all[1].enterRekey(r, secret.Random(suite.KeySize)), ErrFalse)
	other := r
	other.Check[0] ^= 1
	require.ErrorIs(t, all[1].enterRekey(other, x), ErrFalse)
	require.Equal(t, e, all[1].preferred().id)
	require.NoError(t, all[1].enterRekey(r, x))
}

// Of two roots of one generation the one of the lower rank is preferred, then that of the smaller id; in any order of arrival. A barred
// one is not.
func TestRekeysOfOneGeneration(t *testing.T) {
	g := newGroup(t)
	all := g.members(3)
	e := all[0].preferred().id
	a, x := all[0].rekeyFrom(e)
	b, y := all[1].rekeyFrom(e)
	a.Rank = 1
	require.NoError(t, all[0].enterRekey(a, x))
	require.NoError(t, all[0].enterRekey(b, y))
	require.NoError(t, all[1].enterRekey(b, y))
	require.NoError(t, all[1].enterRekey(a, x))
	require.Equal(t, b.ID, all[0].preferred().id)
	require.Equal(t, b.ID, all[1].preferred().id)
	b.Barred = true
	all[0].f, _ = all[0].f.WithRoot(b.Root, g.now)
	require.Equal(t, a.ID, all[0].preferred().id)
}

// A root that a ticket told comes to be derived, with what was used in it, once its parent and x are there.
func TestToldRootIsDerived(t *testing.T) {
	g := newGroup(t)
	all := g.members(3)
	first := all[0].say(true)
	r, x := all[0].rekeyFrom(all[0].preferred().id)
	require.NoError(t, all[0].enterRekey(r, x))
	inRoot := all[0].send(r.ID)
	m := all[1]
	m.f, _ = m.f.WithRoot(r.Root, g.now)
	q := TicketQuery{LastRead: all[0].last}
	epochs, _ := all[0].f.ForTicket(q)
	told := Ticket{Issuer: 1, Counter: 1, Epochs: epochs}
	for _, e := range told.Epochs {
		require.Equal(t, r.ID, e.Root, "a ticket tells one root")
	}
	m.f, _ = m.f.Merge(told, m.shares(), g.now)
	require.Equal(t, r.ID, m.preferred().id)
	require.False(t, m.preferred().Derived())
	require.NoError(t, m.read(first))
	require.NoError(t, m.enterRekey(r, x))
	require.True(t, m.preferred().Derived())
	require.NoError(t, m.read(inRoot))
	require.Error(t, m.read(inRoot), "once")
}
