package dkg

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// history is what a test believes about evals.
type history struct {
	poly    Polynomial
	root    byte
	records map[Index]Record
}

// G5: whatever is done, in whatever order: no index is handed out twice under a root, every share is the committed one and
// not zero, records move one way, the cursor never falls, each value succeeds the one before it and none the one after,
// and a failed call changes nothing.
func TestG5LedgerMovesOneWay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := history{poly: NewPolynomial(), records: map[Index]Record{1: {1, Held, Redeemed, nil}}}
		const depth, capacity = 9, 300
		e := dealt(t, h.poly, Terms{Depth: depth, Capacity: capacity, Held: []Index{1}, Next: 2})
		near := rapid.Uint32Range(0, 320)
		step := func(next Evals, err error) {
			if err != nil {
				require.True(t, same(t, e, next), "on error the value passed in comes back")
				require.NoError(t, next.Succeeds(e))
				return
			}
			require.NoError(t, next.Succeeds(e))
			require.Equal(t, same(t, e, next), e.Succeeds(next) == nil, "never backwards")
			require.GreaterOrEqual(t, next.Next(), e.Next())
			e = next
		}
		taken := func(next Evals, s Share, k Kind, admission []byte, err error) {
			step(next, err)
			if err != nil {
				require.Zero(t, s.Index())
				return
			}
			require.NotContains(t, h.records, s.Index())
			require.LessOrEqual(t, s.Index(), Index(capacity))
			require.Less(t, s.Index(), e.Next())
			require.NoError(t, h.poly.Commitment().Verify(s))
			h.records[s.Index()] = Record{s.Index(), k, Issued, admission}
		}
		settle := func(next Evals, err error, to Status, is ...Index) {
			step(next, err)
			count := map[Index]int{}
			for _, i := range is {
				count[i]++
			}
			ok := true
			for i, n := range count {
				ok = ok && n == 1 && h.records[i].Status == Issued
			}
			require.Equal(t, ok, err == nil)
			for i := range count {
				if r := h.records[i]; ok {
					r.Status = to
					h.records[i] = r
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"take": func(rt *rapid.T) {
				k, admission := Kind(rapid.IntRange(0, 6).Draw(rt, "kind")), rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(rt, "admission")
				left := e.Remaining()
				next, s, err := e.Issue(k, admission)
				want := error(nil)
				switch {
				case !e.CanDeal():
					want = ErrReadOnly
				case left == 0:
					want = ErrExhausted
				case k < Private || k > Direct || len(admission) == 0 || len(admission) > maxAdmission:
					want = ErrLedger
				}
				require.ErrorIs(t, err, want)
				taken(next, s, k, bytes.Clone(admission), err)
				clear(admission)
			},
			"take at": func(rt *rapid.T) {
				i := Index(near.Draw(rt, "index"))
				next, s, err := e.IssueAt(i, Direct, []byte{1})
				_, used := h.records[i]
				require.Equal(t, e.CanDeal() && i > 0 && i < e.Next() && i <= capacity && !used, err == nil)
				taken(next, s, Direct, []byte{1}, err)
			},
			"redeem": func(rt *rapid.T) {
				i := Index(near.Draw(rt, "index"))
				next, err := e.Redeem(i)
				settle(next, err, Redeemed, i)
			},
			"revoke": func(rt *rapid.T) {
				var is []Index
				for _, i := range rapid.SliceOfN(near, 0, 3).Draw(rt, "indices") {
					is = append(is, Index(i))
				}
				next, err := e.Revoke(is...)
				settle(next, err, Revoked, is...)
			},
			"revoke an open one": func(rt *rapid.T) {
				for r := range e.Open() {
					next, err := e.Revoke(r.Index)
					require.NoError(t, err)
					settle(next, err, Revoked, r.Index)
					break
				}
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
			"rekey": func(rt *rapid.T) {
				if rapid.IntRange(0, 9).Draw(rt, "rarely") != 0 {
					return
				}
				h.poly, h.root = NewPolynomial(), h.root+1
				var held []Index
				for i, r := range h.records {
					if r.Status == Redeemed {
						held = append(held, i)
					}
				}
				h.records = map[Index]Record{}
				for _, i := range held {
					h.records[i] = Record{i, Held, Redeemed, nil}
				}
				next, err := h.poly.Evals(Terms{Root: [32]byte{h.root}, Generation: uint64(h.root), Depth: depth, Capacity: capacity, Held: held, Next: e.Next()})
				step(next, err)
				require.NoError(t, err)
			},
			"": func(rt *rapid.T) {
				var open []Index
				n := 0
				for r := range e.Records() {
					want := h.records[r.Index]
					require.True(t, r.succeeds(want) && want.succeeds(r), "record of %d", r.Index)
					require.Equal(t, r, e.Record(r.Index))
					if r.Status == Issued {
						open = append(open, r.Index)
					}
					n++
				}
				require.Len(t, h.records, n)
				var got []Index
				for r := range e.Open() {
					got = append(got, r.Index)
				}
				require.Equal(t, open, got)
				require.True(t, slices.IsSorted(got))
				back, err := decodeEvals(t, encodeEvals(t, e))
				require.NoError(t, err)
				require.True(t, same(t, e, back))
				require.NoError(t, back.Succeeds(e))
			},
		})
	})
}

func TestTerms(t *testing.T) {
	p := NewPolynomial()
	good := Terms{Depth: 4, Capacity: 15, Held: []Index{3, 1}, Next: 4}
	e, err := p.Evals(good)
	require.NoError(t, err)
	require.Equal(t, []Index{3, 1}, good.Held, "not sorted in place")
	require.Equal(t, 12, e.Remaining())
	for name, change := range map[string]func(*Terms){
		"depth 0":             func(t *Terms) { t.Depth = 0 },
		"depth below 0":       func(t *Terms) { t.Depth = -1 },
		"depth 21":            func(t *Terms) { t.Depth = 21 },
		"capacity 0":          func(t *Terms) { t.Capacity = 0 },
		"capacity 2^depth":    func(t *Terms) { t.Capacity = 16 },
		"capacity of wrap":    func(t *Terms) { t.Capacity = 1<<32 - 1 },
		"cursor 0":            func(t *Terms) { t.Next = 0 },
		"held at the cursor":  func(t *Terms) { t.Held = []Index{4} },
		"held twice":          func(t *Terms) { t.Held = []Index{2, 1, 2} },
		"held 0":              func(t *Terms) { t.Held = []Index{1, 0} },
		"held beyond":         func(t *Terms) { t.Held, t.Next = []Index{16}, 99 },
		"held beyond any":     func(t *Terms) { t.Held, t.Next = []Index{1<<32 - 1}, 99 },
		"nobody and no index": func(t *Terms) { t.Held, t.Next = nil, 0 },
	} {
		bad := good
		change(&bad)
		got, err := p.Evals(bad)
		require.ErrorIs(t, err, ErrIndex, name)
		require.Equal(t, mode(0), got.mode, name)
	}

	// A dealer that takes over goes on at the highest index seen and 256 more: there may be no room left, but a rekey works.
	full, err := p.Evals(Terms{Depth: 4, Capacity: 15, Held: []Index{15}, Next: 15 + 256})
	require.NoError(t, err)
	require.Equal(t, Index(16), full.Next())
	require.Zero(t, full.Remaining())
	same, _, err := full.Issue(Private, []byte{1})
	require.ErrorIs(t, err, ErrExhausted)
	require.NoError(t, same.Succeeds(full))
}

// At every depth the last index is 2^depth - 1.
func TestCapacityIsUsedUp(t *testing.T) {
	for _, depth := range []int{1, 2, 5} {
		e := dealt(t, NewPolynomial(), Terms{Depth: depth, Capacity: 1<<depth - 1, Next: 1})
		for i := Index(1); i < 1<<depth; i++ {
			require.Equal(t, 1<<depth-int(i), e.Remaining())
			next, s, err := e.Issue(Direct, []byte{1})
			require.NoError(t, err)
			require.Equal(t, i, s.Index())
			require.NoError(t, s.Index().Check(depth))
			e = next
		}
		_, _, err := e.Issue(Direct, []byte{1})
		require.ErrorIs(t, err, ErrExhausted)
	}
	last := dealt(t, NewPolynomial(), Terms{Depth: MaxDepth, Capacity: MaxIndex, Next: MaxIndex})
	next, s, err := last.Issue(Direct, []byte{1})
	require.NoError(t, err)
	require.Equal(t, MaxIndex, s.Index())
	require.Zero(t, next.Remaining())
}

// An index with f(i) = 0 is skipped and never handed out.
func TestZeroShareIsSkipped(t *testing.T) {
	e := dealt(t, zeroAt(5), Terms{Next: 5})
	next, s, err := e.Issue(Private, []byte{1})
	require.NoError(t, err)
	require.Equal(t, Index(6), s.Index())
	require.False(t, s.Scalar().IsZero())
	_, _, err = next.IssueAt(5, Private, []byte{1})
	require.ErrorIs(t, err, ErrShare)
	only := dealt(t, zeroAt(5), Terms{Capacity: 5, Next: 5})
	_, _, err = only.Issue(Private, []byte{1})
	require.ErrorIs(t, err, ErrExhausted)
}

func TestNoEvals(t *testing.T) {
	e := NoEvals()
	require.True(t, e.IsNone())
	require.False(t, e.CanDeal())
	require.Zero(t, e.Remaining())
	require.Zero(t, e.Next())
	_, _, err := e.Issue(Private, []byte{1})
	require.ErrorIs(t, err, ErrReadOnly)
	_, _, err = e.IssueAt(1, Private, []byte{1})
	require.ErrorIs(t, err, ErrReadOnly)
	_, err = e.Redeem(1)
	require.ErrorIs(t, err, ErrIndex)
	_, err = e.Revoke(1)
	require.ErrorIs(t, err, ErrIndex)
	moved, err := e.MoveCursorPast(9)
	require.NoError(t, err)
	require.True(t, same(t, e, moved))
	require.True(t, same(t, e, e.ReadOnly()))
}

// Records that are handed out are copies.
func TestRecordsAreCopies(t *testing.T) {
	admission := []byte{1, 2, 3}
	e := dealt(t, NewPolynomial(), Terms{Next: 1})
	e, s, err := e.Issue(Public, admission)
	require.NoError(t, err)
	admission[0] = 9
	e.Record(s.Index()).Admission[0] = 9
	for r := range e.Open(Public) {
		r.Admission[0] = 9
	}
	require.Equal(t, []byte{1, 2, 3}, e.Record(s.Index()).Admission)
	for range e.Open(Private, Direct) {
		t.Fatal("a public invite is neither private nor direct")
	}
}

// G5: each way in which evals may go backwards is refused.
func TestG5Succeeds(t *testing.T) {
	p, other := NewPolynomial(), NewPolynomial()
	terms := Terms{Root: [32]byte{1}, Generation: 3, Depth: 14, Capacity: 100, Held: []Index{1, 2}, Next: 10}
	with := func(p Polynomial, change func(*Terms)) Evals {
		t := terms
		change(&t)
		e, _ := p.Evals(t)
		return e
	}
	prev := dealt(t, p, terms)
	issued, _, err := prev.Issue(Private, []byte{1})
	require.NoError(t, err)
	redeemed, err := issued.Redeem(10)
	require.NoError(t, err)
	revoked, err := issued.Revoke(10)
	require.NoError(t, err)
	otherKey, _, err := prev.Issue(Private, []byte{2})
	require.NoError(t, err)
	otherKind, _, err := prev.Issue(Public, []byte{1})
	require.NoError(t, err)
	skipped, err := prev.MoveCursorPast(10)
	require.NoError(t, err)
	newRoot := func(change func(*Terms)) Evals {
		return with(other, func(t *Terms) { t.Root, t.Generation, t.Next = [32]byte{2}, 4, 11; change(t) })
	}
	type pair struct{ next, prev Evals }
	for name, c := range map[string]pair{
		"the same":               {issued, issued},
		"issued":                 {issued, prev},
		"redeemed":               {redeemed, issued},
		"revoked":                {revoked, issued},
		"read-only":              {redeemed.ReadOnly(), issued},
		"redeemed in read-only":  {redeemed.ReadOnly(), issued.ReadOnly()},
		"the first":              {issued, NoEvals()},
		"none still":             {NoEvals(), NoEvals()},
		"a new root":             {newRoot(func(*Terms) {}), issued},
		"a new root, greater":    {newRoot(func(t *Terms) { t.Depth = 15 }), issued},
		"a new root, fewer left": {newRoot(func(t *Terms) { t.Capacity = 5 }), issued},
		"after read-only":        {newRoot(func(*Terms) {}), issued.ReadOnly()},
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
		"cursor":                    {prev, issued},
		"record missing":            {skipped, issued},
		"redeemed to issued":        {issued, redeemed},
		"redeemed to revoked":       {revoked, redeemed},
		"revoked to redeemed":       {redeemed, revoked},
		"revoked to issued":         {issued, revoked},
		"another admission":         {otherKey, issued},
		"another kind":              {otherKind, issued},
		"writable again":            {issued, issued.ReadOnly()},
		"another polynomial":        {with(other, func(*Terms) {}), prev},
		"another capacity":          {with(p, func(t *Terms) { t.Capacity = 200 }), prev},
		"another depth":             {with(p, func(t *Terms) { t.Depth = 15 }), prev},
		"another generation":        {with(p, func(t *Terms) { t.Generation = 4 }), prev},
		"held is missing":           {with(p, func(t *Terms) { t.Held = []Index{1} }), prev},
		"new root, same generation": {newRoot(func(t *Terms) { t.Generation = 3 }), issued},
		"new root, older":           {newRoot(func(t *Terms) { t.Generation = 2 }), issued},
		"new root, cursor":          {newRoot(func(t *Terms) { t.Next = 10 }), issued},
		"new root, depth":           {newRoot(func(t *Terms) { t.Depth = 13 }), issued},
	} {
		require.ErrorIs(t, c.next.Succeeds(c.prev), ErrLedger, name)
	}
}

// BenchmarkTake hands out one more of many indices.
func BenchmarkTake(b *testing.B) {
	for name, n := range map[string]int{"first": 0, "of 10,000": 9_000} {
		b.Run(name, func(b *testing.B) {
			held := make([]Index, n)
			for i := range held {
				held[i] = Index(i + 1)
			}
			e, err := Polynomial{ed448.RandomScalar(), ed448.RandomScalar()}.Evals(Terms{Depth: 14, Capacity: 10_000, Held: held, Next: Index(n + 1)})
			require.NoError(b, err)
			admission := make([]byte, 32)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := e.Issue(Public, admission); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestEvalsSayWhatTheyAre(t *testing.T) {
	e := dealt(t, NewPolynomial(), Terms{Root: [32]byte{1}, Generation: 3, Next: 1})
	root, generation := e.Root()
	require.Equal(t, [32]byte{1}, root)
	require.Equal(t, uint64(3), generation)
	require.Equal(t, DefaultDepth, e.Depth())
	require.Equal(t, DefaultCapacity, e.Remaining())
	for want, e := range map[string]Evals{"no evals": NoEvals(), "evals": e, "read-only evals": e.ReadOnly(), "zero evals": {}} {
		require.Equal(t, want, fmt.Sprint(e))
		require.Equal(t, want, fmt.Sprintf("%#v", e))
	}
}
