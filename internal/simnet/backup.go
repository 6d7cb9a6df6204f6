package simnet

import (
	"context"
	"maps"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// Backup is a copy of a member's device as of one moment.
type Backup struct {
	member *Member
	done   int
	read   int
	posts  int
	seq    uint64
	heard  map[*Member]int
	mail   []parcel
	held   map[[32]byte]*posting
}

// Backup remembers the device as it is now. The simulation's Options must allow it.
func (m *Member) Backup() Backup {
	j, ok := m.store.(*journal)
	require.True(m.net.t, ok, "Options.Backups")
	return Backup{
		m, len(j.done), len(m.Read), len(m.net.posts), m.seq, maps.Clone(m.heard), slices.Clone(m.mail), maps.Clone(m.held),
	}
}

// Restore replaces the device by an older copy: what it has read and sent since is gone there. The relay delivers again
// what was posted since.
func (m *Member) Restore(b Backup) {
	n := m.net
	n.t.Helper()
	require.Same(n.t, m, b.member)
	copied := &journal{Store: n.options.Store()}
	require.NoError(n.t, m.store.(*journal).copyTo(n.t.Context(), copied, b.done))
	m.store, m.seq, m.Read, m.heard = copied, b.seq, m.Read[:b.read:b.read], maps.Clone(b.heard)
	m.mute = true
	m.mail, m.held = slices.Clone(b.mail), maps.Clone(b.held)
	m.boot()
	m.redeliver()
	m.must(func(ctx context.Context, v *vault) error {
		return v.Update(ctx, m.id, func(tx *state.Tx[ratchet.Space]) error {
			next, err := ratchet.Restore(tx.Value(), n.now)
			tx.Set(next)
			return err
		})
	})
	for _, p := range n.posts[b.posts:] {
		m.mail = append(m.mail, parcel{p, n.step})
	}
	for _, t := range n.texts {
		delete(t.owed, m)
	}
	n.checks.restored[m] = true
	m.flush()
}
