package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// DeviceID names a device of a person for as long as it exists, also when all of its keys were renewed.
type DeviceID [sha256.Size]byte

// labelDeviceID is part of the format, like the other labels of this package.
const labelDeviceID = "trefoil/relay device id"

// NewDeviceID returns the ID of the device that a person registered first with the identity key name (see directory.Entry.Name):
// the SHA-256 digest of a label, the address and the key.
func NewDeviceID(person key.Address, name key.PublicKey[key.Identity]) DeviceID {
	return sha256.Sum256(labelled(labelDeviceID, person[:], name.Bytes()))
}

// String returns the ID as 64 hexadecimal digits.
func (d DeviceID) String() string { return hex.EncodeToString(d[:]) }

// labelled returns what is hashed or signed: a label, a zero byte, and fields, each of which has a fixed length.
func labelled(label string, fields ...[]byte) []byte {
	b := append([]byte(label), 0)
	for _, f := range fields {
		b = append(b, f...)
	}
	return b
}

// Compare returns -1, 0 or 1: IDs are ordered as bytes.
func (d DeviceID) Compare(o DeviceID) int { return bytes.Compare(d[:], o[:]) }
