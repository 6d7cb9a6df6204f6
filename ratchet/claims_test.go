package ratchet_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// liars are the ways in which an insider may answer a request so that whoever believes it is alone.
var liars = map[string]func(insider ratchet.Space, claims []ratchet.Claim) []ratchet.Claim{
	"a child of the true epoch, with other keys": func(s ratchet.Space, claims []ratchet.Claim) []ratchet.Claim {
		return append([]ratchet.Claim{claims[0].Below(s, claims[0].ID, claims[0].Generation+1)}, claims...)
	},
	"a child without its parent": func(s ratchet.Space, claims []ratchet.Claim) []ratchet.Claim {
		return []ratchet.Claim{claims[0].Below(s, claims[0].ID, claims[0].Generation+1)}
	},
	"a chain of children": func(s ratchet.Space, claims []ratchet.Claim) []ratchet.Claim {
		one := claims[0].Below(s, claims[0].ID, claims[0].Generation+1)
		two := one.Below(s, one.ID, one.Generation+1)
		return append([]ratchet.Claim{two, one}, claims...)
	},
	"a child of nothing, far ahead": func(s ratchet.Space, claims []ratchet.Claim) []ratchet.Claim {
		return []ratchet.Claim{claims[0].Below(s, [32]byte{1}, claims[0].Generation+1000)}
	},
	"a child of the true epoch, far ahead": func(s ratchet.Space, claims []ratchet.Claim) []ratchet.Claim {
		return []ratchet.Claim{claims[0].Below(s, claims[0].ID, claims[0].Generation+1000)}
	},
	"true epochs with other keys": func(s ratchet.Space, claims []ratchet.Claim) []ratchet.Claim {
		for i := range claims {
			claims[i] = claims[i].FalseKey().FalseTree()
		}
		return claims
	},
	"true epochs with other trees": func(s ratchet.Space, claims []ratchet.Claim) []ratchet.Claim {
		for i := range claims {
			claims[i] = claims[i].FalseTree()
		}
		return claims
	},
	"true epochs from which nobody can commit": func(s ratchet.Space, claims []ratchet.Claim) []ratchet.Claim {
		for i := range claims {
			claims[i] = claims[i].NoTree()
		}
		return claims
	},
}

// G25, §12: one insider that lies in a ticket shuts its recipient out until the next honest one, which is believed whatever
// came before: another answer to the same request, or to a later one.
func TestHonestTicketWins(t *testing.T) {
	t.Parallel()
	heard := func(t *testing.T, g *ratchettest.Group, v *ratchettest.Peer, text string) {
		t.Helper()
		g.Deliver(g.Send(v, text), g.Others(v)...)
		for _, p := range []*ratchettest.Peer{g.Peers[0], g.Peers[1]} {
			require.Contains(t, p.Read, text, p.Name)
			answer := "to " + text + " by " + p.Name
			g.Deliver(g.Send(p, answer), g.Others(p)...)
			require.Contains(t, v.Read, answer)
		}
	}
	alone := func(g *ratchettest.Group, v *ratchettest.Peer) { // it may be unable to send at all
		if next, e, err := ratchet.Encrypt(v.Space, g.Now, []byte("alone")); err == nil {
			v.Space = next
			g.Deliver(e, g.Peers[2])
		}
	}
	for name, lie := range liars {
		for _, same := range []bool{true, false} {
			t.Run(fmt.Sprint(name, "/joiner/same request ", same), func(t *testing.T) {
				t.Parallel()
				g := ratchettest.NewGroup(t, 3, ratchettest.Small)
				for range 6 {
					commit(g, g.Peers[0], "", g.Peers...)
				}
				insider := g.Peers[2].Space
				v := &ratchettest.Peer{Name: "v"}
				s, q, err := ratchet.Join(g.Grant(), g.Now, nil)
				require.NoError(t, err)
				v.Space = s
				honest := g.Admit(g.Peers[1], q)
				g.Enter(v, ratchet.Lie(insider, q, func(claims []ratchet.Claim) []ratchet.Claim { return lie(insider, claims) }))
				alone(g, v)
				g.Peers = append(g.Peers, v)
				if !same {
					commit(g, g.Peers[1], "", g.Peers[:3]...)
					honest = g.Admit(g.Peers[1], ask(g, v))
				}
				g.Enter(v, honest)
				heard(t, g, v, "I am in")
			})
			t.Run(fmt.Sprint(name, "/member/same request ", same), func(t *testing.T) {
				t.Parallel()
				g := ratchettest.NewGroup(t, 3, ratchettest.Small)
				g.Rounds(1)
				v, insider := g.Peers[1], g.Peers[2]
				commit(g, g.Peers[0], "", g.Peers[0], insider) // v lacks two epochs
				commit(g, g.Peers[0], "", g.Peers[0], insider)
				g.Peers[1] = join(g, v)
				q := ask(g, v)
				honest := g.Admit(g.Peers[0], q)
				ticket := ratchet.Lie(insider.Space, q, func(claims []ratchet.Claim) []ratchet.Claim { return lie(insider.Space, claims) })
				if next, err := ratchet.Enter(v.Space, g.Now, ticket); err == nil {
					v.Space = next
					alone(g, v)
				}
				if !same {
					honest = g.Admit(g.Peers[0], ask(g, v))
				}
				g.Enter(v, honest)
				g.Peers = append(g.Peers, v)
				heard(t, g, v, "I am back")
			})
		}
	}
}

// join lets one more member in, of whom v knows nothing, and returns it.
func join(g *ratchettest.Group, v *ratchettest.Peer) *ratchettest.Peer {
	g.T.Helper()
	j := &ratchettest.Peer{Name: "j"}
	s, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(g.T, err)
	j.Space = s
	g.Enter(j, g.Admit(g.Peers[0], q))
	g.Deliver(g.Send(j, ""), g.Others(v)...)
	return j
}

// What is false beyond doubt is refused: a true epoch under another generation, which its id says, an epoch that its maker
// did not make, and another key than that which one derives oneself, if the ticket has the parent right or the member was
// never merely told of what it derives it from.
func TestLiesInTickets(t *testing.T) {
	for victim, name := range []string{"founder", "joiner"} {
		g := ratchettest.NewGroup(t, 4, ratchettest.Small)
		v, honest, insider := g.Peers[victim], g.Peers[2], g.Peers[3]
		commit(g, honest, "", insider)
		commit(g, honest, "", insider)
		q := ask(g, v)
		for lie, change := range map[string]func(claims []ratchet.Claim){
			"generation":      func(claims []ratchet.Claim) { claims[0].Generation += 1000 },
			"no proof":        func(claims []ratchet.Claim) { claims[0] = claims[0].Unproven(insider.Space) },
			"other key":       func(claims []ratchet.Claim) { claims[1] = claims[1].FalseKey() },
			"not the first":   func(claims []ratchet.Claim) { claims[0], claims[1] = claims[1], claims[0] },
			"not the parent":  func(claims []ratchet.Claim) { claims[0] = claims[0].Below(insider.Space, claims[2].ID, 100) },
			"only other key":  func(claims []ratchet.Claim) { claims[0] = claims[1].FalseKey() },
			"key of one held": func(claims []ratchet.Claim) { claims[2] = claims[2].FalseKey() },
		} {
			certain := lie == "only other key" || lie == "key of one held"
			if certain && victim != 0 {
				continue
			}
			t.Run(name+"/"+lie, func(t *testing.T) {
				ticket := ratchet.Lie(insider.Space, q, func(claims []ratchet.Claim) []ratchet.Claim {
					change(claims)
					if lie == "only other key" || lie == "generation" {
						claims = claims[:1]
					}
					return claims
				})
				next, err := ratchet.Enter(v.Space, g.Now, ticket)
				require.ErrorIs(t, err, ratchet.ErrForged)
				require.True(t, v.Space.Equal(next))
			})
		}
		g.Enter(v, g.Admit(honest, q))
	}
}

// An epoch which only an earlier ticket claimed gives way to an honest ticket that does not name it, whether or not it can be
// proved false: here its name is that of a true epoch, which the issuer has left behind.
func TestClaimedByNobodyElse(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	honest, insider := g.Peers[0], g.Peers[2]
	x := ratchet.Info(honest.Space).Epoch
	insider.Space = ratchet.Committing(insider.Space)
	e := g.Send(insider, "a true epoch")
	left := ratchet.Info(insider.Space).Epoch
	for range 2 {
		commit(g, honest, "", g.Peers[1])
	}
	g.Deliver(e, honest)
	s, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	v := &ratchettest.Peer{Name: "v", Space: s}
	g.Admit(honest, q)
	g.Enter(v, ratchet.Lie(insider.Space, q, func(claims []ratchet.Claim) []ratchet.Claim {
		claims[0] = claims[0].FalseTree()
		for range 4 {
			claims = append([]ratchet.Claim{claims[0].Below(insider.Space, claims[0].ID, claims[0].Generation+1)}, claims...)
		}
		require.Equal(t, left, claims[4].ID)
		require.Equal(t, x, claims[5].ID)
		return claims
	}))
	g.Send(v, "alone")
	g.Enter(v, ratchet.Lie(honest.Space, ask(g, v), func(claims []ratchet.Claim) (out []ratchet.Claim) {
		for _, e := range claims {
			if e.ID != left {
				out = append(out, e)
			}
		}
		require.Len(t, out, len(claims)-1)
		return out
	}))
	g.Deliver(g.Send(v, "I am in"), honest)
	require.Contains(t, honest.Read, "I am in")
}

// The insider whose ticket made a member alone can have the others enter the member's commit as it should have been. Then an
// honest ticket names an epoch that the member has with other keys. It is heard again all the same.
func TestOneNameTwoSecrets(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	honest, insider := g.Peers[0], g.Peers[2]
	s, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	v := &ratchettest.Peer{Name: "v", Space: s}
	g.Admit(honest, q)
	g.Enter(v, ratchet.Lie(insider.Space, q, func(claims []ratchet.Claim) []ratchet.Claim {
		return liars["true epochs with other trees"](insider.Space, claims)
	}))
	alone := g.Send(v, "alone")
	g.Deliver(alone, g.Peers...)
	insider.Space = ratchet.Follow(insider.Space, g.Now, alone)
	g.Deliver(g.Send(insider, "here"), honest, g.Peers[1])
	mine := ratchet.Info(v.Space).Epoch
	theirs := ratchet.Info(honest.Space).Epoch
	require.Equal(t, mine, theirs)
	require.NotContains(t, honest.Read, "alone")
	g.Enter(v, g.Admit(honest, ask(g, v)))
	g.Deliver(g.Send(v, "not alone"), honest)
	require.Contains(t, honest.Read, "not alone")
}
