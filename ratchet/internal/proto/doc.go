// Package proto is the wire format of the group protocol (SPEC §2, §4, §7, §9, §10, §14): all that members send to each other
// or sign.
//
// Parse functions read the encoding of one value exactly and within its limit. They return wire.ErrMalformed, an error of
// package suite, dkg or ed448 for a field that is none, or wire.ErrTooOld or wire.ErrTooNew for another version. Verify
// methods check signatures and proofs and return suite.ErrInvalid. What a Parse function returned may come from anybody until
// it was verified.
//
// All values are immutable: nobody writes to a slice that one of them holds. The package keeps no state and takes no clock.
package proto
