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
type Part[P Part[P]] interface {
	Piece[P]
	// Succeeds reports whether the receiver may replace prev in the store. It is asked before every commit and returns
	// an error if something would go backwards: a cursor, a counter, the membership of a space. A caller's program never
	// gets past it; it is the last line against stale copies.
	Succeeds(prev P) error
}
