package api

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Publication is what a person publishes: its registration, with all that others need to begin sessions with the devices that
// are new in it.
type Publication struct {
	Person       key.VerifyKey     `json:"person"`                 // the key that signs
	Version      uint64            `json:"version"`                // 1 for the first one, then one more than the one before
	Registration []byte            `json:"registration,omitempty"` // what directory.Registration.JSON returns
	Devices      []PublishedDevice `json:"devices,omitempty"`      // exactly those that are new, or whose keys were renewed, since the version before
	Signature    []byte            `json:"signature,omitempty"`    // by Person, of Message
}

// PublishedDevice is what a device publishes when it is new, or when its keys were renewed.
type PublishedDevice struct {
	Bundle  []byte   `json:"bundle,omitempty"`  // directory.Bundle, 2,690 bytes
	Proof   []byte   `json:"proof,omitempty"`   // the mailbox key's statement (see session.Device.Sign) of directory.Entry.Consent
	OneTime [][]byte `json:"oneTime,omitempty"` // directory.OneTimePreKey, 1,417 bytes each, in ascending order of ID; there may be none
}

// Labels of what is signed for a relay. They are part of the formats.
const (
	labelPublication = "trefoil/relay publication"
	labelDeletion    = "trefoil/relay deletion"
)

// Message returns what the person signs: a label, the version and the digest of the registration. With the version in it no
// registration can be put back that was replaced.
func (p Publication) Message() []byte {
	digest := sha256.Sum256(p.Registration)
	return labelled(labelPublication, binary.BigEndian.AppendUint64(nil, p.Version), digest[:])
}

// Deletion is what a person signs to be taken out of the directory, for good. Its address is never registered again.
type Deletion struct {
	Person    key.VerifyKey `json:"person"`
	Version   uint64        `json:"version"` // one more than that of the registration
	Signature []byte        `json:"signature,omitempty"`
}

// Message returns what the person signs: a label and the version.
func (d Deletion) Message() []byte {
	return labelled(labelDeletion, binary.BigEndian.AppendUint64(nil, d.Version))
}

// Verify returns nil if the person of an address has signed the deletion: a relay cannot make one up.
func (d Deletion) Verify(person key.Address) error {
	if d.Person.Address() != person {
		return key.ErrUnverified
	}
	return d.Person.Verify(d.Message(), d.Signature)
}

// Published is what became of a publication, or of a deletion.
type Published struct {
	Version uint64     `json:"version"`
	Leaf    uint64     `json:"leaf"` // its place in the log
	Devices []DeviceID `json:"devices,omitempty"`
	Revoked []DeviceID `json:"revoked,omitempty"` // by this publication
}
