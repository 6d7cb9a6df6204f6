package simnet

import (
	"maps"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
)

// Backup is a copy of a member's device as of one moment.
type Backup struct {
	member *Member
	done   int
	read   int
	posts  int
	heard  map[*Member]int
	mail   []parcel
	held   map[[32]byte]*posting
}

// Backup remembers the device as it is now. The simulation's Options must allow it.
func (m *Member) Backup() Backup {
	j, ok := m.Store.(*journal)
	require.True(m.net.t, ok, "Options.Backups")
	return Backup{
		m, len(j.done), len(m.Read), len(m.net.posts), maps.Clone(m.heard), slices.Clone(m.mail), maps.Clone(m.held),
	}
}

// Restore replaces the device by an older copy: what it has read and sent since is gone there. The relay delivers again
// what was posted since.
func (m *Member) Restore(b Backup) {
	n := m.net
	n.t.Helper()
	require.Same(n.t, m, b.member)
	copied := &journal{Store: n.options.Store()}
	require.NoError(n.t, m.Store.(*journal).copyTo(n.t.Context(), copied, b.done))
	m.Store, m.heard = copied, maps.Clone(b.heard)
	m.Rewind(b.read)
	m.voice++
	m.mail, m.held = slices.Clone(b.mail), maps.Clone(b.held)
	m.redeliver()
	m.Set(func(s ratchet.Space) (ratchet.Space, error) { return ratchet.Restore(s, m.Now()) })
	for _, p := range n.posts[b.posts:] {
		m.mail = append(m.mail, parcel{p, n.step})
	}
	for _, t := range n.texts {
		delete(t.owed, m)
	}
	n.checks.restored[m] = true
	m.flush()
}
