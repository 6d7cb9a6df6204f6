package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Link is what the fragment of an invite's link holds (§14). It is secret: the seed takes the invite's place in the space. It
// holds no key that reads content, and no share.
type Link struct {
	Kind    dkg.Kind
	Suite   suite.Suite
	Space   state.ID
	First   dkg.Index
	Count   uint32 // of kind Public; else 1
	Step    uint8  // of kind Public; else 1
	Seed    secret.Bytes
	Expires uint32 // hours since 1970, 0 never
	Owners  uint32 // counter of the owner list
}

const (
	linkSize       = 1 + 1 + 32 + 4 + suite.KeySize + 4 + 4 + linkChecksum
	publicLinkSize = linkSize + 2 + 1
	linkChecksum   = 4
)

// Encode returns u8(2) ‖ u8(16 × kind + suite) ‖ space ‖ u32 first ‖ [kind Public: u16(n / 16) ‖ u8 step] ‖ seed ‖ u32 expires ‖
// u32 counter of the owner list ‖ checksum: 82 bytes, 85 of kind Public.
func (l Link) Encode() secret.Bytes {
	b := encode(publicLinkSize, l.write)
	sum := suite.HashLabel(suite.HashLink, b)
	return secret.Own(append(b, sum[:linkChecksum]...))
}

// write appends all but the checksum.
func (l Link) write(w *wire.Writer) {
	w.U8(Version)
	w.U8(uint8(l.Kind)<<4 | uint8(l.Suite))
	w.Fixed(l.Space[:])
	w.U32(uint32(l.First))
	if l.Kind == dkg.Public {
		w.U16(uint16(l.Count / runUnit))
		w.U8(l.Step)
	}
	w.Fixed(l.Seed.Expose())
	w.U32(l.Expires)
	w.U32(l.Owners)
}

func readLink(r *wire.Reader) Link {
	r.Version8(Version, Version)
	kind := r.U8()
	l := Link{Kind: dkg.Kind(kind >> 4), Suite: suite.Suite(kind & 0xf), Count: 1, Step: 1}
	r.Into(l.Space[:])
	l.First = readIndex(r)
	if l.Kind == dkg.Public {
		l.Count = uint32(r.U16()) * runUnit
		l.Step = r.U8()
	}
	l.Seed = secret.Own(r.Fixed(suite.KeySize))
	l.Expires = r.U32()
	l.Owners = r.U32()
	var sum [linkChecksum]byte
	r.Into(sum[:])
	if r.Err() != nil {
		return Link{}
	}
	want := suite.HashLabel(suite.HashLink, encode(publicLinkSize, l.write))
	switch {
	case sum != [linkChecksum]byte(want[:linkChecksum]):
		r.Fail("checksum of a link")
	case !l.Suite.Valid() || !checkRun(l.Kind, l.First, l.Count, l.Step):
		r.Fail("kind or run of a link")
	}
	return l
}

// ParseLink reads what Encode returns. It returns wire.ErrTooOld or wire.ErrTooNew for a link of another version.
func ParseLink(b []byte) (Link, error) { return parseAll(b, publicLinkSize, readLink) }

// Covers reports whether the link is for an index.
func (l Link) Covers(i dkg.Index) bool {
	return Certificate{Kind: l.Kind, First: l.First, Count: l.Count, Step: l.Step}.Covers(i)
}

// Keys returns the keys that the link's seed gives.
func (l Link) Keys() (InviteKeys, error) { return KeysOfInvite(l.Seed, l.Space, l.Suite) }
