package ratchet_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// A space lives in vaults: founding, joining, talking, with every device reopened from its store after every step (G1, G4,
// G8, G9).
func TestVaults(t *testing.T) {
	r := ratchettest.NewDevices(t)
	s, err := ratchet.NewSpace(r.Now, rules.Policy{}, []byte("alice"))
	require.NoError(t, err)
	alice := r.Add("alice", s)
	for i := range 3 {
		var made invite.Made
		alice.Do(step.NewInvite(invite.Private(0), &made))
		joining, request, err := ratchet.Join(made.Link, r.Now, fmt.Append(nil, "member ", i))
		require.NoError(t, err)
		r.Add(fmt.Sprint("d", i), joining, request)
		r.Run()
	}
	var want []string
	for i := range 12 {
		r.Now = r.Now.Add(11 * time.Hour)
		for k, d := range r.All {
			if (i+k)%2 == 0 {
				text := fmt.Sprint(d.Name, " ", i)
				want = append(want, text)
				d.Send(text)
			}
		}
		r.Run()
	}
	first := ratchet.Info(alice.Space())
	for _, d := range r.All {
		s := d.Space()
		require.Equal(t, ratchet.Member, ratchet.Info(s).Phase, d.Name)
		require.Len(t, ratchet.Members(s), 4)
		require.Equal(t, first.Authenticator, ratchet.Info(s).Authenticator, d.Name)
		others := slices.DeleteFunc(slices.Clone(want), func(text string) bool { return strings.HasPrefix(text, d.Name+" ") })
		require.ElementsMatch(t, others, d.Texts(), d.Name)
	}
	require.NotZero(t, first.Generation, "somebody committed")
}
