package trefoiltest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/storetest"
	"github.com/trefoil-im/trefoil/trefoiltest"
)

var t *testing.T // of the test that calls an example

func TestExamples(test *testing.T) {
	t = test
	Example()
	ExampleCheck()
	ExampleDevice_CrashAt()
	ExampleDevice_Seize()
}

// Two devices write to each other, while one of them is offline for an hour.
func Example() {
	w := trefoiltest.New(t, 1)
	ann, bob := w.Device("Ann"), w.Device("Bob")
	space := w.Space(ann, bob) // Ann founds it, Bob comes by a link
	bob.Offline(true)
	ann.Send(space, "hello Bob")
	bob.Send(space, "hello Ann") // waits
	w.Advance(time.Hour)
	bob.Offline(false)
	w.Settle() // until nothing moves any more
	w.Check()  // everybody was told of every message, once
	require.ElementsMatch(t, []string{"hello Bob", "hello Ann"}, bob.Read(space))
}

// A test runs with many seeds. If it fails with one, Check says with which, and leaves only the faults of the network that it takes.
func ExampleCheck() {
	trefoiltest.Check(t, 1, 3, func(w *trefoiltest.World) {
		ann, bob := w.Device("Ann"), w.Device("Bob")
		space := w.Space(ann, bob)
		w.Net().Repeat(0.5)
		w.Net().Delay(0.5, time.Hour)
		ann.Send(space, "hello")
		w.Advance(2 * time.Hour)
		w.Check()
		require.Equal(w.T, []string{"hello"}, bob.Read(space)) // w.T is the test of this world
	})
}

// A device dies in the middle of a call of its store: what was saved counts, and is sent after the restart.
func ExampleDevice_CrashAt() {
	w := trefoiltest.New(t, 1)
	ann, bob := w.Device("Ann"), w.Device("Bob")
	space := w.Space(ann, bob)
	ann.Send(space, "saved before the crash")
	ann.CrashAt(1, storetest.After) // a test of its own tries 1, 2, 3 and so on, until Crashed says no
	w.Advance(time.Hour)
	require.True(t, ann.Crashed())
	w.Check()
	require.Equal(t, []string{"saved before the crash"}, bob.Read(space))
}

// A thief copies a device. It reads nothing that the device had read before, although it sees every frame.
func ExampleDevice_Seize() {
	w := trefoiltest.New(t, 1)
	ann, bob := w.Device("Ann"), w.Device("Bob")
	space := w.Space(ann, bob)
	ann.Send(space, "before the theft")
	w.Settle()
	thief := bob.Seize()
	require.NotContains(t, thief.Opens(), "before the theft")
}
