package store_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
)

// A change that contradicts itself, or holds a number that no store can keep, is refused before it reaches one.
func TestCheck(t *testing.T) {
	base, seal := store.Head{Version: 1, Sealed: []byte("1")}, []byte("2")
	sound := func() store.Change {
		return store.Change{
			Kind: store.Spaces, Base: base, Next: store.Head{Version: 2, Sealed: seal}, Parts: make([][]byte, 3),
			Put: map[string][]byte{"state/a": {1}}, Drop: []string{"state/b"},
			Outbox: []store.Item{{Seq: 1}, {Seq: 2}}, Inbox: []store.Item{{Seq: math.MaxInt64, Lane: math.MaxInt64}},
			Frames: []store.FrameRecord{{Hash: [32]byte{1}, Seq: 1}, {Hash: [32]byte{2}, Seq: 2}}, Lost: [][32]byte{{3}},
		}
	}
	require.NoError(t, store.Check([]store.Change{sound()}))
	for name, spoil := range map[string]func(*store.Change){
		"an unknown kind":           func(c *store.Change) { c.Kind = 99 },
		"a version beyond the last": func(c *store.Change) { c.Base.Version, c.Next.Version = math.MaxInt64, 1<<63 },
		"a seal without a version":  func(c *store.Change) { c.Base.Version, c.Next.Version = 0, 1 },
		"a version left out":        func(c *store.Change) { c.Next.Version = 3 },
		"a part too few":            func(c *store.Change) { c.Parts = c.Parts[:2] },
		"no parts to begin with":    func(c *store.Change) { c.Base, c.Next.Version = store.Head{}, 1 },
		"an empty path":             func(c *store.Change) { c.Put[""] = []byte{1} },
		"a long path":               func(c *store.Change) { c.Put[strings.Repeat("a", 256)] = []byte{1} },
		"a path put and dropped":    func(c *store.Change) { c.Drop = append(c.Drop, "state/a") },
		"an item twice":             func(c *store.Change) { c.Outbox[1].Seq = 1 },
		"items out of order":        func(c *store.Change) { c.Outbox[0].Seq = 3 },
		"item 0":                    func(c *store.Change) { c.Outbox[0].Seq = 0 },
		"an item beyond the last":   func(c *store.Change) { c.Inbox[0].Seq = 1 << 63 },
		"a lane beyond the last":    func(c *store.Change) { c.Inbox[0].Lane = 1 << 63 },
		"a frame twice":             func(c *store.Change) { c.Frames[1].Hash = c.Frames[0].Hash },
		"a frame's number twice":    func(c *store.Change) { c.Frames[1].Seq = 1 },
		"frame 0":                   func(c *store.Change) { c.Frames[0].Seq = 0 },
		"a frame beyond the last":   func(c *store.Change) { c.Frames[0].Seq = 1 << 63 },
		"a frame written and lost":  func(c *store.Change) { c.Lost[0] = c.Frames[0].Hash },
		"a deletion with contents":  func(c *store.Change) { c.Delete, c.Next = true, store.Head{} },
		"a deletion of nothing":     func(c *store.Change) { *c = store.Change{Kind: c.Kind, Delete: true} },
		"an assertion that forgets": func(c *store.Change) { *c = store.Change{Kind: c.Kind, Base: base, Forget: 1} },
	} {
		c := sound()
		spoil(&c)
		err := store.Check([]store.Change{{Kind: store.Vault}, c})
		var at *store.ChangeError
		require.ErrorAs(t, err, &at, name)
		require.Equal(t, 1, at.Index, name)
	}
	require.Error(t, store.Check([]store.Change{sound(), sound()}), "one row twice")
}
