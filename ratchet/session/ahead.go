package session

import (
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
)

// maxAhead is how many frames that are too far ahead of their chain are remembered for one chain: as many as a vault retains
// of one mailbox. One more is tried again when the chain ends.
const maxAhead = 2000

// ahead holds, for the peer's chain and for its next one, the numbers from which on a retained frame can be read, in
// ascending order. It is immutable.
type ahead struct{ chain, next []uint32 }

// with returns the numbers together with that of one more frame.
func (a ahead) with(e *double.AheadError) ahead {
	list := &a.chain
	if e.NextChain {
		list = &a.next
	}
	i, _ := slices.BinarySearch(*list, e.From)
	if *list = slices.Insert(slices.Clone(*list), i, e.From); len(*list) > maxAhead {
		*list = (*list)[:maxAhead]
	}
	return a
}

// aheadBefore returns the numbers for a chain of which frames may have come before its session began: it is not known how far
// ahead they are, so they are tried again at a few places, and at the end of the chain.
func aheadBefore() (a ahead) {
	for n := uint32(250); n <= 1<<16; n *= 2 {
		a.chain = append(a.chain, n)
	}
	return a
}

// moved returns what still waits when the chain, or the next one if it began, has come to number n, and whether a frame may
// be readable now that was not before.
func (a ahead) moved(newChain bool, n uint32) (ahead, bool) {
	due := false
	if newChain {
		due = len(a.chain) > 0 // what can be read of a chain that has ended can be read now
		a.chain, a.next = a.next, nil
	}
	i, _ := slices.BinarySearch(a.chain, n+1)
	a.chain = a.chain[i:]
	return a, due || i > 0
}

func (a ahead) write(w *wire.Writer) {
	for _, list := range [][]uint32{a.chain, a.next} {
		w.U32(uint32(len(list)))
		for _, n := range list {
			w.U32(n)
		}
	}
}

func readAhead(r *wire.Reader) (a ahead) {
	for _, list := range []*[]uint32{&a.chain, &a.next} {
		for range r.Count(maxAhead, 4) {
			*list = append(*list, r.U32())
		}
		if !slices.IsSorted(*list) {
			r.Fail("numbers out of order")
		}
	}
	return a
}
