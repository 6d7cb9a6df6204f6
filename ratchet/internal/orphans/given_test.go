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

// A frame that was read and comes again, when the vault does not remember it any more, is found as it was: the commits that are kept of it
// are not those of the frame, and stay until it waits again, with all that it carries.
func TestRepeatedFrameOfWhichCommitsAreKept(t *testing.T) {
	w := newWorld(t)
	own, nodes := w.line(w.root, 3)
	_, far := w.line(nodes[2], 1) // unknown
	other, _ := w.line(far[0], 2)
	f := w.forest()
	fr := w.message(nodes[2], 2, "a", own, other)
	var x orphans.Index
	r := x.Search(fr, f, orphans.ForFrame())
	require.True(t, r.Found)
	x = x.Keep(fr, r.Header.Index, f, orphans.ForFrame(), orphans.Reading{})
	require.False(t, x.Retains(fr.Name))
	_, kept := x.Get(fr.Name)
	require.True(t, kept)

	r = x.Search(fr, f, orphans.ForFrame())
	require.True(t, r.Found)
	x, _ = x.Note(r, orphans.Reading{})
	require.True(t, x.Retains(fr.Name))
	x.Check(t)
	require.True(t, value(t, newVault(t, x).load()).Equal(value(t, x)))
	x, _, _ = x.Maintain(f, orphans.ForMaintain(), w.load)
	x.Check(t)
}
