package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/invite"
)

func random(b []byte) { rand.Read(b) }

// talk is a conversation that is being played: its members in the order in which they came.
type talk struct {
	world   *world
	places  uint32 // of the public invite by which everybody comes, 0 if each comes by a private one
	link    string // of the public invite
	clock   time.Time
	members []*member
	byName  map[string]*member
	since   map[string]int // first line of each
}

// newTalk prepares a conversation whose files lie in dir.
func newTalk(dir string, chaos uint64) *talk {
	t := &talk{clock: time.Now(), byName: make(map[string]*member), since: make(map[string]int)}
	t.world = &world{relay: newRelay(chaos), dir: dir, now: func() time.Time { return t.clock }}
	return t
}

// close closes all files.
func (t *talk) close() (err error) {
	for _, m := range t.members {
		err = errors.Join(err, m.stop())
	}
	return err
}

// enter makes the first member found the space, and every other one come by a link of the first: the public one, or one of its own.
func (t *talk) enter(ctx context.Context, name string, at int) (*member, error) {
	url := t.link
	if len(t.members) > 0 {
		if err := t.settle(ctx); err != nil {
			return nil, err
		}
		if url == "" {
			var err error
			if url, err = t.members[0].invite(ctx, invite.Private(0)); err != nil {
				return nil, err
			}
		}
	}
	m, err := newMember(ctx, t.world, name)
	if err != nil {
		return nil, err
	}
	t.members = append(t.members, m)
	t.byName[name], t.since[name] = m, at
	if len(t.members) == 1 {
		if err := m.found(ctx); err != nil || t.places == 0 {
			return m, err
		}
		t.link, err = m.invite(ctx, invite.Public(t.places, 0))
		return m, err
	}
	if err := m.join(ctx, url); err != nil {
		return nil, err
	}
	return m, t.settle(ctx)
}

// deliver hands over what arrives now: with all, everything, however late. The members' programs work side by side.
func (t *talk) deliver(ctx context.Context, all bool) error {
	relay := t.world.relay
	done, errs := make([][][32]byte, len(t.members)), make([]error, len(t.members))
	var wg sync.WaitGroup
	for i, m := range t.members {
		var frames []parcel
		for p, ok := relay.next(m.name, all); ok; p, ok = relay.next(m.name, all) {
			frames = append(frames, p)
		}
		if len(frames) > 0 {
			wg.Go(func() { done[i], errs[i] = m.receive(ctx, frames) })
		}
	}
	wg.Wait()
	for i, m := range t.members {
		relay.acknowledge(m.name, done[i]...)
		if errs[i] == nil && len(done[i]) > 0 {
			errs[i] = m.flush(ctx)
		}
		if errs[i] != nil {
			return fmt.Errorf("%s: %w", m.name, errs[i])
		}
	}
	return nil
}

// settle delivers until nothing is on its way.
func (t *talk) settle(ctx context.Context) error {
	for {
		if err := t.deliver(ctx, true); err != nil {
			return err
		}
		for _, m := range t.members {
			if err := m.care(ctx); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
		if t.world.relay.idle() {
			return nil
		}
	}
}

// restartEvery is after how many lines a member's program is restarted under chaos.
const restartEvery = 10

// play plays a whole conversation and brings everything to its end.
func (t *talk) play(ctx context.Context, lines []line) error {
	for i := 0; i < len(lines); {
		n := 1
		if t.world.relay.chance != nil && i+1 < len(lines) && lines[i].name != lines[i+1].name && t.byName[lines[i+1].name] != nil {
			n = 2 // two neighbours write before either has read the other
		}
		if err := t.speak(ctx, lines[i:i+n]...); err != nil {
			return err
		}
		i += n
	}
	return t.settle(ctx)
}

// speak encrypts lines and sends them when all are encrypted.
func (t *talk) speak(ctx context.Context, lines ...line) error {
	for _, l := range lines {
		m := t.byName[l.name]
		if m == nil {
			var err error
			if m, err = t.enter(ctx, l.name, l.number); err != nil {
				return fmt.Errorf("line %d: %s enters: %w", l.number, l.name, err)
			}
		}
		if err := m.say(ctx, l); err != nil {
			return fmt.Errorf("line %d: %w", l.number, err)
		}
	}
	for _, l := range lines {
		t.world.relay.now = l.number
		t.clock = t.clock.Add(time.Second)
		if err := t.byName[l.name].flush(ctx); err != nil {
			return err
		}
		if err := t.deliver(ctx, false); err != nil {
			return err
		}
		if chance := t.world.relay.chance; chance != nil && l.number%restartEvery == 0 {
			if err := t.members[chance.IntN(len(t.members))].restart(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing lists, for every member, which lines of others it should have read and has not read exactly once.
func (t *talk) missing(lines []line) (out []string) {
	for _, m := range t.members {
		count := make(map[line]int)
		for _, l := range m.read {
			count[l]++
		}
		for _, l := range lines {
			if l.name == m.name || l.number < t.since[m.name] {
				continue
			}
			if n := count[l]; n != 1 {
				out = append(out, fmt.Sprintf("%s read line %d by %s %d times", m.name, l.number, l.name, n))
			}
			delete(count, l)
		}
		for l := range count {
			out = append(out, fmt.Sprintf("%s read a line %d by %s that was not sent to it", m.name, l.number, l.name))
		}
	}
	return out
}

// write writes for every member what it read, sorted by line.
func (t *talk) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, m := range t.members {
		var b strings.Builder
		for _, l := range slices.SortedFunc(slices.Values(m.read), func(a, b line) int { return a.number - b.number }) {
			fmt.Fprintf(&b, "%d\t%s\t%s\n", l.number, l.name, l.text)
		}
		if err := os.WriteFile(filepath.Join(dir, m.name+".tsv"), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
