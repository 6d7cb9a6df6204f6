package rekey

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Standing is what decides where a root stands among the others.
type Standing struct {
	ID     proto.EpochID
	Rekey  uint64
	Owners proto.OwnerList
	Signer suite.PublicKey
	Above  proto.EpochID // the root of its parent; zero if that is not held
}

// Rank is where a root stands: of one generation the lower Place comes first, then the smaller id; a barred one is not preferred.
type Rank struct {
	Place  uint8
	Barred bool
}

// Of the roots of one generation the first maxCounted count, and of one signer the first maxOfSigner: an owner makes others hold no more.
const (
	maxCounted  = 4
	maxOfSigner = 2
	// unplaced is the place of a signer that is not in the list that decides.
	unplaced = 255
)

// Order returns the rank of each root (§5, Order; §2, barred). Newest is the newest owner list that is known. What was made below a surplus
// root is surplus. What carries the newest list and was made below a root with another one stands for itself: whoever signed that list put an
// end to what is above, and an owner that it takes off the list can make roots above at any time.
func Order(all []Standing, newest proto.OwnerList) map[proto.EpochID]Rank {
	out := make(map[proto.EpochID]Rank, len(all))
	generations := map[uint64][]Standing{}
	for _, s := range all {
		generations[s.Rekey] = append(generations[s.Rekey], s)
	}
	surplus := map[proto.EpochID]bool{}
	for g, roots := range generations {
		deciding := roots[0].Owners
		for _, s := range roots {
			if s.Owners.Newer(deciding) {
				deciding = s.Owners
			}
		}
		for _, s := range roots {
			r := Rank{Place: unplaced}
			if p, ok := deciding.PlaceOf(s.Signer); ok {
				r.Place = p
			}
			_, owner := newest.PlaceOf(s.Signer)
			r.Barred = g >= newest.Since && (!owner || s.Owners.Hash() != newest.Hash())
			out[s.ID] = r
		}
		slices.SortFunc(roots, func(a, b Standing) int {
			return cmp.Or(cmp.Compare(out[a.ID].Place, out[b.ID].Place), bytes.Compare(a.ID[:], b.ID[:]))
		})
		counted, of := 0, map[suite.PublicKey]int{}
		for _, s := range roots {
			r := out[s.ID]
			if r.Barred {
				continue
			}
			if of[s.Signer]++; counted == maxCounted || of[s.Signer] > maxOfSigner {
				surplus[s.ID] = true
				continue
			}
			counted++
		}
	}
	slices.SortFunc(all, func(a, b Standing) int { return cmp.Compare(a.Rekey, b.Rekey) })
	carries := map[proto.EpochID]bool{}
	for _, s := range all {
		carries[s.ID] = s.Owners.Hash() == newest.Hash()
		if surplus[s.Above] && (carries[s.Above] || !carries[s.ID]) {
			surplus[s.ID] = true
		}
		if surplus[s.ID] {
			out[s.ID] = Rank{out[s.ID].Place, true}
		}
	}
	return out
}
