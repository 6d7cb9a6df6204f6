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
//   - Package trefoil, this one, is a device: Open a Client on a store and a Transport, Run it, and write to its spaces. It
//     receives, acknowledges, sends, does what is due, and hands over messages and events. Most programs need nothing else
//     but a store.
//   - Package transporttest tests a transport of your own, and has one in memory. Package trefoiltest tests a program: it has devices, a
//     network that fails, and a clock.
//   - Package ratchet encrypts and decrypts for spaces. A client is built on it. Programs that do without a client use its transaction
//     functions Send, Do, Opener, Maintain and CaughtUp; package ratchet/step has what Do does.
//   - Package invite has the links with which somebody joins a space, and the terms of an invite.
//   - Package ratchet/session encrypts and decrypts between two devices, as package ratchet does for spaces.
//   - Package state stores the values; state/sqlstore keeps them in an SQLite file or in PostgreSQL; state/storetest tests a store of
//     your own.
//   - Package state/worker sends from the outboxes of many values, and state/inspect describes what is stored.
//   - Package relay is the server between devices, for chat backends in Go, and relay/client is the transport to it.
//   - Package attachment encrypts files that are too large for a message, which holds 64 KiB.
//   - Package dkg deals the shares that the members of a space hold.
//   - Packages dkg/ceremony and dkg/frost make and use signing keys that several parties hold, such as the root owner key of a space
//     ([Space.ProposeOwners]).
//
// docs/ARCHITECTURE.md shows how they fit together.
//
// # What to store
//
// A client keeps everything in one store, under a 32-byte key from your platform's key store. Keep two things yourself: that key,
// and the messages that you were handed, if you want a history; with package sqlstore they can be rows in the same database,
// written in the very commit that uses up the message ([Options].InCommit). Do not copy a store between devices: a second
// device is linked ([Client.LinkDevice]), and is a member of its own.
//
// Without a client, use one vault each for spaces, sessions, devices and persons, on one store.
//
// # What a client keeps
//
//   - A message is durable when [Space.Send] returns, with or without a network. A message that is written before the backlog was read
//     waits, sealed in the store, and is encrypted for the others once it was read. Its writer is handed what the others are handed, under
//     the same ID.
//   - Every message and event is handed over at least once, always with the same [event.Stamp], and leaves the store when the program has taken
//     it. If the program returns an error, the event is handed over again, later each time. That delays its own chat and no other.
//   - A frame is acknowledged when the commit that deals with it is durable. A device subscribes to a topic before it asks for what comes
//     there.
//   - There is one clock, [Options].Now, and one logger, which gets no secrets and no text. No goroutine outlives [Client.Run]. No
//     function of a program is called under a lock. Everything that has to survive lies in the store, so several processes may use one
//     store ([Options].Shared).
//
// docs/EVENTS.md says for every event and error what to show a user, and what to do.
//
// # What is not there yet
//
//   - History for a joiner. It reads what is sent once a member has let it in, and nothing from before its invite.
//   - Messages that are forgotten after a time. Package ratchet sends them (step.Expiring), a client does not.
//   - The messages between people who hold a root owner key together. The program sends them, as examples/ceremony does.
//
// The group protocol is the Trefoil ratchet. It descends from the Triple Ratchet of the messenger Quorum and is not Signal's
// protocol of that name, which is for two parties.
//
// # What may change
//
// The library has not been audited. Until version 1 formats may change. SPEC.md describes the protocols in force,
// docs/STORAGE.md the stored formats, docs/SECURITY.md what is promised and what is not, and docs/GUARANTEES.md the tests.
package trefoil
