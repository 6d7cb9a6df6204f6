package relay

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

type deviceRow struct {
	ID        api.DeviceID
	Person    key.Address
	Name      [key.PublicKeySize]byte
	Identity  [key.PublicKeySize]byte
	Renewals  uint32
	Mailbox   [key.VerifyKeySize]byte
	Number    uint32 // of the bundle
	Bundle    []byte
	Highest   uint32 // ID of a one-time pre-key that was ever published
	Unclaimed uint32 // how many there are
	Added     uint64 // version of the person's registration that brought the device
	Renewed   uint64 // version that brought its keys
}

func (r *deviceRow) fields() []any {
	return []any{&r.ID, &r.Person, &r.Name, &r.Identity, &r.Renewals, &r.Mailbox, &r.Number, &r.Bundle, &r.Highest, &r.Unclaimed,
		&r.Added, &r.Renewed}
}

type revocationRow struct {
	Device  api.DeviceID
	Version uint64
	At      int64
	Swept   bool // nothing is left of its mailbox
}

func (r *revocationRow) fields() []any { return []any{&r.Device, &r.Version, &r.At, &r.Swept} }

var (
	devices     = table[deviceRow, *deviceRow]{store.Devices}
	revocations = table[revocationRow, *revocationRow]{store.Revocations}
)

// caller returns the device that calls, or ErrForbidden if there is none, or ErrRevoked.
func caller(r store.Reader, id api.DeviceID) (deviceRow, error) {
	d, found, err := devices.get(r, id)
	switch {
	case err != nil:
		return d, err
	case !found:
		return d, fmt.Errorf("%w: no such device", api.ErrForbidden)
	}
	_, revoked, err := revocations.get(r, id)
	if err == nil && revoked {
		err = api.ErrRevoked
	}
	return d, err
}

// another returns a device that does not call, or ErrForbidden if there is none or it was revoked: ErrRevoked would say that the
// caller was.
func another(r store.Reader, id api.DeviceID) (deviceRow, error) {
	d, err := caller(r, id)
	if errors.Is(err, api.ErrForbidden) {
		err = fmt.Errorf("%w: the other device is not there", api.ErrForbidden)
	}
	return d, err
}

// maxDevices is how many devices of one person there are, with those revoked: registrations that replace all their devices
// again and again come to an end.
const maxDevices = 16 * directory.MaxDevices

// devicesOf returns the devices of a person that are not revoked, and those that are.
func devicesOf(r store.Reader, person key.Address) (live, revoked []deviceRow, err error) {
	all, err := devices.scan(r, maxDevices, "person", person)
	if err != nil {
		return nil, nil, err
	}
	keys := make([]store.Key, len(all))
	for i, d := range all {
		keys[i] = values([]any{d.ID})
	}
	gone, err := revocations.all(r, keys)
	if err != nil {
		return nil, nil, err
	}
	isGone := make(map[api.DeviceID]bool, len(gone))
	for _, g := range gone {
		isGone[g.Device] = true
	}
	for _, d := range all {
		if isGone[d.ID] {
			revoked = append(revoked, d)
		} else {
			live = append(live, d)
		}
	}
	return live, revoked, nil
}
