package trefoiltest

import (
	"context"
	"iter"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// Seized is everything that a device held at one moment, with the key of its store, in the hands of a thief that sees all frames.
type Seized struct {
	world *World
	space []ratchet.Space
}

// Seize takes a copy of the device's spaces. The device goes on.
func (d *Device) Seize() *Seized {
	d.world.T.Helper()
	m, ok := d.store.(*store.Memory)
	require.True(d.world.T, ok, "trefoiltest: a store in memory can be seized")
	k, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(d.world.T, err)
	v, err := state.Open[ratchet.Space](d.world.T.Context(), m.Clone(), k, state.Options{})
	require.NoError(d.world.T, err)
	ids, err := v.List(d.world.T.Context())
	require.NoError(d.world.T, err)
	s := &Seized{world: d.world}
	for _, id := range ids {
		value, err := v.Load(d.world.T.Context(), id)
		require.NoError(d.world.T, err)
		s.space = append(s.space, value)
	}
	return s
}

// Opens returns the bodies of the messages of spaces that the thief can read of all that was posted so far, with everything that reading one
// teaches it. It does not take part: it posts nothing.
func (s *Seized) Opens() (bodies []string) {
	s.world.T.Helper()
	k, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(s.world.T, err)
	fresh := store.NewMemory() // without what the device remembers of frames that it has read
	v, err := state.Open[ratchet.Space](s.world.T.Context(), fresh, k, state.Options{})
	require.NoError(s.world.T, err)
	for _, value := range s.space {
		require.NoError(s.world.T, v.Create(s.world.T.Context(), value, nil))
	}
	thief := &listener{frames: s.world.net.Tap()}
	for _, value := range s.space {
		thief.topics = append(thief.topics, value.ID().String())
	}
	c, err := trefoil.Open(s.world.T.Context(), fresh, k, thief, trefoil.Options{Now: s.world.Now, Handle: func(_ context.Context, e event.Event) error {
		if m, ok := e.(event.Message); ok {
			bodies = append(bodies, string(m.Body))
		}
		return nil
	}})
	require.NoError(s.world.T, err)
	ctx, cancel := s.world.context()
	defer cancel()
	_ = c.Sync(ctx) // what cannot be sent is none of the thief's concern
	slices.Sort(bodies)
	return slices.Compact(bodies)
}

// listener is the line of somebody who hears everything and says nothing.
type listener struct {
	topics []string
	frames [][]byte
}

func (l *listener) Post(context.Context, string, []byte) state.Delivery { return state.Delivered() }
func (l *listener) Subscribe(context.Context, string) error             { return nil }
func (l *listener) Unsubscribe(context.Context, string) error           { return nil }

func (l *listener) Receive(ctx context.Context, _ iter.Seq[string], handle func(trefoil.Frame)) error {
	for range 2 { // what the first pass taught opens more
		for _, topic := range l.topics {
			for _, f := range l.frames {
				handle(trefoil.Frame{Topic: topic, Data: slices.Clone(f), Ack: func() {}})
			}
		}
	}
	handle(trefoil.Frame{})
	<-ctx.Done()
	return ctx.Err()
}
