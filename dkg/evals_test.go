package dkg

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// history is what a test believes about evals.
type history struct {
	poly    Polynomial
	root    byte
	offered map[Index]bool // under any root
	open    map[[16]byte]Offer
}

// G5: whatever is done, in whatever order: no index is offered twice, every share is the committed one, the cursor never falls,
// each value succeeds the one before it and none after the cursor or the mode has moved, and a failed call changes nothing.
func TestG5EvalsMoveOneWay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := history{poly: NewPolynomial(), offered: map[Index]bool{}, open: map[[16]byte]Offer{}}
		const depth, capacity = 9, 300
		e, names := dealt(t, h.poly, Terms{Depth: depth, Capacity: capacity, Next: 2}), byte(0)
		step := func(next Evals, err error) bool {
			require.NoError(t, next.Succeeds(e))
			if err != nil {
				require.True(t, same(t, e, next), "on error the value passed in comes back")
				return false
			}
			require.Equal(t, next.Next() == e.Next() && next.mode == e.mode && next.Root() == e.Root(), e.Succeeds(next) == nil, "never backwards")
			e = next
			return true
		}
		rt.Repeat(map[string]func(*rapid.T){
			"offer": func(rt *rapid.T) {
				names++
				want := Offer{Name: [16]byte{names}, Kind: Kind(rapid.IntRange(1, 5).Draw(rt, "kind")), Count: 1, M: offerSecret}
				if want.Kind == Public {
					want.Count = 16
				}
				next, o, err := e.Offer(want, 0, 1)
				switch {
				case want.Kind < Private || want.Kind > Direct:
					require.ErrorIs(t, err, ErrOrder)
				case !e.CanDeal():
					require.ErrorIs(t, err, ErrReadOnly)
				case e.Next()+Index(want.Count)-1 > capacity:
					require.ErrorIs(t, err, ErrExhausted)
				default:
					require.NoError(t, err)
				}
				if !step(next, err) {
					require.Zero(t, o.First)
					return
				}
				require.LessOrEqual(t, o.Last(), Index(capacity))
				for i := o.First; i <= o.Last(); i++ {
					require.False(t, h.offered[i])
					h.offered[i] = true
					s, err := e.Share(i)
					require.NoError(t, err)
					require.NoError(t, h.poly.Commitment().Verify(s))
				}
				h.open[o.Name] = o
			},
			"end": func(rt *rapid.T) {
				name := [16]byte{rapid.Byte().Draw(rt, "name")}
				next, err := e.EndOffer(name)
				_, open := h.open[name]
				require.Equal(t, open, err == nil)
				step(next, err)
				delete(h.open, name)
			},
			"move the cursor": func(rt *rapid.T) {
				i := Index(rapid.Uint32Range(0, 600).Draw(rt, "index"))
				next, err := e.MoveCursorPast(i)
				require.Equal(t, i > 0 && i < 1<<depth, err == nil)
				step(next, err)
				require.True(t, err != nil || e.Next() > i)
			},
			"read-only": func(rt *rapid.T) {
				if rapid.IntRange(0, 9).Draw(rt, "rarely") == 0 {
					step(e.ReadOnly(), nil)
				}
			},
			"store": func(*rapid.T) {
				back := readBack(t, e)
				require.True(t, same(t, e, back))
				require.NoError(t, back.Succeeds(e))
			},
			"rekey": func(rt *rapid.T) {
				if rapid.IntRange(0, 9).Draw(rt, "rarely") != 0 {
					return
				}
				h.poly, h.root = NewPolynomial(), h.root+1
				next, err := h.poly.Evals(Terms{Root: [32]byte{h.root}, Generation: uint64(h.root), Depth: depth, Capacity: capacity, Next: e.Next()})
				for _, o := range h.open {
					require.NoError(t, err)
					next, err = next.KeepOffer(o)
				}
				require.NoError(t, err)
				step(next, err)
			},
			"": func(rt *rapid.T) {
				open := slices.Collect(e.Offers())
				require.True(t, slices.IsSortedFunc(open, func(a, b Offer) int { return slices.Compare(a.Name[:], b.Name[:]) }))
				require.Len(t, open, len(h.open))
				for _, o := range open {
					require.Equal(t, h.open[o.Name].First, o.First)
				}
			},
		})
	})
}

func TestTerms(t *testing.T) {
	p := NewPolynomial()
	good := Terms{Depth: 4, Capacity: 15, Next: 4}
	e, err := p.Evals(good)
	require.NoError(t, err)
	require.Equal(t, Index(4), e.Next())
	for name, change := range map[string]func(*Terms){
		"depth 0":          func(t *Terms) { t.Depth = 0 },
		"depth below 0":    func(t *Terms) { t.Depth = -1 },
		"depth 21":         func(t *Terms) { t.Depth = 21 },
		"capacity 0":       func(t *Terms) { t.Capacity = 0 },
		"capacity 2^depth": func(t *Terms) { t.Capacity = 16 },
		"capacity of wrap": func(t *Terms) { t.Capacity = 1<<32 - 1 },
		"cursor 0":         func(t *Terms) { t.Next = 0 },
	} {
		bad := good
		change(&bad)
		got, err := p.Evals(bad)
		require.ErrorIs(t, err, ErrIndex, name)
		require.Equal(t, mode(0), got.mode, name)
	}
	_, err = Polynomial{}.Evals(good)
	require.ErrorIs(t, err, ErrShare)

	// A dealer that takes over goes on at the highest index seen and 256 more: there may be no room left, but a rekey works.
	full, err := p.Evals(Terms{Depth: 4, Capacity: 15, Next: 15 + 256})
	require.NoError(t, err)
	require.Equal(t, Index(16), full.Next())
	same, _, err := full.Offer(private(1), 0, 1)
	require.ErrorIs(t, err, ErrExhausted)
	require.NoError(t, same.Succeeds(full))
}

// private is an offer of one index as it is wished for.
func private(name byte) Offer {
	return Offer{Name: [16]byte{name}, Kind: Private, Count: 1, M: offerSecret}
}

// At every depth the last index is 2^depth - 1.
func TestCapacityIsUsedUp(t *testing.T) {
	for _, depth := range []int{1, 2, 5} {
		e := dealt(t, NewPolynomial(), Terms{Depth: depth, Capacity: 1<<depth - 1, Next: 1})
		for i := Index(1); i < 1<<depth; i++ {
			next, o, err := e.Offer(private(byte(i)), 0, 1)
			require.NoError(t, err)
			require.Equal(t, i, o.First)
			require.NoError(t, o.First.Check(depth))
			e = next
		}
		_, _, err := e.Offer(private(0), 0, 1)
		require.ErrorIs(t, err, ErrExhausted)
	}
	last := dealt(t, NewPolynomial(), Terms{Depth: MaxDepth, Capacity: MaxIndex, Next: MaxIndex})
	next, o, err := last.Offer(private(1), 0, 1)
	require.NoError(t, err)
	require.Equal(t, MaxIndex, o.First)
	_, _, err = next.Offer(private(2), 0, 1)
	require.ErrorIs(t, err, ErrExhausted)
}

// An index with f(i) = 0 is skipped and never offered.
func TestZeroShareIsSkipped(t *testing.T) {
	e := dealt(t, zeroAt(5), Terms{Next: 5})
	next, o, err := e.Offer(private(1), 0, 1)
	require.NoError(t, err)
	require.Equal(t, Index(6), o.First)
	_, err = next.Share(5)
	require.ErrorIs(t, err, ErrShare)
	only := dealt(t, zeroAt(5), Terms{Capacity: 5, Next: 5})
	_, _, err = only.Offer(private(1), 0, 1)
	require.ErrorIs(t, err, ErrExhausted)
}

func TestNoEvals(t *testing.T) {
	e := NoEvals()
	require.True(t, e.IsNone())
	require.False(t, e.CanDeal())
	require.Zero(t, e.Next())
	_, _, err := e.Offer(private(1), 0, 1)
	require.ErrorIs(t, err, ErrReadOnly)
	_, err = e.Share(1)
	require.ErrorIs(t, err, ErrReadOnly)
	moved, err := e.MoveCursorPast(9)
	require.NoError(t, err)
	require.True(t, same(t, e, moved))
	require.True(t, same(t, e, e.ReadOnly()))
}

// G5: each way in which evals may go backwards is refused.
func TestG5Succeeds(t *testing.T) {
	p, other := NewPolynomial(), NewPolynomial()
	terms := Terms{Root: [32]byte{1}, Generation: 3, Depth: 14, Capacity: 100, Next: 10}
	with := func(p Polynomial, change func(*Terms)) Evals {
		t := terms
		change(&t)
		e, _ := p.Evals(t)
		return e
	}
	prev := dealt(t, p, terms)
	offered, _, err := prev.Offer(private(1), 0, 1)
	require.NoError(t, err)
	ended, err := offered.EndOffer([16]byte{1})
	require.NoError(t, err)
	newRoot := func(change func(*Terms)) Evals {
		return with(other, func(t *Terms) { t.Root, t.Generation, t.Next = [32]byte{2}, 4, 11; change(t) })
	}
	type pair struct{ next, prev Evals }
	for name, c := range map[string]pair{
		"the same":               {offered, offered},
		"offered":                {offered, prev},
		"ended":                  {ended, offered},
		"read-only":              {offered.ReadOnly(), offered},
		"ended in read-only":     {ended.ReadOnly(), offered.ReadOnly()},
		"the first":              {offered, NoEvals()},
		"none still":             {NoEvals(), NoEvals()},
		"a new root":             {newRoot(func(*Terms) {}), offered},
		"a new root, greater":    {newRoot(func(t *Terms) { t.Depth = 15 }), offered},
		"a new root, fewer left": {newRoot(func(t *Terms) { t.Capacity = 5 }), offered},
		"after read-only":        {newRoot(func(*Terms) {}), offered.ReadOnly()},
	} {
		require.NoError(t, c.next.Succeeds(c.prev), name)
	}
	for name, c := range map[string]pair{
		"zero":                      {Evals{}, prev},
		"after zero":                {prev, Evals{}},
		"zero after zero":           {Evals{}, Evals{}},
		"zero after none":           {Evals{}, NoEvals()},
		"gone":                      {NoEvals(), prev},
		"gone from read-only":       {NoEvals(), prev.ReadOnly()},
		"cursor":                    {prev, offered},
		"writable again":            {offered, offered.ReadOnly()},
		"another polynomial":        {with(other, func(*Terms) {}), prev},
		"another capacity":          {with(p, func(t *Terms) { t.Capacity = 200 }), prev},
		"another depth":             {with(p, func(t *Terms) { t.Depth = 15 }), prev},
		"another generation":        {with(p, func(t *Terms) { t.Generation = 4 }), prev},
		"new root, same generation": {newRoot(func(t *Terms) { t.Generation = 3 }), offered},
		"new root, older":           {newRoot(func(t *Terms) { t.Generation = 2 }), offered},
		"new root, cursor":          {newRoot(func(t *Terms) { t.Next = 10 }), offered},
		"new root, depth":           {newRoot(func(t *Terms) { t.Depth = 13 }), offered},
	} {
		require.ErrorIs(t, c.next.Succeeds(c.prev), ErrOrder, name)
	}
}

// BenchmarkOffer offers one more index beside others.
func BenchmarkOffer(b *testing.B) {
	for _, n := range []int{0, MaxOffers - 1} {
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) {
			e := dealt(b, NewPolynomial(), Terms{Next: 2})
			for k := range n {
				var err error
				e, _, err = e.Offer(private(byte(k)), 0, 1)
				require.NoError(b, err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := e.Offer(private(255), 0, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestEvalsSayWhatTheyAre(t *testing.T) {
	e := dealt(t, NewPolynomial(), Terms{Root: [32]byte{1}, Generation: 3, Next: 1})
	require.Equal(t, [32]byte{1}, e.Root())
	for want, e := range map[string]Evals{"no evals": NoEvals(), "evals": e, "read-only evals": e.ReadOnly(), "zero evals": {}} {
		require.Equal(t, want, fmt.Sprint(e))
		require.Equal(t, want, fmt.Sprintf("%#v", e))
	}
}
