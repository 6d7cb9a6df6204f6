package ratchet_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
)

// liars are the ways in which an insider may answer a request so that whoever believes it is alone.
var liars = map[string]func(insider ratchet.Space, told []ratchet.Told) []ratchet.Told{
	"a child of the true epoch, with other keys": func(s ratchet.Space, told []ratchet.Told) []ratchet.Told {
		return append([]ratchet.Told{told[0].Below(s, told[0].ID, told[0].Generation+1)}, told...)
	},
	"a child without its parent": func(s ratchet.Space, told []ratchet.Told) []ratchet.Told {
		return []ratchet.Told{told[0].Below(s, told[0].ID, told[0].Generation+1)}
	},
	"a chain of children": func(s ratchet.Space, told []ratchet.Told) []ratchet.Told {
		one := told[0].Below(s, told[0].ID, told[0].Generation+1)
		two := one.Below(s, one.ID, one.Generation+1)
		return append([]ratchet.Told{two, one}, told...)
	},
	"a child of nothing, far ahead": func(s ratchet.Space, told []ratchet.Told) []ratchet.Told {
		return []ratchet.Told{told[0].Below(s, [32]byte{1}, told[0].Generation+1000)}
	},
	"a child of the true epoch, far ahead": func(s ratchet.Space, told []ratchet.Told) []ratchet.Told {
		return []ratchet.Told{told[0].Below(s, told[0].ID, told[0].Generation+1000)}
	},
	"true epochs with other keys": func(s ratchet.Space, told []ratchet.Told) []ratchet.Told {
		for i := range told {
			told[i] = told[i].FalseKey().FalseTree()
		}
		return told
	},
	"true epochs with other trees": func(s ratchet.Space, told []ratchet.Told) []ratchet.Told {
		for i := range told {
			told[i] = told[i].FalseTree()
		}
		return told
	},
	"true epochs from which nobody can commit": func(s ratchet.Space, told []ratchet.Told) []ratchet.Told {
		for i := range told {
			told[i] = told[i].NoTree()
		}
		return told
	},
}

// G25, §12: one insider that lies in a ticket shuts its recipient out until the next honest one, which is believed whatever
// came before: another answer to the same request, or to a later one.
func TestHonestTicketWins(t *testing.T) {
	t.Parallel()
	heard := func(t *testing.T, g *group, v *peer, text string) {
		t.Helper()
		g.deliver(g.send(v, text), g.others(v)...)
		for _, p := range []*peer{g.peers[0], g.peers[1]} {
			require.Contains(t, p.read, text, p.name)
			answer := "to " + text + " by " + p.name
			g.deliver(g.send(p, answer), g.others(p)...)
			require.Contains(t, v.read, answer)
		}
	}
	alone := func(g *group, v *peer) { // it may be unable to send at all
		if next, e, err := ratchet.Encrypt(v.space, g.now, []byte("alone")); err == nil {
			v.space = next
			g.deliver(e, g.peers[2])
		}
	}
	for name, lie := range liars {
		for _, same := range []bool{true, false} {
			t.Run(fmt.Sprint(name, "/joiner/same request ", same), func(t *testing.T) {
				t.Parallel()
				g := newGroup(t, 3, fast)
				for range 6 {
					g.commit(g.peers[0], "", g.peers...)
				}
				insider := g.peers[2].space
				v := &peer{name: "v"}
				s, q, err := ratchet.Join(g.grant(), g.now, nil)
				require.NoError(t, err)
				v.space = s
				honest := g.admit(g.peers[1], q)
				g.enter(v, ratchet.Lie(insider, q, func(told []ratchet.Told) []ratchet.Told { return lie(insider, told) }))
				alone(g, v)
				g.peers = append(g.peers, v)
				if !same {
					g.commit(g.peers[1], "", g.peers[:3]...)
					honest = g.admit(g.peers[1], g.ask(v))
				}
				g.enter(v, honest)
				heard(t, g, v, "I am in")
			})
			t.Run(fmt.Sprint(name, "/member/same request ", same), func(t *testing.T) {
				t.Parallel()
				g := newGroup(t, 3, fast)
				g.rounds(1)
				v, insider := g.peers[1], g.peers[2]
				g.commit(g.peers[0], "", g.peers[0], insider) // v lacks two epochs
				g.commit(g.peers[0], "", g.peers[0], insider)
				g.peers[1] = join(g, v)
				q := g.ask(v)
				honest := g.admit(g.peers[0], q)
				ticket := ratchet.Lie(insider.space, q, func(told []ratchet.Told) []ratchet.Told { return lie(insider.space, told) })
				if next, err := ratchet.Enter(v.space, g.now, ticket); err == nil {
					v.space = next
					alone(g, v)
				}
				if !same {
					honest = g.admit(g.peers[0], g.ask(v))
				}
				g.enter(v, honest)
				g.peers = append(g.peers, v)
				heard(t, g, v, "I am back")
			})
		}
	}
}

// join lets one more member in, of whom v knows nothing, and returns it.
func join(g *group, v *peer) *peer {
	g.t.Helper()
	j := &peer{name: "j"}
	s, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(g.t, err)
	j.space = s
	g.enter(j, g.admit(g.peers[0], q))
	g.deliver(g.send(j, ""), g.others(v)...)
	return j
}

// What is false beyond doubt is refused: a true epoch under another generation, which its id says, an epoch that its maker
// did not make, and another key than that which one derives oneself, if the ticket has the parent right or the member was
// never merely told of what it derives it from.
func TestLiesInTickets(t *testing.T) {
	for victim, name := range []string{"founder", "joiner"} {
		g := newGroup(t, 4, fast)
		v, honest, insider := g.peers[victim], g.peers[2], g.peers[3]
		g.commit(honest, "", insider)
		g.commit(honest, "", insider)
		q := g.ask(v)
		for lie, change := range map[string]func(told []ratchet.Told){
			"generation":      func(told []ratchet.Told) { told[0].Generation += 1000 },
			"no proof":        func(told []ratchet.Told) { told[0] = told[0].Unproven(insider.space) },
			"other key":       func(told []ratchet.Told) { told[1] = told[1].FalseKey() },
			"not the first":   func(told []ratchet.Told) { told[0], told[1] = told[1], told[0] },
			"not the parent":  func(told []ratchet.Told) { told[0] = told[0].Below(insider.space, told[2].ID, 100) },
			"only other key":  func(told []ratchet.Told) { told[0] = told[1].FalseKey() },
			"key of one held": func(told []ratchet.Told) { told[2] = told[2].FalseKey() },
		} {
			certain := lie == "only other key" || lie == "key of one held"
			if certain && victim != 0 {
				continue
			}
			t.Run(name+"/"+lie, func(t *testing.T) {
				ticket := ratchet.Lie(insider.space, q, func(told []ratchet.Told) []ratchet.Told {
					change(told)
					if lie == "only other key" || lie == "generation" {
						told = told[:1]
					}
					return told
				})
				next, err := ratchet.Enter(v.space, g.now, ticket)
				require.ErrorIs(t, err, ratchet.ErrForged)
				require.True(t, v.space.Equal(next))
			})
		}
		g.enter(v, g.admit(honest, q))
	}
}

// An epoch of which only an earlier ticket told gives way to an honest ticket that does not name it, whether or not it can be
// proved false: here its name is that of a true epoch, which the issuer has left behind.
func TestToldByNobodyElse(t *testing.T) {
	g := newGroup(t, 3, fast)
	honest, insider := g.peers[0], g.peers[2]
	x := ratchet.Info(honest.space).Epoch
	insider.space = ratchet.Committing(insider.space)
	e := g.send(insider, "a true epoch")
	left := ratchet.Info(insider.space).Epoch
	for range 2 {
		g.commit(honest, "", g.peers[1])
	}
	g.deliver(e, honest)
	s, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	v := &peer{name: "v", space: s}
	g.admit(honest, q)
	g.enter(v, ratchet.Lie(insider.space, q, func(told []ratchet.Told) []ratchet.Told {
		told[0] = told[0].FalseTree()
		for range 4 {
			told = append([]ratchet.Told{told[0].Below(insider.space, told[0].ID, told[0].Generation+1)}, told...)
		}
		require.Equal(t, left, told[4].ID)
		require.Equal(t, x, told[5].ID)
		return told
	}))
	g.send(v, "alone")
	g.enter(v, ratchet.Lie(honest.space, g.ask(v), func(told []ratchet.Told) (out []ratchet.Told) {
		for _, e := range told {
			if e.ID != left {
				out = append(out, e)
			}
		}
		require.Len(t, out, len(told)-1)
		return out
	}))
	g.deliver(g.send(v, "I am in"), honest)
	require.Contains(t, honest.read, "I am in")
}

// The insider whose ticket made a member alone can have the others enter the member's commit as it should have been. Then an
// honest ticket names an epoch that the member has with other keys. It is heard again all the same.
func TestOneNameTwoSecrets(t *testing.T) {
	g := newGroup(t, 3, fast)
	honest, insider := g.peers[0], g.peers[2]
	s, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	v := &peer{name: "v", space: s}
	g.admit(honest, q)
	g.enter(v, ratchet.Lie(insider.space, q, func(told []ratchet.Told) []ratchet.Told {
		return liars["true epochs with other trees"](insider.space, told)
	}))
	alone := g.send(v, "alone")
	g.deliver(alone, g.peers...)
	insider.space = ratchet.Follow(insider.space, g.now, alone)
	g.deliver(g.send(insider, "here"), honest, g.peers[1])
	mine := ratchet.Info(v.space).Epoch
	theirs := ratchet.Info(honest.space).Epoch
	require.Equal(t, mine, theirs)
	require.NotContains(t, honest.read, "alone")
	g.enter(v, g.admit(honest, g.ask(v)))
	g.deliver(g.send(v, "not alone"), honest)
	require.Contains(t, honest.read, "not alone")
}
