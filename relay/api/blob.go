package api

import (
	"crypto/sha256"
	"encoding/hex"
)

// BlobAddress is the SHA-256 digest of a blob.
type BlobAddress [sha256.Size]byte

// String returns the address as 64 hexadecimal digits.
func (a BlobAddress) String() string { return hex.EncodeToString(a[:]) }
