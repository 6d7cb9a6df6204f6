// Package suite is the cipher suite of the Trefoil ratchet (SPEC §2): hash, key derivation, AEAD, HPKE and signatures, each
// under the labels of the protocol.
//
// All primitives come from the standard library and circl. Values are immutable and safe for concurrent use.
package suite
