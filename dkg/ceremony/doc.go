// Package ceremony is a key ceremony: several parties make the shares of a threshold.Key, or change them, over any network
// and without a dealer whom they trust.
//
// A Setup says what is to be done and by whom: NewGeneration makes a key, NewRefresh new shares of it for the same
// holders, NewResharing new shares for others or with another threshold, NewRepair the lost share of one holder. All
// parties begin with the same Setup. A Run is one party's side of it:
//
//	run, err := ceremony.Begin(setup, identity, share)  // share: what the party holds of the key, if there is one
//	send(run.Messages())                                // once run is stored; the same bytes at every call
//	run, err = run.Receive(message)                     // for every message, in any order, repeated or not; then send again
//	result, err := run.Result()                         // ErrUnfinished, ErrStopped with who cheated, or the shares
//
// A Run is an immutable value and a state.Part: it is stored before its messages are sent, so that a party that
// crashes goes on where it was. The package reads no clock and does no I/O. Whoever is silent, or blamed, is left out of
// the next attempt by Setup.Without.
//
// Blame rests on evidence that any third party can check with the Setup (Setup.CheckBlame). docs/design/dkg.md has formulas,
// formats, and what is promised to whom.
package ceremony

import "errors"

// Errors of this package, to be found with errors.Is. Their texts show no secret.
var (
	// ErrSetup: parties, threshold and key that no ceremony can have, or a party that has no part in it.
	ErrSetup = errors.New("ceremony: invalid setup")
	// ErrTooFew: fewer parties than the key needs remain. What is left to those is another ceremony.
	ErrTooFew = errors.New("ceremony: too few parties remain")
	// ErrMessage: bytes that are no message of this ceremony, or not signed by whom they name. Nobody is blamed for them.
	ErrMessage = errors.New("ceremony: invalid message")
	// ErrUnfinished: messages of others are missing; Run.Waiting says whose.
	ErrUnfinished = errors.New("ceremony: not finished")
	// ErrStopped: this attempt cannot finish here. The errors joined to it say who is to blame.
	ErrStopped = errors.New("ceremony: stopped")
	// ErrEvidence: bytes that convict nobody.
	ErrEvidence = errors.New("ceremony: no evidence")
	// ErrStale: a run that is older than another one: it must not replace it, nor go on. It lacks messages that were
	// sent, or is of another ceremony.
	ErrStale = errors.New("ceremony: run does not succeed the one before")
)
