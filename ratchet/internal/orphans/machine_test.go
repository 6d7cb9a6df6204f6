package orphans_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
)

// Whatever comes in whatever order, the index agrees with its notes, goes through a vault unchanged, does not change what was
// returned before, and in the end every message whose epoch can be known was found.
func TestIndexMachine(t *testing.T) {
	w := newWorld(t)
	way, nodes := w.line(w.root, 6)
	other, branch := w.line(nodes[1], 3)
	frames := []orphans.Frame{
		w.message(w.root, 1, "a", nil), w.message(nodes[0], 2, "a", way[:1]), w.message(nodes[1], 3, "b", way[1:2]),
		w.message(nodes[3], 1, "b", nil, way[2:4]), w.message(nodes[5], 2, "", way[4:]), w.message(branch[2], 4, "c", other),
		w.message(branch[1], 5, "c", nil, way[:2], other[:1]), w.message(nodes[5], 3, "c", nil),
		w.junk("a", 0), w.junk("b", 3), w.junk("", 40),
	}
	honest := frames[:8]
	rapid.Check(t, func(rt *rapid.T) {
		f := w.forest()
		x := orphans.Index{}
		entered := map[string]bool{w.root.ID.String(): true}
		read := map[orphans.FrameName]bool{}
		enter := func(path []orphans.Candidate) {
			for _, c := range path {
				if !entered[c.ID.String()] {
					entered[c.ID.String()] = true
					x, _ = x.Advance(f.enter(newNode(c.ID, c.Parent, c.Generation, c.Keys)), f)
				}
			}
		}
		receive := func(fr orphans.Frame, b *orphans.Budget) {
			r := x.Search(fr, f, b)
			if r.Found {
				read[fr.Name] = true
				enter(r.Path)
				x = x.Keep(fr, r.Header.Index, f, b, orphans.Reading{})
				return
			}
			x, _ = x.Note(r, orphans.Reading{Now: 5, Wall: 7})
		}
		maintain := func() {
			var results []orphans.Result
			x, results, _ = x.Maintain(f, orphans.ForMaintain(), w.load)
			for range results {
				for _, fr := range frames {
					if _, ok := x.Get(fr.Name); ok && !read[fr.Name] {
						receive(fr, orphans.ForFrame())
					}
				}
			}
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			before, was := x, value(rt, x)
			switch fr := rapid.SampledFrom(frames).Draw(rt, "frame"); rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0, 1, 2:
				if read[fr.Name] {
					require.True(rt, x.Search(fr, f, orphans.ForFrame()).Found, "it comes again")
					continue
				}
				receive(fr, &orphans.Budget{Trials: rapid.IntRange(60, 600).Draw(rt, "trials"), Checks: rapid.IntRange(0, 9).Draw(rt, "checks")})
			case 3:
				x = x.Forget(fr.Name) // given up: it comes again below
			case 4:
				maintain()
			case 5:
				x = newVault(t, x).load()
			}
			x.Check(rt)
			require.True(rt, value(rt, before).Equal(was), "an older index changed")
		}
		for range 3 {
			for _, fr := range frames {
				if !read[fr.Name] {
					receive(fr, orphans.ForFrame())
				}
			}
			maintain()
		}
		for k, fr := range honest {
			require.True(rt, read[fr.Name], "message %d", k)
		}
		x.Check(rt)
		require.True(rt, value(rt, newVault(t, x).load()).Equal(value(rt, x)))
	})
}

// Each of many sources and senders keeps its own, and neither kind pushes out the other (§7).
func TestNeitherKindPushesOutTheOther(t *testing.T) {
	w := newWorld(t)
	f := w.forest()
	var x orphans.Index
	var gone []orphans.FrameName
	note := func(fr orphans.Frame) {
		var out []orphans.FrameName
		x, out = x.Note(x.Search(fr, f, orphans.ForFrame()), orphans.Reading{})
		gone = append(gone, out...)
	}
	first := w.message(w.root, 1, "honest", nil)
	note(first)
	lone := w.junk("honest", 0)
	note(lone)
	for n := range orphans.MaxFrames + 3_000 { // of sources that are at their bound, and of ever new ones
		source := "flood"
		if n >= 3_000 {
			source = fmt.Sprint(n / 500)
		}
		note(w.junk(source, 0))
	}
	frames, _ := x.Frames()
	require.Equal(t, orphans.MaxFrames, frames)
	require.Len(t, gone, 3_002)
	for _, fr := range []orphans.Frame{first, lone} {
		_, ok := x.Get(fr.Name)
		require.True(t, ok, "an honest frame was pushed out")
	}
	for n := range 14_000 { // an insider's, that name seven senders
		note(w.message(w.root, dkg.Index(2+n%7), "insider", nil))
	}
	_, ok := x.Get(lone.Name)
	require.True(t, ok)
	left := 0
	for name, fr := range w.frames {
		if _, ok := x.Get(name); ok && fr.Source != orphans.SourceOf("insider") {
			left++
		}
	}
	require.Equal(t, orphans.MaxFrames/2+1, left, "those that nothing opened, and the first")
	x.Check(t)
}

// A frame is given up with all that was known through it, and comes back as if it had never been there.
func TestNoGhostsOfFramesGivenUp(t *testing.T) {
	w := newWorld(t)
	way, nodes := w.line(w.root, 3)
	f := w.forest()
	fr := w.message(newNode(nodes[2].ID, nodes[2].parent, 3, w.root.keys), 1, "a", way) // its header opens nowhere
	empty, _ := orphans.Index{}.Note(orphans.Index{}.Search(w.junk("b", 1), f, orphans.ForFrame()), orphans.Reading{})
	x, _ := empty.Note(empty.Search(fr, f, orphans.ForFrame()), orphans.Reading{})
	require.Equal(t, 3, x.Candidates())
	below := w.message(nodes[2], 2, "b", nil)
	r := x.Search(below, f, orphans.ForFrame())
	require.True(t, r.Found)
	y, _ := x.Note(r, orphans.Reading{})
	y = y.Forget(fr.Name)
	y.Check(t)
	n, ok := y.Get(below.Name)
	require.True(t, ok && !n.Opened)
	y, retry := y.Advance(f.enter(nodes[2]), f)
	require.Equal(t, []orphans.FrameName{below.Name}, retry)
	y, _ = y.Advance(f.drop(nodes[2].ID), f)
	n, _ = y.Get(below.Name)
	require.False(t, n.Opened)
	y.Check(t)
}

// Maintain spends its amount on all frames together, sources by turns, and what is cheap first (D52).
func TestMaintainIsBounded(t *testing.T) {
	w := newWorld(t)
	f := w.forest()
	var x orphans.Index
	note := func(fr orphans.Frame) {
		x, _ = x.Note(x.Search(fr, f, &orphans.Budget{Trials: 100, Checks: 1}), orphans.Reading{})
	}
	for n := range 2_000 {
		note(w.junk(fmt.Sprint("source", n%3), 196))
	}
	way, nodes := w.line(w.root, 2)
	for k := range 200 {
		f.enter(newNode([32]byte{1: byte(k), 2: 9}, w.root.ID, 1, w.root.keys))
	}
	late := w.message(nodes[1], 2, "source1", way)
	note(late)
	for range 1_999 {
		note(w.junk("cheap", 1))
	}
	other := w.message(nodes[1], 3, "quiet", append(way, w.junk("", 3).Envelope.Own...))
	note(other)
	b := orphans.ForMaintain()
	all := b.Trials
	x, results, _ := x.Maintain(f, b, w.load)
	require.GreaterOrEqual(t, b.Trials, 0)
	require.Greater(t, all-b.Trials, all/2, "there is work for more than the amount")
	require.Len(t, results, 2, "an honest frame waits behind junk from its mailbox, or from another one")
	require.True(t, results[0].Found && results[1].Found)
	x.Check(t)
}

// What waits makes a member send, then ask; after a ticket was merged it counts again after 1, 2, 4, 8 and 16 days (D53).
func TestWaiting(t *testing.T) {
	const minute, hour, day = 60_000, 60 * 60_000, 24 * 60 * 60_000
	w := newWorld(t)
	f := w.forest()
	note := func(fr orphans.Frame, wall int64) orphans.Index {
		x, _ := orphans.Index{}.Note(orphans.Index{}.Search(fr, f, orphans.ForFrame()), orphans.Reading{Wall: wall})
		return x
	}
	x := note(w.junk("member", 1), 1000)
	require.Equal(t, orphans.Nothing, x.Waits(1000+minute-1, 0))
	require.Equal(t, orphans.Nothing, x.Waits(1000+minute, 30))
	now := int64(1000 + minute)
	for k := range 4 {
		due := x.Waits(now, 0)
		require.Equal(t, map[bool]orphans.Due{true: orphans.Send, false: orphans.Ask}[k < 3], due)
		x = x.Did(due, now)
		require.Equal(t, orphans.Nothing, x.Waits(now+minute, 0))
		now += minute << (k + 1)
	}
	require.Equal(t, orphans.Send, x.ReadOne().Waits(now+hour, 0), "reading starts it anew")

	x = x.ReadOne().Merged(2 * day)
	asked := 0
	for at := int64(2 * day); at < 31*day; at += hour {
		if d := x.Waits(at, 0); d != orphans.Nothing {
			asked++
			x = x.Did(d, at).Merged(at).ReadOne()
		}
	}
	require.Equal(t, 4, asked, "2, 4, 8 and 16 days after it came")

	away := note(w.junk("", 1), 0)
	require.Equal(t, orphans.Nothing, away.Waits(9*minute, 0))
	require.Equal(t, orphans.Send, away.Waits(10*minute, 0))
	requests := 0
	for at := int64(0); at < 28*day; at += hour {
		d := away.Waits(at, 0)
		if away = away.Did(d, at); d == orphans.Ask {
			requests++
		}
	}
	require.Equal(t, 4, requests, "at most once in 7 days")
	require.Equal(t, orphans.Send, x.ReadOne().Waits(-2*day, 0), "a clock that was ahead holds nothing up")
}

// Requests whose tag is unknown have a bound of their own, and are no reason to send.
func TestUntaggedRequests(t *testing.T) {
	w := newWorld(t)
	var x orphans.Index
	gone := 0
	for n := range 3_000 {
		fr := w.junk(fmt.Sprint("source", n/100), 0)
		var out []orphans.FrameName
		x, out = x.NoteOther(fr, orphans.Untagged, orphans.Reading{})
		gone += len(out)
		if n == 0 {
			x, _ = x.NoteOther(fr, orphans.Other, orphans.Reading{}) // its record came, and its turn did not
		}
	}
	frames, _ := x.Frames()
	require.Equal(t, 1_025, frames)
	require.Equal(t, 3_000-1_025, gone)
	require.Equal(t, orphans.Nothing, x.Waits(1<<50, 0))
	x.Check(t)
	require.True(t, value(t, newVault(t, x).load()).Equal(value(t, x)))
}

// What is 30 days old by the pruning clock goes.
func TestExpire(t *testing.T) {
	const days = 24 * 3600 * 1000
	w := newWorld(t)
	f := w.forest()
	var x orphans.Index
	for k := range int64(10) {
		x, _ = x.Note(x.Search(w.junk("a", 1), f, orphans.ForFrame()), orphans.Reading{Now: k * days})
	}
	x, gone := x.Expire(34 * days)
	require.Len(t, gone, 5)
	frames, _ := x.Frames()
	require.Equal(t, 5, frames)
	x.Check(t)
}
