package ratchet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
)

// ask posts a request for a ticket, two hours after what was before.
func (g *group) ask(p *peer) []byte {
	g.t.Helper()
	g.now = g.now.Add(2 * time.Hour)
	next, q, err := ratchet.AskResync(p.space, g.now)
	require.NoError(g.t, err)
	p.space = next
	return q
}

// enter enters a ticket.
func (g *group) enter(p *peer, ticket []byte) {
	g.t.Helper()
	next, err := ratchet.Enter(p.space, g.now, ticket)
	require.NoError(g.t, err)
	p.space = next
}

// commit lets a member send a message that brings a commit.
func (g *group) commit(p *peer, text string, to ...*peer) {
	g.t.Helper()
	p.space = ratchet.Committing(p.space)
	g.deliver(g.send(p, text), to...)
}

// G16, §12: the key to the tickets of a request is erased in bounded time, whatever they say and whether or not one comes.
// Who records them and what follows, and seizes the state later, opens nothing.
func TestTicketKeyErased(t *testing.T) {
	prune := func(g *group, p *peer, d time.Duration) {
		g.now = g.now.Add(d)
		next, err := ratchet.Prune(p.space, g.now)
		require.NoError(t, err)
		p.space = next
	}
	setup := func() (*group, *peer, []byte) {
		g := newGroup(t, 3, fast)
		g.rounds(1)
		v := g.peers[2]
		return g, v, g.ask(v)
	}
	t.Run("told nothing, another heard", func(t *testing.T) {
		g, v, q := setup()
		g.enter(v, g.admit(g.peers[1], q))
		g.deliver(g.send(g.peers[1], "issuer"), v)
		require.True(t, ratchet.TicketKeyHeld(v.space))
		g.deliver(g.send(g.peers[0], "another"), v)
		require.False(t, ratchet.TicketKeyHeld(v.space))
	})
	t.Run("told nothing, a day later", func(t *testing.T) {
		g, v, q := setup()
		g.enter(v, g.admit(g.peers[1], q))
		prune(g, v, 23*time.Hour)
		require.True(t, ratchet.TicketKeyHeld(v.space))
		prune(g, v, time.Hour)
		require.False(t, ratchet.TicketKeyHeld(v.space))
	})
	t.Run("unanswered", func(t *testing.T) {
		g, v, _ := setup()
		prune(g, v, 6*24*time.Hour)
		require.True(t, ratchet.TicketKeyHeld(v.space))
		prune(g, v, 24*time.Hour)
		require.False(t, ratchet.TicketKeyHeld(v.space))
	})
}

// A member that is in step and lacks somebody's introduction gets it with a ticket (§9, G12).
func TestTicketInStepIntroduces(t *testing.T) {
	g := newGroup(t, 3, fast)
	p1, p2, v := g.peers[0], g.peers[1], g.peers[2]
	j := &peer{name: "j"}
	s, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	j.space = s
	g.enter(j, g.admit(p1, q))
	g.deliver(g.send(j, ""), p1, p2)
	g.commit(p2, "both epochs", p1, v, j)
	g.send(j, "its first message there, lost")
	g.deliver(g.send(j, "unknown to v"), v)
	require.Len(t, v.retained, 1)
	before := ratchet.Info(v.space).Epoch
	g.enter(v, g.admit(p2, g.ask(v)))
	after := ratchet.Info(v.space).Epoch
	require.Equal(t, before, after)
	require.Len(t, ratchet.Members(v.space), 4)
	g.deliver(g.send(p2, ""), v)
	require.Contains(t, v.read, "unknown to v")
}

// G12: a member that is some epochs behind reads what is on its way to it, also if a ticket comes first.
func TestTicketBeforeMessages(t *testing.T) {
	for _, epochs := range []int{1, 2, 4, 7} {
		t.Run(fmt.Sprint(epochs), func(t *testing.T) {
			g := newGroup(t, 3, fast)
			p1, p2, v := g.peers[0], g.peers[1], g.peers[2]
			var late [][]byte
			var want []string
			for i := range epochs {
				maker := []*peer{p1, p2}[i%2]
				maker.space = ratchet.Committing(maker.space)
				for k := range 3 {
					want = append(want, fmt.Sprint(i, ".", k))
					e := g.send(maker, want[len(want)-1])
					late = append(late, e)
					g.deliver(e, g.others(maker, v)...)
				}
			}
			g.enter(v, g.admit(p1, g.ask(v)))
			g.deliver(g.send(v, "here I am"), p1, p2)
			for i := range late {
				g.deliver(late[len(late)-1-i], v)
			}
			g.read(v, want...)
			g.rounds(2)
			g.converged()
		})
	}
}

// G12: a ticket by a member that lags makes nobody lose what others went on with. The recipient sends where the issuer is,
// reads the others where they are, and is with them again after one more ticket.
func TestTicketOfALaggard(t *testing.T) {
	g := newGroup(t, 4, fast)
	w, lags, v := g.peers[1], g.peers[2], g.peers[3]
	g.commit(v, "one", w)
	g.commit(w, "two", v)
	g.enter(v, g.admit(lags, g.ask(v)))
	g.commit(w, "three")
	w.space = stored(t, w.space)
	g.commit(w, "four", v)
	require.Contains(t, v.read, "four")
	require.True(t, ratchet.Due(v.space, g.now.Add(2*time.Hour)).Ask)
	g.enter(v, g.admit(w, g.ask(v)))
	v.space = stored(t, v.space)
	g.deliver(g.send(v, "back"), g.others(v)...)
	g.rounds(3)
	g.converged()
	require.Contains(t, w.read, "back")
	require.False(t, ratchet.Due(v.space, g.now.Add(2*time.Hour)).Ask)
}

// A member that went on alone, and asks, sends where the others are (§9).
func TestTicketToALoner(t *testing.T) {
	g := newGroup(t, 2, fast)
	v, honest := g.peers[0], g.peers[1]
	for range 3 {
		g.commit(v, "lost", v)
	}
	g.enter(v, g.admit(honest, g.ask(v)))
	want := ratchet.Info(honest.space).Epoch
	got := ratchet.Info(v.space).Epoch
	require.Equal(t, want, got)
	g.deliver(g.send(v, "back"), honest)
	require.Contains(t, honest.read, "back")
}

// A ticket by a member that has one branch of two changes nothing for a member that has both and prefers the other, also if
// they have parted long ago.
func TestTicketOfOneBranch(t *testing.T) {
	g := newGroup(t, 3, fast)
	v, p2, p3 := g.peers[0], g.peers[1], g.peers[2]
	for range 6 {
		g.commit(p2, "", v)
	}
	for range 7 {
		g.commit(p3, "", v)
	}
	want := ratchet.Info(p3.space).Epoch
	got := ratchet.Info(v.space).Epoch
	require.Equal(t, want, got)
	g.enter(v, g.admit(p2, g.ask(v)))
	got = ratchet.Info(v.space).Epoch
	require.Equal(t, want, got)
	g.commit(p3, "more", v)
	want = ratchet.Info(p3.space).Epoch
	got = ratchet.Info(v.space).Epoch
	require.Equal(t, want, got)
}

// G16: what a member has read stays closed, also when a ticket tells it of an epoch whose next one the issuer has not
// entered.
func TestTicketReopensNothing(t *testing.T) {
	g := newGroup(t, 3, fast)
	p1, lags := g.peers[0], g.peers[2]
	j := &peer{name: "j"}
	s, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	j.space = s
	early, late := g.admit(p1, q), g.admit(lags, q)
	g.enter(j, early)
	p1.space = ratchet.Committing(p1.space)
	e := g.send(p1, "read")
	g.deliver(e, j)
	g.read(j, "read")
	g.enter(j, late)
	require.False(t, ratchet.Opens(j.space, e))
	require.False(t, ratchet.Opens(stored(t, j.space), e))
}

// G12: of what only a ticket told can be read what is on its way there, once the commits that lead to it arrive, whether or
// not a message of the epochs between does.
func TestToldAndReached(t *testing.T) {
	for name, first := range map[string]int{"between": 2, "within": 3, "held": -1} {
		t.Run(name, func(t *testing.T) {
			g := newGroup(t, 3, fast)
			p1, p2, v := g.peers[0], g.peers[1], g.peers[2]
			var sent [8][6][]byte // by p1 in each of its epochs; the ticket tells of the last 5
			for i := range sent {
				p1.space = ratchet.Committing(p1.space)
				for n := range sent[i] {
					sent[i][n] = g.send(p1, fmt.Sprint(i, ".", n))
					g.deliver(sent[i][n], p2)
				}
			}
			g.enter(v, g.admit(p1, g.ask(v)))
			g.deliver(g.send(v, "own commit below them"), p1, p2)
			g.deliver(sent[5][5], v) // carries nothing
			require.Empty(t, v.read)
			if first < 0 { // the commits come with a message that cannot be read yet
				next, err := ratchet.Hold(v.space, g.now, "mailbox", sent[2][0])
				require.NoError(t, err)
				v.space = next
				g.deliver(sent[5][4], v)
				g.read(v, "5.4", "5.5")
			} else {
				g.deliver(sent[first][0], v)
				g.read(v, fmt.Sprint(first, ".0"), "5.5")
			}
			g.rounds(2)
			v.space = stored(t, v.space)
			g.converged()
		})
	}
}

// G16: a commit that leads to an epoch of which only a ticket told is not kept once there is anything to be read below it, as
// it would open that again.
func TestToldStaysClosed(t *testing.T) {
	setup := func() (g *group, v *peer, above, told [32]byte, way []byte) {
		g = newGroup(t, 3, fast)
		p1, p2, v := g.peers[0], g.peers[1], g.peers[2]
		for i := range 8 {
			p1.space = ratchet.Committing(p1.space)
			above = told
			e := g.send(p1, "")
			told = ratchet.Info(p1.space).Epoch
			g.deliver(e, p2)
			if i == 2 {
				way = e
			}
		}
		g.enter(v, g.admit(p1, g.ask(v)))
		return g, v, above, told, way
	}
	hold := func(g *group, v *peer, e []byte) {
		next, err := ratchet.Hold(v.space, g.now, "mailbox", e)
		require.NoError(t, err)
		v.space = next
	}
	t.Run("read before", func(t *testing.T) {
		g, v, above, told, way := setup()
		g.commit(g.peers[1], "below it", v)
		g.read(v, "below it")
		hold(g, v, way)
		require.True(t, ratchet.Leads(v.space, above))
		require.False(t, ratchet.Leads(v.space, told))
	})
	t.Run("made after", func(t *testing.T) {
		g, v, above, told, way := setup()
		hold(g, v, way)
		require.True(t, ratchet.Leads(v.space, told))
		g.send(v, "below it")
		require.True(t, ratchet.Leads(v.space, above))
		require.False(t, ratchet.Leads(v.space, told))
	})
}
