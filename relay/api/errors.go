package api

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Classes of errors, to be found with errors.Is. After each of them nothing was changed. What is not among them comes from the
// store: see package store.
var (
	// ErrMalformed: bytes or an argument have not the form that they must have, or are too long.
	ErrMalformed = errors.New("relay: malformed")
	// ErrUnverified: a signature is not valid, or a key is not the one that a signature vouches for.
	ErrUnverified = errors.New("relay: not vouched for by a signature")
	// ErrNotFound: there is no such thing, and the caller is entitled to know.
	ErrNotFound = errors.New("relay: not found")
	// ErrDeleted: the person was deleted, for good. The error is a *DeletedError.
	ErrDeleted = errors.New("relay: deleted")
	// ErrUnauthenticated: nobody knows who calls: there is no token, or it is not valid any longer. Log in and try again.
	ErrUnauthenticated = errors.New("relay: not authenticated")
	// ErrForbidden: the caller has no part in it, whether it exists or not.
	ErrForbidden = errors.New("relay: forbidden")
	// ErrRevoked: the device was revoked. It is an ErrForbidden.
	ErrRevoked = fmt.Errorf("%w: device is revoked", ErrForbidden)
	// ErrExists: what is to be made is there already, and is another one.
	ErrExists = errors.New("relay: exists already")
	// ErrReused: the number of a pre-key was there before, or the key of a request was used for another request.
	ErrReused = errors.New("relay: used before")
	// ErrStale: another writer was faster. The error is a *StaleError.
	ErrStale = errors.New("relay: changed meanwhile")
	// ErrDevices: devices are missing or too many. The error is a *DevicesError.
	ErrDevices = errors.New("relay: not the devices of the directory")
	// ErrMembers: people are named as members who cannot be. The error is a *MembersError.
	ErrMembers = errors.New("relay: not possible as members")
	// ErrBeforeJoined: the device came later. The error is a *BeforeJoinedError.
	ErrBeforeJoined = errors.New("relay: before the device joined")
	// ErrQuota: the caller has no room left. What is acknowledged, answered or expired makes room.
	ErrQuota = errors.New("relay: quota")
)

// StaleError says what a change has to be made from.
type StaleError struct {
	Current uint64 `json:"current"` // the version of a person, the number of a session, or how many bytes of a blob were received
}

// Error implements error.
func (e *StaleError) Error() string { return fmt.Sprintf("%v: current is %d", ErrStale, e.Current) }

// Is implements errors.Is.
func (e *StaleError) Is(target error) bool { return target == ErrStale }

// DeletedError says that a person was deleted, with what it signed: see Deletion.Verify.
type DeletedError struct {
	Deletion Deletion `json:"deletion"`
}

// Error implements error.
func (e *DeletedError) Error() string { return ErrDeleted.Error() }

// Is implements errors.Is.
func (e *DeletedError) Is(target error) bool { return target == ErrDeleted }

// DevicesError says in which devices a request differs from the directory.
type DevicesError struct {
	Missing []DeviceID `json:"missing,omitempty"` // to be added
	Extra   []DeviceID `json:"extra,omitempty"`   // to be left out
}

// Error implements error.
func (e *DevicesError) Error() string {
	return fmt.Sprintf("%v: missing %v, extra %v", ErrDevices, e.Missing, e.Extra)
}

// Is implements errors.Is.
func (e *DevicesError) Is(target error) bool { return target == ErrDevices }

// MembersError says which of the proposed members there cannot be.
type MembersError struct {
	Unknown []key.Address `json:"unknown,omitempty"` // they are not in the directory
	Leaving []key.Address `json:"leaving,omitempty"` // they want to be left out; a later session may have them again
}

// Error implements error.
func (e *MembersError) Error() string {
	return fmt.Sprintf("%v: unknown %v, leaving %v", ErrMembers, e.Unknown, e.Leaving)
}

// Is implements errors.Is.
func (e *MembersError) Is(target error) bool { return target == ErrMembers }

// BeforeJoinedError says from when on a device has part in a conversation.
type BeforeJoinedError struct {
	First uint64 `json:"first"` // the first session that the device can read; 0 if it has part in none yet
}

// Error implements error.
func (e *BeforeJoinedError) Error() string {
	return fmt.Sprintf("%v: it reads from session %d on", ErrBeforeJoined, e.First)
}

// Is implements errors.Is.
func (e *BeforeJoinedError) Is(target error) bool { return target == ErrBeforeJoined }

// Malformed puts an error of packages key and directory into its class. Most programs do not call Malformed.
func Malformed(err error) error {
	switch {
	case errors.Is(err, key.ErrUnverified):
		return fmt.Errorf("%w: %w", ErrUnverified, err)
	case errors.Is(err, directory.ErrReused):
		return fmt.Errorf("%w: %w", ErrReused, err)
	case errors.Is(err, directory.ErrFull):
		return fmt.Errorf("%w: %w", ErrQuota, err)
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}
