package trefoil_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// mortal is a store that dies at a commit: it makes it or not, and none after it.
type mortal struct {
	store.Store
	mu    sync.Mutex
	left  int // commits before that; -1 for all
	makes bool
	dead  bool
}

var errDead = errors.New("the program is dead")

func (m *mortal) Commit(ctx context.Context, changes ...store.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.dead:
		return errDead
	case m.left == 0:
		m.dead = true
		if m.makes {
			m.Store.Commit(ctx, changes...)
		}
		return errDead
	case m.left > 0:
		m.left--
	}
	return m.Store.Commit(ctx, changes...)
}

func (m *mortal) die(left int, makes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.makes = left, makes
}

func (m *mortal) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// A program dies at any commit from the writing of a first message until the relay keeps it, before the commit or after. The next run goes
// on: what was written is read once, and kept once, under one request that has the same frames each time.
func TestKeepingOverCrashes(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		bob, b := w.person(dir, "Bob")
		died, texts := 0, 0
		for n, lives := 0, false; !lives; n++ {
			for _, makes := range []bool{false, true} {
				name := fmt.Sprintf("Ann %d %t", n, makes)
				m, k := &mortal{Store: store.NewMemory(), left: -1}, &keeper{tap: w.tap(name), answer: state.Delivered()}
				open := func(s store.Store) *device {
					return w.open(name, s, k, func(o *trefoil.Options) { o.Directory = dir })
				}
				ann := open(m)
				_, err := ann.client.NewPerson(t.Context())
				require.NoError(t, err)
				ann.run()
				w.pass(time.Minute)
				m.die(n, makes)
				_, failed := ann.client.Direct(b).Send(t.Context(), []byte(name))
				w.pass(time.Second)
				ann.stop()
				lives = !m.isDead()
				if !lives {
					died++
					open(m.Store).run()
					w.pass(time.Minute)
				}
				count := 0
				for _, text := range bob.read() {
					if text == name {
						count++
					}
				}
				require.LessOrEqual(t, count, 1, name)
				if failed == nil || makes {
					require.Equal(t, 1, count, name)
				}
				texts += count
				for i := range k.kept {
					require.Equal(t, k.requests[0], k.requests[i], name)
					require.Equal(t, k.kept[0], k.kept[i], name)
				}
				require.Equal(t, count > 0, len(k.kept) > 0, name)
			}
		}
		require.Greater(t, died, 8, "from the message to the relay's answer")
		require.Greater(t, texts, died/2)
	})
}
