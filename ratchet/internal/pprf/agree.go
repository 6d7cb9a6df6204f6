package pprf

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// IsZero reports whether nothing is left, or there never was a tree.
func (f Frontier) IsZero() bool { return f.root.IsZero() }

// indexBits returns how many bits of a path are the index: in a commit tree bits of a child's place follow.
func (f Frontier) indexBits() int {
	if f.bits > ChildBits {
		return f.bits - ChildBits
	}
	return f.bits
}

// Covers reports whether a leaf was not evaluated yet.
func (f Frontier) Covers(path []byte) bool {
	n := f.root.Expose()
	for depth := 0; n != nil && !n.holdsKey(); depth++ {
		n = n.child[bit(path, depth)]
	}
	return n != nil
}

// Value returns the value at a leaf (32 bytes) without evaluating the tree, or ErrPunctured.
func (f Frontier) Value(path []byte) (secret.Bytes, error) {
	n, depth := f.root.Expose(), 0
	for ; n != nil && !n.holdsKey(); depth++ {
		n = n.child[bit(path, depth)]
	}
	if n == nil {
		return secret.Bytes{}, ErrPunctured
	}
	key := n.key
	for ; depth < f.bits; depth++ {
		both := suite.MAC(key[:], suite.MACPPRF)
		copy(key[:], both[suite.KeySize*bit(path, depth):])
	}
	return secret.New(key[:]), nil
}

// Cut returns the tree of which only what lies below the indices is left (§6). The indices ascend.
func (f Frontier) Cut(keep []dkg.Index) Frontier {
	return f.shaped(f.root.Expose().cut(f.indexBits(), 0, keep))
}

// shaped returns a frontier of as many bits with another tree, whose nodes it counts.
func (f Frontier) shaped(root *node) Frontier {
	inner, keys := root.count()
	return f.with(root, inner, keys)
}

// cut returns what of a node lies below indices. bits are the levels between the node and an index; first is the index at
// its left edge.
func (n *node) cut(bits int, first dkg.Index, keep []dkg.Index) *node {
	for len(keep) > 0 && keep[0] < first {
		keep = keep[1:]
	}
	if n == nil || len(keep) == 0 || keep[0]-first >= 1<<bits {
		return nil
	}
	if bits == 0 {
		return n
	}
	whole := n
	if n.holdsKey() {
		whole = n.split()
	}
	next := &node{child: [2]*node{
		whole.child[0].cut(bits-1, first, keep),
		whole.child[1].cut(bits-1, first+1<<(bits-1), keep),
	}}
	switch {
	case next.child == n.child:
		return n
	case next.holdsKey():
		return nil
	}
	return next
}

// Less returns the tree of which nothing is left below the indices (§6). The indices ascend.
func (f Frontier) Less(gone []dkg.Index) Frontier {
	return f.shaped(f.root.Expose().less(f.indexBits(), 0, gone))
}

// less returns what of a node does not lie below indices; bits and first are those of cut.
func (n *node) less(bits int, first dkg.Index, gone []dkg.Index) *node {
	for len(gone) > 0 && gone[0] < first {
		gone = gone[1:]
	}
	if n == nil || len(gone) == 0 || gone[0]-first >= 1<<bits {
		return n
	}
	if bits == 0 {
		return nil
	}
	whole := n
	if n.holdsKey() {
		whole = n.split()
	}
	next := &node{child: [2]*node{
		whole.child[0].less(bits-1, first, gone),
		whole.child[1].less(bits-1, first+1<<(bits-1), gone),
	}}
	if next.holdsKey() { // nothing is left
		return nil
	}
	return next
}

// Unite returns the frontier that covers what either of two covers. Agree is false if they are not parts of one tree, as far
// as can be seen; then, and if the union would be too long to be stored, the frontier returned is f.
func (f Frontier) Unite(o Frontier) (u Frontier, agree bool) {
	if f.bits != o.bits {
		return f, false
	}
	root, agree := f.root.Expose().merge(o.root.Expose())
	if u = f.shaped(root); !agree || u.size() > MaxSize {
		return f, agree
	}
	return u, true
}

// Undisputed returns the frontier without what another one contradicts: a key that covers something of which the other has a
// key that does not follow. Below an index the whole index goes, because a frontier that lacks anything there but whole leaves
// has no encoding.
func (f Frontier) Undisputed(o Frontier) Frontier {
	return f.shaped(f.root.Expose().undisputed(o.root.Expose(), f.indexBits()))
}

// undisputed returns what of a node another one does not contradict. bits are the levels down to an index.
func (n *node) undisputed(o *node, bits int) *node {
	if n == nil || o == nil {
		return n
	}
	if n.holdsKey() || o.holdsKey() || bits == 0 {
		if _, agree := n.merge(o); !agree {
			return nil
		}
		return n
	}
	next := &node{child: [2]*node{
		n.child[0].undisputed(o.child[0], bits-1),
		n.child[1].undisputed(o.child[1], bits-1),
	}}
	if next.holdsKey() {
		return nil
	}
	return next
}

// Deepen returns the tree with more levels below its leaves, which cover them whole.
func (f Frontier) Deepen(levels int) Frontier {
	f.bits += levels
	return f
}

// Graft returns the tree in which nothing is left below a path with what a shallower one has there.
func (f Frontier) Graft(path []byte, below Frontier) Frontier {
	return f.shaped(f.root.Expose().graft(path, 0, f.bits-below.bits, below.root.Expose()))
}

// graft returns a node at depth with another one in place of what is at the end of a path of that many bits.
func (n *node) graft(path []byte, depth, bits int, below *node) *node {
	if depth == bits || below == nil {
		if depth < bits {
			return n
		}
		return below
	}
	next := new(node)
	if n != nil {
		next.child = n.child
	}
	b := bit(path, depth)
	next.child[b] = next.child[b].graft(path, depth+1, bits, below)
	return next
}
