package pprf

import (
	"errors"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// ErrPunctured: the place in the tree was used before or erased.
var ErrPunctured = errors.New("ratchet: used before")

// ErrFull: the tree without one leaf more could not be stored: it would be larger than any that is, or have a hole that none has.
var ErrFull = errors.New("ratchet: tree is full")

// Frontier is a puncturable PRF (§6): a GGM tree of which those nodes are held that cover what was not evaluated yet.
// Evaluating a leaf replaces the node that covered it by the siblings along its path, so the value cannot be computed
// again. A frontier is immutable; the next one shares all but one path with it. The zero frontier is used up.
//
// In memory and in its encoding it is the tree itself down to the nodes held, so that no two of them can overlap and none
// can lie outside: there is no way to write such a thing down.
type Frontier struct {
	bits  int // from the root to a leaf
	inner int // number of nodes that hold no key
	keys  int // number of nodes that do
	root  secret.Box[*node]
}

// node holds a key if it has no children, and covers all below. Otherwise a missing child was used up.
type node struct {
	child [2]*node
	key   [suite.KeySize]byte
}

func (n *node) holdsKey() bool { return n.child[0] == nil && n.child[1] == nil }

// New returns the whole tree below a root key of 32 bytes.
func New(root secret.Bytes, bits int) Frontier {
	n := new(node)
	copy(n.key[:], root.Expose())
	return Frontier{bits, 0, 1, secret.Hide(n)}
}

// UsedUp returns a frontier with nothing left.
func UsedUp(bits int) Frontier { return Frontier{bits: bits} }

// Same reports whether two frontiers are one, of which something is left. If not, they may be alike.
func (f Frontier) Same(o Frontier) bool {
	return f.bits == o.bits && !f.root.IsZero() && f.root.Expose() == o.root.Expose()
}

// with returns a frontier of as many bits with another tree.
func (f Frontier) with(root *node, inner, keys int) Frontier {
	if root == nil {
		return Frontier{bits: f.bits}
	}
	return Frontier{f.bits, inner, keys, secret.Hide(root)}
}

// Eval returns the value at the leaf that path leads to, most significant bit first, and the frontier without it. It
// returns ErrPunctured if the leaf is not covered, ErrFull beside the value if the next frontier could not be stored, and with both
// the frontier itself. Only somebody hostile tells a tree of which one evaluation leaves a subtree that is too large to be used up.
func (f Frontier) Eval(path []byte) (secret.Bytes, Frontier, error) {
	e := evaluation{path: path, bits: f.bits, inner: f.inner, keys: f.keys}
	root, ok := e.puncture(f.root.Expose(), 0)
	if !ok {
		return secret.Bytes{}, f, ErrPunctured
	}
	next := f.with(root, e.inner, e.keys)
	if e.hole || next.size() > MaxSize {
		return secret.New(e.value[:]), f, ErrFull
	}
	return secret.New(e.value[:]), next, nil
}

// evaluation is the way down to a leaf. It counts the nodes that will be left.
type evaluation struct {
	path  []byte
	bits  int
	value [suite.KeySize]byte
	inner int
	keys  int
	hole  bool // a subtree was used up that is not storable
}

// bit returns bit i of path.
func bit(path []byte, i int) int { return int(path[i/8]>>(7-i%8)) & 1 }

// puncture returns the subtree of n, whose root is at depth, without the leaf.
func (e *evaluation) puncture(n *node, depth int) (*node, bool) {
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
	next := &node{child: n.child}
	next.child[b] = child
	if next.holdsKey() {
		e.inner--
		return nil, true // both sides are used up
	}
	e.hole = e.hole || child == nil && !storable(e.bits-depth-1)
	return next, true
}

// descend evaluates below a held key and returns the siblings along the path.
func (e *evaluation) descend(key [suite.KeySize]byte, depth int) *node {
	if depth == e.bits {
		e.value = key
		return nil
	}
	both := suite.MAC(key[:], suite.MACPPRF)
	var halves [2][suite.KeySize]byte
	copy(halves[0][:], both[:suite.KeySize])
	copy(halves[1][:], both[suite.KeySize:])
	b := bit(e.path, depth)
	n := new(node)
	n.child[b] = e.descend(halves[b], depth+1)
	n.child[1-b] = &node{key: halves[1-b]}
	return n
}
