// Package threshold is a signing key that several parties hold together, and none of them alone.
//
// A Key is what is public about it: the Ed448 public key, how many shares make a signature, who holds one, and what each
// share is verified against. A Share is what one party holds. Package ceremony makes and changes them, package frost signs
// with them; docs/design/dkg.md has the formulas.
//
// Whole makes a share of a key that one party has held so far: a key with threshold 1, of which a resharing makes shares for several.
//
// Any t shares are the whole key, and t-1 say nothing about it. Shares of different generations of a key do not mix.
// Values are immutable and safe for concurrent use.
package threshold

import "errors"

// Errors of this package, to be found with errors.Is. Their texts show no secret.
var (
	// ErrKey: bytes that are no key, or terms that no key can have.
	ErrKey = errors.New("threshold: invalid key")
	// ErrShare: bytes that are no share, or a share that is not that of its key and index.
	ErrShare = errors.New("threshold: invalid share")
	// ErrIndex: an index that is 0 or of nobody who holds a share of the key.
	ErrIndex = errors.New("threshold: invalid index")
	// ErrStale: a share that must not replace another one: of an older generation, of another key, or of another party.
	ErrStale = errors.New("threshold: share does not succeed the one before")
)
