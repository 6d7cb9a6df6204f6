package ratchet

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// aside takes a step on a copy of a device, and returns the copy and the parts of the rekey, which nobody got.
func (x *node) aside(s step.Step) (*node, []incoming) {
	n := x.net
	all := n.all
	defer func() { n.all = all }()
	y, spy := x.copyOf(x.name+" aside"), &node{net: n, name: "spy", space: x.space}
	n.all = []*node{spy}
	y.do(s)
	return y, slices.DeleteFunc(spy.mailbox, func(f incoming) bool { return f.data[0]&0xf != byte(proto.TypeRekey) })
}

// get gives frames to all others.
func (n *network) get(frames []incoming, all ...*node) {
	for _, x := range all {
		x.mailbox = append(x.mailbox, frames...)
	}
}

// removed it.
func TestRemovedOwnerTakesNobodyBack(t *testing.T) {
	n, all := five(t, 201)
	founder, b, stay := all[0], all[1], []*node{all[0], all[2], all[3], all[4]}
	founder.owners(founder, b)
	n.settle()
	before := b.copyOf("before")
	n.all = all
	b.do(step.Rekey())
	n.settle()
	made := b.rootID()
	founder.do(step.Remove(b.place()))
	n.settle()
	require.Equal(t, Removed, b.phase())
	root := founder.rootID()
	for found := 0; found < 2; {
		thief, frames := before.aside(step.Rekey())
		if id := thief.rootID(); bytes.Compare(id[:], made[:]) < 0 {
			found++
			n.get(frames, stay...)
		}
	}
	n.settle()
	for _, x := range stay {
		require.Equal(t, root, x.rootID(), x.name)
	}
	n.hears(stay...)
}

// What a barred root says of members is shown to nobody.
func TestBarredRootShowsNothing(t *testing.T) {
	n, all := five(t, 209)
	founder, b := all[0], all[1]
	founder.owners(founder, b)
	n.settle()
	before := b.copyOf("before")
	n.all = all
	founder.owners(founder)
	n.settle()
	n.forget()
	_, frames := before.aside(step.Remove(all[2].place()))
	n.get(frames, founder, all[3])
	n.settle()
	for _, x := range []*node{founder, all[3]} {
		require.False(t, x.has(Gone), x.name)
		require.Len(t, x.members(), 5, x.name)
	}
}

// A space is rekeyed as often as its owners like, and everybody follows.
func TestMoreRekeysThanRootsAreHeld(t *testing.T) {
	n := newNetwork(t, 202)
	founder := n.found(rules.Policy{})
	b := n.member(founder, "b")
	n.settle()
	for range maxRoots + 4 {
		founder.do(step.Rekey())
		b.sync()
	}
	n.settle()
	require.EqualValues(t, maxRoots+4, founder.gen())
	for _, x := range n.all {
		require.LessOrEqual(t, len(stateOf(x.space).forest.Roots()), maxRoots, x.name)
	}
	n.hears(founder, b)
}

// shown what they say.
func TestBarredRootsTakeNoPlace(t *testing.T) {
	n := newNetwork(t, 203)
	founder := n.found(rules.Policy{})
	b, c := n.member(founder, "b"), n.member(founder, "c")
	n.settle()
	founder.owners(founder, b)
	n.settle()
	before := b.copyOf("before")
	n.all = n.all[:3]
	founder.owners(founder)
	n.settle()
	n.forget()
	for range maxRoots + 1 {
		_, frames := before.aside(step.Remove(c.place()))
		n.get(frames, founder)
	}
	founder.sync()
	require.False(t, founder.has(Gone), "no root says so that counts")
	require.Len(t, founder.members(), 3)
	founder.do(step.Remove(b.place()))
	require.EqualValues(t, 3, founder.gen())
	n.settle()
	n.hears(founder, c)
	require.Equal(t, Removed, b.phase())
}

// A member that holds as many roots as may be comes into a further one by a ticket: the last one gives way to it.
func TestTicketOfARootTooMany(t *testing.T) {
	n := newNetwork(t, 204)
	founder := n.found(rules.Policy{})
	b := n.member(founder, "b")
	n.settle()
	for range maxRoots {
		founder.do(step.Rekey())
		b.sync()
	}
	n.settle()
	require.Len(t, stateOf(b.space).forest.Roots(), maxRoots)
	n.lose = func(_ *node, f []byte) bool { return f[0]&0xf == byte(proto.TypeRekey) }
	founder.do(step.Rekey())
	n.settle()
	n.now = n.now.Add(2 * time.Hour)
	require.NoError(t, b.edit(func(d *edit) error {
		require.True(t, d.askAgain())
		return nil
	}))
	n.settle()
	require.Equal(t, founder.rootID(), b.rootID())
	require.Len(t, stateOf(b.space).forest.Roots(), maxRoots)
	n.lose = nil
	n.hears(founder, b)
}

// A request names the root whose tag it has: who has K of one root asks as of no other one.
func TestRequestNamesTheRootOfItsTag(t *testing.T) {
	n := newNetwork(t, 205)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	founder.do(step.Rekey())
	n.settle()
	d, e, r := m.standing()
	me, self, news := d.st.me(), d.asker(), d.drawInbox(d.st.news.Value())
	keys := d.tp.keys.Value().list
	require.Len(t, keys, 2)
	for _, named := range keys {
		for _, of := range keys {
			x := proto.Asked{Kind: proto.Resync, Ticket: suite.NewKEMSecret(self.Suite.KEM()).Public, Counter: uint64(n.now.UnixMilli()), Index: me.index,
				Root: named.root, Preferred: e.ID(), Update: news.update}.Sign(me.signing, r.Space())
			key, tag := proto.ResyncKey(of.k, r.Space(), of.root)
			_, _, err := Admit(founder.space, n.now, x.Seal(r.Space(), suite.NewAEAD(key), tag).Frame())
			if named.root == of.root {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ErrForged)
			}
		}
	}
}
