package trefoil_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
	"github.com/trefoil-im/trefoil/transporttest"
)

// moody is a store that fails now and then, in the ways of a database: it cannot be read, it is busy, it loses the answer to a commit,
// or it does not know what became of one.
type moody struct {
	store.Store
	mu     sync.Mutex
	chance *rand.Rand
	part   float64 // of the calls that fail
	failed int
}

// newMoody returns a store that does not fail yet.
func newMoody(seed uint64) *moody {
	m := &moody{chance: rand.New(rand.NewPCG(seed, 7))}
	m.Store = storetest.Fail(store.NewMemory(), func(c storetest.Call) storetest.Fault {
		if _, fails := m.mood(); fails && c.Method != "Commit" {
			return storetest.Before
		}
		return storetest.None
	})
	return m
}

// fail sets which part of the calls fails from now on.
func (m *moody) fail(part float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.part = part
}

// mood draws whether a call fails, and how.
func (m *moody) mood() (how int, fails bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chance.Float64() >= m.part {
		return 0, false
	}
	m.failed++
	return m.chance.IntN(4), true
}

func (m *moody) Commit(ctx context.Context, changes ...store.Change) error {
	how, fails := m.mood()
	if !fails || how%2 == 1 { // it is carried out, whatever the answer is
		if err := m.Store.Commit(ctx, changes...); err != nil || !fails {
			return err
		}
	}
	return [...]error{store.ErrBusy, storetest.ErrFault, store.ErrUndecided, store.ErrUndecided}[how]
}

// ailing are devices whose stores fail, and what became of what was written on them.
type ailing struct {
	world
	stores  map[string]*moody
	certain map[event.ID]string // what was written for certain
	unsure  map[event.ID]string // what was written or not
	refused []string            // what was not
}

func (a *ailing) device(name string, seed uint64, dir trefoil.Directory) *device {
	a.stores[name] = newMoody(seed)
	return a.openAgain(name, dir)
}

// openAgain opens a device on its store, which does not fail meanwhile.
func (a *ailing) openAgain(name string, dir trefoil.Directory) *device {
	s := a.stores[name]
	part := s.part
	s.fail(0)
	defer s.fail(part)
	return a.open(name, s, a.net.Device(name), func(o *trefoil.Options) { o.Directory = dir })
}

// wrote notes what Send returned.
func (a *ailing) wrote(text string, id event.ID, err error) {
	switch {
	case err == nil:
		a.certain[id] = text
	case errors.Is(err, state.ErrUncertain):
		a.unsure[id] = text
	default:
		require.True(a, errors.Is(err, storetest.ErrFault) || errors.Is(err, store.ErrBusy), err)
		a.refused = append(a.refused, text)
	}
}

// read returns what all incarnations of a device were told, by ID. Whatever is told again is the same.
func (a *ailing) read(devices ...*device) map[event.ID]event.Message {
	all, ids := make(map[event.ID]event.Message), make(map[string]event.ID)
	for _, d := range devices {
		for _, m := range told[event.Message](d) {
			if before, ok := all[m.ID]; ok {
				require.Equal(a, before, m, d.name)
			}
			if id, ok := ids[string(m.Body)]; ok {
				require.Equal(a, id, m.ID, "%s was told %q under two IDs", d.name, m.Body)
			}
			all[m.ID], ids[string(m.Body)] = m, m.ID
		}
	}
	return all
}

// Stores of all devices fail for hours, and devices are restarted meanwhile. Whatever Send has taken is told to everybody, what it has
// refused to nobody, what it could not say of to everybody or nobody; nothing is told twice under two names; and in the end nothing
// waits.
func TestStoresThatFail(t *testing.T) {
	t.Logf("repeat with -seed %d", *seed)
	inWorld(t, func(t *testing.T, w world) {
		a := &ailing{w, make(map[string]*moody), make(map[event.ID]string), make(map[event.ID]string), nil}
		chance, dir := rand.New(rand.NewPCG(*seed, 3)), transporttest.NewDirectory()
		names := []string{"alice", "bob", "carol"}
		now, all := make(map[string]*device), make(map[string][]*device)
		people := make(map[string]key.Address)
		begin := func(name string, d *device) {
			d.begin()
			now[name], all[name] = d, append(all[name], d)
		}
		for i, name := range names {
			d := a.device(name, *seed+uint64(i), dir)
			address, err := d.client.NewPerson(t.Context())
			require.NoError(t, err)
			people[name] = address
			begin(name, d)
			t.Cleanup(func() { now[name].stop() })
		}
		space := w.newSpace(now["alice"], now["bob"], now["carol"])
		for _, s := range a.stores {
			s.fail(0.1)
		}
		direct := make(map[string]bool) // texts between alice and bob
		for i := range 40 {
			name, text := names[chance.IntN(3)], fmt.Sprint("text ", i)
			switch client := now[name].client; {
			case i%10 == 9:
				now[name].stop()
				begin(name, a.openAgain(name, dir))
			case name != "carol" && i%3 == 0:
				direct[text] = true
				id, err := client.Direct(people[map[string]string{"alice": "bob", "bob": "alice"}[name]]).Send(t.Context(), []byte(text))
				a.wrote(text, id, err)
			default:
				id, err := client.Space(space).Send(t.Context(), []byte(text))
				a.wrote(text, id, err)
			}
			w.pass(time.Duration(chance.IntN(240)) * time.Second)
		}
		failed := 0
		for _, s := range a.stores {
			s.fail(0)
			failed += s.failed
		}
		w.pass(3 * time.Hour)
		require.Greater(t, failed, 100)
		t.Logf("%d calls failed: %d messages taken, %d refused, %d unsure", failed, len(a.certain), len(a.refused), len(a.unsure))
		count := make(map[event.ID]int)
		for _, name := range names {
			got := a.read(all[name]...)
			for id, text := range a.certain {
				if _, ok := got[id]; name != "carol" || !direct[text] {
					require.True(t, ok, "%s misses %q", name, text)
				}
			}
			for id, m := range got {
				require.NotContains(t, a.refused, string(m.Body), name)
				count[id]++
			}
			status, err := now[name].client.Space(space).Status(t.Context())
			require.NoError(t, err)
			require.True(t, status.Ready)
			require.Zero(t, status.Outbox+status.Inbox+status.Retained, name)
		}
		for id, text := range a.unsure {
			want := 3
			if direct[text] {
				want = 2
			}
			require.Contains(t, []int{0, want}, count[id], text)
		}
	})
}

// While a store cannot be used every call says so, Sync says what it could not do, and Run goes on; when it can be used again nothing
// is missing.
func TestStoreIsDown(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, to := w.person(dir, "Ann")
		s := newMoody(1)
		withDirectory := func(o *trefoil.Options) { o.Directory = dir }
		bob := w.open("Bob", s, w.net.Device("Bob"), withDirectory)
		b, err := bob.client.NewPerson(t.Context())
		require.NoError(t, err)
		bob.begin()
		t.Cleanup(func() { bob.stop() })
		space := w.newSpace(ann, bob)
		s.fail(1)
		id := ann.send(space, "to the space")
		ann.say(b, "to Bob")
		w.pass(time.Hour)
		isDown := func(err error) {
			t.Helper()
			require.True(t, errors.Is(err, storetest.ErrFault) || errors.Is(err, store.ErrBusy), err)
		}
		_, err = bob.client.Space(space).Send(t.Context(), []byte("refused"))
		isDown(err)
		_, err = bob.client.Direct(to).Send(t.Context(), []byte("refused"))
		isDown(err)
		_, err = bob.client.Space(space).Status(t.Context())
		isDown(err)
		for _, err := range bob.client.Spaces(t.Context()) {
			isDown(err)
		}
		require.Empty(t, bob.read())
		require.ErrorIs(t, bob.stop(), context.Canceled)
		s.fail(0)
		bob = w.open("Bob", s, w.net.Device("Bob"), withDirectory)
		s.fail(1)
		isDown(bob.client.Sync(t.Context()))
		bob.begin()
		w.pass(time.Hour)
		require.False(t, bob.client.Stats().Online, "the chats cannot be listed")
		require.ErrorIs(t, bob.stop(), context.Canceled)
		s.fail(0)
		require.NoError(t, bob.client.Sync(t.Context()))
		require.ElementsMatch(t, []string{"to the space", "to Bob"}, bob.read())
		require.Contains(t, []event.ID{told[event.Message](bob)[0].ID, told[event.Message](bob)[1].ID}, id)
		w.pass(time.Hour)
		require.NotContains(t, ann.read(), "refused")
	})
}

// Whichever call of the store fails in a Sync, the next one of a fresh process reads what the first did not, and neither loses anything.
func TestEveryStoreCallOfASyncFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, _ := w.person(dir, "Ann")
		memory, calls := store.NewMemory(), 0
		open := func(failing int) *device {
			calls = 0
			return w.open("Bob", storetest.Fail(memory, func(c storetest.Call) storetest.Fault {
				if calls++; calls != failing {
					return storetest.None
				}
				if c.Method == "Commit" && failing%2 == 0 {
					return storetest.After
				}
				return storetest.Before
			}), w.net.Device("Bob"), func(o *trefoil.Options) { o.Directory = dir })
		}
		bob := open(0)
		b, err := bob.client.NewPerson(t.Context())
		require.NoError(t, err)
		bob.begin()
		space := w.newSpace(ann, bob)
		bob.stop()
		open(0) // what Open needs is not tried
		for n, last := calls+1+int(*seed%3), 1<<20; n <= last; n += 3 {
			first, second := fmt.Sprint("to the space ", n), fmt.Sprint("to Bob ", n)
			ann.send(space, first)
			ann.say(b, second)
			w.pass(time.Second)
			failing := open(n)
			if failing.client.Sync(t.Context()) == nil {
				last = min(last, calls)
			}
			again := open(0)
			require.NoError(t, again.client.Sync(t.Context()))
			got := make(map[string]bool)
			for _, body := range append(failing.read(), again.read()...) {
				got[body] = true
			}
			require.Equal(t, map[string]bool{first: true, second: true}, got, "call %d", n)
		}
	})
}

// unlisted is a store that does not say which devices it holds until so many calls have asked.
type unlisted struct {
	store.Store
	failing int
}

func (u *unlisted) List(ctx context.Context, k store.Kind, after store.ID, limit int) ([]store.ID, error) {
	if k == store.Devices && u.failing > 0 {
		u.failing--
		return nil, store.ErrBusy
	}
	return u.Store.List(ctx, k, after, limit)
}

// A device that cannot find out whose it is acknowledges nothing of what comes for its person.
func TestDeviceThatCannotBeListed(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, _ := w.person(dir, "Ann")
		withDirectory := func(o *trefoil.Options) { o.Directory = dir }
		bob, to := w.person(dir, "Bob")
		w.pass(time.Minute)
		bob.stop()
		for failing := 1; failing < 8; failing++ {
			text := fmt.Sprint("hello ", failing)
			ann.say(to, text)
			w.pass(time.Second)
			s := &unlisted{bob.store, failing}
			d := w.open("Bob", s, w.net.Device("Bob"), withDirectory)
			if err := d.client.Sync(t.Context()); err != nil {
				require.ErrorIs(t, err, store.ErrBusy)
			}
			s.failing = 0
			require.NoError(t, d.client.Sync(t.Context()))
			require.Equal(t, []string{text}, d.read())
		}
	})
}

// While another process holds the file of a device nothing is lost: what is written ends with the caller's time, a Sync too, and when
// the file is free everything is read once.
func TestLockedFile(t *testing.T) {
	t.Parallel()
	net := transporttest.NewNetwork()
	alice, _ := openFile(t, filepath.Join(t.TempDir(), "alice.db"), net.Device("alice"))
	bob, db := openFile(t, filepath.Join(t.TempDir(), "bob.db"), net.Device("bob"), func(o *trefoil.Options) { o.InCommit = history })
	space := letIn(t, alice, bob)
	_, err := alice.Space(space).Send(t.Context(), []byte("hello"))
	require.NoError(t, err)
	require.NoError(t, alice.Sync(t.Context()))

	other, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer other.Close()
	_, err = other.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	for _, call := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := bob.Space(space).Send(ctx, []byte("refused")); return err },
		bob.Sync,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		require.ErrorIs(t, call(ctx), context.DeadlineExceeded)
		cancel()
	}
	_, err = other.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)

	require.NoError(t, bob.Sync(t.Context()))
	require.NoError(t, bob.Sync(t.Context()))
	rows := func() (bodies []string) {
		all, err := db.Query("SELECT body FROM history")
		require.NoError(t, err)
		defer all.Close()
		for all.Next() {
			var body string
			require.NoError(t, all.Scan(&body))
			bodies = append(bodies, body)
		}
		require.NoError(t, all.Err())
		return bodies
	}
	require.Equal(t, []string{"hello"}, rows())
}
