package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Template is what all members of a root share beside its roster (§2). It is secret: K opens requests.
type Template struct {
	Owners OwnerList
	Policy Policy
	Rekey  uint64 // generation of the rekey, 0 for the genesis
	Public dkg.Commitment
	Depth  int
	K      secret.Bytes // 32 bytes
}

// templateVersion is the version of its encoding.
const templateVersion = 1

// Hash returns H(template).
func (t Template) Hash() Digest { return suite.Hash(t.Encode().Expose()) }

// Encode returns u8(1) ‖ vec16 owner list ‖ policy ‖ u64 rekey generation ‖ C ‖ u8 depth ‖ K.
func (t Template) Encode() secret.Bytes {
	return secret.Own(encode(maxTemplate, func(w *wire.Writer) {
		w.U8(templateVersion)
		w.Vec16(t.Owners.Encode())
		t.Policy.write(w)
		w.U64(t.Rekey)
		w.Fixed(t.Public.Bytes())
		w.U8(uint8(t.Depth))
		w.Fixed(t.K.Expose())
	}))
}

func readTemplate(r *wire.Reader) (t Template) {
	r.Version8(templateVersion, templateVersion)
	t.Owners = readNested(r, r.Vec16(maxOwnerList), readOwnerList)
	t.Policy = readPolicy(r)
	t.Rekey = readGeneration(r)
	t.Public = readCommitment(r)
	t.Depth = readDepth(r)
	t.K = secret.Own(r.Fixed(suite.KeySize))
	return t
}

// ParseTemplate reads a template without verifying its owner list.
func ParseTemplate(b []byte) (Template, error) { return parseAll(b, maxTemplate, readTemplate) }

// ResyncKey returns the key under which members of a root seal requests, and its tag (§9).
func ResyncKey(k secret.Bytes, space state.ID, root EpochID) (secret.Bytes, Tag) {
	key := suite.Expand(k, suite.ExpandResyncRequest, append(append([]byte(nil), space[:]...), root[:]...), suite.KeySize)
	return key, Tag(suite.Expand(key, suite.ExpandResyncTag, space[:], len(Tag{})).Expose())
}
