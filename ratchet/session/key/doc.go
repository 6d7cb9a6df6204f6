// Package key holds the public keys of people and devices, their addresses, and the verification of signatures.
//
// No private key can be reached from here, so a server may import it: private halves lie in package keypair. Every key is
// checked when it is parsed: it is a point of the prime-order subgroup of Ed448, never the identity.
package key
