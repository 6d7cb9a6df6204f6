package state

import "github.com/trefoil-im/trefoil/state/store"

// ID names one stored value: a space, the sessions with one device of somebody else, or a device.
type ID = store.ID

// NewID returns a fresh random ID.
func NewID() ID { return store.NewID() }
