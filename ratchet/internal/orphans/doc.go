// Package orphans is the index of what cannot be read yet (SPEC §7): messages that no key known opens, and the commits that
// lead to epochs that are not held.
//
// The vault keeps the frames. The Index keeps of each what was learned of it: whose header opened, what its commits came to,
// with which epochs it was tried, where it came from and when. There is no second copy of a frame. The vault asks the Index
// which frame to give up at a bound, and what the Index knew through a frame goes with it.
//
//	at, err := x.Search(...)     looks for the epoch of a message, within a Budget; goes on where an earlier search stopped
//	x.Note(...)                  keeps what was learned of a frame that is retained
//	x.Forget(...)                lets go of frames that were read, discarded or given up
//	x.Advance(...)               takes in what became of epochs, and returns the frames to be read now
//	x.Queue(...)                 says whose search is to be gone on with, when there is time
//	x.Waits(...)                 says whether what waits is a reason to send or to ask for a ticket
//
// Of a message that was read the epochs on its path are entered first (Advance), then what is left of it is kept (Keep): so what
// others found out through these epochs stays. All values are immutable. What comes from outside reaches this package through package proto alone.
package orphans
