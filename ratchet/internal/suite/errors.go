package suite

import "errors"

// ErrNotOpened: a key does not open this.
var ErrNotOpened = errors.New("ratchet: does not open")

// ErrInvalid: a signature, a proof or a key is false, or fields contradict each other.
var ErrInvalid = errors.New("ratchet: does not verify")
