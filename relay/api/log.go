package api

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Hash is a hash of the tree of the log, SHA-256.
type Hash [sha256.Size]byte

const labelLeaf = "trefoil/relay leaf"

// LeafRecord returns the record of a publication in the log: a label, the address, the version and the digest of the
// registration. RecordHash of package golang.org/x/mod/sumdb/tlog makes a leaf of it.
func LeafRecord(person key.Address, version uint64, registration []byte) []byte {
	digest := sha256.Sum256(registration)
	return labelled(labelLeaf, person[:], binary.BigEndian.AppendUint64(nil, version), digest[:])
}

// LogHead is the state of the log.
type LogHead struct {
	Size uint64 `json:"size"` // leaves
	Root Hash   `json:"root"`
}

// Leaf is an entry of the log.
type Leaf struct {
	Person  key.Address `json:"person"`
	Version uint64      `json:"version"`
	Hash    Hash        `json:"hash"`
}
