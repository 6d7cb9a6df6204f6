package orphans_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// What a frame leads to stays known if the frame that led there first is given up for it at a bound.
func TestGivenUpForOneThatLeadsOn(t *testing.T) {
	w := newWorld(t)
	way, nodes := w.line(w.root, 2)
	f := w.forest()
	var x orphans.Index
	note := func(fr orphans.Frame) (gone []orphans.FrameName) {
		x, gone = x.Note(x.Search(fr, f, orphans.ForFrame()), orphans.Reading{})
		return gone
	}
	first, second := w.message(nodes[1], 2, "a", way), w.message(nodes[1], 2, "a", way)
	require.Empty(t, note(first))
	for range orphans.MaxHolderFrames - 1 {
		require.Empty(t, note(w.message(w.root, 2, "a", nil)))
	}
	require.Equal(t, []orphans.FrameName{first.Name}, note(second))
	require.True(t, x.Search(second, f, orphans.ForFrame()).Found)
}

// That the place of a commit of its own line is used up is said of a frame whenever it is searched: its reader judges by it.
func TestClosedIsSaidAgain(t *testing.T) {
	w := newWorld(t)
	way, nodes := w.line(w.root, 1)
	f := w.forest()
	f.judge = func(proto.Shown) error { return orphans.ClosedError{Words: orphans.Words{Issuers: 2, UsedUp: true}} }
	fr := w.message(nodes[0], 2, "a", way)
	var x orphans.Index
	for range 3 {
		r := x.Search(fr, f, orphans.ForFrame())
		require.False(t, r.Found)
		require.Len(t, r.Closed, 1)
		x, _ = x.Note(r, orphans.Reading{Prior: true})
	}
	require.False(t, x.Searching(f))
}
