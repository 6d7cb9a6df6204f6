package ratchet

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// rosterEntry is one member as a roster names it (§9).
type rosterEntry struct {
	index dkg.Index
	key   PublicKey // signing key
	inbox digest    // H(inbox key)
}

// roster lists members in ascending order of their indices. It is immutable.
type roster struct{ entries []rosterEntry }

// at returns where the entry of an index is or would be.
func (r roster) at(i dkg.Index) (int, bool) {
	return slices.BinarySearchFunc(r.entries, i, func(e rosterEntry, i dkg.Index) int { return cmp.Compare(e.index, i) })
}

// with returns the roster with an entry more, or in place of the one with the same index.
func (r roster) with(e rosterEntry) roster {
	at, ok := r.at(e.index)
	next := append(make([]rosterEntry, 0, len(r.entries)+1), r.entries...)
	if ok {
		next[at] = e
		return roster{next}
	}
	return roster{slices.Insert(next, at, e)}
}

// without returns the roster without the given indices.
func (r roster) without(indices ...dkg.Index) roster {
	return roster{slices.DeleteFunc(slices.Clone(r.entries), func(e rosterEntry) bool { return slices.Contains(indices, e.index) })}
}

// find returns the entry of an index.
func (r roster) find(i dkg.Index) (rosterEntry, bool) {
	at, ok := r.at(i)
	if !ok {
		return rosterEntry{}, false
	}
	return r.entries[at], true
}

// bitmap is a set of indices: one bit for each, index 0 first and most significant bit first, without zero bytes at the end.
type bitmap []byte

// has reports whether the index is in the set.
func (b bitmap) has(i dkg.Index) bool { return int(i/8) < len(b) && b[i/8]&(0x80>>(i%8)) != 0 }

// contains reports whether every index of another set is in this one.
func (b bitmap) contains(other bitmap) bool {
	for i, v := range other {
		if i >= len(b) || v&^b[i] != 0 {
			return false
		}
	}
	return true
}

// readBitmap checks the encoding of a set that is not empty and has no index 0.
func readBitmap(r *wire.Reader, b bitmap) bitmap {
	if n := len(b); r.Err() == nil && (n == 0 || b[n-1] == 0 || b[0]&0x80 != 0) {
		r.Fail("bitmap of members")
	}
	return b
}

// bitmap returns the set of its indices.
func (r roster) bitmap() bitmap {
	if len(r.entries) == 0 {
		return bitmap{}
	}
	b := make(bitmap, r.entries[len(r.entries)-1].index/8+1)
	for _, e := range r.entries {
		b[e.index/8] |= 0x80 >> (e.index % 8)
	}
	return b
}

// encode returns the entries, one after the other: u32 index ‖ vec16 signing key ‖ H(inbox key).
func (r roster) encode() []byte {
	w := wire.NewWriter(len(r.entries) * (4 + 2 + maxPublicKey + hashSize))
	for _, e := range r.entries {
		w.U32(uint32(e.index))
		writePublicKey(w, e.key)
		w.Fixed(e.inbox[:])
	}
	return w.Bytes()
}

// digest returns H(encode()).
func (r roster) digest() digest { return hash(r.encode()) }

// parseRoster reads a roster of a root of the given depth, which has at least one member.
func parseRoster(b []byte, depth int) (roster, error) {
	if len(b) > maxRoster {
		return roster{}, fmt.Errorf("%w: a roster is longer than its limit", wire.ErrMalformed)
	}
	var out roster
	r := wire.NewReader(b)
	for r.Len() > 0 {
		e := rosterEntry{index: readIndex(r, depth), key: readPublicKey(r)}
		r.Into(e.inbox[:])
		if n := len(out.entries); n > 0 && (out.entries[n-1].index >= e.index || out.entries[0].key.scheme != e.key.scheme) {
			r.Fail("order of a roster")
		}
		out.entries = append(out.entries, e)
	}
	if len(out.entries) == 0 {
		r.Fail("an empty roster")
	}
	if err := r.Done(); err != nil {
		return roster{}, err
	}
	return out, nil
}
