package ratchet

import (
	"errors"
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
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// ownership is a history of a space in which whoever may changes who belongs to it, who owns it and what its members may do, with messages,
// losses, restarts and thieves.
type ownership struct {
	*network
	log     seizures
	removed map[dkg.Index]*node     // whom an owner removed, and which
	left    map[*node]proto.EpochID // who left, and the root in which it said so
	unseen  bool                    // what one owner did may not count: some were taken off the list
}

// TestOwnerHistories: whatever owners and members with roles do at the same time, whoever joins, leaves, is away, restarts or loses parts
// meanwhile, all members come to one root with one owner list, show the same members and read one another. Whoever was removed reads nothing
// that is sent then, and what a stolen state opens is what docs/SECURITY.md says. TREFOIL_OWNERS is the number of histories, and
// TREFOIL_SEED the seed of the first.
func TestOwnerHistories(t *testing.T) {
	first, _ := strconv.ParseUint(os.Getenv("TREFOIL_SEED"), 10, 64)
	count, err := strconv.ParseUint(os.Getenv("TREFOIL_OWNERS"), 10, 64)
	if err != nil {
		count = 4
		if os.Getenv("TREFOIL_LONG") != "" {
			count = 100
		}
	}
	base, all := five(t, 100)
	all[0].owners(all[0], all[1])
	base.settle()
	all[0].do(step.Appoint(rules.MayRemove, all[2].place()))
	base.settle()
	var opened, closed int
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, seed)
			h := &ownership{
				network: &network{t: t, rng: rand.New(rand.NewPCG(seed, 2)), now: base.now},
				log:     seizures{epochs: map[proto.EpochID]made{}, boxes: map[proto.EpochID]map[proto.BoxTag]bool{}},
				removed: map[dkg.Index]*node{},
				left:    map[*node]proto.EpochID{},
			}
			for _, x := range all {
				h.node(x.name, x.space)
			}
			h.posted = h.log.note
			h.frame, h.twice = []int{0, 4 << 10}[h.rng.IntN(2)], h.rng.IntN(2) == 0
			for k := range 10 {
				h.step(k)
			}
			in := h.end()
			for _, x := range h.log.thieves {
				o, c := h.opens(x, in)
				opened, closed = opened+o, closed+c
			}
		})
	}
	t.Logf("stolen states opened %d texts, and %d were closed to them", opened, closed)
}

// step is one thing that somebody does, or two at the same time; then most devices do what they do.
func (h *ownership) step(k int) {
	for range 1 + h.rng.IntN(2) {
		h.lose = nil
		if h.rng.IntN(3) == 0 { // parts of a rekey, on the way to some
			h.lose = func(_ *node, f []byte) bool { return f[0]&0xf == byte(proto.TypeRekey) && h.rng.IntN(3) == 0 }
		}
		act := acts[h.rng.IntN(len(acts))]
		if x := h.who(act.may); x != nil {
			err := act.do(h, x)
			require.True(h.t, err == nil || slices.ContainsFunc([]error{ErrPhase, ErrPolicy, ErrRemoved, ErrOrphan, dkg.ErrReadOnly}, func(e error) bool {
				return errors.Is(err, e)
			}), "%v", err)
		}
	}
	h.lose = nil
	for _, x := range h.all {
		if h.rng.IntN(3) == 0 && x.phase() == Member {
			_ = h.say(x, fmt.Sprint("text ", k)) // ErrRemoved of who is gone
		}
		if h.rng.IntN(6) == 0 {
			x.restart()
		}
		if !x.offline && h.rng.IntN(3) > 0 {
			x.sync()
			x.maintain()
		}
	}
	h.now = h.now.Add(time.Duration(h.rng.IntN(7200)) * time.Second)
}

// who returns a member that may do something, nil if there is none.
func (h *ownership) who(may func(Summary, rules.Rights) bool) *node {
	var all []*node
	for _, x := range h.all {
		if s := Info(x.space); s.Phase == Member && may(s, x.rights(x)) {
			all = append(all, x)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[h.rng.IntN(len(all))]
}

// some returns any device.
func (h *ownership) some() *node { return h.all[h.rng.IntN(len(h.all))] }

// say sends a text, and notes in which epoch.
func (h *ownership) say(x *node, text string) error {
	err := x.edit(func(d *edit) error { return d.say(inner(text)) })
	if err == nil {
		e, _ := stateOf(x.space).forest.Preferred()
		h.log.said = append(h.log.said, said{fmt.Sprintf("%d: %s", x.index(), text), x, e.ID()})
		h.log.trace(x, e.ID())
	}
	return err
}

// sides returns who belongs to the space, as the device shows it that is furthest, and who does not; how many of those in it should be
// there, and that device.
func (h *ownership) sides() (in, out []*node, shown int, newest *node) {
	newest = slices.MaxFunc(h.all, func(a, b *node) int { return a.compare(b) })
	listed := map[dkg.Index]bool{}
	for _, m := range Members(newest.space) {
		listed[m.Index] = true
	}
	for _, x := range h.all { // who was removed while it lacked the parts of a rekey may not know for certain
		switch {
		case x.phase() == Removed && newest.lists(x) && h.barredWithout(x, stateOf(newest.space).me().owners):
			delete(listed, x.place())
		case newest.lists(x) && h.leftUnheard(x, newest):
			delete(listed, x.place())
			out = append(out, x)
		case !listed[x.place()] || x.phase() != Member || !newest.lists(x):
			out = append(out, x)
		case newest.lacksRootOf(x):
			delete(listed, x.place())
		default:
			in = append(in, x)
		}
	}
	return in, out, len(listed), newest
}

// agreed reports whether all that should be in the space are there and say the same of its root, and nobody waits untold.
func (h *ownership) agreed() bool {
	in, out, shown, _ := h.sides()
	return len(in) == shown && !slices.ContainsFunc(in, func(x *node) bool { return !slices.Equal(in[0].says(), x.says()) }) &&
		!slices.ContainsFunc(out, func(x *node) bool { return x.phase() == Joining && !x.has(Refused) && !x.has(Hint) })
}

// end lets the network be good, requires that all is well, and returns the members.
func (h *ownership) end() []*node {
	h.converge(h.agreed)
	in, out, shown, newest := h.sides()
	require.Len(h.t, in, shown)
	h.converged(in)
	_, _, r := newest.standing()
	for i, by := range h.removed {
		if slices.Contains(in, by) && !h.unseen {
			require.True(h.t, r.Gone(i), "%d was removed by %s", i, by.name)
		}
	}
	for x := range h.left { // a root may know nothing of who left an older one
		require.True(h.t, r.Gone(x.place()) || !newest.lists(x) || h.leftUnheard(x, newest), "%s left", x.name)
	}
	if slices.ContainsFunc(in, func(x *node) bool { return Info(x.space).Owner }) {
		require.False(h.t, r.ListsGone())
		for _, x := range out {
			require.Empty(h.t, x.texts(), "%s was removed", x.name)
		}
	}
	return in
}

// lists reports whether a device shows another one under its key: two that came by one link may have the same index.
func (x *node) lists(y *node) bool {
	_, _, r := x.standing()
	b, ok := r.ListedBinding(y.place())
	return ok && b.Key == stateOf(y.space).me().signing.Public
}

// barredWithout reports whether a root that is barred, or whose dealer the last list does not have, does not list a member: whom it removed
// stays removed (SPEC §16).
func (h *ownership) barredWithout(x *node, last proto.OwnerList) bool {
	for _, y := range h.all {
		d, err := newEdit(y.space, h.now, Options{})
		require.NoError(h.t, err)
		for _, root := range d.st.forest.Roots() {
			t, ok := d.tp.terms(root.ID)
			_, listed := t.Listed(x.place())
			if _, owner := last.PlaceOf(ownerAt(t.notice)); ok && !listed && (root.Barred || !owner) {
				return true
			}
		}
	}
	return false
}

// leftUnheard reports whether a device left in a root that nobody holds who stands with a member: it said so only there, and stays shown
// (SPEC §16).
func (h *ownership) leftUnheard(x, by *node) bool {
	root, left := h.left[x]
	return left && !slices.ContainsFunc(h.all, func(y *node) bool {
		_, held := stateOf(y.space).forest.Root(root)
		return y.phase() == Member && y.rootID() == by.rootID() && held
	})
}

// lacksRootOf reports whether another member stands in a root that this device does not hold and is heard by nobody: it came there while all
// who hold that root were removed, so nobody can tell what it asks under.
func (x *node) lacksRootOf(y *node) bool {
	d, _, r := x.standing()
	_, held := d.root(y.rootID())
	return !held && y != x && !r.Heard(y.place())
}

// compare compares how far two members are: by the owner list that they know, then by the root in which they stand.
func (x *node) compare(y *node) int {
	far := func(x *node) []uint64 {
		if x.phase() != Member {
			return []uint64{0}
		}
		return []uint64{1, stateOf(x.space).me().owners.Counter, x.gen()}
	}
	return slices.Compare(far(x), far(y))
}

// says returns what a member says of the root in which it stands.
func (x *node) says() []string {
	_, _, r := x.standing()
	return append(x.members(), fmt.Sprint(r.ID()), fmt.Sprintf("gone %x", r.GoneSet()), fmt.Sprint(r.Owners().Hash(), r.Owners().Counter),
		fmt.Sprint(stateOf(x.space).me().owners.Counter), fmt.Sprintf("%+v", r.Policy()), fmt.Sprint(rightsOf(r)))
}

// converged requires that all members read one another, and that all stand in one root of which they say the same.
func (h *ownership) converged(in []*node) {
	h.forget()
	for _, x := range in {
		require.NoError(h.t, h.say(x, "from "+x.name))
	}
	h.rest()
	for _, x := range in {
		require.Len(h.t, x.texts(), len(in)-1, "%s read %v", x.name, x.texts())
		require.Equal(h.t, in[0].says(), x.says(), x.name)
	}
	if len(in) > 0 { // all may have left
		in[h.rng.IntN(len(in))].restart()
	}
}
