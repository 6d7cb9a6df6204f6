package trefoiltest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A failing seed is shrunk to the one fault of the network that matters, and its failure is told.
func TestShrink(t *testing.T) {
	lossy := func(w *World) {
		ann, bob := w.Device("Ann"), w.Device("Bob")
		space := w.Space(ann, bob)
		w.Net().Lose(0.3)
		w.Net().Repeat(0.5)
		for _, text := range []string{"1", "2", "3", "4", "5", "6"} {
			ann.Send(space, text)
			w.Settle()
		}
		w.Check()
	}
	failed := find(t, 1, lossy)
	require.NotNil(t, failed)
	require.Equal(t, 1, failed.faults)
	require.Contains(t, failed.text, "Bob was told 0 times")
	require.Nil(t, find(t, 1, func(w *World) { w.Device("Ann") }))
}

// A test that a fault of the world itself would hide fails: Check sees what was not read, and what was read twice.
func TestCheckSees(t *testing.T) {
	for name, spoil := range map[string]func(*Device){
		"missing": func(d *Device) { d.messages = d.messages[1:] },
		"twice":   func(d *Device) { d.messages = append(d.messages, d.messages[0]) },
		"altered": func(d *Device) { d.messages[0].Body = []byte("other") },
	} {
		failed, _ := try(t, 1, nil, func(w *World) {
			ann, bob := w.Device("Ann"), w.Device("Bob")
			space := w.Space(ann, bob)
			ann.Send(space, "hello")
			w.Settle()
			w.Check()
			spoil(bob)
			w.Check()
		})
		require.NotNil(t, failed, name)
	}
}

// What a world draws follows from its seed: the same frames have the same fate, and the same devices the same turns.
func TestDraws(t *testing.T) {
	fates := func(seed uint64) (out []string) {
		w := newWorld(t, t, seed, nil)
		n := w.Net()
		n.Lose(0.3)
		n.Repeat(0.3)
		n.Delay(0.5, time.Hour)
		n.Reorder(true)
		ann, bob := n.line("Ann"), n.line("Bob")
		require.NoError(t, bob.Subscribe(t.Context(), "topic"))
		for i := range 40 {
			ann.Post(t.Context(), "topic", []byte{byte(i)})
		}
		for range 4 {
			items, err := bob.take()
			require.NoError(t, err)
			for _, it := range items {
				out = append(out, fmt.Sprint(it.data, w.now.Sub(Start)))
			}
			w.now = w.now.Add(20 * time.Minute)
		}
		return append(out, fmt.Sprint(w.rng.Perm(9)))
	}
	require.Equal(t, fates(1), fates(1))
	require.NotEqual(t, fates(1), fates(2))
}
