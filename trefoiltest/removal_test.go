package trefoiltest_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/trefoiltest"
)

// Two join at the same moment, and one of them is removed soon: what it committed first may have lost, and no notice ever listed it. It is
// told all the same, and can send nothing.
func TestRemovedSoonAfterJoiningIsTold(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := trefoiltest.New(t, seed)
			ann, bob, eve := w.Device("Ann"), w.Device("Bob"), w.Device("Eve")
			space := w.Space(ann)
			first, second := ann.Invite(space), ann.Invite(space)
			bob.Join(first)
			eve.Join(second)
			w.Settle()
			ann.Send(space, "hello")
			w.Settle()
			at, err := eve.Client.Space(space).Status(t.Context())
			require.NoError(t, err)
			require.NoError(t, ann.Client.Space(space).Remove(t.Context(), at.Index))
			w.Settle()
			w.Advance(27 * time.Hour)
			require.Len(t, trefoiltest.Told[event.Removed](eve), 1)
			_, err = eve.Client.Space(space).Send(t.Context(), []byte("of Eve"))
			require.True(t, errors.Is(err, ratchet.ErrRemoved), err)
			bob.Send(space, "of Bob")
			w.Settle()
			require.Equal(t, []string{"hello", "of Bob"}, ann.Read(space))
		})
	}
}
