package ratchet

import (
	"math/bits"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// frontier is a puncturable PRF (§6): a GGM tree of which those nodes are held that cover what was not evaluated yet.
// Evaluating a leaf replaces the node that covered it by the siblings along its path, so the value cannot be computed
// again. A frontier is immutable; the next one shares all but one path with it. The zero frontier is used up.
//
// In memory and in its encoding it is the tree itself down to the nodes held, so that no two of them can overlap and none
// can lie outside: there is no way to write such a thing down.
type frontier struct {
	bits  int // from the root to a leaf
	inner int // number of nodes that hold no key
	keys  int // number of nodes that do
	root  secret.Box[*ggmNode]
}

// ggmNode holds a key if it has no children, and covers all below. Otherwise a missing child was used up.
type ggmNode struct {
	child [2]*ggmNode
	key   [keySize]byte
}

func (n *ggmNode) holdsKey() bool { return n.child[0] == nil && n.child[1] == nil }

// newFrontier returns the whole tree below a root key of 32 bytes.
func newFrontier(root secret.Bytes, bits int) frontier {
	n := new(ggmNode)
	copy(n.key[:], root.Expose())
	return frontier{bits, 0, 1, secret.Hide(n)}
}

// with returns a frontier of as many bits with another tree.
func (f frontier) with(root *ggmNode, inner, keys int) frontier {
	if root == nil {
		return frontier{bits: f.bits}
	}
	return frontier{f.bits, inner, keys, secret.Hide(root)}
}

// eval returns the value at the leaf that path leads to, most significant bit first, and the frontier without it. It
// returns errPunctured if the leaf is not covered, errFull if the next frontier could not be stored, and with both the
// frontier itself.
func (f frontier) eval(path []byte) (secret.Bytes, frontier, error) {
	e := evaluation{path: path, bits: f.bits, inner: f.inner, keys: f.keys}
	root, ok := e.puncture(f.root.Expose(), 0)
	if !ok {
		return secret.Bytes{}, f, errPunctured
	}
	next := f.with(root, e.inner, e.keys)
	if next.size() > maxFrontier {
		return secret.Bytes{}, f, errFull
	}
	return secret.New(e.value[:]), next, nil
}

// evaluation is the way down to a leaf. It counts the nodes that will be left.
type evaluation struct {
	path  []byte
	bits  int
	value [keySize]byte
	inner int
	keys  int
}

// bit returns bit i of path.
func bit(path []byte, i int) int { return int(path[i/8]>>(7-i%8)) & 1 }

// puncture returns the subtree of n, whose root is at depth, without the leaf.
func (e *evaluation) puncture(n *ggmNode, depth int) (*ggmNode, bool) {
	if n == nil {
		return nil, false
	}
	if n.holdsKey() {
		e.inner += e.bits - depth
		e.keys += e.bits - depth - 1
		return e.descend(n.key, depth), true
	}
	b := bit(e.path, depth)
	child, ok := e.puncture(n.child[b], depth+1)
	if !ok {
		return n, false
	}
	next := &ggmNode{child: n.child}
	next.child[b] = child
	if next.holdsKey() {
		e.inner--
		return nil, true // both sides are used up
	}
	return next, true
}

// descend evaluates below a held key and returns the siblings along the path.
func (e *evaluation) descend(key [keySize]byte, depth int) *ggmNode {
	if depth == e.bits {
		e.value = key
		return nil
	}
	both := mac(key[:], macPPRF)
	var halves [2][keySize]byte
	copy(halves[0][:], both[:keySize])
	copy(halves[1][:], both[keySize:])
	b := bit(e.path, depth)
	n := new(ggmNode)
	n.child[b] = e.descend(halves[b], depth+1)
	n.child[1-b] = &ggmNode{key: halves[1-b]}
	return n
}

// prune returns the tree without the subtrees at the given depth that were used in part, except the one at keep.
func (n *ggmNode) prune(depth, at int, path, keep uint32) *ggmNode {
	if n == nil || n.holdsKey() {
		return n
	}
	if depth == at {
		if path == keep {
			return n
		}
		return nil
	}
	next := &ggmNode{child: [2]*ggmNode{
		n.child[0].prune(depth+1, at, path<<1, keep),
		n.child[1].prune(depth+1, at, path<<1|1, keep),
	}}
	switch {
	case next.child == n.child:
		return n
	case next.holdsKey():
		return nil
	}
	return next
}

// Shapes of a node in the encoding, two bits each.
const (
	shapeUsed  = 0 // nothing is left here
	shapeKey   = 1 // a key that covers all below
	shapeInner = 2 // two children follow
)

// shapeSize returns the length of the shapes of a tree in which every inner node has two children.
func shapeSize(inner int) int { return (2*(2*inner+1) + 7) / 8 }

// size returns the length of the encoding.
func (f frontier) size() int { return shapeSize(f.inner) + keySize*f.keys }

// encode returns the shape of the tree, two bits a node from the root down and left before right, filled up with zeros to
// whole bytes, then the keys in the same order.
func (f frontier) encode() []byte {
	out := make([]byte, shapeSize(f.inner), f.size())
	i := 0
	f.root.Expose().encode(&out, &i)
	return out
}

func (n *ggmNode) count() (inner, keys int) {
	switch {
	case n == nil:
		return 0, 0
	case n.holdsKey():
		return 0, 1
	}
	i0, k0 := n.child[0].count()
	i1, k1 := n.child[1].count()
	return 1 + i0 + i1, k0 + k1
}

// encode writes the node's shape at place i and appends its keys.
func (n *ggmNode) encode(out *[]byte, i *int) {
	shape := byte(shapeInner)
	switch {
	case n == nil:
		shape = shapeUsed
	case n.holdsKey():
		shape = shapeKey
		*out = append(*out, n.key[:]...)
	}
	(*out)[*i/4] |= shape << (6 - 2*(*i%4))
	*i++
	if shape == shapeInner {
		n.child[0].encode(out, i)
		n.child[1].encode(out, i)
	}
}

// maxUsedUp is the depth of the largest subtree that evaluations may have used up leaf by leaf: the sender tree down to the
// roots of its blocks.
const maxUsedUp = dkg.MaxDepth - indexBlock

// decodeFrontier reads what encode returned, for a tree of the given depth. It refuses what no sequence of evaluations
// and no union of trees leaves behind: nodes beyond the leaves, inner nodes of which nothing is left, and a subtree that is
// used up and too large for that, but for those that a commit tree erases as a whole. So there is a key for every few nodes, and
// what is allocated is in proportion to the input.
func decodeFrontier(b []byte, bits int) (frontier, error) {
	d := ggmDecoder{in: b}
	root := d.node(bits)
	r := wire.NewReader(b)
	r.Fixed(shapeSize(d.inner))
	for i := 2*d.inner + 1; i%4 != 0 && !d.bad; i++ {
		d.bad = d.shape(i) != 0
	}
	if d.bad || r.Len() != keySize*len(d.keys) {
		r.Fail("no frontier of a tree")
	}
	for _, n := range d.keys {
		r.Into(n.key[:])
	}
	if err := r.Done(); err != nil {
		return frontier{}, err
	}
	return frontier{bits: bits}.with(root, d.inner, len(d.keys)), nil
}

type ggmDecoder struct {
	in    []byte
	nodes int // read so far
	inner int
	keys  []*ggmNode
	bad   bool
}

func (d *ggmDecoder) shape(i int) byte { return d.in[i/4] >> (6 - 2*(i%4)) & 3 }

// node reads the shape of a subtree with that many bits below its root.
func (d *ggmDecoder) node(bits int) *ggmNode {
	if d.bad || d.nodes/4+1+keySize*len(d.keys) > len(d.in) {
		d.bad = true
		return nil
	}
	shape := d.shape(d.nodes)
	d.nodes++
	switch {
	case shape == shapeUsed && (bits <= maxUsedUp || bits >= childBits):
		return nil
	case shape == shapeKey:
		n := new(ggmNode)
		d.keys = append(d.keys, n)
		return n
	case shape == shapeInner && bits > 0:
		d.inner++
		n := &ggmNode{child: [2]*ggmNode{d.node(bits - 1), d.node(bits - 1)}}
		l, r := n.child[0], n.child[1]
		d.bad = d.bad || l == nil && r == nil
		return n
	}
	d.bad = true
	return nil
}

// commitTree holds the seeds of an epoch's children (§6). Its leaves are pairs of an index and a child's id; index 0
// belongs to rekeys.
type commitTree struct{ f frontier }

// childBits is how much of a child's id goes into its place in the commit tree.
const childBits = 128

func newCommitTree(root secret.Bytes, depth int) commitTree {
	return commitTree{newFrontier(root, depth+childBits)}
}

// treePath returns the path to an index of depth bits and then along the child's id. It is nil if the index needs more.
func treePath(i dkg.Index, depth int, child []byte) []byte {
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
	return path
}

// eval returns the seed of the child that a commit of member i, or with i = 0 a rekey, makes (32 bytes), and the tree
// without it.
func (t commitTree) eval(i dkg.Index, child [32]byte) (secret.Bytes, commitTree, error) {
	path := treePath(i, t.f.bits-childBits, child[:childBits/8])
	if path == nil {
		return secret.Bytes{}, t, errPunctured
	}
	v, next, err := t.f.eval(path)
	return v, commitTree{next}, err
}

// eraseUsed returns the tree without the subtrees of those indices at which it was evaluated, except index 0.
func (t commitTree) eraseUsed() commitTree {
	root := t.f.root.Expose().prune(0, t.f.bits-childBits, 0, 0)
	inner, keys := root.count()
	return commitTree{t.f.with(root, inner, keys)}
}

// isZero reports whether nothing is left in the tree, or there never was one.
func (t commitTree) isZero() bool { return t.f.root.IsZero() }

func (t commitTree) encode() []byte { return t.f.encode() }

// decodeCommitTree reads a commit tree of a root of the given depth.
func decodeCommitTree(b []byte, depth int) (commitTree, error) {
	f, err := decodeFrontier(b, depth+childBits)
	return commitTree{f}, err
}
