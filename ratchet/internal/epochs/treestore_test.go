package epochs

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// records returns the sealed records of the forest in the store, by path.
func (d *disk) records() map[string][]byte {
	ids, err := d.back.List(d.t.Context(), store.Sessions, store.ID{}, 1)
	require.NoError(d.t, err)
	row, err := d.back.Load(d.t.Context(), store.Sessions, ids[0])
	require.NoError(d.t, err)
	return row.Segments
}

// pieceCount returns how many pieces the commit trees of an epoch are stored in.
func (e Epoch) pieceCount() int {
	var count func(state.Segment[treePiece]) int
	count = func(s state.Segment[treePiece]) int {
		n := 1
		for _, b := range s.Value().below {
			n += count(b.piece)
		}
		return n
	}
	n := 0
	for _, t := range e.pieces.commits.Value().trees {
		n += count(t.piece)
	}
	return n
}

// The commit that takes in a child deletes from the store whatever the place of the child could be computed from: the pieces of its
// parent's tree that were stored before are replaced or removed, and none that is stored then gives the place.
func TestPlaceOfAChildIsDeletedAtOnce(t *testing.T) {
	g := newGroup(t)
	a := g.member(1)
	j := g.bare(20)
	j.merge(a.ticket(TicketQuery{}, 1))
	others := func(path string, _ []byte) bool { return !strings.Contains(path, "/1/commits/") }
	for name, m := range map[string]*member{"derived": a, "told": j} {
		d := newDisk(t, m.f)
		for k, maker := range []dkg.Index{2, 2, 3, 2, 900, 2} { // in pieces of their own, and in pieces of one that was split before
			before := d.records()
			maps.DeleteFunc(before, others)
			require.NotEmpty(t, before)
			msg := g.member(maker).say(true)
			saves := d.back.saves
			require.NoError(t, m.read(msg))
			d.save(m.f)
			require.Equal(t, saves+1, d.back.saves)

			loaded := d.load(g.space) // which refuses a row with a record that nothing lists
			child, _ := loaded.Epoch(msg.epoch)
			parent, ok := loaded.Epoch(g.root.ID)
			require.True(t, ok)
			require.False(t, parent.covers(parent.path(maker, child.place)), name)
			after := d.records()
			maps.DeleteFunc(after, others)
			require.Equal(t, parent.pieceCount(), len(after), name)
			way := []string{""}
			for depth, at := g.root.Depth, 0; depth > 0; depth -= cut(depth) {
				at += cut(depth)
				way = append(way, way[len(way)-1]+"/"+treeBranch{path: uint32(maker) >> (g.root.Depth - at) & (1<<cut(depth) - 1)}.name())
			}
			all := slices.Collect(maps.Values(after))
			for p, sealed := range before {
				_, rest, _ := strings.Cut(p, "/commits/w0")
				stays := slices.ContainsFunc(all, func(b []byte) bool { return string(b) == string(sealed) })
				require.Equal(t, !slices.Contains(way, rest), stays, "%s, child %d: %s", name, k, p)
			}
			m.f = loaded
		}
		// An epoch that is cut loses all of them.
		e, _ := m.f.Epoch(g.root.ID)
		e.commits = commitTree{}
		e.derived = false
		m.f = m.f.put(e.stow())
		d.save(m.f)
		left := d.records()
		maps.DeleteFunc(left, others)
		require.Empty(t, left, name)
	}
}

// What is stored of a told tree with several words stays where it is when a word goes, and when one comes.
func TestPiecesOfWordsStay(t *testing.T) {
	const children = 48
	g := newGroup(t)
	a, liar, j := g.member(1), g.member(2), g.bare(3)
	first := a.ticket(TicketQuery{}, 1)
	lie := liar.ticket(TicketQuery{}, 1).lie(g.root.Depth)
	j.merge(lie)
	j.merge(first)
	for i := range dkg.Index(children) {
		require.NoError(t, j.read(g.member(10+i).say(true)))
	}
	root := func() Epoch { e, _ := j.f.Epoch(g.root.ID); return e }
	require.Len(t, root().pieces.commits.Value().trees, 2)
	d := newDisk(t, j.f)
	j.f = d.load(g.space)
	truth := liar.ticket(TicketQuery{}, 2)
	j.merge(truth)
	trees := root().pieces.commits.Value().trees
	require.Len(t, trees, 1, "the liar's word went, since it tells the truth now")
	require.Less(t, d.save(j.f), 8<<10)
	require.True(t, j.f.one(t).Equal(d.load(g.space).one(t)))
	again := liar.ticket(TicketQuery{}, 3).lie(g.root.Depth)
	j.merge(again)
	trees = root().pieces.commits.Value().trees
	require.Len(t, trees, 2)
	d.save(j.f)
	require.True(t, j.f.one(t).Equal(d.load(g.space).one(t)))
}

// badPiece is a piece of a tree that is written as one is, whatever it says.
type badPiece struct {
	depth uint8
	top   pprf.Frontier
	below []badBranch
}

type badBranch struct {
	path  uint32
	piece badPiece
}

func (p badPiece) Encode(e *state.Encoder) {
	e.Uint8(p.depth)
	e.Bytes(p.top.Encode())
	if p.depth == 0 {
		return
	}
	e.Uint32(uint32(len(p.below)))
	for _, b := range p.below {
		e.Uint32(b.path)
		state.NewSegment(b.piece).Encode(e, treeBranch{path: b.path}.name())
	}
}

func (badPiece) Decode(d *state.Decoder) (badPiece, error) {
	_, err := treePiece{}.Decode(d)
	return badPiece{}, err
}

func (badPiece) Succeeds(badPiece) error { return nil }

// A damaged piece of a tree is refused, whatever of it is out of range.
func TestDamagedPieces(t *testing.T) {
	seed := secret.Random(32)
	leaf := func() badPiece {
		_, f, err := pprf.New(seed, pprf.ChildBits).Eval(make([]byte, pprf.ChildBits/8))
		require.NoError(t, err)
		return badPiece{top: f}
	}
	whole := pprf.New(seed, 4)
	_, top, err := whole.Eval([]byte{0x30})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		p  badPiece
		ok bool
	}{
		"in order":       {badPiece{4, top, []badBranch{{3, leaf()}}}, true},
		"nothing below":  {badPiece{4, top, nil}, true},
		"levels":         {badPiece{dkg.MaxDepth + 1, pprf.New(seed, dkg.MaxDepth+1-lastLevel), nil}, false},
		"most levels":    {badPiece{255, pprf.New(seed, 255-lastLevel), nil}, false},
		"where a key is": {badPiece{4, whole, []badBranch{{3, leaf()}}}, false},
		"another place":  {badPiece{4, top, []badBranch{{4, leaf()}}}, false},
		"outside":        {badPiece{4, top, []badBranch{{19, leaf()}}}, false},
		"twice":          {badPiece{4, top, []badBranch{{3, leaf()}, {2, leaf()}}}, false},
		"levels below":   {badPiece{4, top, []badBranch{{3, badPiece{4, top, nil}}}}, false},
		"a key below":    {badPiece{4, top, []badBranch{{3, badPiece{top: pprf.New(seed, pprf.ChildBits)}}}}, false},
	} {
		one, err := state.NewOne(state.ID{1}, c.p)
		require.NoError(t, err)
		key, err := state.NewKey(make([]byte, 32))
		require.NoError(t, err)
		back := store.NewMemory()
		for n := range 2 {
			v, err := state.Open[state.One[badPiece]](t.Context(), back, key, state.Options{})
			require.NoError(t, err)
			if n == 0 {
				require.NoError(t, v.Create(t.Context(), one, nil))
				continue
			}
			_, err = v.Load(t.Context(), state.ID{1})
			if c.ok {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, state.ErrCorrupt, name)
				require.ErrorIs(t, err, segmap.ErrDisorder, name)
			}
		}
	}
}
