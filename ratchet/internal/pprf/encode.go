package pprf

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// MaxSize bounds the encoding of one tree in storage: 4,000 commits from one parent, each by another member.
const MaxSize = 16 << 20

// Shapes of a node in the encoding, two bits each.
const (
	shapeUsed  = 0 // nothing is left here
	shapeKey   = 1 // a key that covers all below
	shapeInner = 2 // two children follow
)

// shapeSize returns the length of the shapes of a tree in which every inner node has two children.
func shapeSize(inner int) int { return (2*(2*inner+1) + 7) / 8 }

// size returns the length of the encoding.
func (f Frontier) size() int { return shapeSize(f.inner) + suite.KeySize*f.keys }

// Encode returns the shape of the tree, two bits a node from the root down and left before right, filled up with zeros to
// whole bytes, then the keys in the same order.
func (f Frontier) Encode() []byte {
	out := make([]byte, shapeSize(f.inner), f.size())
	i := 0
	f.root.Expose().encode(&out, &i)
	return out
}

func (n *node) count() (inner, keys int) {
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
func (n *node) encode(out *[]byte, i *int) {
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

// maxUsedUp is the depth of the largest subtree without a key in a sender tree, which a cut leaves behind, and below an index
// of a commit tree, where only leaves are used up one by one.
const maxUsedUp = dkg.MaxDepth

// storable reports whether a subtree with so many levels may be used up in a tree that is stored. Of those between, evaluations would have to use
// up every leaf, and a cut erases more.
func storable(levels int) bool { return levels <= maxUsedUp || levels >= ChildBits }

// Decode reads what encode returned, for a tree of the given depth. It refuses what no sequence of evaluations
// and no union of trees leaves behind: nodes beyond the leaves, inner nodes of which nothing is left, and a subtree that is
// used up and too large for that, but for those that a commit tree erases as a whole. So there is a key for every few nodes, and
// what is allocated is in proportion to the input.
func Decode(b []byte, bits int) (Frontier, error) {
	d := decoder{in: b}
	root := d.node(bits)
	r := wire.NewReader(b)
	r.Fixed(shapeSize(d.inner))
	for i := 2*d.inner + 1; i%4 != 0 && !d.bad; i++ {
		d.bad = d.shape(i) != 0
	}
	if d.bad || r.Len() != suite.KeySize*len(d.keys) {
		r.Fail("no frontier of a tree")
	}
	for _, n := range d.keys {
		r.Into(n.key[:])
	}
	if err := r.Done(); err != nil {
		return Frontier{}, err
	}
	return Frontier{bits: bits}.with(root, d.inner, len(d.keys)), nil
}

type decoder struct {
	in    []byte
	nodes int // read so far
	inner int
	keys  []*node
	bad   bool
}

func (d *decoder) shape(i int) byte { return d.in[i/4] >> (6 - 2*(i%4)) & 3 }

// node reads the shape of a subtree with that many bits below its root.
func (d *decoder) node(bits int) *node {
	if d.bad || d.nodes/4+1+suite.KeySize*len(d.keys) > len(d.in) {
		d.bad = true
		return nil
	}
	shape := d.shape(d.nodes)
	d.nodes++
	switch {
	case shape == shapeUsed && storable(bits):
		return nil
	case shape == shapeKey:
		n := new(node)
		d.keys = append(d.keys, n)
		return n
	case shape == shapeInner && bits > 0:
		d.inner++
		n := &node{child: [2]*node{d.node(bits - 1), d.node(bits - 1)}}
		l, r := n.child[0], n.child[1]
		d.bad = d.bad || l == nil && r == nil
		return n
	}
	d.bad = true
	return nil
}
