package relay

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Publication is what a person publishes: its registration, with all that others need to begin sessions with the devices that
// are new in it.
type Publication struct {
	Person       key.VerifyKey     // the key that signs
	Version      uint64            // 1 for the first one, then one more than the one before
	Registration []byte            // what directory.Registration.JSON returns
	Devices      []PublishedDevice // exactly those that are new, or whose keys were renewed, since the version before
	Signature    []byte            // by Person, of Message
}

// PublishedDevice is what a device publishes when it is new, or when its keys were renewed.
type PublishedDevice struct {
	Bundle  []byte   // directory.Bundle, 2,690 bytes
	Proof   []byte   // a signature by the mailbox key, of DeviceProof
	OneTime [][]byte // directory.OneTimePreKey, 1,417 bytes each, in ascending order of ID; there may be none
}

// Labels of what is signed for a relay. They are part of the formats.
const (
	labelPublication = "trefoil/relay publication"
	labelDevice      = "trefoil/relay device"
)

// Message returns what the person signs: a label, the version and the digest of the registration. With the version in it no
// registration can be put back that was replaced.
func (p Publication) Message() []byte {
	digest := sha256.Sum256(p.Registration)
	return labelled(labelPublication, binary.BigEndian.AppendUint64(nil, p.Version), digest[:])
}

// DeviceProof returns what the mailbox key of a device signs to say that the device is one of that person: a label, the address, and
// the entry's name, renewals, identity and mailbox. Nobody can register the keys of somebody else without it.
func DeviceProof(person key.Address, e directory.Entry) []byte {
	mailbox := e.Mailbox()
	return labelled(labelDevice, person[:], e.Name().Bytes(), binary.BigEndian.AppendUint32(nil, e.Renewals()), e.Identity().Bytes(), mailbox[:])
}

// published is a publication of which every signature was verified.
type published struct {
	Publication
	address key.Address
	entries []directory.Entry
	devices map[DeviceID]verifiedDevice // those of Publication.Devices
}

// verifiedDevice is a device with its keys, all of which its mailbox key signed.
type verifiedDevice struct {
	bundle  directory.Bundle
	oneTime []directory.OneTimePreKey
	raw     PublishedDevice
}

// verify checks all that can be checked without what is stored: that the publication is of one person, signed by it, and that
// each device agrees to be in it.
func (p Publication) verify() (published, error) {
	out := published{Publication: p, address: p.Person.Address(), devices: make(map[DeviceID]verifiedDevice)}
	if len(p.Registration) == 0 || len(p.Registration) > store.MaxRegistration || len(p.Devices) > directory.MaxDevices {
		return out, fmt.Errorf("%w: length of a publication", ErrMalformed)
	}
	r, err := directory.ParseRegistration(p.Registration)
	if err != nil {
		return out, malformed(err)
	}
	person, err := r.Verify(out.address)
	if err != nil {
		return out, malformed(err)
	}
	if err := p.Person.Verify(p.Message(), p.Signature); err != nil {
		return out, malformed(err)
	}
	out.entries = person.Entries()
	for _, d := range p.Devices {
		id, v, err := d.verify(person)
		if err != nil {
			return out, err
		}
		if _, twice := out.devices[id]; twice {
			return out, fmt.Errorf("%w: a device is published twice", ErrMalformed)
		}
		out.devices[id] = v
	}
	return out, nil
}

func (d PublishedDevice) verify(person directory.Person) (DeviceID, verifiedDevice, error) {
	b, err := directory.ParseBundle(d.Bundle)
	if err != nil {
		return DeviceID{}, verifiedDevice{}, malformed(err)
	}
	peer, err := person.WithBundle(b)
	if err != nil {
		return DeviceID{}, verifiedDevice{}, malformed(err)
	}
	if err := b.Mailbox().Verify(DeviceProof(person.Address(), peer.Entry()), d.Proof); err != nil {
		return DeviceID{}, verifiedDevice{}, malformed(err)
	}
	keys, err := parseOneTime(b, d.OneTime)
	return NewDeviceID(person.Address(), peer.Name()), verifiedDevice{b, keys, d}, err
}

// parseOneTime reads one-time pre-keys, which must be signed by the device of the bundle and have ascending IDs.
func parseOneTime(b directory.Bundle, raw [][]byte) ([]directory.OneTimePreKey, error) {
	if len(raw) > directory.MaxOneTime {
		return nil, fmt.Errorf("%w: %d one-time pre-keys at most", ErrQuota, directory.MaxOneTime)
	}
	var keys []directory.OneTimePreKey
	for _, r := range raw {
		k, err := directory.ParseOneTimePreKey(r)
		if err != nil {
			return nil, malformed(err)
		}
		keys = append(keys, k)
	}
	if _, err := directory.NewPreKeys(b).Add(keys...); err != nil {
		return nil, malformed(err)
	}
	return keys, nil
}
