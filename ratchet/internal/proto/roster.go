package proto

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// RosterEntry is one member as a roster names it (§9).
type RosterEntry struct {
	Index   dkg.Index
	Signing suite.PublicKey // signing key
	Inbox   suite.Digest    // H(inbox key)
}

// Roster lists members in ascending order of their indices. It is immutable.
type Roster struct{ Entries []RosterEntry }

// at returns where the entry of an index is or would be.
func (r Roster) at(i dkg.Index) (int, bool) {
	return slices.BinarySearchFunc(r.Entries, i, func(e RosterEntry, i dkg.Index) int { return cmp.Compare(e.Index, i) })
}

// With returns the roster with an entry more, or in place of the one with the same index.
func (r Roster) With(e RosterEntry) Roster {
	at, ok := r.at(e.Index)
	next := append(make([]RosterEntry, 0, len(r.Entries)+1), r.Entries...)
	if ok {
		next[at] = e
		return Roster{next}
	}
	return Roster{slices.Insert(next, at, e)}
}

// without returns the roster without the given indices.
func (r Roster) without(indices ...dkg.Index) Roster {
	return Roster{slices.DeleteFunc(slices.Clone(r.Entries), func(e RosterEntry) bool { return slices.Contains(indices, e.Index) })}
}

// Find returns the entry of an index.
func (r Roster) Find(i dkg.Index) (RosterEntry, bool) {
	at, ok := r.at(i)
	if !ok {
		return RosterEntry{}, false
	}
	return r.Entries[at], true
}

// Bitmap is a set of indices: one bit for each, index 0 first and most significant bit first, without zero bytes at the end.
type Bitmap []byte

// Has reports whether the index is in the set.
func (b Bitmap) Has(i dkg.Index) bool { return int(i/8) < len(b) && b[i/8]&(0x80>>(i%8)) != 0 }

// Contains reports whether every index of another set is in this one.
func (b Bitmap) Contains(other Bitmap) bool {
	for i, v := range other {
		if i >= len(b) || v&^b[i] != 0 {
			return false
		}
	}
	return true
}

// readBitmap checks the encoding of a set that is not empty and has no index 0.
func readBitmap(r *wire.Reader, b Bitmap) Bitmap {
	if n := len(b); r.Err() == nil && (n == 0 || b[n-1] == 0 || b[0]&0x80 != 0) {
		r.Fail("bitmap of members")
	}
	return b
}

// Bitmap returns the set of its indices.
func (r Roster) Bitmap() Bitmap {
	if len(r.Entries) == 0 {
		return Bitmap{}
	}
	b := make(Bitmap, r.Entries[len(r.Entries)-1].Index/8+1)
	for _, e := range r.Entries {
		b[e.Index/8] |= 0x80 >> (e.Index % 8)
	}
	return b
}

// Encode returns the entries, one after the other: u32 index ‖ vec16 signing key ‖ H(inbox key).
func (r Roster) Encode() []byte {
	w := wire.NewWriter(len(r.Entries) * (4 + 2 + suite.MaxPublicKey + suite.HashSize))
	for _, e := range r.Entries {
		w.U32(uint32(e.Index))
		suite.WritePublicKey(w, e.Signing)
		w.Fixed(e.Inbox[:])
	}
	return w.Bytes()
}

// Digest returns H(encode()).
func (r Roster) Digest() suite.Digest { return suite.Hash(r.Encode()) }

// parseRoster reads a roster of a root of the given depth, which has at least one member.
func parseRoster(b []byte, depth int) (Roster, error) {
	if len(b) > maxRoster {
		return Roster{}, fmt.Errorf("%w: a roster is longer than its limit", wire.ErrMalformed)
	}
	var out Roster
	r := wire.NewReader(b)
	for r.Len() > 0 {
		e := RosterEntry{Index: ReadIndex(r, depth), Signing: suite.ReadPublicKey(r)}
		r.Into(e.Inbox[:])
		if n := len(out.Entries); n > 0 && (out.Entries[n-1].Index >= e.Index || out.Entries[0].Signing.Scheme() != e.Signing.Scheme()) {
			r.Fail("order of a roster")
		}
		out.Entries = append(out.Entries, e)
	}
	if len(out.Entries) == 0 {
		r.Fail("an empty roster")
	}
	if err := r.Done(); err != nil {
		return Roster{}, err
	}
	return out, nil
}
