// Package trefoil keeps the encryption state of group chats, called spaces, and of direct sessions between two devices.
//
// The encryption state of a space has three parts: the ratchet state, the template and the evals. Programs that save one part
// without the others lose messages and invites. Here a value has all three parts or does not exist
// ([state.SpaceEncryptionState]), and only a vault ([state.Vault]) turns a part into bytes. A vault commits the next value, the
// frames to be sent, the messages that were read and the fate of the received frame in one transaction. The library is named
// after the trefoil, a knot of three strands: cut one, and there is no knot.
//
// # What to use
//
//   - Package ratchet encrypts and decrypts for spaces. Most programs use its transaction functions Send, Opener and Maintain.
//   - Package invite makes the links with which somebody joins a space.
//   - Package ratchet/session does the same for direct conversations between two devices.
//   - Package state stores the values; state/sqlstore keeps them in an SQLite file; state/storetest tests a store of your own.
//   - Package state/worker sends from the outboxes of many values, and state/inspect describes what is stored.
//   - Package attachment encrypts files that are too large for a message, which holds 64 KiB.
//   - Package dkg deals the shares that the members of a space hold.
//   - Packages dkg/ceremony and dkg/frost make and use signing keys that several parties hold. Spaces do not use them yet.
//
// docs/ARCHITECTURE.md shows how they fit together.
//
// # What to store
//
// Use one vault for spaces, one for sessions and one for devices, on one store, under a 32-byte key from your platform's key
// store. Outbox, inbox and retained frames lie in the same store. Keep three things yourself: that key, the signing key of
// each person, and the messages that you took out of the inbox. Do not copy values between devices; a second device joins as
// a member of its own.
//
// # What is not there yet
//
//   - Removing a member, and rekeys: who left, or whose device was stolen, reads on.
//   - Inviting by anybody but the founder: only the owner that dealt the shares makes invites.
//   - Linking devices.
//   - Reading what was there before: a joiner reads what members send once they have received its first message.
//
// The group protocol is the Trefoil ratchet. It descends from the Triple Ratchet of the messenger Quorum and is not Signal's
// protocol of that name, which is for two parties.
//
// # What may change
//
// The library has not been audited. Until version 1 formats may change. SPEC.md describes the protocols in force,
// docs/STORAGE.md the stored formats, docs/SECURITY.md what is promised and what is not, and docs/GUARANTEES.md the tests.
// docs/design/revision.md specifies the next version of the group protocol. Packages below ratchet/internal/next implement
// parts of it; package ratchet does not use them yet.
package trefoil
