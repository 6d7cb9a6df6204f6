package trefoil_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
)

// Everybody is told of everything once, own messages included, under one ID.
func TestChat(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob, carol := w.device("alice").run(), w.device("bob").run(), w.device("carol").run()
		space := w.newSpace(alice, bob, carol)
		ids := []trefoil.EventID{alice.send(space, "from alice"), bob.send(space, "from bob"), carol.send(space, "from carol")}
		w.pass(time.Minute)
		for _, d := range []*device{alice, bob, carol} {
			require.ElementsMatch(t, []string{"from alice", "from bob", "from carol"}, d.read(), d.name)
			for _, m := range told[trefoil.Message](d) {
				require.Contains(t, ids, m.ID)
				require.Equal(t, string(m.Body) == "from "+d.name, m.Own)
				require.True(t, m.Verified)
			}
		}
		require.Len(t, told[trefoil.Arrived](alice), 2)
	})
}
