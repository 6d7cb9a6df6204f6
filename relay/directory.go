package relay

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Directory is who there is: people, their devices, and the keys with which others begin sessions.
type Directory struct{ b base }

type personRow struct {
	Address key.Address
	Version uint64
	Leaf    uint64
}

// registrationRow is there unless the person was deleted.
type registrationRow struct {
	Person       key.Address
	Registration []byte
}

func (r *personRow) fields() []any       { return []any{&r.Address, &r.Version, &r.Leaf} }
func (r *registrationRow) fields() []any { return []any{&r.Person, &r.Registration} }

var (
	persons       = table[personRow, *personRow]{store.Persons}
	registrations = table[registrationRow, *registrationRow]{store.Registrations}
)

// Publish registers a person, or replaces its registration: it adds devices, renews their keys, and revokes those that the
// registration does not name any longer, for good. It is complete or refused: with ErrMalformed or ErrUnverified; with a
// *StaleError if the version is not the next one; with a *DevicesError if Devices are not exactly those with new keys; with
// ErrRevoked for a device that was revoked before; with a *DeletedError for a person that was deleted; with ErrExists for a mailbox that another device has; with ErrQuota after
// 1,024 devices.
//
// The same publication again returns the same, so an answer that was lost can be had again.
func (d *Directory) Publish(ctx context.Context, p api.Publication) (out api.Published, err error) {
	v, err := verify(p)
	if err != nil {
		return api.Published{}, err
	}
	err = d.b.store.Update(ctx, func(tx store.Tx) error {
		out, err = v.publish(tx, d.b.now())
		return err
	})
	if err != nil {
		return api.Published{}, err
	}
	return out, nil
}

func (p published) publish(tx store.Tx, at int64) (api.Published, error) {
	person, found, err := persons.get(tx, p.address)
	if err != nil {
		return api.Published{}, err
	}
	if err := refuseDeleted(tx, person); err != nil {
		return api.Published{}, err
	}
	now, _, err := registrations.get(tx, p.address)
	if err != nil {
		return api.Published{}, err
	}
	repeated := found && p.Version == person.Version && string(p.Registration) == string(now.Registration)
	if !repeated && p.Version != person.Version+1 {
		return api.Published{}, &api.StaleError{Current: person.Version}
	}
	live, revoked, err := devicesOf(tx, p.address)
	if err != nil {
		return api.Published{}, err
	}
	if repeated {
		return api.Published{Version: person.Version, Leaf: person.Leaf, Devices: ids(live)}, nil
	}
	c, err := p.compare(live, revoked)
	if err != nil {
		return api.Published{}, err
	}
	leaf, err := appendLeaf(tx, p.address, p.Version, p.Registration)
	if err != nil {
		return api.Published{}, err
	}
	if err := persons.put(tx, personRow{p.address, p.Version, leaf.Leaf}); err != nil {
		return api.Published{}, err
	}
	if err := registrations.put(tx, registrationRow{p.address, p.Registration}); err != nil {
		return api.Published{}, err
	}
	if err := leaves.insert(tx, leaf); err != nil {
		return api.Published{}, err
	}
	if err := c.write(tx, at); err != nil {
		return api.Published{}, err
	}
	return api.Published{Version: p.Version, Leaf: leaf.Leaf, Devices: c.ids, Revoked: ids(c.gone)}, nil
}

// comparison is how a publication differs from what is stored.
type comparison struct {
	ids     []api.DeviceID // of all entries, in their order
	added   []deviceRow
	renewed []deviceRow
	gone    []deviceRow
	p       published
}

// compare finds out what a publication changes, and whether it may.
func (p published) compare(live, revoked []deviceRow) (c comparison, err error) {
	c.p = p
	before := make(map[api.DeviceID]deviceRow)
	for _, d := range live {
		before[d.ID] = d
	}
	barred := make(map[api.DeviceID]bool)
	for _, d := range revoked {
		barred[d.ID] = true
	}
	wrong, needed := &api.DevicesError{}, 0
	for _, e := range p.entries {
		id := api.NewDeviceID(p.address, e.Name())
		c.ids = append(c.ids, id)
		old, known := before[id]
		delete(before, id)
		given, isGiven := p.devices[id]
		switch {
		case barred[id]:
			return c, fmt.Errorf("%w: a revoked device comes back as a new one only", api.ErrRevoked)
		case known && e.Renewals() < old.Renewals:
			return c, fmt.Errorf("%w: older keys of a device", api.ErrReused)
		case known && e.Renewals() == old.Renewals:
			if [key.PublicKeySize]byte(e.Identity().Bytes()) != old.Identity || e.Mailbox() != old.address() {
				return c, fmt.Errorf("%w: other keys of a device that was not renewed", api.ErrUnverified)
			}
			continue
		case !isGiven:
			wrong.Missing = append(wrong.Missing, id)
			continue
		}
		needed++
		row := p.deviceRow(id, e, given)
		if known {
			row.Added = old.Added
			c.renewed = append(c.renewed, row)
		} else {
			c.added = append(c.added, row)
		}
	}
	if needed != len(p.devices) {
		for id := range p.devices {
			if !c.changes(id) {
				wrong.Extra = append(wrong.Extra, id)
			}
		}
	}
	if len(wrong.Missing)+len(wrong.Extra) > 0 {
		return c, wrong
	}
	if len(live)+len(revoked)+len(c.added) > maxDevices {
		return c, fmt.Errorf("%w: %d devices in all", api.ErrQuota, maxDevices)
	}
	for _, d := range live {
		if _, left := before[d.ID]; left {
			c.gone = append(c.gone, d)
		}
	}
	return c, nil
}

// changes reports whether a device is new or renewed.
func (c comparison) changes(id api.DeviceID) bool {
	for _, rows := range [][]deviceRow{c.added, c.renewed} {
		for _, d := range rows {
			if d.ID == id {
				return true
			}
		}
	}
	return false
}

func (p published) deviceRow(id api.DeviceID, e directory.Entry, v verifiedDevice) deviceRow {
	row := deviceRow{ID: id, Person: p.address, Renewals: e.Renewals(), Added: p.Version, Renewed: p.Version}
	row.Number, row.Bundle = v.bundle.Number(), v.raw.Bundle
	copy(row.Name[:], e.Name().Bytes())
	copy(row.Identity[:], e.Identity().Bytes())
	copy(row.Mailbox[:], v.bundle.Mailbox().Bytes())
	row.stock(v.oneTime)
	return row
}

// stock counts one-time pre-keys that come.
func (r *deviceRow) stock(keys []directory.OneTimePreKey) {
	if len(keys) > 0 {
		r.Highest = keys[len(keys)-1].ID()
		r.Unclaimed += uint32(len(keys))
	}
}

// address returns the address of the device's mailbox.
func (r deviceRow) address() key.Address {
	k, err := key.ParseVerifyKey(r.Mailbox[:])
	if err != nil {
		return key.Address{} // was checked before it was stored
	}
	return k.Address()
}

func ids(rows []deviceRow) []api.DeviceID {
	out := make([]api.DeviceID, len(rows))
	for i, d := range rows {
		out[i] = d.ID
	}
	return out
}

// write writes the devices that a publication adds, renews and revokes.
func (c comparison) write(tx store.Tx, now int64) error {
	for _, d := range c.renewed {
		// The keys before may have been stolen: none of them is handed out again, in no answer.
		if err := forgetKeys(tx, d.ID); err != nil {
			return err
		}
		if err := tokens.clear(tx, "device", d.ID); err != nil {
			return err
		}
	}
	for _, d := range append(c.added, c.renewed...) {
		if other, err := devices.scan(tx, 1, "mailbox", d.Mailbox); err != nil {
			return err
		} else if len(other) > 0 && other[0].ID != d.ID {
			return fmt.Errorf("%w: another device has this mailbox", api.ErrExists)
		}
		if err := devices.put(tx, d); err != nil {
			return err
		}
		if err := putOneTime(tx, d.ID, c.p.devices[d.ID]); err != nil {
			return err
		}
	}
	for _, d := range c.added {
		if err := mailboxes.insert(tx, mailboxRow{Device: d.ID}); err != nil {
			return err
		}
	}
	for _, d := range append(c.added, c.renewed...) {
		if err := addSubscription(tx, d.address().String(), d.ID); err != nil {
			return err
		}
	}
	return revoke(tx, c.p.Version, now, c.gone...)
}

// revoke ends devices for good, with a version of their person's registration.
func revoke(tx store.Tx, version uint64, now int64, gone ...deviceRow) error {
	for _, d := range gone {
		if err := revocations.insert(tx, revocationRow{d.ID, version, now, false}); err != nil {
			return err
		}
		if err := forgetKeys(tx, d.ID); err != nil {
			return err
		}
		if err := tokens.clear(tx, "device", d.ID); err != nil {
			return err
		}
		if err := subscriptions.clear(tx, "device", d.ID); err != nil {
			return err
		}
	}
	return nil
}
