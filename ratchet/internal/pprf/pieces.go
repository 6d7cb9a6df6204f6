package pprf

import (
	"errors"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// Piece is a node of a frontier with what lies below it. A tree of which many leaves were used is stored in pieces, so that one more
// writes those above it alone: what two frontiers share is the same Piece in both.
type Piece struct {
	bits int // from the node to a leaf
	root secret.Box[*node]
}

// Branch is a piece that begins at the end of a path of some bits from another one, most significant bit first.
type Branch struct {
	Path uint32
	Piece
}

// Piece returns the whole frontier as a piece.
func (f Frontier) Piece() Piece { return Piece{f.bits, f.root} }

// Frontier returns the piece as a frontier.
func (p Piece) Frontier() Frontier { return Frontier{bits: p.bits}.shaped(p.root.Expose()) }

// IsZero reports whether nothing is left of the piece.
func (p Piece) IsZero() bool { return p.root.IsZero() }

// Same reports whether two pieces are one node. If not, they may be alike.
func (p Piece) Same(o Piece) bool { return p.bits == o.bits && p.root.Expose() == o.root.Expose() }

// Split returns the levels down to a depth, in which what goes on below is used up, and what goes on there, ascending by path.
func (p Piece) Split(depth int) (top Frontier, below []Branch) {
	s := splitting{bits: p.bits - depth}
	root := s.top(p.root.Expose(), depth, 0)
	return Frontier{bits: depth}.shaped(root), s.below
}

type splitting struct {
	bits  int // from a branch to a leaf
	below []Branch
}

func (s *splitting) top(n *node, depth int, path uint32) *node {
	switch {
	case n == nil || n.holdsKey():
		return n
	case depth == 0:
		s.below = append(s.below, Branch{path, Piece{s.bits, secret.Hide(n)}})
		return nil
	}
	l, r := s.top(n.child[0], depth-1, path<<1), s.top(n.child[1], depth-1, path<<1|1)
	if l == nil && r == nil {
		return nil
	}
	return &node{child: [2]*node{l, r}}
}

// ErrPieces: pieces that no Split returned.
var ErrPieces = errors.New("ratchet: pieces of no tree")

// Join returns the piece that Split took apart; bits are the levels of a branch. It returns ErrPieces for what Split does not return.
func Join(top Frontier, bits int, below []Branch) (Piece, error) {
	root := top.root.Expose()
	for i, b := range below {
		n, ok := b.root.Expose(), false
		if b.bits == bits && n != nil && !n.holdsKey() && uint64(b.Path)>>top.bits == 0 && (i == 0 || below[i-1].Path < b.Path) {
			root, ok = root.join(top.bits, b.Path, n)
		}
		if !ok {
			return Piece{}, ErrPieces
		}
	}
	p := Piece{bits: top.bits + bits}
	if root != nil {
		p.root = secret.Hide(root)
	}
	return p, nil
}

// join returns a node with another one at the end of a path of so many bits. It is not ok if something is left there.
func (n *node) join(depth int, path uint32, below *node) (*node, bool) {
	switch {
	case depth == 0:
		return below, n == nil
	case n != nil && n.holdsKey():
		return nil, false
	}
	next := new(node)
	if n != nil {
		next.child = n.child
	}
	b, ok := path>>(depth-1)&1, false
	next.child[b], ok = next.child[b].join(depth-1, path, below)
	return next, ok
}
