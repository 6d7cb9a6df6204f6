package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// RootContext is what a root, genesis or rekey, is made of; its hash is the root's id (§10).
type RootContext struct {
	Space    state.ID
	parent   EpochID // zero for a genesis
	rekey    uint64  // generation of the root, 0 for a genesis
	Public   dkg.Commitment
	Depth    int
	Cursor   uint32 // the first index not handed out
	Template suite.Digest
	Roster   suite.Digest
	confirm  suite.Digest // zero for a genesis
}

// RootContextSize is the length of its encoding.
const RootContextSize = 32 + 32 + 8 + 2*ed448.PointSize + 1 + 4 + 3*suite.HashSize

func (c RootContext) isGenesis() bool { return c.rekey == 0 }

// ID returns the id of the root.
func (c RootContext) ID() EpochID {
	tag := byte(suite.TagRekey)
	if c.isGenesis() {
		tag = suite.TagGenesis
	}
	return suite.HashID(suite.HashEpoch, []byte{tag}, c.Space[:], c.Encode())
}

// RekeyConfirm is the field confirm of a rekey: it proves to whoever got x in a box that the common belongs to it.
func RekeyConfirm(x secret.Bytes, space state.ID, rekey uint64) suite.Digest {
	return suite.MAC(x.Expose(), suite.MACConfirm, string(space[:]), string(suite.U64(rekey)))
}

// Encode returns the canonical encoding, RootContextSize bytes.
func (c RootContext) Encode() []byte {
	w := wire.NewWriter(RootContextSize)
	w.Fixed(c.Space[:])
	w.Fixed(c.parent[:])
	w.U64(c.rekey)
	w.Fixed(c.Public.Bytes())
	w.U8(uint8(c.Depth))
	w.U32(c.Cursor)
	w.Fixed(c.Template[:])
	w.Fixed(c.Roster[:])
	w.Fixed(c.confirm[:])
	return w.Bytes()
}

// readRootContext reads a common inside a larger encoding.
func readRootContext(r *wire.Reader) (c RootContext) {
	r.Into(c.Space[:])
	r.Into(c.parent[:])
	c.rekey = r.U64()
	c.Public = readCommitment(r)
	c.Depth = readDepth(r)
	c.Cursor = r.U32()
	r.Into(c.Template[:])
	r.Into(c.Roster[:])
	r.Into(c.confirm[:])
	switch {
	case r.Err() != nil:
	case c.Cursor == 0 || uint64(c.Cursor) > 1<<c.Depth:
		r.Fail("cursor of a root")
	case c.isGenesis() && (c.parent != EpochID{} || c.confirm != suite.Digest{}):
		r.Fail("a genesis has no parent")
	}
	return c
}

// ParseRootContext reads a common.
func ParseRootContext(b []byte) (RootContext, error) {
	r := wire.NewReader(b)
	c := readRootContext(r)
	if err := r.Done(); err != nil {
		return RootContext{}, err
	}
	return c, nil
}
