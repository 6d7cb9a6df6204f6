package ratchet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// ask posts a request for a ticket, two hours after what was before.
func ask(g *ratchettest.Group, p *ratchettest.Peer) []byte {
	g.T.Helper()
	g.Now = g.Now.Add(2 * time.Hour)
	next, q, err := ratchet.AskResync(p.Space, g.Now)
	require.NoError(g.T, err)
	p.Space = next
	return q
}

// commit lets a member send a message that brings a commit.
func commit(g *ratchettest.Group, p *ratchettest.Peer, text string, to ...*ratchettest.Peer) {
	g.T.Helper()
	p.Space = ratchet.Committing(p.Space)
	g.Deliver(g.Send(p, text), to...)
}

// G16, §12: the key to the tickets of a request is erased in bounded time, whatever they say and whether or not one comes.
// Who records them and what follows, and seizes the state later, opens nothing.
func TestTicketKeyErased(t *testing.T) {
	prune := func(g *ratchettest.Group, p *ratchettest.Peer, d time.Duration) {
		g.Now = g.Now.Add(d)
		next, err := ratchet.Prune(p.Space, g.Now)
		require.NoError(t, err)
		p.Space = next
	}
	setup := func() (*ratchettest.Group, *ratchettest.Peer, []byte) {
		g := ratchettest.NewGroup(t, 3, ratchettest.Small)
		g.Rounds(1)
		v := g.Peers[2]
		return g, v, ask(g, v)
	}
	t.Run("told nothing, another heard", func(t *testing.T) {
		g, v, q := setup()
		g.Enter(v, g.Admit(g.Peers[1], q))
		g.Deliver(g.Send(g.Peers[1], "issuer"), v)
		require.True(t, ratchet.TicketKeyHeld(v.Space))
		g.Deliver(g.Send(g.Peers[0], "another"), v)
		require.False(t, ratchet.TicketKeyHeld(v.Space))
	})
	t.Run("told nothing, a day later", func(t *testing.T) {
		g, v, q := setup()
		g.Enter(v, g.Admit(g.Peers[1], q))
		prune(g, v, 23*time.Hour)
		require.True(t, ratchet.TicketKeyHeld(v.Space))
		prune(g, v, time.Hour)
		require.False(t, ratchet.TicketKeyHeld(v.Space))
	})
	t.Run("unanswered", func(t *testing.T) {
		g, v, _ := setup()
		prune(g, v, 6*24*time.Hour)
		require.True(t, ratchet.TicketKeyHeld(v.Space))
		prune(g, v, 24*time.Hour)
		require.False(t, ratchet.TicketKeyHeld(v.Space))
	})
}

// A member that is in step and lacks somebody's introduction gets it with a ticket (§9, G12).
func TestTicketInStepIntroduces(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	p1, p2, v := g.Peers[0], g.Peers[1], g.Peers[2]
	j := &ratchettest.Peer{Name: "j"}
	s, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	j.Space = s
	g.Enter(j, g.Admit(p1, q))
	g.Deliver(g.Send(j, ""), p1, p2)
	commit(g, p2, "both epochs", p1, v, j)
	g.Send(j, "its first message there, lost")
	g.Deliver(g.Send(j, "unknown to v"), v)
	require.Len(t, v.Retained, 1)
	before := ratchet.Info(v.Space).Epoch
	g.Enter(v, g.Admit(p2, ask(g, v)))
	after := ratchet.Info(v.Space).Epoch
	require.Equal(t, before, after)
	require.Len(t, ratchet.Members(v.Space), 4)
	g.Deliver(g.Send(p2, ""), v)
	require.Contains(t, v.Read, "unknown to v")
}

// G12: a member that is some epochs behind reads what is on its way to it, also if a ticket comes first.
func TestTicketBeforeMessages(t *testing.T) {
	for _, epochs := range []int{1, 2, 4, 7} {
		t.Run(fmt.Sprint(epochs), func(t *testing.T) {
			g := ratchettest.NewGroup(t, 3, ratchettest.Small)
			p1, p2, v := g.Peers[0], g.Peers[1], g.Peers[2]
			var late [][]byte
			var want []string
			for i := range epochs {
				maker := []*ratchettest.Peer{p1, p2}[i%2]
				maker.Space = ratchet.Committing(maker.Space)
				for k := range 3 {
					want = append(want, fmt.Sprint(i, ".", k))
					e := g.Send(maker, want[len(want)-1])
					late = append(late, e)
					g.Deliver(e, g.Others(maker, v)...)
				}
			}
			g.Enter(v, g.Admit(p1, ask(g, v)))
			g.Deliver(g.Send(v, "here I am"), p1, p2)
			for i := range late {
				g.Deliver(late[len(late)-1-i], v)
			}
			g.RequireRead(v, want...)
			g.Rounds(2)
			g.RequireConverged()
		})
	}
}

// G12: a ticket by a member that lags makes nobody lose what others went on with. The recipient sends where the issuer is,
// reads the others where they are, and is with them again after one more ticket.
func TestTicketOfALaggard(t *testing.T) {
	g := ratchettest.NewGroup(t, 4, ratchettest.Small)
	w, lags, v := g.Peers[1], g.Peers[2], g.Peers[3]
	commit(g, v, "one", w)
	commit(g, w, "two", v)
	g.Enter(v, g.Admit(lags, ask(g, v)))
	commit(g, w, "three")
	w.Space = ratchettest.Stored(t, w.Space)
	commit(g, w, "four", v)
	require.Contains(t, v.Read, "four")
	require.True(t, ratchet.Due(v.Space, g.Now.Add(2*time.Hour)).Ask)
	g.Enter(v, g.Admit(w, ask(g, v)))
	v.Space = ratchettest.Stored(t, v.Space)
	g.Deliver(g.Send(v, "back"), g.Others(v)...)
	g.Rounds(3)
	g.RequireConverged()
	require.Contains(t, w.Read, "back")
	require.False(t, ratchet.Due(v.Space, g.Now.Add(2*time.Hour)).Ask)
}

// A member that went on alone, and asks, sends where the others are (§9).
func TestTicketToALoner(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	v, honest := g.Peers[0], g.Peers[1]
	for range 3 {
		commit(g, v, "lost", v)
	}
	g.Enter(v, g.Admit(honest, ask(g, v)))
	want := ratchet.Info(honest.Space).Epoch
	got := ratchet.Info(v.Space).Epoch
	require.Equal(t, want, got)
	g.Deliver(g.Send(v, "back"), honest)
	require.Contains(t, honest.Read, "back")
}

// A ticket by a member that has one branch of two changes nothing for a member that has both and prefers the other, also if
// they have parted long ago.
func TestTicketOfOneBranch(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	v, p2, p3 := g.Peers[0], g.Peers[1], g.Peers[2]
	for range 6 {
		commit(g, p2, "", v)
	}
	for range 7 {
		commit(g, p3, "", v)
	}
	want := ratchet.Info(p3.Space).Epoch
	got := ratchet.Info(v.Space).Epoch
	require.Equal(t, want, got)
	g.Enter(v, g.Admit(p2, ask(g, v)))
	got = ratchet.Info(v.Space).Epoch
	require.Equal(t, want, got)
	commit(g, p3, "more", v)
	want = ratchet.Info(p3.Space).Epoch
	got = ratchet.Info(v.Space).Epoch
	require.Equal(t, want, got)
}

// G16: what a member has read stays closed, also when a ticket tells it of an epoch whose next one the issuer has not
// entered.
func TestTicketReopensNothing(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	p1, lags := g.Peers[0], g.Peers[2]
	j := &ratchettest.Peer{Name: "j"}
	s, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	j.Space = s
	early, late := g.Admit(p1, q), g.Admit(lags, q)
	g.Enter(j, early)
	p1.Space = ratchet.Committing(p1.Space)
	e := g.Send(p1, "read")
	g.Deliver(e, j)
	g.RequireRead(j, "read")
	g.Enter(j, late)
	require.False(t, ratchet.Opens(j.Space, e))
	require.False(t, ratchet.Opens(ratchettest.Stored(t, j.Space), e))
}

// G12: of what only a ticket told can be read what is on its way there, once the commits that lead to it arrive, whether or
// not a message of the epochs between does.
func TestClaimedAndDerived(t *testing.T) {
	for name, first := range map[string]int{"between": 2, "within": 3, "held": -1} {
		t.Run(name, func(t *testing.T) {
			g := ratchettest.NewGroup(t, 3, ratchettest.Small)
			p1, p2, v := g.Peers[0], g.Peers[1], g.Peers[2]
			var sent [8][6][]byte // by p1 in each of its epochs; the ticket tells of the last 5
			for i := range sent {
				p1.Space = ratchet.Committing(p1.Space)
				for n := range sent[i] {
					sent[i][n] = g.Send(p1, fmt.Sprint(i, ".", n))
					g.Deliver(sent[i][n], p2)
				}
			}
			g.Enter(v, g.Admit(p1, ask(g, v)))
			g.Deliver(g.Send(v, "own commit below them"), p1, p2)
			g.Deliver(sent[5][5], v) // carries nothing
			require.Empty(t, v.Read)
			if first < 0 { // the commits come with a message that cannot be read yet
				next, err := ratchet.Hold(v.Space, g.Now, "mailbox", sent[2][0])
				require.NoError(t, err)
				v.Space = next
				g.Deliver(sent[5][4], v)
				g.RequireRead(v, "5.4", "5.5")
			} else {
				g.Deliver(sent[first][0], v)
				g.RequireRead(v, fmt.Sprint(first, ".0"), "5.5")
			}
			g.Rounds(2)
			v.Space = ratchettest.Stored(t, v.Space)
			g.RequireConverged()
		})
	}
}

// G16: a commit that leads to an epoch which only a ticket claimed is not kept once there is anything to be read below it, as
// it would open that again.
func TestToldStaysClosed(t *testing.T) {
	setup := func() (g *ratchettest.Group, v *ratchettest.Peer, above, claimed [32]byte, way []byte) {
		g = ratchettest.NewGroup(t, 3, ratchettest.Small)
		p1, p2, v := g.Peers[0], g.Peers[1], g.Peers[2]
		for i := range 8 {
			p1.Space = ratchet.Committing(p1.Space)
			above = claimed
			e := g.Send(p1, "")
			claimed = ratchet.Info(p1.Space).Epoch
			g.Deliver(e, p2)
			if i == 2 {
				way = e
			}
		}
		g.Enter(v, g.Admit(p1, ask(g, v)))
		return g, v, above, claimed, way
	}
	hold := func(g *ratchettest.Group, v *ratchettest.Peer, e []byte) {
		next, err := ratchet.Hold(v.Space, g.Now, "mailbox", e)
		require.NoError(t, err)
		v.Space = next
	}
	t.Run("read before", func(t *testing.T) {
		g, v, above, claimed, way := setup()
		commit(g, g.Peers[1], "below it", v)
		g.RequireRead(v, "below it")
		hold(g, v, way)
		require.True(t, ratchet.Leads(v.Space, above))
		require.False(t, ratchet.Leads(v.Space, claimed))
	})
	t.Run("made after", func(t *testing.T) {
		g, v, above, claimed, way := setup()
		hold(g, v, way)
		require.True(t, ratchet.Leads(v.Space, claimed))
		g.Send(v, "below it")
		require.True(t, ratchet.Leads(v.Space, above))
		require.False(t, ratchet.Leads(v.Space, claimed))
	})
}
