// Package gaps is which of another device's numbered messages were read (SPEC §18.8).
package gaps

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Max is how many gaps are held: as many as a ratchet holds keys of skipped messages. The oldest is forgotten for a new one,
// one that is open first.
const Max = 2000

// Stored is the size of a stored gap in bytes.
const Stored = 2*8 + 1

// Read is which messages were read: all up to the highest one, except those in gaps. It is immutable. The zero Read is none.
type Read struct {
	highest uint64
	gaps    []gap // ascending
}

// gap is a range of numbers of which no message came. If it is filled, their texts were read from copies.
type gap struct {
	Range
	filled bool
}

// Range is a range of numbers, ends included.
type Range struct{ From, To uint64 }

// Contains reports whether n is in the range.
func (r Range) Contains(n uint64) bool { return r.From <= n && n <= r.To }

// With returns what is read after message n, 1 or more, or after a copy of it. It reports whether its text is new.
//
// A message that came itself cannot come again, since its key is erased. So it is new unless a copy came before it, even if
// its number was seen: its sender may have been set back. A copy is new only if nothing of that number came.
func (r Read) With(n uint64, isCopy bool) (next Read, isNew bool) {
	if n > r.highest {
		if n > r.highest+1 {
			r.gaps = append(slices.Clip(r.gaps), gap{Range: Range{r.highest + 1, n - 1}})
		}
		r.highest = n
		if isCopy {
			r.gaps = append(slices.Clip(r.gaps), gap{Range{n, n}, true})
			r = r.joined()
		}
		return r.bounded(), true
	}
	i, ok := r.find(n)
	if !ok {
		return r, !isCopy
	}
	g := r.gaps[i]
	if isCopy && g.filled {
		return r, false
	}
	var parts []gap
	if g.From < n {
		parts = append(parts, gap{Range{g.From, n - 1}, g.filled})
	}
	if isCopy {
		parts = append(parts, gap{Range{n, n}, true})
	}
	if n < g.To {
		parts = append(parts, gap{Range{n + 1, g.To}, g.filled})
	}
	r.gaps = slices.Replace(slices.Clone(r.gaps), i, i+1, parts...)
	return r.joined().bounded(), !g.filled
}

// find returns the gap that n is in.
func (r Read) find(n uint64) (i int, ok bool) {
	i, _ = slices.BinarySearchFunc(r.gaps, n, func(g gap, n uint64) int { return cmp.Compare(g.To, n) })
	return i, i < len(r.gaps) && r.gaps[i].Contains(n)
}

// joined joins filled gaps that touch. It may write to the gaps.
func (r Read) joined() Read {
	out := r.gaps[:0]
	for _, g := range r.gaps {
		if last := len(out) - 1; last >= 0 && g.filled && out[last].filled && out[last].To+1 == g.From {
			out[last].To = g.To
			continue
		}
		out = append(out, g)
	}
	r.gaps = out
	return r
}

// bounded drops the oldest gaps beyond Max, those that are open first. It may write to the gaps.
func (r Read) bounded() Read {
	for len(r.gaps) > Max {
		i := max(0, slices.IndexFunc(r.gaps, func(g gap) bool { return !g.filled }))
		r.gaps = slices.Delete(r.gaps, i, i+1)
	}
	return r
}

// GivenUp returns the same without open gaps up to n: their sender has no copies of them.
func (r Read) GivenUp(n uint64) Read {
	if r.Floor() >= n {
		return r
	}
	out := make([]gap, 0, len(r.gaps))
	for _, g := range r.gaps {
		if !g.filled && g.From <= n {
			if g.To <= n {
				continue
			}
			g.From = n + 1
		}
		out = append(out, g)
	}
	r.gaps = out
	return r
}

// Floor returns the highest number up to which there is no open gap.
func (r Read) Floor() uint64 {
	for _, g := range r.gaps {
		if !g.filled {
			return g.From - 1
		}
	}
	return r.highest
}

// Misses reports whether a message above number n is missing.
func (r Read) Misses(n uint64) bool {
	return slices.ContainsFunc(r.gaps, func(g gap) bool { return !g.filled && g.To > n })
}

// Highest returns the highest number that came.
func (r Read) Highest() uint64 { return r.highest }

// Missing returns up to max ranges of numbers of which nothing was read, and the number above which nothing was read, or is
// in a range that was left out.
func (r Read) Missing(max int) (missing []Range, above uint64) {
	for _, g := range r.gaps {
		if g.filled {
			continue
		}
		if len(missing) == max {
			return missing, g.From - 1
		}
		missing = append(missing, g.Range)
	}
	return missing, r.highest
}

// Write appends the stored form.
func (r Read) Write(w *wire.Writer) {
	w.U64(r.highest)
	w.U32(uint32(len(r.gaps)))
	for _, g := range r.gaps {
		w.U64(g.From)
		w.U64(g.To)
		w.Bool(g.filled)
	}
}

// Parse reads what Write appended.
func Parse(in *wire.Reader) (r Read) {
	r.highest = in.U64()
	before := uint64(0)
	for range in.Count(Max, Stored) {
		g := gap{Range{in.U64(), in.U64()}, in.Bool()}
		if g.From <= before || g.To < g.From || g.To > r.highest {
			in.Fail("messages that were not read, out of order")
			return Read{}
		}
		before = g.To
		r.gaps = append(r.gaps, g)
	}
	return r
}
