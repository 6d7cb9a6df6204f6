package trefoil_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/state"
)

// woken returns a device that was in two spaces with another, was off while that wrote the same in both, and works by Sync only.
func (w world) woken(body string, handle func(context.Context, *device) error) (d *device, first, second state.ID) {
	w.Helper()
	alice := w.device("alice").run()
	bob := w.device("bob").run()
	first, second = w.newSpace(alice, bob), w.newSpace(alice, bob)
	bob.stop()
	alice.send(first, body)
	alice.send(second, body)
	w.pass(time.Minute)
	d = w.open("bob", bob.store, w.net.Device("bob"), func(o *trefoil.Options) {
		o.Handle = func(ctx context.Context, e event.Event) error {
			if m, ok := e.(event.Message); ok && string(m.Body) == body {
				return handle(ctx, d)
			}
			return nil
		}
	})
	return d, first, second
}

// A Sync calls its program once at a time, however slow it is, and the program may call back all but Run and Sync. What it writes
// leaves with the same Sync.
func TestSyncIsOneByOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		inside := 0
		bob, first, _ := w.woken("hello", func(ctx context.Context, d *device) error {
			inside++
			require.Equal(t, 1, inside)
			time.Sleep(time.Minute)
			inside--
			require.ErrorIs(t, d.client.Sync(ctx), trefoil.ErrRunning)
			require.ErrorIs(t, d.client.Run(ctx), trefoil.ErrRunning)
			for s, err := range d.client.Spaces(ctx) {
				require.NoError(t, err)
				_, err = s.Send(ctx, []byte("answer"))
				require.NoError(t, err)
			}
			return nil
		})
		before := time.Now()
		require.NoError(t, bob.client.Sync(t.Context()))
		require.GreaterOrEqual(t, time.Since(before), 2*time.Minute)
		require.Equal(t, []string{"hello", "hello", "answer", "answer", "answer", "answer"}, sorted(bob.read()))
		status, err := bob.client.Space(first).Status(t.Context())
		require.NoError(t, err)
		require.Zero(t, status.Outbox+status.Inbox)
	})
}

// sorted returns greetings before answers: which of two chats is first depends on their IDs.
func sorted(texts []string) (out []string) {
	for _, want := range []string{"hello", "answer"} {
		for _, text := range texts {
			if text == want {
				out = append(out, text)
			}
		}
	}
	return out
}

// A program that fails holds up its own chat, and Sync says why. A panic comes out of Sync, and so does a goroutine that is ended. What
// was not handled is handed over by the next Sync.
func TestSyncOfAFailingProgram(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":  func() error { return errors.New("a fault of the program") },
		"panic":  func() error { panic("a fault of the program") },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w world) {
				calls := 0
				bob, _, _ := w.woken("hello", func(context.Context, *device) error {
					if calls++; calls > 1 {
						return nil
					}
					return fail()
				})
				came := make(chan any, 1)
				go func() {
					defer func() {
						if p := recover(); p != nil {
							came <- p
						}
					}()
					came <- bob.client.Sync(t.Context())
				}()
				err, _ := (<-came).(error)
				require.ErrorContains(t, err, "program")
				require.NoError(t, bob.client.Sync(t.Context()))
				require.Equal(t, 3, calls)
				require.Len(t, bob.read(), 3)
			})
		})
	}
}

// A Sync that is cancelled ends after the call that goes on, and what that handled is not handed over again.
func TestSyncIsCancelled(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		ctx, cancel := context.WithCancel(t.Context())
		bob, _, _ := w.woken("hello", func(context.Context, *device) error {
			cancel()
			return nil
		})
		require.ErrorIs(t, bob.client.Sync(ctx), context.Canceled)
		require.Len(t, bob.read(), 1)
		require.NoError(t, bob.client.Sync(t.Context()))
		require.Len(t, bob.read(), 2)
	})
}
