package ratchet

import (
	"cmp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// A rekey of a space whose boxes do not fit into one whole has several. Everybody follows it by the one with its box, in whatever order they
// come, and asks nobody.
func TestRekeyInSeveralWholes(t *testing.T) {
	c := newCrowd(t, 3200, rules.Policy{})
	founder, witness := c.knowing(c.reader), c.knowing(c.witness)
	d, err := newEdit(founder, c.now, Options{})
	require.NoError(t, err)
	d.seal = 1 << 20
	require.NoError(t, d.take(step.Remove(c.people[1].index)))
	wholes := [][][]byte{{}, {}} // their frames
	set, at := proto.Digest{}, -1
	for _, f := range d.frames {
		if p, err := proto.ParsePart(f); err == nil && p.Type == proto.TypeRekey {
			if p.Set() != set {
				set, at = p.Set(), at+1
			}
			wholes[at] = append(wholes[at], f)
		}
	}
	require.Equal(t, 1, at)
	_, said, err := Encrypt(d.space(), c.now, []byte("to all that stay"))
	require.NoError(t, err)

	c.witness = witness
	for _, i := range []int{0, 2, 3, 4, 1700, 1701, 1702, 3195, 3196, 3197} {
		d, err := newEdit(c.as(i), c.now, Options{})
		require.NoError(t, err)
		for _, k := range []int{i % 2, 1 - i%2} {
			d.openAll(wholes[k])
			require.False(t, d.askDue())
		}
		require.EqualValues(t, 1, rekeyOfPreferred(t, &d))
		_, m, err := Decrypt(d.space(), c.now, said[len(said)-1])
		require.NoError(t, err, "%d", i)
		require.Equal(t, "to all that stay", string(m.Plaintext))
	}

	// One of which no whole has come but those of others asks, an hour or two later.
	for _, i := range []int{3, 1702} {
		d, err := newEdit(c.as(i), c.now, Options{})
		require.NoError(t, err)
		for _, whole := range wholes {
			try := d
			if try.openAll(whole); rekeyOfPreferred(t, &try) == 0 {
				d = try
			}
		}
		require.False(t, d.askDue())
		d, err = newEdit(d.space(), c.now.Add(2*time.Hour), Options{})
		require.NoError(t, err)
		require.False(t, d.askDue(), "it may lie in the mailbox")
		d.caughtUp()
		require.True(t, d.askDue())
		left := d
		left.st.phase = Left
		require.NoError(t, left.ask())
		require.Empty(t, left.frames)
		require.False(t, left.askDue(), "it lacks nothing any more")
		require.NoError(t, d.ask())
		require.NotEmpty(t, d.frames)
		require.False(t, d.askDue())
	}

	gone, err := newEdit(c.as(1), c.now, Options{})
	require.NoError(t, err)
	gone.openAll(wholes[1])
	require.Equal(t, Removed, gone.st.phase, "any of them tells who is gone")
}

// A member that waits for its whole of a root goes on waiting when it enters another root of the generation, and when more wholes for others
// come. If its own one does not, it asks.
func TestWholeIsAwaitedBesideAnotherRoot(t *testing.T) {
	n, all := five(t, 74)
	n.most = 1
	founder, m := all[0], all[1]
	twin := founder.copyOf("twin")
	wholes := map[*node][][]byte{} // each is one frame
	n.posted = func(x *node, f []byte) {
		if p, err := proto.ParsePart(f); err == nil && p.Type == proto.TypeRekey {
			wholes[x] = append(wholes[x], f)
		}
	}
	founder.do(step.Remove(stateOf(all[4].space).me().index))
	twin.do(step.Remove(stateOf(all[3].space).me().index))
	for _, order := range [][]*node{{founder, twin}, {twin, founder}} {
		var others, own [2][][]byte
		for k, x := range order {
			for _, f := range wholes[x] {
				try, err := newEdit(m.space, n.now, Options{})
				require.NoError(t, err)
				if try.openAll([][]byte{f}); rekeyOfPreferred(t, &try) == 1 {
					own[k] = append(own[k], f)
				} else {
					others[k] = append(others[k], f)
				}
			}
			require.Len(t, own[k], 1)
			require.Greater(t, len(others[k]), 1)
		}
		d, err := newEdit(m.space, n.now, Options{})
		require.NoError(t, err)
		d.openAll(others[0][:1])
		d.openAll(own[1])
		require.EqualValues(t, 1, rekeyOfPreferred(t, &d))
		d.openAll(others[0][1:])
		require.False(t, d.askDue())
		came := d
		came.openAll(own[0])
		for _, waits := range []*edit{&d, &came} {
			later, err := newEdit(waits.space(), n.now.Add(2*time.Hour), Options{})
			require.NoError(t, err)
			later.caughtUp()
			require.Equal(t, waits == &d, later.askDue())
		}
	}
}

// A rekey of several wholes is posted again until members were read of each: who followed by one has no boxes of another.
func TestEachWholeIsPostedUntilItIsFollowed(t *testing.T) {
	n, all := five(t, 55)
	n.most = 2
	var first proto.Digest
	n.lose = func(_ *node, f []byte) bool {
		p, err := proto.ParsePart(f)
		if err != nil || p.Type != proto.TypeRekey {
			return false
		}
		first = cmp.Or(first, p.Set())
		return p.Set() != first
	}
	all[0].do(step.Rekey())
	n.lose = nil
	n.settle()
	in := 0
	for _, x := range all[1:] {
		if x.gen() == 1 {
			in++
			x.send("hello")
		}
	}
	require.Equal(t, 2, in)
	n.settle()
	posted := func() rekey.Millis { return stateOf(all[0].space).rekeys.Value().Posted[0].Last }
	before := posted()
	for _, x := range all[1:] {
		x.offline = true // and nobody asks
	}
	n.now = n.now.Add(25 * time.Hour)
	require.NoError(t, all[0].edit(func(d *edit) error {
		all := d.st.rekeys.Value().Posted
		require.Len(t, d.reposts(all), 1)
		d.unsent = true
		require.Empty(t, d.reposts(all), "the outbox has what was posted before")
		return nil
	}))
	n.settle()
	require.Greater(t, posted(), before)
	for _, x := range all[1:] {
		x.offline = false
	}
	n.settle()
	for _, x := range all {
		require.EqualValues(t, 1, x.gen(), x.name)
	}
}

func rekeyOfPreferred(t *testing.T, d *edit) uint64 {
	_, r, ok := d.preferred()
	require.True(t, ok)
	return r.Rekey()
}
