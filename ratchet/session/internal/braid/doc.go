// Package braid is the post-quantum half of a session's ratchet: an exchange of ML-KEM-768 keys in chunks, again and again,
// for as long as two devices talk (SPEC §19).
//
// It knows no messages. The ratchet above it puts a Chunk into the header of each message, gives back the chunks of those
// that authenticated, and asks for a secret to mix in where a chain begins: Begin for one's own, Follow for the other's.
//
// What a Braid holds of secrets is the key pair or the secret of the exchange under way, and nothing of those before. ML-KEM
// and the comparison of the tag take constant time; which chunks were sent and are held is public to both sides.
package braid

import (
	"crypto/mlkem"
	"errors"
)

// ErrMalformed is the error for bytes that are no chunk, and for an epoch that the other side cannot have.
var ErrMalformed = errors.New("braid: malformed")

// dataSize is how many bytes of an offer or an answer one chunk carries. With it a message grows by less than 96 bytes, an
// answer fills its chunks exactly, and the chunks of either object have a bit each in 16.
const dataSize = 80

// Sizes of what is exchanged, in bytes.
const (
	secretSize = 32
	tagSize    = 32
	seedSize   = mlkem.SeedSize // of the initiator's key pair
	offerSize  = offerChunks * dataSize
	answerSize = answerChunks * dataSize
)

// Numbers of chunks.
const (
	offerChunks  = (mlkem.EncapsulationKeySize768 + dataSize - 1) / dataSize     // 15, with 16 bytes of zeros at the end
	answerChunks = (mlkem.CiphertextSize768 + tagSize + dataSize - 1) / dataSize // 14
)

// labelExchange separates the derivation of the secret and the tag. It is part of the format.
const labelExchange = "trefoil/session braid"
