package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// takenOff returns members of whom b, an owner, made some roots that d has none of. d holds the root owner key, and knows no inbox key of b: if
// it takes b off the list, b gets no box, and d bars the roots in which b stands and cannot open what is asked there. All others have them.
func takenOff(t *testing.T, roots int) (n *network, all []*node) {
	n, all = five(t, 100)
	founder, b, c, d := all[0], all[1], all[2], all[3]
	founder.owners(founder, b, c)
	n.settle()
	founder.do(step.HandOver(d.place()))
	n.settle()
	_, _, r := d.standing()
	known, _ := r.ListedBinding(b.place())
	_, boxed := known.InboxKey()
	require.False(t, boxed, "d came after b, and missed what b said of its inbox key")
	n.lose = func(x *node, f []byte) bool { return x == d && f[0]&0xf == byte(proto.TypeRekey) }
	for range roots {
		b.do(step.Rekey())
	}
	return n, all
}

// isOver requires that b came over to where d stands, and that all read one another.
func (n *network) isOver(all []*node) {
	n.t.Helper()
	n.lose = nil
	n.settle()
	require.Equal(n.t, all[3].rootID(), all[1].rootID())
	n.hears(all...)
}

// An owner that is taken off by somebody that holds none of its roots asks as of the root that both held, and comes over: also if it restarts, if
// who named the owners made a further root meanwhile, or if nobody was there until the root as of which it asks was given up (D208).
func TestOwnerThatIsTakenOffComesOverWithoutABox(t *testing.T) {
	t.Run("restarted", func(t *testing.T) {
		n, all := takenOff(t, 2)
		b, d := all[1], all[3]
		d.owners(d)
		b.sync()
		under, asks := b.asksUnder()
		require.True(t, asks)
		_, held := stateOf(d.space).forest.Root(b.rootID())
		require.False(t, held)
		require.Greater(t, b.gen(), d.gen())
		b.restart()
		again, asks := b.asksUnder()
		require.True(t, asks && under == again)
		n.settle()
		n.hours(6)
		n.isOver(all)
		_, asks = b.asksUnder()
		require.False(t, asks)
	})
	t.Run("further root", func(t *testing.T) {
		n, all := takenOff(t, 4)
		b, d := all[1], all[3]
		b.offline = true
		n.settle()
		d.owners(d)
		n.settle()
		d.do(step.Rekey())
		n.settle()
		b.offline = false
		n.hours(6)
		n.isOver(all)
	})
	t.Run("long alone", func(t *testing.T) {
		n, all := takenOff(t, 4)
		b, d := all[1], all[3]
		n.settle()
		d.owners(d)
		b.sync()
		for _, x := range all {
			x.offline = x != b
		}
		for range 40 {
			n.now = n.now.Add(24 * time.Hour)
			n.settle()
		}
		under, asks := b.asksUnder()
		_, held := stateOf(b.space).forest.Root(under)
		require.True(t, asks && !held)
		for _, x := range all {
			x.offline = false
		}
		n.hours(72)
		n.lose = nil
		require.Equal(t, d.rootID(), b.rootID())
	})
}

// Nothing that happens in the barred roots ends the asking: neither a further one of an owner that does not know either, nor an answer there.
func TestOwnerThatIsTakenOffAsksOn(t *testing.T) {
	t.Run("further barred root", func(t *testing.T) {
		n, all := takenOff(t, 2)
		b, c, d := all[1], all[2], all[3]
		n.settle()
		b.offline, c.offline = true, true
		d.owners(d)
		n.settle()
		c.do(step.Rekey())
		b.inOrder()
		require.Equal(t, c.rootID(), b.rootID())
		_, asks := b.asksUnder()
		require.True(t, asks)
		b.offline = false
		n.hours(6)
		n.lose = nil
		require.Equal(t, d.rootID(), b.rootID())
	})
	t.Run("answered there", func(t *testing.T) {
		n, all := takenOff(t, 2)
		b, c, d := all[1], all[2], all[3]
		n.settle()
		c.offline = true // it learns of the list later
		d.owners(d)
		d.offline = true
		b.sync()
		b.maintain()
		mailbox := c.mailbox
		c.mailbox = nil
		for _, f := range mailbox {
			if f.data[0]&0xf != byte(proto.TypeRekey) {
				c.mailbox = append(c.mailbox, f)
			}
		}
		c.offline = false
		c.sync()
		c.maintain()
		b.sync()
		require.Equal(t, c.rootID(), b.rootID())
		require.False(t, stateOf(b.space).asking.Value().Waiting(), "c answered")
		n.lose = func(x *node, f []byte) bool { return x == b && f[0]&0xf == byte(proto.TypeRekey) }
		d.offline, d.mailbox = false, nil
		n.hours(30)
		n.isOver(all)
	})
}

// Two devices that have the root owner key name owners without hearing of one another: one from the roots of b, the other from the root that all
// have. Whichever of the lists counts, also of two with one counter, b comes to the root of that one.
func TestOwnerListsThatCross(t *testing.T) {
	for _, x := range []struct {
		twice, before bool
		named         []int
	}{{named: []int{2}}, {before: true, named: []int{2}}, {named: []int{1, 2}}, {before: true, named: []int{1, 2}}, {twice: true, named: []int{1, 2}}} {
		t.Run(fmt.Sprintf("%+v", x), func(t *testing.T) {
			n, all := takenOff(t, 2)
			b, c, d := all[1], all[2], all[3]
			n.settle()
			var key []byte
			d.do(step.TakeRootKey(func(k []byte) error { key = k; return nil }))
			d.do(step.PutRootKey(key))
			c.do(step.PutRootKey(key))
			b.offline, c.offline = true, true
			name := func() {
				var named []*node
				for _, k := range x.named {
					named = append(named, all[k])
				}
				c.owners(named...)
			}
			if x.before {
				name()
			}
			if x.twice {
				d.owners(all[0], d)
				n.settle()
			}
			d.owners(d)
			n.settle()
			if !x.before {
				name()
			}
			b.inOrder()
			b.offline, c.offline = false, false
			n.hours(24)
			n.isOver(all)
			require.Equal(t, d.rootID(), c.rootID())
		})
	}
}

// The word of an owner that names the root as of which a member asks displaces it, as one does that names the root in which it stands (D197).
func TestWordForTheRootAsOfWhichIsAsked(t *testing.T) {
	n, all := takenOff(t, 4)
	founder, b, d := all[0], all[1], all[3]
	n.settle()
	b.offline = true
	d.owners(founder, d)
	n.settle()
	n.hours(3)
	b.sync()
	under, asks := b.asksUnder()
	require.True(t, asks)
	for _, root := range []proto.EpochID{b.rootID(), under} {
		e, _, r := founder.standing()
		sign := e.binds(root, r)
		require.NotNil(t, sign)
		o := b.copyOf("o")
		require.NoError(t, o.edit(func(d *edit) error {
			d.takeWord(sign(b.place(), proto.BodyHash{9}), false)
			return nil
		}))
		require.True(t, stateOf(o.space).asking.Value().Lost(), fmt.Sprintf("%x", root))
	}
}

// A device that lost its place in barred roots takes another one, and comes over with it.
func TestAnotherPlaceIsTakenFromBarredRoots(t *testing.T) {
	n, all := five(t, 100)
	founder, b := all[0], all[1]
	founder.owners(founder, b)
	n.settle()
	x := n.join(founder.invite(invite.Public(2*invite.Unit, 0)), "x")
	n.settle()
	x.send("x")
	n.settle()
	first, link := x.place(), state.Segment[openedLink]{}
	{
		d, _, _ := x.standing()
		link = d.tp.link
		_, opened := d.opened()
		require.True(t, opened)
	}
	n.lose = func(o *node, f []byte) bool { return o == founder && f[0]&0xf == byte(proto.TypeRekey) }
	for range 3 {
		b.do(step.Rekey())
	}
	x.sync()
	x.offline = true
	require.NoError(t, x.edit(func(d *edit) error { d.tp.link = link; return nil }))
	x.displace()
	founder.owners(founder)
	n.settle()
	x.mailbox, x.offline = nil, false
	n.hours(6)
	require.Equal(t, founder.rootID(), x.rootID())
	require.NotEqual(t, first, x.place())
}

func (x *node) asksUnder() (proto.EpochID, bool) {
	d, _, r := x.standing()
	return d.asksUnder(r)
}
