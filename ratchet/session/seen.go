package session

import (
	"crypto/sha256"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// seenInitiation is an initiation that was accepted.
type seenInitiation struct {
	generation uint64 // 0 in the classic suite
	name       [seenNameSize]byte
}

const (
	seenNameSize = 16
	seenSize     = 8 + seenNameSize
)

// nameOf returns the first half of the digest of an initiator's ephemeral key: enough that nobody makes a key of the same name
// as one that exists.
func nameOf(e key.PublicKey[key.Ephemeral]) [seenNameSize]byte {
	h := sha256.Sum256(e.Bytes())
	return [seenNameSize]byte(h[:])
}

// remember returns the initiations that have to be known by name to refuse their repetition, with one more that was
// accepted. In the hybrid suite those of older generations are refused by their generation, and those of the classic suite
// by their suite.
func (s sessions) remember(i initiation) []seenInitiation {
	one := seenInitiation{name: nameOf(i.ephemeral)}
	if i.offer != nil {
		one.generation = i.offer.generation
	}
	seen := slices.DeleteFunc(append(slices.Clone(s.seen), one), func(o seenInitiation) bool {
		return s.pinned == hybrid && (o.generation == 0 || s.accepted-o.generation >= maxLate)
	})
	return seen[max(0, len(seen)-maxSeen):]
}

func writeSeen(w *wire.Writer, seen []seenInitiation) {
	w.U32(uint32(len(seen)))
	for _, s := range seen {
		w.U64(s.generation)
		w.Fixed(s.name[:])
	}
}

func readSeen(r *wire.Reader) (seen []seenInitiation) {
	for range r.Count(maxSeen, seenSize) {
		s := seenInitiation{generation: r.U64()}
		r.Into(s.name[:])
		seen = append(seen, s)
	}
	return seen
}
