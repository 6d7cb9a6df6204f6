package pprf

import (
	"crypto/subtle"

	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// merge returns a node that covers what either of two covers. If they are not parts of one tree, as far as can be seen, agree is false.
func (n *node) merge(o *node) (u *node, agree bool) {
	switch {
	case n == nil:
		return o, true
	case o == nil:
		return n, true
	case n.holdsKey() && o.holdsKey():
		return n, subtle.ConstantTimeCompare(n.key[:], o.key[:]) == 1
	case n.holdsKey():
		_, agree = n.split().merge(o)
		return n, agree
	case o.holdsKey():
		_, agree = o.split().merge(n)
		return o, agree
	}
	left, l := n.child[0].merge(o.child[0])
	right, r := n.child[1].merge(o.child[1])
	return &node{child: [2]*node{left, right}}, l && r
}

// split returns the two halves that a key covers.
func (n *node) split() *node {
	both := suite.MAC(n.key[:], suite.MACPPRF)
	halves := [2]*node{new(node), new(node)}
	copy(halves[0].key[:], both[:suite.KeySize])
	copy(halves[1].key[:], both[suite.KeySize:])
	return &node{child: halves}
}
