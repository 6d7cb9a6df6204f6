package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// common is what a root, genesis or rekey, is made of; its hash is the root's id (§10).
type common struct {
	space    state.ID
	parent   epochID // zero for a genesis
	rekey    uint64  // generation of the root, 0 for a genesis
	public   dkg.Commitment
	depth    int
	cursor   uint32 // the first index not handed out
	template digest
	roster   digest
	confirm  digest // zero for a genesis
}

// commonSize is the length of its encoding.
const commonSize = 32 + 32 + 8 + 2*ed448.PointSize + 1 + 4 + 3*hashSize

func (c common) isGenesis() bool { return c.rekey == 0 }

// id returns the id of the root.
func (c common) id() epochID {
	tag := byte(tagRekey)
	if c.isGenesis() {
		tag = tagGenesis
	}
	return id32(hashEpoch, []byte{tag}, c.space[:], c.encode())
}

// rekeyConfirm is the field confirm of a rekey: it proves to whoever got x in a box that the common belongs to it.
func rekeyConfirm(x secret.Bytes, space state.ID, rekey uint64) digest {
	return mac(x.Expose(), macConfirm, string(space[:]), string(u64(rekey)))
}

// encode returns the canonical encoding, commonSize bytes.
func (c common) encode() []byte {
	w := wire.NewWriter(commonSize)
	w.Fixed(c.space[:])
	w.Fixed(c.parent[:])
	w.U64(c.rekey)
	w.Fixed(c.public.Bytes())
	w.U8(uint8(c.depth))
	w.U32(c.cursor)
	w.Fixed(c.template[:])
	w.Fixed(c.roster[:])
	w.Fixed(c.confirm[:])
	return w.Bytes()
}

// readCommon reads a common inside a larger encoding.
func readCommon(r *wire.Reader) (c common) {
	r.Into(c.space[:])
	r.Into(c.parent[:])
	c.rekey = r.U64()
	c.public = readCommitment(r)
	c.depth = readDepth(r)
	c.cursor = r.U32()
	r.Into(c.template[:])
	r.Into(c.roster[:])
	r.Into(c.confirm[:])
	switch {
	case r.Err() != nil:
	case c.cursor == 0 || uint64(c.cursor) > 1<<c.depth:
		r.Fail("cursor of a root")
	case c.isGenesis() && (c.parent != epochID{} || c.confirm != digest{}):
		r.Fail("a genesis has no parent")
	}
	return c
}

// parseCommon reads a common.
func parseCommon(b []byte) (common, error) {
	r := wire.NewReader(b)
	c := readCommon(r)
	if err := r.Done(); err != nil {
		return common{}, err
	}
	return c, nil
}
