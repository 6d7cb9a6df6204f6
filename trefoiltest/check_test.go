package trefoiltest

import (
	"testing"

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
