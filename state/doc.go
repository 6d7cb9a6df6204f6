// Package state keeps encryption state whole: the type that cannot be torn, and the vault that is the only way to store it.
//
// # Two failures that the types exclude
//
// A messenger saved the ratchet state after each message, and dropped the template and the evals that lay beside it; from
// the first message on no private invite worked, and four places in the code had the same mistake. Here there is no ratchet
// state to save. [SpaceEncryptionState] has three parts and can only be made of three. A [Part] writes itself into an
// [Encoder], and no exported function reads an Encoder, so nobody but a [Vault] can turn a part into bytes; and a Vault
// takes whole values. WithState returns a whole value too. A store has a column for each part, none of which can be null.
//
// A chat server had two ways to create a session, of which one stored the initiator's ephemeral key, and it wrote the
// conversation in one transaction and the keys in another; those invited got errors and could not decrypt. Here a value is
// created by [Vault.Create] or not at all, and what belongs to a change goes into its [Tx]: the next value, what is to be
// sent, what was read, what became of the frame. A commit carries out all of it or nothing, and there is no other write.
// (That the ephemeral key is part of a session is the business of the session's type, in package ratchet/session.)
//
// # How it is used
//
//	vault, err := state.Open[ratchet.Space](ctx, store, key, state.Options{})
//	err = vault.Create(ctx, space, nil)
//
//	err = vault.Update(ctx, id, func(tx *state.Tx[ratchet.Space]) error {  // may run again: no effects of its own
//		next, frames, err := ratchet.Encrypt(tx.Value(), now, text)
//		if err != nil {
//			return err
//		}
//		tx.Set(next)
//		for _, frame := range frames {
//			tx.Send("space", frame)
//		}
//		return nil
//	})
//	again, err := vault.Flush(ctx, id, send)                // outbox to network, the same bytes at every try
//
//	receipt, err := vault.Receive(ctx, id, frame, open)     // read, discard, retain or stop: see Verdict
//	err = vault.Drain(ctx, id, show)                        // inbox to program
//
// Many frames of one value go into one commit with ReceiveAll, and values of any types change together with [Batch].
//
// Two tasks or two processes cannot fork a value: each commit compares the head of the row with the one that it was made
// from, and who loses runs again on the fresh value. A stale copy cannot overwrite a newer value: each part is asked whether
// it succeeds the stored one. A frame that cannot be read yet is kept and tried again when something was learned; no frame
// is to be acknowledged before the commit that deals with it.
//
// # What is stored
//
// Parts and the segments they list are sealed one by one with XChaCha20-Poly1305, each bound to its row, its name, the
// version of the row in which it was written, and a random incarnation that tells the row from every other of the same ID.
// The head, sealed anew with every change, lists the parts with their versions and digests; parts list their segments in the
// same way. It also covers the numbers of what lies in the queues and of the retained frames. So nothing can be swapped,
// mixed, dropped or put back without being refused, and a change writes only what it changed. What this cannot see is a
// whole row put back to an older version, with all that belongs to it: that is what ratchet.Restore is for.
//
// Everything is sealed under a data key, which lies in a row of the store's own, sealed under the 32-byte key of the program.
// A wrong key is found there, when the store is opened. docs/design/store.md has the format byte by byte.
//
// A store moves sealed bytes: store.Memory, package sqlstore for SQLite and PostgreSQL, or one of your own. Package store says what it
// promises, and package storetest tests it.
package state
