package key

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Classes of errors of this package, of keypair and of directory, to be found with errors.Is.
var (
	// ErrMalformed: the bytes are no key, address, signature or registration.
	ErrMalformed = errors.New("key: malformed")
	// ErrTooNew: the bytes have a version that only a newer release reads.
	ErrTooNew = errors.New("key: version is too new")
	// ErrUnverified: a signature is not valid, or a key or address is not the one that a signed registration names.
	ErrUnverified = errors.New("key: not vouched for by a signature")
	// ErrForged: a ciphertext does not authenticate.
	ErrForged = errors.New("key: does not authenticate")
	// ErrArgument: an argument is the zero value of its type, or is too long.
	ErrArgument = errors.New("key: invalid argument")
)

// Malformed wraps the error of a decoder into its class: ErrTooNew for a version, ErrMalformed otherwise, nil for nil.
// Most programs do not call Malformed.
func Malformed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wire.ErrTooNew):
		return fmt.Errorf("%w: %w", ErrTooNew, err)
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}
