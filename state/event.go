package state

// Event is something worth knowing that happened beside the result of a call. Each kind of event is a type of its own;
// other packages add theirs. An event holds no key material and no plaintext.
type Event interface {
	// Event returns one line for a log.
	Event() string
}
