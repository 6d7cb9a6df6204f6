package proto

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// RosterEntry is one member as a root lists it (§9).
type RosterEntry struct {
	Index   dkg.Index
	Signing suite.PublicKey
	Body    BodyHash
}

// Roster lists the members of a root in ascending order of their indices.
type Roster []RosterEntry

// Find returns the entry of an index.
func (r Roster) Find(i dkg.Index) (RosterEntry, bool) {
	at, ok := slices.BinarySearchFunc(r, i, func(e RosterEntry, i dkg.Index) int { return cmp.Compare(e.Index, i) })
	if !ok {
		return RosterEntry{}, false
	}
	return r[at], true
}

// Bitmap returns the set of its indices.
func (r Roster) Bitmap() Bitmap {
	indices := make([]dkg.Index, len(r))
	for k, e := range r {
		indices[k] = e.Index
	}
	return NewBitmap(indices...)
}

// Digest returns the roster digest of a root with this gone (§9).
func (r Roster) Digest(gone Bitmap) Digest {
	return suite.HashLabel(suite.HashRoster, encode(8+100*len(r)+len(gone), func(w *wire.Writer) {
		w.Vec32(r.Encode())
		w.Vec32(gone)
	}))
}

// Fingerprint returns what people compare out of band (§9): of the members in the roster and the signing key of each. What their keys
// have signed, such as profiles and inbox keys, does not change it.
func (r Roster) Fingerprint(space state.ID) [32]byte {
	keys := encode(len(r)*(4+2+suite.MaxPublicKey), func(w *wire.Writer) {
		for _, e := range r {
			w.U32(uint32(e.Index))
			suite.WritePublicKey(w, e.Signing)
		}
	})
	return suite.HashTo32(suite.Hash32Fingerprint, space[:], keys)
}

// Authenticator returns what tells members of one epoch that they see the same (§9): of the epoch's secret authenticator, the roster of
// those listed, and gone.
func Authenticator(secret secret.Bytes, listed Roster, gone Bitmap) [32]byte {
	return suite.HashTo32(suite.Hash32Authenticator, secret.Expose(), listed.Encode(), gone)
}

// Encode returns (u32 index ‖ vec16 signing key ‖ H(body)[:32])….
func (r Roster) Encode() []byte {
	return encode(len(r)*(4+2+suite.MaxPublicKey+32), func(w *wire.Writer) {
		for _, e := range r {
			w.U32(uint32(e.Index))
			suite.WritePublicKey(w, e.Signing)
			w.Fixed(e.Body[:])
		}
	})
}

// rosterReader reads a roster of a root of the given depth: at least one entry, in order, keys of one scheme.
func rosterReader(depth int) func(*wire.Reader) Roster {
	return func(r *wire.Reader) (out Roster) {
		for r.Len() > 0 {
			e := RosterEntry{Index: readIndexOf(r, depth), Signing: suite.ReadPublicKey(r)}
			r.Into(e.Body[:])
			if n := len(out); n > 0 && (out[n-1].Index >= e.Index || out[0].Signing.Scheme() != e.Signing.Scheme()) {
				r.Fail("order of a roster")
			}
			out = append(out, e)
		}
		if len(out) == 0 {
			r.Fail("an empty roster")
		}
		return out
	}
}

// ParseRoster reads a roster of a root of the given depth.
func ParseRoster(b []byte, depth int) (Roster, error) {
	return parseAll(b, MaxRoster, rosterReader(depth))
}

// Bitmap is a set of indices: a bit for each, index 0 first and most significant bit first, without zero bytes at the end. The
// empty Bitmap is the empty set.
type Bitmap []byte

// NewBitmap returns the set of some indices, which are at most dkg.MaxIndex.
func NewBitmap(indices ...dkg.Index) Bitmap {
	if len(indices) == 0 {
		return nil
	}
	b := make(Bitmap, slices.Max(indices)/8+1)
	for _, i := range indices {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return b
}

// Within reports whether another set holds all that this one does.
func (b Bitmap) Within(o Bitmap) bool {
	for k, x := range b {
		if k >= len(o) && x != 0 || k < len(o) && x&^o[k] != 0 {
			return false
		}
	}
	return true
}

// Has reports whether the index is in the set.
func (b Bitmap) Has(i dkg.Index) bool { return int(i/8) < len(b) && b[i/8]&(0x80>>(i%8)) != 0 }

// Intersects reports whether two sets have an index in common.
func (b Bitmap) Intersects(o Bitmap) bool {
	for i := range min(len(b), len(o)) {
		if b[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// Union returns the indices of both sets.
func (b Bitmap) Union(o Bitmap) Bitmap {
	if len(b) < len(o) {
		b, o = o, b
	}
	out := bytes.Clone(b)
	for i := range o {
		out[i] |= o[i]
	}
	return out
}

// readBitmap reads a set behind its length. Index 0 is in none, and only gone may be empty.
func readBitmap(r *wire.Reader, mayBeEmpty bool) Bitmap {
	b := Bitmap(r.Vec32(MaxBitmap))
	n := len(b)
	if r.Err() == nil && (n == 0 && !mayBeEmpty || n > 0 && (b[n-1] == 0 || b[0]&0x80 != 0)) {
		r.Fail("bitmap of members")
	}
	return b
}
