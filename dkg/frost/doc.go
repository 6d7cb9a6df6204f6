// Package frost signs with a key that several parties hold: FROST(Ed448, SHAKE256) of RFC 9591, in two rounds.
//
//	nonce, commitment := frost.Commit(share)            // round 1, each signer: send the commitment
//	p, err := frost.NewPackage(key, message, commitments) // everybody, of the same commitments and message
//	part, err := nonce.Sign(p)                          // round 2, each signer: send the signature share
//	sig, err := p.Aggregate(parts)                      // anybody
//
// The signature is an Ed448 signature with an empty context (RFC 8032), which threshold.Key.Verify and every other
// implementation accepts. A signer looks at the message before it signs: p is what it is asked to sign.
//
// A nonce signs once. It has no encoding and lives in memory only, so neither a restart nor a restored backup brings one
// back: a signer that stopped between the rounds commits anew. (A clone of a running machine is out of reach of any
// library: do not make one between the rounds.)
//
// Who sent a commitment or a signature share is the channel's to say, as RFC 9591, section 7, demands.
package frost

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg/threshold"
)

// Errors of this package, to be found with errors.Is. Their texts show no secret.
var (
	// ErrCommitment: bytes that are no commitment.
	ErrCommitment = errors.New("frost: invalid commitment")
	// ErrSignatureShare: bytes that are no signature share.
	ErrSignatureShare = errors.New("frost: invalid signature share")
	// ErrPackage: too few signers for the key, one that occurs twice or holds no share, no commitment of the nonce that is to
	// sign, or signature shares that are not those of the signers.
	ErrPackage = errors.New("frost: invalid signing package")
	// ErrNonceUsed: the nonce signed before. Commit anew.
	ErrNonceUsed = errors.New("frost: nonce used")
)

// CheaterError is the error of Aggregate when signature shares are wrong, with everybody who made one, ascending. Anybody
// with the package and the shares can check it.
type CheaterError struct{ Participants []threshold.Index }

// Error implements error.
func (e *CheaterError) Error() string {
	return fmt.Sprintf("frost: wrong signature shares of %v", e.Participants)
}
