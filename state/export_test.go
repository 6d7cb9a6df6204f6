package state

import "github.com/trefoil-im/trefoil/state/store"

// Database returns the ID of a store.
func Database(row store.Row) (id [16]byte) {
	copy(id[:], row.Parts[0][2:])
	return id
}

// DataKey returns the name of the key under which something is sealed.
func DataKey(sealed []byte) [8]byte { return keyOf(sealed) }
