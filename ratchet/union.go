package ratchet

import "crypto/subtle"

// union returns a tree that covers what either of two covers, or the first one if that could not be stored. If they are not
// parts of one tree, as far as can be seen, agree is false.
func (t commitTree) union(o commitTree) (u commitTree, agree bool) {
	root, agree := t.f.root.Expose().union(o.f.root.Expose())
	inner, keys := root.count()
	if u = (commitTree{o.f.with(root, inner, keys)}); u.f.size() > maxFrontier {
		u = t
	}
	return u, agree
}

func (n *ggmNode) union(o *ggmNode) (u *ggmNode, agree bool) {
	switch {
	case n == nil:
		return o, true
	case o == nil:
		return n, true
	case n.holdsKey() && o.holdsKey():
		return n, subtle.ConstantTimeCompare(n.key[:], o.key[:]) == 1
	case n.holdsKey():
		_, agree = n.split().union(o)
		return n, agree
	case o.holdsKey():
		_, agree = o.split().union(n)
		return o, agree
	}
	left, l := n.child[0].union(o.child[0])
	right, r := n.child[1].union(o.child[1])
	return &ggmNode{child: [2]*ggmNode{left, right}}, l && r
}

// split returns the two halves that a key covers.
func (n *ggmNode) split() *ggmNode {
	both := mac(n.key[:], macPPRF)
	halves := [2]*ggmNode{new(ggmNode), new(ggmNode)}
	copy(halves[0].key[:], both[:keySize])
	copy(halves[1].key[:], both[keySize:])
	return &ggmNode{child: halves}
}
