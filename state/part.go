package state

// Piece is a value that can be stored as a segment of a part, or as a part. Implementations are immutable values without
// MarshalBinary, MarshalJSON or GobEncode.
type Piece[P any] interface {
	// Encode writes the value. What it writes must be canonical: equal values write equal bytes.
	Encode(*Encoder)
	// Decode reads what Encode wrote. It is called on the zero value. It need not look for trailing bytes nor for
	// failures of the Decoder: its caller does.
	Decode(*Decoder) (P, error)
}

// Part is one of the parts of a stored value. It writes itself into an Encoder, whose contents only a Vault can read: no
// exported function yields the bytes of a part, so nobody can save one by itself.
//
// A part that remembers something of each retained frame is a keeper: it has, too,
//
//	// Forget returns the part without what it remembers of frames, named by Frame.Hash, of which the vault has given up some
//	// and may never have known others. It is part of the commit in which they are given up.
//	Forget(frames ...[32]byte) P
//
// A keeper decides itself which frames are given up (Tx.GiveUp): those of one source that are too many, those that are too old.
// Of a vault's own bounds only those of all retained frames hold then, Options.Retained and Options.RetainedBytes.
type Part[P Part[P]] interface {
	Piece[P]
	// Succeeds reports whether the receiver may replace prev in the store. It is asked before every commit and returns
	// an error if something would go backwards: a cursor, a counter, the membership of a space. A caller's program never
	// gets past it; it is the last line against stale copies.
	Succeeds(prev P) error
}

// keeper is a part that is told which frames are given up.
type keeper[P any] interface{ Forget(frames ...[32]byte) P }

// forget has a part forget frames, if it is a keeper.
func forget[P any](part P, frames [][32]byte) P {
	if k, ok := any(part).(keeper[P]); ok {
		return k.Forget(frames...)
	}
	return part
}

// keeps reports whether a part is a keeper.
func keeps[P any](part P) bool {
	_, ok := any(part).(keeper[P])
	return ok
}
