// Package ratchet is the Trefoil ratchet, a ratchet for groups (SPEC.md). A group is a space, and a [Space] is everything that one
// device holds of it. The functions take a Space and return the next one, with the frames to be sent.
//
// Programs that keep their spaces in a vault of package state call the transaction functions:
//
//	Send       returns an update of the vault that encrypts a message and puts its frames into the outbox
//	Opener     returns the function that Vault.Receive calls for a frame of any type
//	Maintain   returns an update that does what is due: prune, send, ask, answer
//	CaughtUp   returns an update that notes that everything stored at the relay was received
//	Do         returns an update that takes a step of package step, such as step.Remove or step.NewInvite
//
// The policy of a space and the rights of its members are those of package rules.
//
// Encrypt, Decrypt, Take and the other functions on values need no vault. Each Space that they return must be durable before the frames that
// came with it leave the device.
package ratchet
