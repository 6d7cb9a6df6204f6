package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// Common is what a root, genesis or rekey, is made of (§10). Its place is made of it.
type Common struct {
	Space    state.ID
	Parent   EpochID // zero for the genesis
	Rekey    uint64  // rekey generation, 0 for the genesis
	Public   dkg.Commitment
	Depth    int
	Cursor   dkg.Index // first index that no owner known to the dealer gave out, 1 to 2^Depth
	Template Digest
	Roster   Digest // roster digest
}

// commonSize is the length of its encoding.
const commonSize = 32 + 32 + 8 + 2*ed448.PointSize + 1 + 4 + 2*64

// Kind returns the kind of the root.
func (c Common) Kind() EpochKind {
	if c.Rekey == 0 {
		return Genesis
	}
	return ByRekey
}

// Place returns the place of the root (§5).
func (c Common) Place() Place { return c.Kind().place(c.Space, c.Encode()) }

// ID returns the id of the root, whose keys have this check.
func (c Common) ID(check Check) EpochID { return c.Kind().ID(c.Place(), check) }

// Encode returns space ‖ parent id ‖ u64 rekey generation ‖ C ‖ u8 depth ‖ u32 cursor ‖ H(template) ‖ roster digest.
func (c Common) Encode() []byte { return encode(commonSize, c.write) }

func (c Common) write(w *wire.Writer) {
	w.Fixed(c.Space[:])
	w.Fixed(c.Parent[:])
	w.U64(c.Rekey)
	w.Fixed(c.Public.Bytes())
	w.U8(uint8(c.Depth))
	w.U32(uint32(c.Cursor))
	w.Fixed(c.Template[:])
	w.Fixed(c.Roster[:])
}

func readCommon(r *wire.Reader) (c Common) {
	r.Into(c.Space[:])
	r.Into(c.Parent[:])
	c.Rekey = readGeneration(r)
	c.Public = readCommitment(r)
	c.Depth = readDepth(r)
	c.Cursor = dkg.Index(r.U32())
	r.Into(c.Template[:])
	r.Into(c.Roster[:])
	switch {
	case r.Err() != nil:
	case c.Cursor < 1 || uint64(c.Cursor) > 1<<c.Depth:
		r.Fail("cursor of a root")
	case c.Parent.IsZero() != (c.Rekey == 0):
		r.Fail("parent of a root")
	}
	return c
}

// ParseCommon reads a common.
func ParseCommon(b []byte) (Common, error) { return parseAll(b, commonSize, readCommon) }
