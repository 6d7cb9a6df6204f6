// Package double is the Double Ratchet with encrypted headers: in the formats of the deployed client, or with a braid, which
// makes it recover from a thief that computes discrete logarithms, too (SPEC §18.5, §19).
package double

import (
	"errors"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
)

// Form is which messages a ratchet writes and reads. A ratchet has one form for ever; it reads nothing of the other.
type Form uint8

const (
	// Classic is the form of the deployed client, in JSON.
	Classic Form = 1
	// Braided has a chunk of a braid in each header, and root steps that mix in its secrets. It is binary.
	Braided Form = 2
)

// AgreedSize is the size in bytes of what a ratchet starts from: root key ‖ sending header key ‖ next receiving header key.
const AgreedSize = 3 * aead.KeySize

// MaxPlaintext is the size of the largest plaintext in bytes: a message of a session, and up to 1 KiB that the session puts
// before it.
const MaxPlaintext = 1<<20 + 1<<10

// MaxSkip is how far ahead of a chain one message may be, and how many keys of skipped messages one ratchet holds; the
// oldest is dropped for a new one.
//
// The deployed client stops at 100 ahead. A chain of which the first 101 messages are lost is then never read again, and its
// sender, who reads nothing new, never begins another. So the limit here is what it costs: 7 ms, and 140 KB until it is used.
const MaxSkip = 2000

// Errors of a Ratchet. A message that does not authenticate is key.ErrForged, one that cannot be parsed key.ErrMalformed.
var (
	// ErrNoKey: no key that is held opens the header.
	ErrNoKey = errors.New("double: no key opens the header")
	// ErrAhead: the message is of a known chain, and more than MaxSkip ahead. The error is an AheadError.
	ErrAhead = errors.New("double: too far ahead")
	// ErrReplayed: the message was read before, or its key was dropped.
	ErrReplayed = errors.New("double: message was read before, or its key was dropped")
	// ErrNotReady: there is no chain to send on, or the plaintext is too long.
	ErrNotReady = errors.New("double: cannot send")
)

// AheadError is ErrAhead, and says when the message can be read.
type AheadError struct {
	NextChain bool   // the message is of the peer's next chain, of which none was read
	From      uint32 // the number that the chain must have come to
}

// Error returns the text of ErrAhead.
func (e *AheadError) Error() string { return ErrAhead.Error() }

// Is reports whether target is ErrAhead.
func (e *AheadError) Is(target error) bool { return target == ErrAhead }

// Steps of a chain key: what HMAC-SHA-512 is taken of. They are part of the format.
const (
	stepChain   = 0x01
	stepMessage = 0x02
	stepBody    = 0x03
)

// Labels of a root step: the deployed client's, and that of one that mixes in a secret of the braid. They are part of the
// format.
const (
	labelRoot        = "quilibrium-double-ratchet"
	labelBraidedRoot = "trefoil/session braid root"
)

// split3 returns the three keys that were derived together, each with memory of its own, since they live on apart.
func split3(b secret.Bytes) (x, y, z secret.Bytes) {
	const n = aead.KeySize
	all := b.Expose()
	return secret.New(all[:n]), secret.New(all[n : 2*n]), secret.New(all[2*n:])
}
