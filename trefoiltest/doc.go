// Package trefoiltest is a world for tests of programs on package trefoil: devices, a network that fails as networks do, one clock, and
// one source of randomness.
//
//	w := trefoiltest.New(t, 1)
//	ann, bob := w.Device("Ann"), w.Device("Bob")
//	space := w.Space(ann, bob)                  // Ann founds it, Bob comes by a link
//	w.Net().Lose(0.2)
//	ann.Send(space, "hello")
//	w.Settle()                                  // until nothing moves any more
//	w.Check()                                   // everybody has read what it is owed
//
// Nothing happens by itself: a device works when Settle or Advance lets it, one after the other, and time passes in Advance only. So a
// world repeats with its seed, frame by frame: the fate of frames and the turns of devices are drawn from it, and keys come from
// testing/cryptotest, seeded likewise. That is of the whole process, as is that Go runs on one processor meanwhile: a test with a world
// cannot be parallel, and New panics in one that is. Another release of Go may draw other keys.
//
// Of a device a test can take the memory (Crash), the store in the middle of a call (CrashAt), a copy (Copy), and its secrets (Seize).
// [Check] runs a test with many seeds, and looks for the fewest faults of the network with which it still fails.
package trefoiltest
