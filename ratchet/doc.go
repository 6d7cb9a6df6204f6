// Package ratchet is the ratchet of groups (SPEC.md): functions from a Space, which is everything that a
// device holds of one space, to the next one, and what is to be sent with it.
//
//	Send       an update of a vault that encrypts a message and puts it into the outbox
//	Opener     what a vault's Receive calls for a frame of any type
//	Maintain   an update that does what is due: prune, send, ask, answer
//
// The functions below them work on values without a vault. Each space that they return must be durable before what came with
// it leaves the device.
package ratchet
