package ratchet

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/cputest"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// knowing returns a member's space with the inbox keys of all others, as after each said its first update.
func (c *crowd) knowing(s Space) Space {
	st := stateOf(s)
	for row := range st.roots.All() {
		d, err := newEdit(withState(s, st), c.now, Options{})
		require.NoError(c, err)
		r, _ := d.root(row.id)
		for _, x := range append([]person{c.genesis.founder}, c.people...) {
			u := proto.NewUpdate(st.space, x.index, 1, x.inboxes[0].secret.Public, x.signing)
			r, err = r.Update(u)
			require.NoError(c, err)
		}
		st.roots = st.roots.Put(row.with(r))
	}
	return withState(s, st)
}

// rekeyed returns the frames of a rekey that the founder makes.
func (c *crowd) rekeyed(s Space) (Space, [][]byte) {
	d, err := newEdit(s, c.now, Options{})
	require.NoError(c, err)
	d.seal = 1 << 20
	require.NoError(c, d.take(step.Rekey()))
	return d.space(), d.frames
}

func bytesOf(frames [][]byte) (n int) {
	for _, f := range frames {
		n += len(f)
	}
	return n
}

// rekeySizes returns the numbers of members for which a rekey is measured. TREFOIL_LONG measures 3,000, which is the most that one whole has
// boxes for.
func rekeySizes() []int {
	if os.Getenv("TREFOIL_LONG") != "" {
		return []int{10, 100, 1000, 3000}
	}
	return []int{10, 100, 1000}
}

// BenchmarkRekey makes a rekey in one call. Its unit is a box, sealed on one processor: what is above 1 a member is everything else.
func BenchmarkRekey(b *testing.B) {
	for _, n := range rekeySizes() {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			c := newCrowd(b, n, rules.Policy{})
			s := c.knowing(c.reader)
			inbox := c.people[0].inboxes[0].secret.Public
			var calls, seals float64
			var frames [][]byte
			for b.Loop() {
				at := cputest.Used()
				_, frames = c.rekeyed(s)
				mid := cputest.Used()
				for range 200 {
					if _, err := inbox.Seal(suite.HPKERekey, c.reader.ID(), 1, make([]byte, 120)); err != nil {
						b.Fatal(err)
					}
				}
				calls, seals = calls+float64(mid-at), seals+float64(cputest.Used()-mid)/200
			}
			b.ReportMetric(calls/seals/float64(n), "seals/member")
			b.ReportMetric(calls/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(bytesOf(frames))/float64(n), "B/member")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// openAll opens the parts of a whole, and once all are there those again that waited for the others.
func (d *edit) openAll(frames [][]byte) {
	var retained []incoming
	for _, f := range frames {
		in := newIncoming(state.Frame{Data: f})
		if _, err := openFrame(d, in); state.VerdictOf(err) == state.Retain {
			retained = append(retained, in)
		}
	}
	for _, in := range retained {
		_, _ = openFrame(d, in) // what became of it is in the edit
	}
}

// BenchmarkApplyRekey follows a rekey whose parts are all there.
func BenchmarkApplyRekey(b *testing.B) {
	for _, n := range rekeySizes() {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			c := newCrowd(b, n, rules.Policy{})
			_, frames := c.rekeyed(c.knowing(c.reader))
			s := c.knowing(c.witness)
			var spent float64
			for b.Loop() {
				d, err := newEdit(s, c.now, Options{})
				require.NoError(b, err)
				at := cputest.Used()
				d.openAll(frames)
				spent += float64(cputest.Used() - at)
				_, r, ok := d.preferred()
				require.True(b, ok)
				require.EqualValues(b, 1, r.Rekey())
			}
			b.ReportMetric(spent/float64(b.N), "cpu-ns/op")
			b.ReportMetric(0, "ns/op")
		})
	}
}
