package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Maker is a member as its signatures show it: two keys of one index are two makers.
type Maker struct {
	Index dkg.Index
	Key   suite.PublicKey
}

// Millis is a time in milliseconds since 1970: of the wall clock, or of the pruning clock where an age is measured (§5).
type Millis = int64
