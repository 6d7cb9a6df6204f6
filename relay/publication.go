package relay

import (
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
)

// published is a publication of which every signature was verified.
type published struct {
	api.Publication
	address key.Address
	entries []directory.Entry
	devices map[api.DeviceID]verifiedDevice // those of Publication.Devices
}

// verifiedDevice is a device with its keys, all of which its mailbox key signed.
type verifiedDevice struct {
	bundle  directory.Bundle
	oneTime []directory.OneTimePreKey
	raw     api.PublishedDevice
}

// verify checks all that can be checked without what is stored: that the publication is of one person, signed by it, and that
// each device agrees to be in it.
func verify(p api.Publication) (published, error) {
	out := published{Publication: p, address: p.Person.Address(), devices: make(map[api.DeviceID]verifiedDevice)}
	if len(p.Registration) == 0 || len(p.Registration) > api.MaxRegistration || len(p.Devices) > directory.MaxDevices {
		return out, fmt.Errorf("%w: length of a publication", api.ErrMalformed)
	}
	r, err := directory.ParseRegistration(p.Registration)
	if err != nil {
		return out, api.Malformed(err)
	}
	person, err := r.Verify(out.address)
	if err != nil {
		return out, api.Malformed(err)
	}
	if err := p.Person.Verify(p.Message(), p.Signature); err != nil {
		return out, api.Malformed(err)
	}
	out.entries = person.Entries()
	for _, d := range p.Devices {
		id, v, err := verifyDevice(person, d)
		if err != nil {
			return out, err
		}
		if _, twice := out.devices[id]; twice {
			return out, fmt.Errorf("%w: a device is published twice", api.ErrMalformed)
		}
		out.devices[id] = v
	}
	return out, nil
}

func verifyDevice(person directory.Person, d api.PublishedDevice) (api.DeviceID, verifiedDevice, error) {
	b, err := directory.ParseBundle(d.Bundle)
	if err != nil {
		return api.DeviceID{}, verifiedDevice{}, api.Malformed(err)
	}
	peer, err := person.WithBundle(b)
	if err != nil {
		return api.DeviceID{}, verifiedDevice{}, api.Malformed(err)
	}
	if err := b.Mailbox().VerifyStatement(peer.Entry().Consent(person.Address()), d.Proof); err != nil {
		return api.DeviceID{}, verifiedDevice{}, api.Malformed(err)
	}
	keys, err := parseOneTime(b, d.OneTime)
	return api.NewDeviceID(person.Address(), peer.Name()), verifiedDevice{b, keys, d}, err
}

// parseOneTime reads one-time pre-keys, which must be signed by the device of the bundle and have ascending IDs.
func parseOneTime(b directory.Bundle, raw [][]byte) ([]directory.OneTimePreKey, error) {
	if len(raw) > directory.MaxOneTime {
		return nil, fmt.Errorf("%w: %d one-time pre-keys at most", api.ErrQuota, directory.MaxOneTime)
	}
	var keys []directory.OneTimePreKey
	for _, r := range raw {
		k, err := directory.ParseOneTimePreKey(r)
		if err != nil {
			return nil, api.Malformed(err)
		}
		keys = append(keys, k)
	}
	if _, err := directory.NewPreKeys(b).Add(keys...); err != nil {
		return nil, api.Malformed(err)
	}
	return keys, nil
}
