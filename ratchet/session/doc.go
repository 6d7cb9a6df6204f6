// Package session is what goes on between two devices: a key agreement with somebody who is offline, sealed boxes, and the
// Double Ratchet with encrypted headers. It speaks the formats of the deployed messenger Quorum byte for byte, and a
// post-quantum form of its own between two devices that both run trefoil.
//
// # What to use
//
// A person has a SigningKey, whose Address names it, and devices. NewDevice draws a device's keys; keep the Device in a
// Vault[Own]. The person signs a Registration that lists its devices; NewRegistration makes one and Registration.Verify
// turns somebody else's into a Person. Only a Person yields a Peer, so there is no session with keys that nobody vouched for.
//
// A Session is the slot for a device and one other, for as long as both exist. Keep it in a Vault[Session] under SlotID.
// New makes the slot, Initiate begins a session in it or replaces the one there is, Encrypt and Decrypt send and read.
// Opener is Decrypt for Vault.Receive. Frames of unknown senders come to the device's own mailbox: Device.Claim says whom to
// look up first.
//
// All are functions from a value to the next one. On an error the value that was passed in comes back, and nothing
// changed. Save the next value before a frame leaves; the vault's outbox does that.
//
// # Two forms
//
// A peer of which only the registration is known is agreed with in the deployed form: X3DH over Ed448, JSON in sealed
// boxes. One that published a Bundle (see Person.Trefoil) is agreed with in the hybrid form: X3DH, a one-time pre-key if
// one was claimed, and ML-KEM-768, with the version, the generation and all keys bound into the result; frames are
// binary. A pair that has once known the hybrid form never goes back: Initiate and Decrypt refuse with ErrUnverified. At
// the first contact a directory can hide a bundle; a program in which all run trefoil then does not use Person.Peers.
//
// The hybrid form protects what is said against a quantum computer that reads recordings. It does not hide who writes to
// whom from one: the box around an initialization, like the ratchet's later turns, is classical. Signatures are, too.
//
// # Sessions in a slot
//
// Every initialization is named by its ephemeral key, without which a session cannot be constructed. Between devices that
// run trefoil it has a generation and replaces a session only if that is newer than all accepted before; one that was
// overtaken by a newer one reads what was sent in it, and nothing is ever sent on it. From a deployed peer it is new if its
// ephemeral key was never seen. Either way the session before goes on reading what is in flight, and where each side reads
// stays the same. If both sides begin at once both initializations are accepted and both devices go on in the
// same one. An initialization is repeated with every message until an answer was read, so none depends on another frame.
// A device that was set back to an old copy may begin with a generation that was there before. It is read, but what it
// should answer to is not sent where it could read it; when the other side begins, it is put right.
//
// What was read cannot be read again, from any state after it. Messages may arrive in any order, up to MaxSkip ahead; one
// further ahead is retained. As many keys of skipped messages are held, the oldest dropped first.
//
// Ed448 arithmetic on secrets takes constant time. Nothing here promises that memory is erased.
package session
