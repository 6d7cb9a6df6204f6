package pprf

import (
	"math/bits"

	"github.com/trefoil-im/trefoil/dkg"
)

// ChildBits is how much of a child's id goes into its place in a commit tree, which holds the seeds of an epoch's children (§6): its
// leaves are pairs of an index and a child's id; index 0 belongs to rekeys.
const ChildBits = 128

// Path returns the path to an index of depth bits and then along the child's id. It is nil if the index needs more.
func Path(i dkg.Index, depth int, child []byte) []byte {
	if bits.Len32(uint32(i)) > depth {
		return nil
	}
	path := make([]byte, 4+len(child))
	v := uint32(i) << (32 - depth)
	path[0], path[1], path[2] = byte(v>>24), byte(v>>16), byte(v>>8)
	whole, shift := depth/8, depth%8
	for k, b := range child {
		path[whole+k] |= b >> shift
		path[whole+k+1] |= byte(uint16(b) << (8 - shift))
	}
	return path[:(depth+8*len(child)+7)/8]
}
