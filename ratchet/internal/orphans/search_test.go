package orphans_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// A message is found in an epoch held, and below a line of commits that it carries.
func TestSearchFollowsALine(t *testing.T) {
	w := newWorld(t)
	way, nodes := w.line(w.root, 3)
	f := w.forest()
	r := orphans.Index{}.Search(w.message(w.root, 1, "a", nil), f, orphans.ForFrame())
	require.True(t, r.Found)
	require.Empty(t, r.Path)

	r = orphans.Index{}.Search(w.message(nodes[2], 2, "a", way), f, orphans.ForFrame())
	require.True(t, r.Found)
	require.Equal(t, proto.Header{Index: 2}, r.Header)
	require.Len(t, r.Path, 3)
	for k, c := range r.Path {
		require.Equal(t, nodes[k].ID, c.ID)
		require.Equal(t, nodes[k].parent, c.Parent)
	}
}

// A line that another frame brought leads to a message without one, whichever comes first (D52).
func TestLineAndMessageInAnyOrder(t *testing.T) {
	w := newWorld(t)
	way, nodes := w.line(w.root, 4)
	f := w.forest()
	carrier := w.message(newNode(proto.EpochID{77}, proto.EpochID{}, 5, nodes[0].keys), 1, "a", nil, way)
	late := w.message(nodes[3], 2, "b", nil)
	for _, order := range [][]orphans.Frame{{carrier, late}, {late, carrier}} {
		var x orphans.Index
		found := map[orphans.FrameName]bool{}
		for _, fr := range order {
			r := x.Search(fr, f, orphans.ForFrame())
			found[fr.Name] = r.Found
			x, _ = x.Note(r, orphans.Reading{})
		}
		x, results, _ := x.Maintain(f, orphans.ForMaintain(), w.load)
		for _, r := range results {
			found[late.Name] = found[late.Name] || r.Found && r.Epoch == nodes[3].ID
		}
		require.True(t, found[late.Name])
		require.Equal(t, 4, x.Candidates())
		x = x.Forget(carrier.Name)
		require.Zero(t, x.Candidates(), "what was known through the frame stays")
		n, _ := x.Get(late.Name)
		require.False(t, n.Opened)
	}
}

// The parent of the third commit of a way comes by a ticket (D52).
func TestMiddleOfAWay(t *testing.T) {
	w := newWorld(t)
	far := newNode(proto.EpochID{55}, proto.EpochID{}, 9, w.root.keys)
	way, nodes := w.line(far, 5)
	f := w.forest()
	fr := w.message(nodes[4], 3, "a", way)
	r := orphans.Index{}.Search(fr, f, orphans.ForFrame())
	require.False(t, r.Found)
	x, _ := orphans.Index{}.Note(r, orphans.Reading{})

	x, retry := x.Advance(f.enter(nodes[1]), f) // a ticket brings the child of the second
	require.Empty(t, retry)
	_, results, _ := x.Maintain(f, orphans.ForMaintain(), w.load)
	require.Len(t, results, 1)
	require.True(t, results[0].Found)
	require.Len(t, results[0].Path, 3)
}

// A frame costs at most its amount of trials in one call; the rest is done later, and nothing is tried twice (D3).
func TestTrialsOfAFrameAreBounded(t *testing.T) {
	w := newWorld(t)
	var nodes []node
	for k := range 300 {
		n := newNode(proto.EpochID{byte(k), byte(k >> 8), 1}, proto.EpochID{}, 1, proto.DeriveKeys(w.root.keys.Commit, proto.Place{byte(k), byte(k >> 8)}))
		nodes = append(nodes, n)
	}
	f := w.forest(nodes...)
	fr := w.junk("a", 196)
	b := orphans.ForFrame()
	amount := b.Trials
	x, _ := orphans.Index{}.Note(orphans.Index{}.Search(fr, f, b), orphans.Reading{})
	require.GreaterOrEqual(t, b.Trials, 0)
	spent := amount - b.Trials
	for range 100 {
		b := orphans.ForFrame()
		r := x.Search(fr, f, b)
		x, _ = x.Note(r, orphans.Reading{})
		if b.Trials == amount {
			break
		}
		spent += amount - b.Trials
	}
	require.Equal(t, 301*196+5*4, spent, "each commit is tried once with each epoch, the last four first with those that are near")
}

// A message with a commit from an epoch that is near is found at once, however many epochs are held, whichever of its ways brings it.
func TestCommitFromNearIsFoundAtOnce(t *testing.T) {
	w := newWorld(t)
	var nodes []node
	for k := range 300 {
		n := newNode(proto.EpochID{byte(k), byte(k >> 8), 1}, proto.EpochID{}, 1, proto.DeriveKeys(w.root.keys.Commit, proto.Place{byte(k), byte(k >> 8)}))
		nodes = append(nodes, n)
	}
	f := w.forest(nodes...)
	for name, at := range map[string]struct {
		node
		trials int
	}{"near": {nodes[298], 8}, "far": {w.root, 4 * 299}} {
		way, children := w.line(at.node, 1)
		junk := w.junk("a", 3).Envelope.Ways.Own
		for _, fr := range []orphans.Frame{
			w.message(children[0], 1, "a", append(junk, way...)), w.message(children[0], 1, "a", junk, way),
		} {
			b := orphans.ForFrame()
			before := b.Trials
			r := orphans.Index{}.Search(fr, f, b)
			require.True(t, r.Found, name)
			if spent := before - b.Trials; name == "near" {
				require.LessOrEqual(t, spent, 20+at.trials, name)
			} else {
				require.GreaterOrEqual(t, spent, at.trials, name)
			}
		}
	}
}

// An honest message is found although 196 commits of junk stand before the one that leads on.
func TestJunkDoesNotHideACommit(t *testing.T) {
	w := newWorld(t)
	way, nodes := w.line(w.root, 1)
	junk := w.junk("a", 190).Envelope.Own
	fr := w.message(nodes[0], 1, "a", way, junk)
	require.True(t, orphans.Index{}.Search(fr, w.forest(), orphans.ForFrame()).Found)
}

// A false commit ends a frame only if it stands in the sender's own line and nothing opens the header (D50).
func TestForeignLineEndsNoFrame(t *testing.T) {
	w := newWorld(t)
	shown, child := w.commit(w.root, 2)
	shown.Commit.Core.C[0] ^= 1 // signed anew below: the maker says something false
	shown.Commit = shown.Commit.Core.Sign(w.keys[2], w.space, w.root.ID, 1, shown.Commit.Check)
	false1 := proto.Way{shown.Seal(w.root.Commit, w.space, w.root.ID)}
	f := w.forest()
	require.True(t, orphans.Index{}.Search(w.message(child, 2, "a", false1), f, orphans.ForFrame()).Forged)
	require.False(t, orphans.Index{}.Search(w.message(child, 2, "a", nil, false1), f, orphans.ForFrame()).Forged)
	r := orphans.Index{}.Search(w.message(w.root, 2, "a", false1), f, orphans.ForFrame())
	require.True(t, r.Found)
	require.False(t, r.Forged)

	f.judge = func(proto.Shown) error { return orphans.ErrMisled }
	way, nodes := w.line(w.root, 1)
	require.True(t, orphans.Index{}.Search(w.message(nodes[0], 2, "a", way), f, orphans.ForFrame()).Forged)
	r = orphans.Index{}.Search(w.message(nodes[0], 2, "a", nil, way), f, orphans.ForFrame())
	require.False(t, r.Forged)
	require.Len(t, r.Misled, 1)
}

// Copies with false signatures that come first say nothing of the commit (§4).
func TestFalseCopiesSayNothingOfTheID(t *testing.T) {
	w := newWorld(t)
	shown, child := w.commit(w.root, 2)
	right := proto.Way{shown.Seal(w.root.Commit, w.space, w.root.ID)}
	copied := shown
	copied.Commit.Signature = w.keys[3].Sign(suite.SignCommit, []byte("something else"))
	f := w.forest()
	x, _ := orphans.Index{}.Note(orphans.Index{}.Search(
		w.message(child, 2, "a", proto.Way{copied.Seal(w.root.Commit, w.space, w.root.ID)}), f, orphans.ForFrame()), orphans.Reading{})
	require.Zero(t, x.Candidates())
	require.True(t, x.Search(w.message(child, 2, "b", right), f, orphans.ForFrame()).Found)
}

// A commit that waits for a word is tried again with each further one, and one that is closed when the ticket's key is gone.
func TestCommitsThatWait(t *testing.T) {
	w := newWorld(t)
	way, nodes := w.line(w.root, 2)
	f := w.forest()
	f.judge = func(proto.Shown) error { return orphans.ErrWaits }
	fr := w.message(nodes[1], 1, "a", way)
	x, _ := orphans.Index{}.Note(orphans.Index{}.Search(fr, f, orphans.ForFrame()), orphans.Reading{})
	f.judge = nil
	_, results, _ := x.Maintain(f, orphans.ForMaintain(), w.load)
	require.Empty(t, results, "tried without a reason")
	x, _ = x.Advance(orphans.Progress{Changed: []proto.EpochID{w.root.ID}}, f)
	_, results, _ = x.Maintain(f, orphans.ForMaintain(), w.load)
	require.Len(t, results, 1)
	require.True(t, results[0].Found)

	f.judge = func(proto.Shown) error { return orphans.ClosedError{Words: orphans.Words{Issuers: 1, UsedUp: true}} }
	r := orphans.Index{}.Search(fr, f, orphans.ForFrame())
	require.Len(t, r.Closed, 1)
	x, _ = orphans.Index{}.Note(r, orphans.Reading{Prior: true})
	x, _ = x.TicketGone()
	_, results, _ = x.Maintain(f, orphans.ForMaintain(), w.load)
	require.Len(t, results, 1)
	require.Len(t, results[0].Closed, 1)
}

// Words of one issuer discard nothing before a week is over (D45).
func TestBeforeJoinNeedsTwoIssuers(t *testing.T) {
	const week = 7 * 24 * 3600 * 1000
	one, two := orphans.Words{Issuers: 1, UsedUp: true}, orphans.Words{Issuers: 2, UsedUp: true}
	require.False(t, orphans.Ticket{}.BeforeJoin(two), "the key is there: a further ticket may come")
	require.False(t, orphans.Ticket{Gone: true, For: week - 1}.BeforeJoin(one))
	require.True(t, orphans.Ticket{Gone: true, For: week}.BeforeJoin(one))
	require.True(t, orphans.Ticket{Gone: true}.BeforeJoin(two))
	require.False(t, orphans.Ticket{Gone: true, For: week}.BeforeJoin(orphans.Words{Issuers: 3}))
}

// At 512 candidates of one maker a further commit of it waits until one of them goes with its frame.
func TestCandidatesOfOneMaker(t *testing.T) {
	w := newWorld(t)
	f := w.forest()
	var x orphans.Index
	var first orphans.Frame
	for batch := range 3 {
		var way proto.Way
		for range 180 {
			shown, _ := w.commit(w.root, 1)
			way = append(way, shown.Seal(w.root.Commit, w.space, w.root.ID))
		}
		fr := w.message(newNode(proto.EpochID{88}, proto.EpochID{}, 9, w.root.keys), 1, "a", nil, way)
		if batch == 0 {
			first = fr
		}
		x, _ = x.Note(x.Search(fr, f, orphans.ForFrame()), orphans.Reading{})
	}
	require.Equal(t, 512, x.Candidates())
	shown, child := w.commit(w.root, 2) // others are not held up
	other := w.message(child, dkg.Index(2), "b", proto.Way{shown.Seal(w.root.Commit, w.space, w.root.ID)})
	require.True(t, x.Search(other, f, orphans.ForFrame()).Found)
	x = x.Forget(first.Name)
	require.Equal(t, 332, x.Candidates())
	x, _, _ = x.Maintain(f, orphans.ForMaintain(), w.load)
	require.Equal(t, 360, x.Candidates(), "those that waited")
	x.Check(t)
}

// A retained frame that is damaged in the store is given up, so that it comes again, and keeps no search due.
func TestDamagedFrameIsGivenUp(t *testing.T) {
	w := newWorld(t)
	way, nodes := w.line(w.root, 2)
	f := w.forest()
	fr := w.message(nodes[1], 1, "a", way)
	none := orphans.Budget{}
	x, _ := orphans.Index{}.Note(orphans.Index{}.Search(fr, f, &none), orphans.Reading{})
	require.True(t, x.Searching(f))
	x, results, gone := x.Maintain(f, orphans.ForMaintain(), func(orphans.FrameName) (orphans.Frame, bool) { return orphans.Frame{}, false })
	require.Empty(t, results)
	require.Equal(t, []orphans.FrameName{fr.Name}, gone)
	require.False(t, x.Searching(f))
	x.Check(t)
}
