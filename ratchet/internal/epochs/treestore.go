package epochs

import (
	"strconv"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/state"
)

// treePiece is a piece of a commit tree: its upper levels, and a segment of each part that goes on below them. So what is written
// when one more place is used up is that place and a few lists, however many children an epoch has.
type treePiece struct {
	tree  pprf.Piece
	depth int           // levels of indices: those of a child come below them
	top   pprf.Frontier // down to the cut
	below []treeBranch  // ascending by path
}

type treeBranch struct {
	path  uint32
	piece state.Segment[treePiece]
}

// A tree is cut above the last two times 4 bits of an index, and below the index.
const (
	cutBits   = 4
	lastLevel = 2 * cutBits
)

// cut returns below how many of its levels a piece is cut.
func cut(depth int) int {
	if depth > lastLevel {
		return depth - lastLevel
	}
	return min(depth, cutBits)
}

// pieceOf returns a segment of a piece of so many levels of indices, with as much as it shares with an older one.
func pieceOf(old state.Segment[treePiece], p pprf.Piece, depth int) state.Segment[treePiece] {
	was := old.Value()
	if !old.IsZero() && was.tree.Same(p) {
		return old
	}
	next := treePiece{tree: p, depth: depth}
	if depth == 0 {
		next.top = p.Frontier()
		return state.NewSegment(next)
	}
	var below []pprf.Branch
	next.top, below = p.Split(cut(depth))
	for _, b := range below {
		for len(was.below) > 0 && was.below[0].path < b.Path {
			was.below = was.below[1:]
		}
		var older state.Segment[treePiece]
		if len(was.below) > 0 && was.below[0].path == b.Path {
			older = was.below[0].piece
		}
		next.below = append(next.below, treeBranch{b.Path, pieceOf(older, b.Piece, depth-cut(depth))})
	}
	return state.NewSegment(next)
}

func (b treeBranch) name() string { return strconv.FormatUint(uint64(b.path), 16) }

// Encode implements state.Piece.
func (t treePiece) Encode(e *state.Encoder) {
	e.Uint8(uint8(t.depth))
	e.Bytes(t.top.Encode())
	if t.depth == 0 {
		return
	}
	e.Uint32(uint32(len(t.below)))
	for _, b := range t.below {
		e.Uint32(b.path)
		b.piece.Encode(e, b.name())
	}
}

// Decode implements state.Piece.
func (treePiece) Decode(d *state.Decoder) (t treePiece, err error) {
	if t.depth = int(d.Uint8()); t.depth > dkg.MaxDepth {
		return t, segmap.ErrDisorder
	}
	levels, bits := cut(t.depth), t.depth-cut(t.depth)
	if t.depth == 0 {
		levels = pprf.ChildBits
	}
	if t.top, err = pprf.Decode(d.Bytes(pprf.MaxSize), levels); err != nil {
		return t, err
	}
	if t.depth == 0 {
		t.tree = t.top.Piece()
		return t, nil
	}
	var below []pprf.Branch
	for range d.Count(maxBranches, 4) {
		b := treeBranch{path: d.Uint32()}
		if b.piece, err = state.DecodeSegment[treePiece](d, b.name()); err != nil {
			return t, err
		}
		t.below = append(t.below, b)
		below = append(below, pprf.Branch{Path: b.path, Piece: b.piece.Value().tree})
	}
	if t.tree, err = pprf.Join(t.top, bits+pprf.ChildBits, below); err != nil {
		return t, segmap.ErrDisorder
	}
	return t, nil
}

// maxBranches bounds the parts below a piece of a tree: fewer than its leaves.
const maxBranches = 1 << (dkg.MaxDepth - lastLevel)
