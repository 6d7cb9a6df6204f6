package ratchet

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// removals is a history of rekeys, removals, joins, messages, losses and restarts in a space with two owners and a member with a role.
type removals struct {
	*network
	owners, plain []*node
	thieves       map[*node]*node // of whom it is a copy
}

// TestRemovalHistories: whatever owners do at the same time, whoever joins, is away, restarts or loses parts meanwhile, all members come to
// one root, show the same members and read one another. Whoever was removed, and whoever stole its state, reads nothing that is sent then.
// TREFOIL_REMOVALS is the number of histories, and TREFOIL_SEED the seed of the first.
func TestRemovalHistories(t *testing.T) {
	first, _ := strconv.ParseUint(os.Getenv("TREFOIL_SEED"), 10, 64)
	count, err := strconv.ParseUint(os.Getenv("TREFOIL_REMOVALS"), 10, 64)
	if err != nil {
		count = 30
		if os.Getenv("TREFOIL_LONG") != "" {
			count = 1000
		}
	}
	base, all := five(t, 100)
	f := base.member(all[0], "f")
	base.settle()
	all[0].owners(all[0], all[1])
	base.settle()
	all[0].do(step.Appoint(rules.MayRemove, all[2].place()))
	base.settle()
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, seed)
			h := &removals{network: &network{t: t, rng: rand.New(rand.NewPCG(seed, 2)), now: base.now}, thieves: map[*node]*node{}}
			for _, x := range append(slices.Clone(all), f) {
				h.node(x.name, x.space)
			}
			h.owners, h.plain = h.all[:2], slices.Clone(h.all[2:])
			h.frame, h.twice = []int{0, 4 << 10}[h.rng.IntN(2)], h.rng.IntN(2) == 0
			h.most = []int{0, 0, 1}[h.rng.IntN(3)]
			for k := range 10 {
				h.step(k)
			}
			h.end()
		})
	}
}

// step is one thing that happens; then most devices do what they do.
func (h *removals) step(k int) {
	owner, some := h.owners[h.rng.IntN(2)], h.plain[h.rng.IntN(len(h.plain))]
	h.lose = nil
	switch h.rng.IntN(8) {
	case 0, 1:
		if h.rng.IntN(2) == 0 {
			h.loseSome()
		}
		_ = owner.try(step.Remove(some.place())) // ErrPolicy of who is gone
	case 2:
		_ = owner.try(step.Rekey())
	case 3:
		_ = h.plain[0].try(step.Remove(some.place()))
	case 4:
		var made invite.Made
		if owner.try(step.NewInvite([]invite.Terms{invite.Private(0), invite.Public(16, 0)}[h.rng.IntN(2)], &made)) == nil {
			h.plain = append(h.plain, h.join(made.Link, fmt.Sprint("x", k)))
		}
	case 5:
		h.loseSome()
		_ = owner.try(step.Rekey())
	case 6:
		thief := some.copyOf("thief of " + some.name)
		h.all = slices.DeleteFunc(h.all, func(x *node) bool { return x == thief }) // it only listens, in the end
		h.thieves[thief] = some
	case 7:
		some.offline = !some.offline
	}
	h.lose = nil
	for _, x := range h.all {
		if h.rng.IntN(3) == 0 && x.phase() == Member {
			_ = x.edit(func(d *edit) error { return d.say(inner(fmt.Sprint("text ", k))) })
		}
		if h.rng.IntN(4) == 0 {
			x.restart()
		}
		if !x.offline && h.rng.IntN(3) > 0 {
			x.sync()
			x.maintain()
		}
	}
	h.now = h.now.Add(time.Duration(h.rng.IntN(7200)) * time.Second)
}

// loseSome loses parts of the next rekey on the way to some.
func (h *removals) loseSome() {
	h.lose = func(_ *node, f []byte) bool { return f[0]&0xf == byte(proto.TypeRekey) && h.rng.IntN(3) == 0 }
}

// sides returns who belongs to the space, as the first owner shows it, and who does not; and how many it shows.
func (h *removals) sides() (in, out []*node, shown int) {
	listed := map[dkg.Index]bool{}
	for _, m := range Members(h.owners[0].space) {
		listed[m.Index] = true
	}
	for _, x := range h.all { // who was removed while it lacked the parts of a rekey may not know for certain
		if listed[x.place()] && x.phase() == Member {
			in = append(in, x)
		} else {
			out = append(out, x)
		}
	}
	return in, out, len(listed)
}

// agreed reports whether all that the first owner shows are there and stand in one root with the same members, and nobody waits untold.
func (h *removals) agreed() bool {
	in, out, shown := h.sides()
	return len(in) == shown && !slices.ContainsFunc(in, func(x *node) bool {
		return x.rootID() != in[0].rootID() || !slices.Equal(x.members(), in[0].members())
	}) && !slices.ContainsFunc(out, func(x *node) bool { return x.phase() == Joining && !x.has(Refused) && !x.has(Hint) })
}

// end lets the network be good, and requires that all is well.
func (h *removals) end() {
	h.converge(h.agreed)
	in, out, shown := h.sides()
	require.Len(h.t, in, shown)
	h.hear(h.rest, in...)
	in[h.rng.IntN(len(in))].restart()
	for _, x := range out {
		require.Empty(h.t, x.texts(), "%s was removed", x.name)
	}
	for thief, of := range h.thieves {
		if !slices.Contains(out, of) {
			continue
		}
		for _, f := range in[0].sent(h) {
			thief.receive(f)
		}
		require.NotContains(h.t, thief.texts(), fmt.Sprintf("%d: the end", in[0].index()), thief.name)
	}
}

// sent returns what everybody gets while a device sends a text.
func (x *node) sent(h *removals) (frames []incoming) {
	spy := &node{net: h.network, name: "spy", space: x.space, retained: map[orphans.FrameName]incoming{}}
	h.all = append(h.all, spy)
	x.send("the end")
	h.all = h.all[:len(h.all)-1]
	return spy.mailbox
}
