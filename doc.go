// Package trefoil keeps the encryption state of group chats, called spaces, and of the direct sessions around them.
//
// A trefoil is a knot of three strands: cut one, and there is no knot. The encryption state of a space has three parts, the
// ratchet state, the template and the evals, and chat programs lose messages and invites because they save one and drop
// the others. Here a value has all three or does not exist ([state.SpaceEncryptionState]), nothing outside a vault can
// turn a part into bytes, and a vault ([state.Vault]) commits the next value, the messages to be sent, what was read and
// which frames are dealt with in one transaction.
//
// # What to use
//
//   - Package ratchet encrypts and decrypts for spaces: every function takes a whole space and returns the next one.
//   - Package invite makes links, with which somebody joins a space.
//   - Package ratchet/session does the same for direct conversations between two devices.
//   - Package state keeps the values; state/sqlstore keeps them in an SQLite file; state/storetest tests a store of your
//     own.
//   - Package dkg deals the shares that a space's members hold.
//
// # What to store
//
// One vault for spaces and one for sessions, on one store, under a 32-byte key from your platform's key store. Nothing
// else: outbox, inbox and retained frames lie in the same store. Do not copy values between devices; a second device joins
// as a member of its own.
//
// # What may change
//
// The library has not been audited. Until version 1 formats may change; SPEC.md describes the ones in force, and
// docs/GUARANTEES.md what holds and which tests show it.
package trefoil
