package ratchet_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
)

// A space lives in vaults: founding, joining, talking, with every device reopened from its store after every step (G1, G4,
// G8, G9).
func TestVaults(t *testing.T) {
	t.Parallel()
	r := ratchettest.NewDevices(t)
	s, err := ratchet.NewSpace(r.Now, ratchet.Policy{})
	require.NoError(t, err)
	alice := r.Add("alice", s)
	var want []string
	for i := range 4 {
		var grant ratchet.Grant
		alice.Update(func(tx *state.Tx[ratchet.Space]) error {
			next, g, err := ratchet.NewGrant(tx.Value(), r.Now, dkg.Private)
			tx.Set(next)
			grant = g
			return err
		})
		joined, q, err := ratchet.Join(grant, r.Now, []byte(fmt.Sprint("member ", i)))
		require.NoError(t, err)
		r.Add(fmt.Sprint("d", i), joined, q)
		r.Run()
		r.Now = r.Now.Add(10 * time.Minute)
	}
	for i := range 30 {
		r.Now = r.Now.Add(5 * time.Hour)
		for k, d := range r.All {
			if (i+k)%2 == 0 {
				text := fmt.Sprint(d.Name, " ", i)
				want = append(want, text)
				d.Send(text)
			}
		}
		r.Run()
	}
	var epoch [32]byte
	for i, d := range r.All {
		s := d.Space()
		require.Equal(t, ratchet.Member, ratchet.Info(s).Phase, d.Name)
		require.Len(t, ratchet.Members(s), 5)
		id := ratchet.Info(s).Epoch
		if i > 0 {
			require.Equal(t, epoch, id, d.Name)
		}
		epoch = id
		own := slices.DeleteFunc(slices.Clone(want), func(text string) bool { return len(text) > len(d.Name) && text[:len(d.Name)] == d.Name })
		require.ElementsMatch(t, own, d.Read, d.Name)
	}
}
