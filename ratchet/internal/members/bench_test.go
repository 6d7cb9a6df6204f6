package members_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// counting is a store that counts the bytes that are handed to it.
type counting struct {
	store.Store
	bytes int
}

func (c *counting) Commit(ctx context.Context, changes ...store.Change) error {
	c.bytes = 0
	for _, ch := range changes {
		c.bytes += len(ch.Next.Sealed)
		for _, b := range slices.Concat(ch.Parts, slices.Collect(maps.Values(ch.Put))) {
			c.bytes += len(b)
		}
	}
	return c.Store.Commit(ctx, changes...)
}

// many returns a root with so many members that came by one run and were read.
func (w *world) many(n dkg.Index) (r members.Root, people []person) {
	x, keys := w.invite(w.terms, dkg.Public, runFirst)
	x.Certificate.Count = 1_024
	x = proto.NewRecord(w.owners[0], w.space, x.Certificate.Sign(w.owners[0], w.space), x.RequestKey, x.Masked)
	r = members.NewRoot(w.terms)
	for k := range n {
		people = append(people, w.bind(x, keys, runFirst+k))
		r = w.member(r, people[k])
	}
	return r, people
}

// BenchmarkAnswered notes the counter of a request that was answered, in a vault. "written" is what it hands to the store.
func BenchmarkAnswered(b *testing.B) {
	for _, n := range []dkg.Index{100, 1_000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			w := newWorld(b)
			r, people := w.many(n)
			key, err := state.NewKey(make([]byte, 32))
			require.NoError(b, err)
			c := &counting{Store: store.NewMemory()}
			v, err := state.Open[state.One[room]](b.Context(), c, key, state.Options{})
			require.NoError(b, err)
			require.NoError(b, v.Create(b.Context(), stored(b, room{root: r}), nil))
			written, ops := 0, 0
			for b.Loop() {
				require.NoError(b, v.Update(b.Context(), state.ID{1}, func(tx *state.Tx[state.One[room]]) error {
					p := tx.Value().Part()
					p.root.Terms = w.terms
					var err error
					p.root, err = p.root.Answered(people[ops%len(people)].maker(), uint64(ops+1), 1<<40)
					tx.Set(tx.Value().With(p))
					return err
				}))
				written, ops = written+c.bytes, ops+1
			}
			b.ReportMetric(float64(written)/float64(ops), "written/op")
		})
	}
}

// BenchmarkMeet takes over what was read in another root, of members of whom all is known: what a root costs that is entered beside another one of
// its generation.
func BenchmarkMeet(b *testing.B) {
	for _, n := range []dkg.Index{100, 1_000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			w := newWorld(b)
			old, people := w.many(n)
			roster := proto.Roster{entry(w.founder)}
			for _, p := range people {
				roster = append(roster, entry(p))
			}
			r, _ := members.NewRoot(w.root(1, w.owners, roster, nil)).Succeed(old, nil, 1, now)
			for b.Loop() {
				for i := range old.All() {
					_, _, met := r.Meet(old, i, now)
					require.False(b, met)
				}
			}
		})
	}
}
