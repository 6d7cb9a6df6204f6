package orphans

import "github.com/stretchr/testify/require"

// Check compares what an Index knows of itself with what follows from its notes and candidates.
func (x Index) Check(t TB) {
	t.Helper()
	var l lookup
	led := map[string]bool{}
	for s, n := range x.pages.all() {
		l = l.with(s, n)
		at, ok := x.lookup.names.get(n.Name)
		require.True(t, ok && at == s)
		for _, f := range n.search.found {
			if f.what == outcomeLed {
				led[f.epoch.String()] = true
			}
			require.Less(t, f.place, n.commits)
		}
		require.True(t, n.search.held.valid() && n.search.led.valid())
	}
	for c := range x.candidates.All() {
		l = l.leads(c)
		require.True(t, led[c.ID.String()], "a candidate that nothing leads to")
		require.LessOrEqual(t, x.lookup.makers.size, x.lookup.numbers.size)
	}
	require.Equal(t, l.sums, x.lookup.sums)
	same(t, l.names, x.lookup.names)
	same(t, l.order, x.lookup.order)
	same(t, l.ranks, x.lookup.ranks)
	same(t, l.uses, x.lookup.uses)
	same(t, l.crowds, x.lookup.crowds)
	same(t, l.numbers, x.lookup.numbers)
	same(t, l.children, x.lookup.children)
	same(t, l.makers, x.lookup.makers)
	require.Equal(t, l.holders.size, x.lookup.holders.size)
	require.LessOrEqual(t, l.sums[opened].frames+l.sums[unopened].frames, maxFrames)
	for h, tally := range x.lookup.holders.up() {
		require.Equal(t, tally.sum.frames, tally.order.size)
		if h.kind == opened || h.kind == unopened {
			require.LessOrEqual(t, tally.sum.frames, maxHolderFrames)
		}
	}
}

const outcomeLed = led

func same[K ordered[K], V comparable](t TB, a, b sorted[K, V]) {
	t.Helper()
	require.Equal(t, a.size, b.size)
	for k, v := range a.up() {
		got, ok := b.get(k)
		require.True(t, ok && got == v)
	}
}
