package ratchet

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

func inner(text string) proto.Inner { return proto.Inner{Plaintext: []byte(text)} }

// Somebody who opens a link is let in by the founder, and both read one another.
func TestJoinByALink(t *testing.T) {
	for _, o := range []invite.Terms{invite.Private(0), invite.Public(32, 0), invite.Direct(0)} {
		n := newNetwork(t, 7)
		founder := n.found(rules.Policy{})
		var made invite.Made
		founder.do(step.NewInvite(o, &made))
		x := n.join(made.Link, "x")
		n.settle()
		require.Equal(t, Member, x.phase())
		require.True(t, x.has(Joined))
		require.True(t, founder.has(Arrived))
		founder.send("welcome")
		x.send("thanks")
		n.settle()
		require.Equal(t, []string{"1: welcome"}, x.texts())
		require.Len(t, founder.texts(), 1)
		require.Empty(t, x.retained)
		require.Empty(t, founder.retained)
	}
}

// By all kinds of links, whatever requests and tickets are lost, in whatever order frames come, however often, and whenever devices
// restart or are away: in the end everybody is in who was not told otherwise, all show the same members, and read one another.
// TREFOIL_JOINS is the number of histories, and TREFOIL_SEED the seed of the first.
func TestJoinsSettle(t *testing.T) {
	first, _ := strconv.ParseUint(os.Getenv("TREFOIL_SEED"), 10, 64)
	count, err := strconv.ParseUint(os.Getenv("TREFOIL_JOINS"), 10, 64)
	if err != nil {
		count = 4
	}
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := newHistory(t, seed)
			for k := range 12 {
				h.step(k)
			}
			h.end()
		})
	}
}

// Devices that collide on an index of one public run, in orders in which a device stands below commits of the other one.
func TestDevicesThatCollideSettle(t *testing.T) {
	for _, seed := range []uint64{307, 310, 315} {
		h := newHistory(t, seed)
		for k := range 12 {
			h.step(k)
		}
		h.end()
	}
}

// displace has a device ask for another place of its run, as when an owner decided for somebody else at its own.
func (x *node) displace() {
	require.NoError(x.net.t, x.edit(func(d *edit) error {
		l, ok := d.opened()
		require.True(x.net.t, ok)
		a, c, err := d.st.asking.Value().Displaced(d.asker(), l, d.clockOf())
		require.NoError(x.net.t, err)
		d.asked(a, c)
		return nil
	}))
}

// A device that asks for another place of its run is let in there after a rekey: it enters the new root by a ticket, although it holds
// epochs of the one before, and the numbers of its epochs go on.
func TestAnotherPlaceInANewRoot(t *testing.T) {
	n := newNetwork(t, 78)
	founder := n.found(rules.Policy{})
	n.member(founder, "m")
	x := n.join(founder.invite(invite.Public(32, 0)), "x")
	n.settle()
	require.Equal(t, Member, x.phase())
	first := x.place()
	x.offline = true
	x.displace()
	founder.do(step.Rekey())
	n.settle()
	x.mailbox, x.offline = nil, false
	for range 4 {
		n.now = n.now.Add(time.Hour)
		n.settle()
	}
	require.EqualValues(t, 1, x.gen())
	require.NotEqual(t, first, x.place())
	require.True(t, x.has(Rekeyed))
	n.hears(n.all...)
}

// A device that comes to another place in a new root by a ticket holds no more roots than others do: the last one gives way.
func TestAnotherPlaceTakesNoRootTooMany(t *testing.T) {
	n := newNetwork(t, 81)
	founder := n.found(rules.Policy{})
	run := founder.invite(invite.Public(16, 0))
	x := n.join(run, "x")
	n.settle()
	for range maxRoots {
		founder.do(step.Rekey())
		x.sync()
	}
	n.settle()
	require.Len(t, stateOf(x.space).forest.Roots(), maxRoots)
	require.NoError(t, x.edit(func(d *edit) error {
		d.tp.link = state.NewSegment(openedLink{secret.Own(run.Bytes())})
		return nil
	}))
	first := x.place()
	x.offline = true
	x.displace()
	founder.do(step.Rekey())
	n.settle()
	x.mailbox, x.offline = nil, false
	for range 4 {
		n.now = n.now.Add(time.Hour)
		n.settle()
	}
	require.NotEqual(t, first, x.place())
	require.Equal(t, founder.rootID(), x.rootID())
	require.Len(t, stateOf(x.space).forest.Roots(), maxRoots)
	require.Equal(t, maxRoots, stateOf(x.space).roots.Size())
}

// A device that takes another place of its run in one of two roots of a generation, and comes from the other, unites who is gone by them (R9).
func TestAnotherPlaceInAnotherBranch(t *testing.T) {
	n := newNetwork(t, 80)
	founder := n.found(rules.Policy{})
	b, m := n.member(founder, "b"), n.member(founder, "m")
	run := founder.invite(invite.Public(32, 0))
	founder.owners(founder, b)
	n.settle()
	first, second := byPlace(founder, b)
	first.apart(step.Rekey(), second, m)
	m.do(step.Leave())
	second.sync()
	second.apart(step.Rekey(), first)
	first.offline, first.mailbox, m.offline = true, nil, true
	x := n.join(run, "x")
	for range 3 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.Equal(t, Member, x.phase())
	require.Equal(t, second.rootID(), x.rootID())
	first.offline, first.mailbox, second.offline = false, nil, true
	x.displace()
	for range 4 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.Equal(t, first.rootID(), x.rootID())
	_, _, r := x.standing()
	require.True(t, r.Gone(m.place()))
}

// history is joins in a hostile network.
type history struct {
	*network
	founder *node
	links   []invite.Link
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{network: newNetwork(t, seed)}
	h.twice, h.frame = h.rng.IntN(2) == 0, []int{0, 8 << 10}[h.rng.IntN(2)]
	h.lose = func(_ *node, f []byte) bool { return f[0]&0xf >= byte(proto.TypeTicket) && h.rng.IntN(4) == 0 }
	h.founder = h.found(rules.Policy{})
	for range 1 + h.rng.IntN(3) {
		var made invite.Made
		h.founder.do(step.NewInvite([]invite.Terms{invite.Private(0), invite.Public(16, 0), invite.Direct(0)}[h.rng.IntN(3)], &made))
		h.links = append(h.links, made.Link)
	}
	return h
}

// step lets somebody join now and then, and each device do what it does.
func (h *history) step(k int) {
	if len(h.links) > 0 && h.rng.IntN(2) == 0 && len(h.all) < 6 {
		at := h.rng.IntN(len(h.links))
		h.join(h.links[at], fmt.Sprint("x", k))
		if h.links[at].Kind() != dkg.Public {
			h.links = slices.Delete(h.links, at, at+1)
		}
	}
	for _, x := range h.all {
		switch h.rng.IntN(5) {
		case 0:
			x.restart()
		case 1:
			x.offline = !x.offline
		case 2:
			if x.phase() == Member {
				x.send(fmt.Sprint("text ", k))
			}
		}
		if !x.offline {
			x.sync()
			x.maintain()
		}
	}
	h.now = h.now.Add(time.Duration(h.rng.IntN(1000)) * time.Second)
}

// end lets the network be good, and requires that all is well.
func (h *history) end() {
	h.lose, h.twice = nil, false
	for _, x := range h.all {
		x.offline = false
	}
	for range 6 {
		h.settle()
		h.now = h.now.Add(25 * time.Hour)
	}
	h.settle()
	h.all = slices.DeleteFunc(h.all, func(x *node) bool { return x.has(Refused) }) // who was decided against too late for another index
	h.agree(len(h.all))
	for _, x := range h.all {
		x.read = nil
	}
	for _, x := range h.all {
		x.send("from " + x.name)
		h.settle()
	}
	for _, x := range h.all {
		require.Len(h.t, x.texts(), len(h.all)-1, "%s read %v", x.name, x.texts())
	}
}
