package ratchet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// behind returns a space whose fourth device has the whole of a rekey in its mailbox and none of what leads to its parent, and the whole.
func behind(t *testing.T, seed uint64) (n *network, all []*node, late *node, whole proto.Part) {
	n, all = five(t, seed)
	late = all[3]
	late.offline = true
	for round := range 3 { // more commits than the way of a rekey shows
		for _, x := range all[:3] {
			require.NoError(t, x.edit(func(d *edit) error {
				d.st.rhythm.commit = true
				return d.say(inner(fmt.Sprint("commit ", round)))
			}))
			n.settle()
		}
	}
	all[0].do(step.Rekey())
	parts := late.frames(proto.TypeRekey)
	require.Len(t, parts, 1)
	whole, err := proto.ParsePart(parts[0])
	require.NoError(t, err)
	return n, all, late, whole
}

// altered returns the frames of a rekey under the same name in which something is changed.
func altered(t *testing.T, p proto.Part, change func(*proto.Rekey)) [][]byte {
	k, err := proto.ParseRekey(p.Piece)
	require.NoError(t, err)
	change(&k)
	whole, err := k.Encode()
	require.NoError(t, err)
	split, err := proto.Split(proto.TypeRekey, p.Name, whole, proto.DefaultMaxFrame)
	require.NoError(t, err)
	var out [][]byte
	for _, x := range split {
		out = append(out, x.Frame())
	}
	return out
}

// entersLate gives a device the rekey, then what a stranger posts, then the rest, and says what it did not read.
func entersLate(t *testing.T, n *network, all []*node, late *node, whole proto.Part, junk [][]byte) {
	n.settle() // the others follow, and read
	for k := range 3 {
		all[1].send(fmt.Sprint("in the new root ", k))
		n.settle()
	}
	for _, x := range all[1:] {
		x.offline = true // only the dealer is there to be asked
	}
	rest := late.mailbox
	late.mailbox = nil
	late.receive(newIncoming(state.Frame{Source: "founder", Data: whole.Frame()}))
	for _, f := range junk {
		late.receive(newIncoming(state.Frame{Source: "stranger", Data: f}))
	}
	late.mailbox = rest
	late.offline = false
	for range 6 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.EqualValues(t, 1, late.gen())
	for k := range 3 {
		require.True(t, slices.Contains(late.texts(), fmt.Sprintf("2: in the new root %d", k)), "message %d is lost: %v", k, late.texts())
	}
}

// A rekey that waits for its parent is followed once that comes.
func TestKeptRekeyIsFollowed(t *testing.T) {
	n, all, late, whole := behind(t, 73)
	entersLate(t, n, all, late, whole, nil)
}

// A stranger that repeats a rekey without its boxes, or with junk in it, does not take the true one from a member for whom it waits.
func TestAlteredRekeyDoesNotReplaceTheKeptOne(t *testing.T) {
	for name, change := range map[string]func(*proto.Rekey){
		"no boxes": func(k *proto.Rekey) { k.Boxes = nil },
		"junk":     func(k *proto.Rekey) { k.Boxes, k.Notice = nil, make([]byte, 100) },
	} {
		t.Run(name, func(t *testing.T) {
			n, all, late, whole := behind(t, 74)
			entersLate(t, n, all, late, whole, altered(t, whole, change))
		})
	}
}

// Whoever knows a member's inbox key, as who was removed does, makes rekeys with boxes for it. They do not push the true one out.
func TestJunkRekeysDoNotPushTheKeptOneOut(t *testing.T) {
	n, all, late, whole := behind(t, 75)
	d, err := newEdit(late.space, n.now, Options{})
	require.NoError(t, err)
	me := d.rekeySelf()
	var junk [][]byte
	for k := range 8 {
		p := whole
		p.Name[0] ^= byte(k + 1)
		junk = append(junk, altered(t, p, func(r *proto.Rekey) {
			tag := proto.TagOfBox(me.Space, 1, me.Index, me.Inboxes[0].Public)
			share, err := dkg.NewPolynomial().Share(me.Index)
			require.NoError(t, err)
			box, err := proto.RekeyBox{Share: share, X: secret.Random(32), Y: secret.Random(32)}.Seal(me.Space, me.Inboxes[0].Public)
			require.NoError(t, err)
			r.Boxes = []proto.TaggedBox{{Tag: tag, Box: box}}
		})...)
	}
	entersLate(t, n, all, late, whole, junk)
}
