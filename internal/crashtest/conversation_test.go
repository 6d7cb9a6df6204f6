package crashtest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/disktest"
	"github.com/trefoil-im/trefoil/state"
)

// now is a clock that stands still.
func now() time.Time { return time.UnixMilli(1_700_000_000_000) }

// conversation is what Ann did in a space until a power loss, and what others know of it.
type conversation struct {
	trace disktest.Trace
	space state.ID
	bob   []byte   // the file of Bob's store, who has sent his mail and received nothing of Ann's since
	mail  [][]byte // what Bob sent
	said  []string // by Bob
	notes []note
}

// note is an entry of Ann's journal: a text that she said, a frame that went to the network, the link that she gave to Cleo,
// or what she was shown so far.
type note struct {
	at    int // length of the trace
	text  string
	frame []byte
	link  string
	heard map[uint64]string
}

// exchange lets members receive from each other until nothing is on its way.
func exchange(ctx context.Context, members map[string]*member) error {
	for {
		idle := true
		for _, from := range slices.Sorted(maps.Keys(members)) {
			var frames [][]byte
			if err := members[from].flush(ctx, func(f []byte) { frames = append(frames, f) }); err != nil {
				return err
			}
			for _, to := range slices.Sorted(maps.Keys(members)) {
				for _, f := range frames {
					idle = false
					if to == from {
						continue
					}
					if err := members[to].receive(ctx, from, f); err != nil {
						return fmt.Errorf("%s receives from %s: %w", to, from, err)
					}
				}
			}
		}
		for name, m := range members {
			if err := m.tend(ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := m.drain(ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if idle {
			return nil
		}
	}
}

// converse records a conversation of n rounds.
func converse(t *testing.T, n int) (c conversation) {
	ctx, dir := t.Context(), t.TempDir()
	disk, err := disktest.New(nil)
	require.NoError(t, err)
	disk.Record()
	ann, err := openMember(ctx, disk.DSN(filepath.Join(dir, file), checkpoints), state.ID{})
	require.NoError(t, err)
	bob, err := openMember(ctx, "file:"+filepath.Join(dir, "bob.db"), state.ID{})
	require.NoError(t, err)
	require.NoError(t, ann.found(ctx))
	link, err := ann.invite(ctx)
	require.NoError(t, err)
	require.NoError(t, bob.join(ctx, link))
	require.NoError(t, exchange(ctx, map[string]*member{"ann": ann, "bob": bob}))
	for i := range n {
		c.said = append(c.said, fmt.Sprint("Bob's ", i))
		require.NoError(t, bob.say(ctx, c.said[i]))
	}
	require.NoError(t, bob.flush(ctx, func(f []byte) { c.mail = append(c.mail, f) }))
	require.NoError(t, bob.shut())
	c.bob, err = os.ReadFile(filepath.Join(dir, "bob.db"))
	require.NoError(t, err)
	c.space = ann.id

	write := func(w note) {
		w.at = len(disk.Trace())
		c.notes = append(c.notes, w)
	}
	write(note{}) // before it, the conversation is not looked at
	ann.show = func() { write(note{heard: maps.Clone(ann.heard)}) }
	for i, f := range c.mail {
		require.NoError(t, ann.receive(ctx, "bob", f))
		text := fmt.Sprint("Ann's ", i)
		require.NoError(t, ann.say(ctx, text))
		write(note{text: text})
		if i == n/2 {
			link, err := ann.invite(ctx)
			require.NoError(t, err)
			write(note{link: link})
		}
		if i%3 == 2 {
			require.NoError(t, ann.flush(ctx, func(f []byte) { write(note{frame: f}) }))
			require.NoError(t, ann.drain(ctx))
		}
	}
	require.NoError(t, ann.shut())
	c.trace = disk.Trace()
	return c
}

// crash loses the power of Ann's disk after n operations and goes on with what is left: Bob's relay delivers everything
// again, Bob receives what had left Ann's outbox and what leaves it now, Cleo comes by her link. Everybody must have heard
// everything once.
func (c conversation) crash(t *testing.T, n int, seed uint64) {
	ctx, dir := t.Context(), t.TempDir()
	require.NoError(t, c.trace[:n].Image(dir, rand.New(rand.NewPCG(seed, uint64(n))), nil))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bob.db"), c.bob, 0o600))
	disk, err := idle()
	require.NoError(t, err)
	enter := func(name string, id state.ID) *member {
		m, err := openMember(ctx, disk.DSN(filepath.Join(dir, name)), id)
		require.NoError(t, err)
		return m
	}
	where := fmt.Sprintf("power loss after %d operations on the disk, seed %d", n, seed)
	members := map[string]*member{"ann": enter(file, c.space), "bob": enter("bob.db", c.space)}
	ann, bob := members["ann"], members["bob"]
	defer func() {
		for _, m := range members {
			require.NoError(t, m.shut(), where)
		}
	}()
	var said []string
	link := ""
	for _, w := range c.notes {
		switch {
		case w.at > n:
		case w.text != "":
			said = append(said, w.text)
		case w.link != "":
			link = w.link
		case w.heard != nil:
			ann.heard = maps.Clone(w.heard)
		case w.frame != nil:
			require.NoError(t, bob.receive(ctx, "ann", w.frame), where)
		}
	}
	for _, f := range c.mail {
		require.NoError(t, ann.receive(ctx, "bob", f), where)
	}
	require.NoError(t, exchange(ctx, members), where)
	if link != "" {
		members["cleo"] = enter("cleo.db", state.ID{})
		require.NoError(t, members["cleo"].join(ctx, link), where)
		require.NoError(t, exchange(ctx, members), where)
	}
	require.NoError(t, ann.say(ctx, "Ann goes on"), where)
	require.NoError(t, bob.say(ctx, "Bob goes on"), where)
	require.NoError(t, exchange(ctx, members), where)

	texts := func(m *member) []string { return slices.Sorted(maps.Values(m.heard)) }
	require.Equal(t, slices.Sorted(slices.Values(append(slices.Clone(c.said), "Bob goes on"))), texts(ann), where)
	heard := slices.DeleteFunc(texts(bob), func(s string) bool { return s == "Ann goes on" })
	require.Len(t, heard, len(bob.heard)-1, where)
	require.Subset(t, heard, said, where)
	require.LessOrEqual(t, len(heard), len(said)+1, "%s: one more may have been under way", where)
	require.Equal(t, len(heard), len(slices.Compact(heard)), "%s: something was heard twice", where)
	if link != "" {
		require.Equal(t, []string{"Ann goes on", "Bob goes on"}, texts(members["cleo"]), where)
	}
}

// After a power loss a conversation goes on: each text is heard once, and a link that was given out lets its holder in (G4).
func TestConversationSurvivesPowerLoss(t *testing.T) {
	c := converse(t, times(9, 30))
	first, images := c.notes[0].at, times(10, 1000)
	for i := range images {
		c.crash(t, first+(len(c.trace)-first)*(i+1)/images, uint64(i))
	}
}
