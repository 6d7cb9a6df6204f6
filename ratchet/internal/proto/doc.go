// Package proto is the wire format of the Trefoil ratchet (SPEC §4, §7, §9, §10): all that members send to each other or sign.
//
// Parse functions read the encoding of one value exactly and within its limit; they return wire.ErrMalformed, or wire.ErrTooOld
// or wire.ErrTooNew for a frame of another version. Verify methods check signatures and proofs; they return suite.ErrInvalid.
// What a Parse function returned may come from anybody until it was verified. The package keeps no state and takes no clock.
package proto
