// Package session encrypts what two devices say to each other: a key agreement with a device that is offline, then the Double
// Ratchet with encrypted headers.
//
// # What to use
//
//   - Person and Device hold the private keys, each kept in the vault under a kind of its own. Person.Register signs the list
//     of a person's devices; directory.Registration.Verify checks that of another person and yields a Peer for each device.
//   - Endpoint is a device with its vaults and the directory: ReceiveAll deals with whatever waits at the relay and Receive with
//     what comes then, SendAll says something to all devices of persons in one commit, Maintain does what is due, every minute
//     or so.
//   - Device.Rotate, now and then, replaces the keys that others begin sessions with. Publish the Bundle again afterwards.
//   - Device.Renew replaces all keys of a device after a theft.
//   - Pair.Restore and Device.Restore take what comes from a backup; Pair.Clear empties a slot that is no longer wanted.
//
// Below that, New makes the slot for a device and a peer, a Session, which is kept under Device.SlotID; Send, Opener and Maintain
// are the same steps in one slot, as functions for a Vault[Session], and Refresh takes over that a peer has renewed its keys.
//
// Initiate, Encrypt and Decrypt are the same steps on values, for programs that keep their state themselves: they take a
// Session and return the next one. On error they return the one that was passed in. Save the next value before a frame leaves.
//
// Public keys are in package key, private keys in keypair. A server imports key and directory only, which hold no private key.
// Package quorum moves sessions from and to the deployed messenger Quorum.
//
// # Suites
//
// The hybrid suite is used with a peer that published a Bundle (see Person.Peers): X3DH over Ed448, a one-time pre-key if one
// was claimed, and ML-KEM-768. The version, the generation and all keys are bound into the result. Frames are binary. The
// classic suite is used with all others, and is that of the deployed client, byte for byte: X3DH over Ed448, and JSON in
// sealed boxes. A pair that has once used the hybrid suite never goes back: Initiate and Decrypt return ErrUnverified. At the
// first contact a directory can withhold a bundle; a program in which every device knows the hybrid suite refuses a Peer that
// is not Peer.IsHybrid.
//
// # Limits of the protection
//
// The hybrid suite protects the content of messages against a quantum computer that reads recordings, and recovers from one
// that stole the states of both sides: they exchange ML-KEM-768 keys in chunks of 80 bytes that ride on the messages, and mix
// in the secrets (SPEC §19). In a conversation by turns that takes 28 to 56 messages of each side after the theft, and while
// one side is silent it does not happen. The suite does not hide from a quantum computer who writes to whom: the box around an
// initiation is classical. Signatures are, too.
//
// The classic suite makes the session key of three Diffie-Hellman results and nothing else, so it does not give:
//
//   - Protection against an unknown key share. Whoever registers another device's public keys as their own makes an initiator
//     believe that it talks to them, while the other device reads what is said and takes it as meant for itself. The hybrid
//     suite binds both persons and the responder's whole entry into the key.
//   - Protection against key-compromise impersonation. Whoever stole a device's pre-key can begin sessions with that device in
//     anybody's name. The hybrid suite does not prevent this either, with or without a one-time pre-key.
//   - Confidentiality of the first messages if the device's keys are stolen later, since it uses no one-time pre-key and its
//     pre-key stays. In the hybrid suite a one-time pre-key is erased when it is used, and all others 30 days after
//     Device.Rotate replaced them.
//
// # Sessions in a slot
//
// The initiator's ephemeral key names an initiation; no session can be constructed without it. In the hybrid suite an
// initiation has a generation and replaces a session only if that is above all that were accepted before. One that was
// overtaken by a newer one reads what was sent in it, and nothing is ever sent on it. In the classic suite an initiation
// is new if its ephemeral key was never seen. Either way the session before goes on reading what is in flight, and where each
// side reads stays the same. If both sides begin at once, both initiations are accepted and both devices go on in the same
// session. Every message carries the initiation until an answer was read, so no frame depends on another.
//
// A pair holds up to 8 sessions. For a new one it drops the lowest of those that the peer is not likely to send on: it keeps the
// session that it sends on, its own unanswered one, and those in which the peer was read last. A message that was still in
// flight in a session that was dropped is not read.
//
// # Messages that are not read
//
// In the hybrid suite a device that cannot read a frame of a known peer says so, at most every 10 minutes, and the peer begins
// anew if it has to and sends again what was not read: after a slot was restored or dropped a session, when frames were lost
// before one that was damaged, and when a directory handed a one-time pre-key out twice. A session that was not answered for 30
// days is begun anew, too, since the peer may have erased the keys of its beginning. Each text is delivered once. For this
// a device keeps what it sent until the peer is known to have read it, at most 7 days, 1 MiB and 1,024 texts. SECURITY.md says
// what that means if the state is stolen.
//
// A slot from a backup passes through Pair.Restore, a device through Device.Restore. A peer that was set back to an old copy begins
// with a generation that it has used before: Pair.IsReady is false then, and Send begins a session that both can go on in.
//
// What was read cannot be read again, from any state after it. Messages may arrive in any order, up to 2,000 ahead; one
// further ahead is retained. As many keys of skipped messages are held, and the oldest is dropped first.
//
// Ed448 arithmetic on secrets takes constant time. Nothing here promises that memory is erased. Values are immutable and safe
// for concurrent use.
package session
