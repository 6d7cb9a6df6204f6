package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// TestToldGeneration: an epoch whose commit was signed for another generation than that below its parent is never derived, since nobody who
// gets the commit by a message derives it.
func TestToldGeneration(t *testing.T) {
	for _, held := range []bool{true, false} {
		g := newGroup(t)
		a, m, j := g.member(1), g.member(2), g.member(3)
		first := a.say(true)
		require.NoError(t, m.read(first))
		if held {
			require.NoError(t, j.read(first))
		}
		p, _ := m.f.Epoch(first.epoch)
		const lead = 50
		core, ss, err := proto.NewCore(g.space, p.id, g.root.Public, m.share)
		require.NoError(t, err)
		place := core.Place(g.space, p.id, p.generation+lead)
		values, _ := p.values(p.path(2, place))
		keys := proto.DeriveKeys(proto.EpochSecret(values[0].Value, ss), place)
		commit := core.Sign(g.sign[2], g.space, p.id, p.generation+lead, keys.Check(place))
		var e TicketEpoch
		e.ID, e.Root, e.Place, e.Check, e.Maker = proto.ByCommit.ID(place, commit.Check), g.root.ID, place, commit.Check, g.sign[2].Public
		e.Parent, e.Generation, e.Commit, e.Readable = p.id, p.generation+lead, commit, true
		e.HeaderCheck, e.Header, e.CommitKey, e.Authenticator = keys.HeaderCheck(place), keys.Header, keys.Commit, keys.Authenticator
		e.CommitTree = newEpoch(meta{depth: g.root.Depth, place: place}, keys).commits.tree
		e.SenderTree = newEpoch(meta{depth: g.root.Depth, place: place}, keys).senders.frontier(g.root.Depth)
		j.merge(Ticket{Epochs: []TicketEpoch{e}, Issuer: 2, Counter: 1})
		if !held {
			require.NoError(t, j.read(first))
		} else {
			require.NoError(t, m.read(a.say(true)))
			m.commit(p.id)
			for c := range m.f.All() {
				if c.parent == p.id && c.maker.Index == 2 {
					require.NoError(t, j.read(m.send(c.id)))
				}
			}
		}
		x, _ := j.f.Epoch(e.ID)
		require.True(t, x.misled && !x.derived, "parent held: %v", held)
		require.NotEqual(t, e.ID, j.preferred().id)
		require.NoError(t, a.read(j.say(true)))
		newDisk(t, j.f).load(g.space)
	}
}
