package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// In a space that is too large for a rekey with a box for each member somebody is removed all the same: most have a box, those that were
// heard among them. One without asks, and reads what is said in the new root.
func TestRemovalInALargeSpace(t *testing.T) {
	c := newCrowd(t, 3200, rules.Policy{})
	last := len(c.people) - 1
	frame := c.say(last, nil)
	founder, _, err := Decrypt(c.knowing(c.reader), c.now, frame)
	require.NoError(t, err)
	witness := c.knowing(c.witness)

	edited := func(s Space, do func(d *edit)) (Space, [][]byte) {
		t.Helper()
		d, err := newEdit(s, c.now, Options{})
		require.NoError(t, err)
		d.seal = 1 << 20
		do(&d)
		return d.space(), d.frames
	}
	gone := c.people[1].index
	founder, parts := edited(founder, func(d *edit) { require.NoError(t, d.take(step.Remove(gone))) })
	require.NotEmpty(t, parts)
	reads := func(s Space, frames [][]byte) Space {
		s, _ = edited(s, func(d *edit) { d.openAll(frames) })
		return s
	}
	rekeys := func(s Space) uint64 {
		e, ok := stateOf(s).forest.Preferred()
		require.True(t, ok)
		return rekeyOf(stateOf(s).forest, e)
	}
	require.EqualValues(t, 1, rekeys(founder))
	require.EqualValues(t, 1, rekeys(reads(witness, parts)))
	c.witness = witness
	require.EqualValues(t, 1, rekeys(reads(c.as(last), parts)), "it was heard")

	without := reads(c.as(last-1), parts)
	require.Zero(t, rekeys(without))
	without, request := edited(without, func(d *edit) { require.NoError(t, d.ask()) })
	require.NotEmpty(t, request)
	founder = reads(founder, request)
	c.now = c.now.Add(5 * time.Hour) // the turn of the last one to answer
	founder, answer := edited(founder, func(d *edit) {
		d.st.clock.reached = d.now
		d.openAll(request)
	})
	require.NotEmpty(t, answer)
	without = reads(without, answer)
	require.EqualValues(t, 1, rekeys(without))
	_, said, err := Encrypt(founder, c.now, []byte("to all that stay"))
	require.NoError(t, err)
	_, m, err := Decrypt(without, c.now, said[len(said)-1])
	require.NoError(t, err)
	require.Equal(t, "to all that stay", string(m.Plaintext))
}
