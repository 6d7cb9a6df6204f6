package pprf

import (
	"math/bits"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// CommitTree holds the seeds of an epoch's children (§6). Its leaves are pairs of an index and a child's id; index 0
// belongs to rekeys.
type CommitTree struct{ f Frontier }

// ChildBits is how much of a child's id goes into its place in the commit tree.
const ChildBits = 128

// NewCommitTree returns the whole tree below a root key of 32 bytes, for indices of depth bits.
func NewCommitTree(root secret.Bytes, depth int) CommitTree {
	return CommitTree{New(root, depth+ChildBits)}
}

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

// Eval returns the seed of the child that a commit of member i, or with i = 0 a rekey, makes (32 bytes), and the tree
// without it.
func (t CommitTree) Eval(i dkg.Index, child [32]byte) (secret.Bytes, CommitTree, error) {
	path := Path(i, t.f.bits-ChildBits, child[:ChildBits/8])
	if path == nil {
		return secret.Bytes{}, t, ErrPunctured
	}
	v, next, err := t.f.Eval(path)
	return v, CommitTree{next}, err
}

// IsZero reports whether nothing is left in the tree, or there never was one.
func (t CommitTree) IsZero() bool { return t.f.root.IsZero() }

// Encode returns what DecodeCommitTree reads.
func (t CommitTree) Encode() []byte { return t.f.Encode() }

// DecodeCommitTree reads a commit tree of a root of the given depth.
func DecodeCommitTree(b []byte, depth int) (CommitTree, error) {
	f, err := Decode(b, depth+ChildBits)
	return CommitTree{f}, err
}
