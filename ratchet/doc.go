// Package ratchet is the encryption state of spaces: the Triple Ratchet, version 2.
//
// A Space is a value: every function takes one and returns the next, which must be durable (a state.Vault sees to it)
// before what else came back leaves the device. With an error the space that was passed in comes back.
//
//   - NewSpace makes a space. DrawGrant takes a share out of it for an invite; Join turns a grant into a space of the joiner
//     and a Request; Admit, by any member, answers it with a Ticket; Enter takes that in, and Encrypt says so to all.
//   - Encrypt and Decrypt are messages, in any order, with others lost or repeated. Hold notes one that cannot be read yet.
//   - Duties says what a device should do next; AskResync, Prune, SignRoster and an empty Encrypt do it. Restore takes in a
//     copy.
//
// Open is the glue to a vault's receive loop, and Tend to its Update: between them all of this is done already but saying
// something.
//
// Three ratchets turn. Each sender has a chain with one key per message. Any member, alone and offline, can commit: every
// other one turns the commit into the same fresh secret with its own share of a polynomial, and a new epoch begins, with
// no round trip, ordering server or winner. And an owner can deal a new polynomial to those who stay.
//
// Outcomes of what comes from outside are the errors of this package, each with a state.Verdict. All values are immutable
// and safe for concurrent use; types that hold secrets show nothing when printed. Times are parameters: they display,
// prune and trigger commits, and order nothing.
package ratchet
