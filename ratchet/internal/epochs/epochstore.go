package epochs

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// pieces are the segments of an epoch beside its chains: what changes with a message lies in none of them.
type pieces struct {
	meta    state.Segment[*meta]
	commits state.Segment[storedCommits]
	senders state.Segment[storedSenders]
}

// stowCommits returns the epoch with a segment of its commit tree, which shares with the one before what did not change.
func (e Epoch) stowCommits() Epoch {
	next := storedCommits{commitTree: e.commits, derived: e.derived, depth: e.depth}
	old := e.pieces.commits.Value()
	put := func(no uint32, f pprf.Frontier) {
		var was state.Segment[treePiece]
		if at := slices.IndexFunc(old.trees, func(t storedTree) bool { return t.no == no }); at >= 0 {
			was = old.trees[at].piece
		}
		next.trees = append(next.trees, storedTree{no, pieceOf(was, f.Piece(), e.depth)})
	}
	if e.derived {
		put(0, e.commits.tree)
	} else {
		e.commits.told.Trees(put)
	}
	e.pieces.commits = state.NewSegment(next)
	return e
}

// stow returns the epoch with segments of all its pieces.
func (e Epoch) stow() Epoch {
	e.pieces.meta = state.NewSegment(e.meta)
	return e.stowCommits().stowSenders()
}

// stowSenders returns the epoch with a segment of its sender tree.
func (e Epoch) stowSenders() Epoch {
	e.pieces.senders = state.NewSegment(storedSenders{e.senders, e.depth})
	return e
}

// Encode implements state.Piece: what changes with every message, and the list of the other pieces.
func (e Epoch) Encode(enc *state.Encoder) {
	enc.Uint32(e.seen)
	enc.Int64(e.stamp)
	writeIndices(enc, e.heard)
	for _, flag := range []bool{e.derived, e.cut, e.confirmed, e.alone, e.misled} {
		enc.Bool(flag)
	}
	if enc.Bool(e.passed != 0); e.passed != 0 {
		enc.Uint64(e.passed)
	}
	enc.Bytes(e.exporter.Expose())
	enc.Bytes(e.own0.Expose())
	enc.Fixed(e.seed[:])
	writeIndices(enc, e.tellers)
	e.pieces.meta.Encode(enc, "meta")
	e.pieces.commits.Encode(enc, "commits")
	e.pieces.senders.Encode(enc, "senders")
	e.senders.chains.groups.Encode(enc, "c")
}

// Decode implements state.Piece.
func (Epoch) Decode(d *state.Decoder) (e Epoch, err error) {
	e.seen = d.Uint32()
	e.stamp = d.Int64()
	if e.heard, err = readIndices(d); err != nil || len(e.heard) > maxHeard {
		return Epoch{}, segmap.ErrDisorder
	}
	for _, flag := range []*bool{&e.derived, &e.cut, &e.confirmed, &e.alone, &e.misled} {
		*flag = d.Bool()
	}
	if d.Bool() {
		e.passed = d.Uint64()
	}
	e.exporter = optional(d)
	e.own0 = optional(d)
	d.Into(e.seed[:])
	if e.tellers, err = readIndices(d); err != nil {
		return Epoch{}, err
	}
	if e.pieces.meta, err = state.DecodeSegment[*meta](d, "meta"); err != nil {
		return Epoch{}, err
	}
	if e.pieces.commits, err = state.DecodeSegment[storedCommits](d, "commits"); err != nil {
		return Epoch{}, err
	}
	if e.pieces.senders, err = state.DecodeSegment[storedSenders](d, "senders"); err != nil {
		return Epoch{}, err
	}
	e.meta = e.pieces.meta.Value()
	commits, senders := e.pieces.commits.Value(), e.pieces.senders.Value()
	if commits.depth != e.depth || commits.derived != e.derived || senders.depth != e.depth || senders.derived != e.derived {
		return Epoch{}, segmap.ErrDisorder
	}
	e.commits, e.senders = commits.commitTree, senders.senders
	if e.senders.chains.groups, err = segmap.Decode[chainGroup](d, "c"); err != nil {
		return Epoch{}, err
	}
	if err := e.senders.check(e.depth); err != nil {
		return Epoch{}, err
	}
	return e, nil
}

// optional reads a key that may be missing.
func optional(d *state.Decoder) secret.Bytes {
	b := d.Bytes(suite.KeySize)
	if len(b) == 0 {
		return secret.Bytes{}
	}
	return secret.Own(b)
}

// Encode implements state.Piece.
func (m *meta) Encode(e *state.Encoder) {
	for _, id := range [][]byte{m.id[:], m.parent[:], m.root[:], m.place[:], m.check[:], m.hh[:]} {
		e.Fixed(id)
	}
	e.Uint64(m.generation)
	e.Uint8(uint8(m.depth))
	e.Uint64(m.serial)
	e.Int64(m.entered)
	e.Bytes(m.headerKey.Expose())
	e.Fixed(m.commitKey.Expose())
	e.Fixed(m.auth.Expose())
	if !m.isRoot() {
		e.Bytes(m.shown.Encode())
		e.Bytes(m.maker.Key.Bytes())
	}
}

// Decode implements state.Piece.
func (*meta) Decode(d *state.Decoder) (*meta, error) {
	m := new(meta)
	for _, id := range [][]byte{m.id[:], m.parent[:], m.root[:], m.place[:], m.check[:], m.hh[:]} {
		d.Into(id)
	}
	m.generation = d.Uint64()
	m.depth = int(d.Uint8())
	m.serial = d.Uint64()
	m.entered = d.Int64()
	m.headerKey = optional(d)
	m.commitKey = secret.Own(d.Fixed(suite.KeySize))
	m.auth = secret.Own(d.Fixed(suite.KeySize))
	if err := d.Err(); err != nil {
		return nil, err
	}
	if m.depth < pprfMinDepth || m.depth > dkg.MaxDepth || m.headerKey.Len()%suite.KeySize != 0 {
		return nil, segmap.ErrDisorder
	}
	if !m.isRoot() {
		var err error
		if m.shown, err = proto.ParseShown(d.Bytes(proto.MaxSealedCommit)); err != nil {
			return nil, err
		}
		if m.maker.Key, err = suite.LoadPublicKey(d.Bytes(suite.MaxPublicKey)); err != nil {
			return nil, err
		}
		m.maker.Index = m.shown.Commit.Core.Maker
	}
	return m.prepare(), d.Err()
}

// pprfMinDepth is the least depth of a root.
const pprfMinDepth = 4

// storedCommits is a commit tree as a piece. It says its depth, without which it cannot be read.
type storedCommits struct {
	commitTree
	derived bool
	depth   int
	trees   []storedTree // the derived one, or those of the words
}

// storedTree is the tree of a word, by its number, or a derived one.
type storedTree struct {
	no    uint32
	piece state.Segment[treePiece]
}

func (t storedTree) name() string { return fmt.Sprintf("w%x", t.no) }

// Encode implements state.Piece.
func (s storedCommits) Encode(e *state.Encoder) {
	e.Uint8(uint8(s.depth))
	if e.Bool(s.derived); !s.derived {
		e.Bytes(s.told.EncodeOutline())
	}
	for _, t := range s.trees {
		t.piece.Encode(e, t.name())
	}
}

// maxToldSize bounds what is stored of a told tree: three words, their members and the used leaves.
const maxToldSize = (pprf.MaxWords + 1) * pprf.MaxSize

// Decode implements state.Piece.
func (storedCommits) Decode(d *state.Decoder) (s storedCommits, err error) {
	if s.depth, err = readDepth(d); err != nil {
		return s, err
	}
	tree := func(no uint32) (pprf.Frontier, error) {
		t := storedTree{no: no}
		if t.piece, err = state.DecodeSegment[treePiece](d, t.name()); err != nil {
			return pprf.Frontier{}, err
		}
		if t.piece.Value().depth != s.depth {
			return pprf.Frontier{}, segmap.ErrDisorder
		}
		s.trees = append(s.trees, t)
		return t.piece.Value().tree.Frontier(), nil
	}
	if s.derived = d.Bool(); s.derived {
		s.tree, err = tree(0)
	} else {
		s.told, err = pprf.DecodeOutline(d.Bytes(maxToldSize), s.depth+pprf.ChildBits, tree)
	}
	return s, err
}

// storedSenders is a sender tree as a piece.
type storedSenders struct {
	senders
	depth int
}

// Encode implements state.Piece.
func (s storedSenders) Encode(e *state.Encoder) {
	e.Uint8(uint8(s.depth))
	e.Bool(s.derived)
	if s.derived {
		e.Bytes(s.tree.Encode())
	} else {
		e.Bytes(s.told.Encode())
	}
}

// Decode implements state.Piece.
func (storedSenders) Decode(d *state.Decoder) (s storedSenders, err error) {
	if s.depth, err = readDepth(d); err != nil {
		return s, err
	}
	if s.derived = d.Bool(); s.derived {
		s.tree, err = pprf.Decode(d.Bytes(pprf.MaxSize), s.depth-groupBits(s.depth))
	} else {
		s.told, err = pprf.DecodeTold(d.Bytes(maxToldSize), s.depth)
	}
	return s, err
}

// check refuses chains that do not belong below the tree.
func (s senders) check(depth int) error {
	bits := 0
	if s.derived {
		bits = groupBits(depth) - chainLeafBits
	}
	for g := range s.chains.groups.All() {
		if int(g.bits) != bits {
			return segmap.ErrDisorder
		}
	}
	for c := range s.chains.all {
		if c.derived != s.derived {
			return segmap.ErrDisorder
		}
	}
	return nil
}

// readDepth reads the depth of a tree.
func readDepth(d *state.Decoder) (int, error) {
	n := int(d.Uint8())
	if d.Err() == nil && (n < pprfMinDepth || n > dkg.MaxDepth) {
		return 0, fmt.Errorf("%w: depth of a tree", segmap.ErrDisorder)
	}
	return n, d.Err()
}
