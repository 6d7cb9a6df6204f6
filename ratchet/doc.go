// Package ratchet is the encryption state of a space: the group ratchet of trefoil.
//
// A Space is a value that lies in a state.Vault. Most programs use this much:
//
//   - NewSpace makes a space; NewGrant takes an invite out of it (package invite makes links of them); Join makes the space of
//     whoever was invited, and the request to let it in.
//   - Send(options, plaintext) goes to Vault.Update: it encrypts, and puts the frame into the outbox with the state.
//   - Opener(options) goes to Vault.Receive: it reads messages into the inbox, answers requests and enters tickets. ParseMessage
//     reads what Vault.Drain returns.
//   - Maintain(options) goes to Vault.Update at start and every minute: it does what is due.
//   - Info and Members say where this member stands and who else there is.
//
// Encrypt, Decrypt, Admit, Enter and Perform are the functions from a space to the next below these, for programs without a
// vault: what comes back must be durable before the frame leaves the device, and with an error the space that was passed in
// comes back. Frames are bytes: they may come from anywhere, and nothing in them is believed before it was verified.
//
// Three ratchets turn. Each sender has a chain with one key per message. Any member, alone and offline, can commit: every
// other one turns the commit into the same fresh secret with its own share of a polynomial, and a new epoch begins, with
// no round trip, ordering server or winner. The third, with which an owner deals a new polynomial to those who stay (a rekey,
// SPEC §10), is not implemented.
//
// All values are immutable and safe for concurrent use; types that hold secrets show nothing when printed. Times are
// parameters: they display, prune and trigger commits, and order nothing.
package ratchet
