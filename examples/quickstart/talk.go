package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
)

// world is what the members share: the network, the time and the directory with their files.
type world struct {
	network *network
	dir     string
	clock   time.Time
}

func (w *world) time() time.Time { return w.clock }

// talk is a conversation that is being played: its members in the order in which they came.
type talk struct {
	world   *world
	places  uint32 // of the public invite by which everybody comes, 0 if each comes by a private one
	rekey   int    // after how many lines the owner rekeys, 0 for never
	kicks   []kick
	link    string // of the public invite
	members []*member
	byName  map[string]*member
	since   map[string]int // first line of each
	until   map[string]int // line before which somebody was removed
}

// newTalk prepares a conversation whose files lie in dir.
func newTalk(dir string, chaos uint64) *talk {
	return &talk{
		world:  &world{network: newNetwork(chaos), dir: dir, clock: time.Now()},
		byName: make(map[string]*member), since: make(map[string]int), until: make(map[string]int),
	}
}

// close closes all files.
func (t *talk) close() (err error) {
	for _, m := range t.members {
		err = errors.Join(err, m.stop())
	}
	return err
}

// isChaos reports whether the network plays tricks.
func (t *talk) isChaos() bool { return t.world.network.chance != nil }

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
			if err := t.settle(ctx); err != nil { // all are told of the invite before somebody comes by it
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
		if err := m.found(ctx); err != nil {
			return nil, err
		}
		return m, t.open(ctx)
	}
	if err := m.join(ctx, url); err != nil {
		return nil, err
	}
	if err := t.settle(ctx); err != nil {
		return nil, err
	}
	status, err := m.space.Status(ctx)
	if err == nil && status.Phase != ratchet.Member {
		err = fmt.Errorf("not let in, but %s", status.Phase)
	}
	return m, err
}

// open has the owner make the public link by which everybody comes from now on, if they come by one.
func (t *talk) open(ctx context.Context) (err error) {
	if t.places > 0 {
		t.link, err = t.members[0].invite(ctx, invite.Public(t.places, 0))
	}
	return err
}

// round lets something arrive, and then the programs work side by side, in which there is something to do. With all everything arrives,
// however late, and all programs work.
func (t *talk) round(ctx context.Context, all bool) error {
	t.world.network.carry(all)
	errs := make([]error, len(t.members))
	var working sync.WaitGroup
	for i, m := range t.members {
		if all || m.wrote || m.line.hasNews() {
			working.Go(func() { errs[i] = m.work(ctx) })
		}
	}
	working.Wait()
	return errors.Join(errs...)
}

// settle plays rounds until nothing is on its way.
func (t *talk) settle(ctx context.Context) error {
	for {
		if err := t.round(ctx, true); err != nil || t.world.network.idle() {
			return err
		}
	}
}

// restartEvery is after how many lines a member's program is restarted under chaos.
const restartEvery = 10

// play plays a whole conversation and brings everything to its end.
func (t *talk) play(ctx context.Context, lines []line) error {
	for i := 0; i < len(lines); {
		n := 1
		if i+1 < len(lines) && t.isChaos() && t.mayCross(lines[i], lines[i+1]) {
			n = 2 // two neighbours write before either has read the other
		}
		if err := t.speak(ctx, lines[i:i+n]...); err != nil {
			return err
		}
		i += n
	}
	return t.settle(ctx)
}

// mayCross reports whether two lines may be written at the same moment.
func (t *talk) mayCross(a, b line) bool {
	isKick := slices.ContainsFunc(t.kicks, func(k kick) bool { return k.before == b.number })
	return a.name != b.name && t.byName[b.name] != nil && !isKick
}

// speak has lines written before any of them is sent. Who was removed is not heard.
func (t *talk) speak(ctx context.Context, lines ...line) error {
	for _, l := range lines {
		if err := t.write(ctx, l); err != nil {
			return fmt.Errorf("line %d: %w", l.number, err)
		}
	}
	for _, l := range lines {
		t.world.network.line = l.number
		t.world.clock = t.world.clock.Add(time.Second)
		if err := t.round(ctx, false); err != nil {
			return err
		}
		if err := t.disturb(ctx, l.number); err != nil {
			return err
		}
	}
	return nil
}

// write has one line written, after what is to happen before it.
func (t *talk) write(ctx context.Context, l line) error {
	for _, k := range t.kicks {
		if k.before != l.number {
			continue
		}
		if err := t.remove(ctx, k); err != nil {
			return fmt.Errorf("%s is removed: %w", k.name, err)
		}
	}
	if t.until[l.name] > 0 {
		return nil
	}
	m := t.byName[l.name]
	if m == nil {
		var err error
		if m, err = t.enter(ctx, l.name, l.number); err != nil {
			return fmt.Errorf("%s enters: %w", l.name, err)
		}
	}
	return m.say(ctx, l)
}

// disturb does what happens after a line: a rekey, and under chaos the restart of a program.
func (t *talk) disturb(ctx context.Context, number int) error {
	if t.rekey > 0 && number%t.rekey == 0 {
		owner := t.members[0]
		if err := owner.space.Rekey(ctx); err != nil {
			return fmt.Errorf("line %d: rekey: %w", number, err)
		}
		owner.wrote = true
	}
	if chance := t.world.network.chance; chance != nil && number%restartEvery == 0 {
		return t.members[chance.IntN(len(t.members))].restart(ctx)
	}
	return nil
}

// maxHours bounds how long a removal may take.
const maxHours = 48

// remove has the owner remove somebody, and waits until all others know: from then on nobody writes what the removed could read.
func (t *talk) remove(ctx context.Context, k kick) error {
	if err := t.settle(ctx); err != nil {
		return err
	}
	if err := t.members[0].remove(ctx, k.name); err != nil {
		return err
	}
	t.until[k.name] = k.before
	for range maxHours {
		if err := t.settle(ctx); err != nil {
			return err
		}
		switch known, err := t.anybodyKnows(ctx, k.name); {
		case err != nil:
			return err
		case !known:
			return t.open(ctx) // a removal closes public invites: who was removed may hold the link
		}
		t.world.clock = t.world.clock.Add(time.Hour)
	}
	return errors.New("not everybody was told")
}

// anybodyKnows reports whether somebody who stays takes a name for a member's.
func (t *talk) anybodyKnows(ctx context.Context, name string) (bool, error) {
	for _, m := range t.members {
		if t.until[m.name] > 0 {
			continue
		}
		if known, err := m.knows(ctx, name); err != nil || known {
			return known, err
		}
	}
	return false, nil
}

// sentTo reports whether a member is to read a line.
func (t *talk) sentTo(m *member, l line) bool {
	isSent := t.until[l.name] == 0 || l.number < t.until[l.name]
	isThere := l.number >= t.since[m.name] && (t.until[m.name] == 0 || l.number < t.until[m.name])
	return isSent && isThere && l.name != m.name
}

// missing lists, for every member, which lines of others it should have read and has not read exactly once, and which it should not
// have read.
func (t *talk) missing(ctx context.Context, lines []line) (out []string, err error) {
	for _, m := range t.members {
		read, err := m.read(ctx)
		if err != nil {
			return nil, err
		}
		count := make(map[line]int)
		for _, l := range read {
			count[l]++
		}
		for _, l := range lines {
			if !t.sentTo(m, l) {
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
	return out, nil
}

// save writes for every member what it read, sorted by line.
func (t *talk) save(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, m := range t.members {
		read, err := m.read(ctx)
		if err != nil {
			return err
		}
		var b strings.Builder
		for _, l := range slices.SortedFunc(slices.Values(read), func(a, b line) int { return a.number - b.number }) {
			fmt.Fprintf(&b, "%d\t%s\t%s\n", l.number, l.name, l.text)
		}
		if err := os.WriteFile(filepath.Join(dir, m.name+".tsv"), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
