package trefoil_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state"
)

// What a client does when its program is slow, fails, panics, is cancelled, or calls back.

// handler sets what handles messages of a body.
func handler(body string, handle func(context.Context, event.Message) error) func(*trefoil.Options) {
	return func(o *trefoil.Options) {
		o.Handle = func(ctx context.Context, e event.Event) error {
			if m, ok := e.(event.Message); ok && string(m.Body) == body {
				return handle(ctx, m)
			}
			return nil
		}
	}
}

// A handler that takes an hour holds up its own chat only, and neither receiving nor sending.
func TestSlowProgram(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		bob := w.device("bob", handler("slow", func(context.Context, event.Message) error {
			time.Sleep(time.Hour)
			return nil
		})).run()
		first, second := w.newSpace(alice, bob), w.newSpace(alice, bob)
		alice.send(first, "slow")
		alice.send(first, "behind")
		alice.send(second, "elsewhere")
		bob.send(first, "from bob")
		w.pass(time.Minute)
		require.Contains(t, bob.read(), "elsewhere")
		require.NotContains(t, bob.read(), "behind")
		require.Contains(t, alice.read(), "from bob")
		w.pass(time.Hour)
		require.Contains(t, bob.read(), "behind")
	})
}

// A handler that fails is called again, later each time, with the same event, and then goes on.
func TestFailingProgram(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		var times []time.Duration
		since := time.Now()
		bob := w.device("bob", handler("hello", func(context.Context, event.Message) error {
			if times = append(times, time.Since(since)); len(times) < 5 {
				return errors.New("disk full")
			}
			return nil
		})).run()
		space := w.newSpace(alice, bob)
		since = time.Now()
		alice.send(space, "hello")
		alice.send(space, "after")
		w.pass(time.Hour)
		require.Len(t, times, 5)
		for i := 2; i < 5; i++ {
			require.Greater(t, times[i]-times[i-1], times[i-1]-times[i-2])
		}
		require.Equal(t, []string{"hello", "hello", "hello", "hello", "hello", "after"}, bob.read())
		messages := told[event.Message](bob)
		for _, m := range messages[:5] {
			require.Equal(t, messages[0], m)
		}
		require.EqualValues(t, 4, bob.client.Stats().Failures)
	})
}

// A panic of the program comes out of Run when everything else has ended, and the event is handed over again.
func TestPanickingProgram(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic":  func() { panic("a fault of the program") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w world) {
				alice := w.device("alice").run()
				bob := w.device("bob", handler("hello", func(context.Context, event.Message) error { fail(); return nil }))
				link := alice.link(w.newSpace(alice), invite.Private(0))
				space, err := bob.client.Join(t.Context(), link)
				require.NoError(t, err)
				panicked := make(chan any)
				go func() {
					defer func() { panicked <- recover() }()
					bob.client.Run(t.Context())
				}()
				w.pass(time.Minute)
				alice.send(space.ID(), "hello")
				p, ok := (<-panicked).(error)
				require.True(t, ok)
				require.ErrorContains(t, p, "program")
				if name == "panic" {
					require.ErrorContains(t, p, "a fault of the program")
				}
				again := w.open("bob", bob.store, w.net.Device("bob")).run()
				w.pass(time.Minute)
				require.Equal(t, []string{"hello"}, again.read())
				require.Equal(t, told[event.Message](bob), told[event.Message](again))
			})
		})
	}
}

// What was handled when Run ended is not handed over again; Run waits for the handler, and its context has ended.
func TestCancelledProgram(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		ended := false
		bob := w.device("bob", handler("hello", func(ctx context.Context, _ event.Message) error {
			<-ctx.Done()
			time.Sleep(time.Minute)
			ended = true
			return nil
		})).run()
		space := w.newSpace(alice, bob)
		alice.send(space, "hello")
		w.pass(time.Second)
		require.ErrorIs(t, bob.stop(), context.Canceled)
		require.True(t, ended)
		again := w.open("bob", bob.store, w.net.Device("bob")).run()
		w.pass(time.Minute)
		require.Empty(t, again.read())
	})
}

// A handler may call everything but Run and Sync.
func TestReentrantProgram(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		var bob *device
		var errs []error
		bob = w.device("bob", handler("hello", func(ctx context.Context, m event.Message) error {
			s := bob.client.Space(m.Chat)
			_, err := s.Send(ctx, []byte("answer"))
			errs = append(errs, err)
			_, err = s.Members(ctx)
			errs = append(errs, err)
			_, err = s.Status(ctx)
			errs = append(errs, err)
			own, err := bob.client.NewSpace(ctx)
			errs = append(errs, err, own.Forget(ctx))
			require.ErrorIs(t, bob.client.Run(ctx), trefoil.ErrRunning)
			require.ErrorIs(t, bob.client.Sync(ctx), trefoil.ErrRunning)
			return nil
		})).run()
		space := w.newSpace(alice, bob)
		alice.send(space, "hello")
		w.pass(time.Minute)
		require.NoError(t, errors.Join(errs...))
		require.Len(t, errs, 5)
		require.Contains(t, alice.read(), "answer")
	})
}

// A handler that forgets its chat has nothing more of it.
func TestForget(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		var bob *device
		bob = w.device("bob", handler("go away", func(ctx context.Context, m event.Message) error {
			return bob.client.Space(m.Chat).Forget(ctx)
		})).run()
		space := w.newSpace(alice, bob)
		alice.send(space, "go away")
		w.pass(time.Second)
		alice.send(space, "to nobody")
		w.pass(time.Hour)
		require.Equal(t, []string{"go away"}, bob.read())
		for range bob.client.Spaces(t.Context()) {
			require.Fail(t, "it is forgotten")
		}
		_, err := bob.client.Space(space).Send(t.Context(), nil)
		require.ErrorIs(t, err, state.ErrNotFound)
		alice.letIn(space, bob) // as a new member
		alice.send(space, "welcome back")
		w.pass(time.Minute)
		require.Equal(t, []string{"go away", "welcome back"}, bob.read())
	})
}

// A relay that blocks, refuses or loses its line stalls nothing but itself.
func TestRelayThatBlocks(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, line := w.tapped("alice")
		alice.run()
		bob := w.device("bob").run()
		first, second := w.newSpace(alice, bob), w.newSpace(alice, bob)
		var blocks atomic.Bool
		blocks.Store(true)
		line.onPost(func(topic string, _ []byte) (state.Delivery, bool) {
			if blocks.Load() && topic == first.String() {
				time.Sleep(30 * time.Second)
				return state.RetryAfter(0), true
			}
			return state.Delivery{}, false
		})
		alice.send(first, "held up")
		alice.send(second, "hello")
		bob.send(first, "from bob")
		w.pass(10 * time.Second)
		require.Equal(t, []string{"from bob", "hello"}, reversed(bob.read()))
		require.Contains(t, alice.read(), "from bob")
		w.pass(time.Hour)
		blocks.Store(false)
		w.pass(10 * time.Minute)
		require.Contains(t, bob.read(), "held up")
	})
}

// reversed returns texts sorted so that a comparison does not depend on which chat was faster.
func reversed(texts []string) []string {
	out := append([]string(nil), texts...)
	if len(out) == 2 && strings.Compare(out[0], out[1]) > 0 {
		out[0], out[1] = out[1], out[0]
	}
	return out
}

// While a chat cannot receive, because its program takes nothing out, its frames stay at the relay and other chats go on. Then it
// gets them all.
func TestFullInbox(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice").run()
		var fails atomic.Bool
		fails.Store(true)
		bob := w.device("bob", func(o *trefoil.Options) {
			o.Vault.Inbox = 10
			o.Handle = func(_ context.Context, e event.Event) error {
				if m, ok := e.(event.Message); ok && fails.Load() && strings.HasPrefix(string(m.Body), "full") {
					return errors.New("not now")
				}
				return nil
			}
		}).run()
		first, second := w.newSpace(alice, bob), w.newSpace(alice, bob)
		const n = 300
		want := make(map[event.ID]bool)
		for range n {
			want[alice.send(first, "full")] = true
		}
		w.pass(time.Minute)
		alice.send(second, "elsewhere")
		w.pass(time.Minute)
		require.Contains(t, bob.read(), "elsewhere")
		fails.Store(false)
		w.pass(time.Hour)
		got := make(map[event.ID]bool)
		for _, m := range told[event.Message](bob) {
			if m.Chat == first {
				got[m.ID] = true
			}
		}
		require.Equal(t, want, got)
	})
}
