package relay

import (
	"context"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Person is what the directory knows of a person.
type Person struct {
	Address      key.Address
	Version      uint64 // of the registration
	Registration []byte // as it was published: directory.ParseRegistration reads it
	Leaf         uint64 // its place in the log
	Devices      []Device
	Changes      []Change // since the version that the caller knew, without those of a device that is gone again
}

// Device is a device of a person that is not revoked.
type Device struct {
	ID        DeviceID
	Bundle    []byte // directory.Bundle: the newest one
	Unclaimed int    // one-time pre-keys that are left
}

// Change says that a device is not what it was in the version that the caller knew.
type Change struct {
	Device DeviceID
	What   ChangeKind
	In     uint64 // the version that brought it
}

// ChangeKind is a kind of Change.
type ChangeKind uint8

// The kinds of Change.
const (
	Added   ChangeKind = iota + 1 // the device is new
	Renewed                       // all of its keys are others: they may have been stolen
	Revoked                       // it speaks for the person no longer
)

// Lookup returns what the directory knows of a person, or ErrNotFound. It consumes nothing. Known is the version that the caller has
// seen, 0 for none: Changes says what is different since.
func (d *Directory) Lookup(ctx context.Context, person key.Address, known uint64) (out Person, err error) {
	err = d.b.store.View(ctx, func(r store.Reader) error {
		row, found, err := persons.get(r, person)
		if err != nil || !found {
			return orNotFound(err, "no such person")
		}
		live, revoked, err := devicesOf(r, person)
		if err != nil {
			return err
		}
		out = Person{Address: person, Version: row.Version, Registration: row.Registration, Leaf: row.Leaf}
		for _, d := range live {
			out.Devices = append(out.Devices, Device{d.ID, d.Bundle, int(d.Unclaimed)})
			switch {
			case d.Added > known:
				out.Changes = append(out.Changes, Change{d.ID, Added, d.Added})
			case d.Renewed > known:
				out.Changes = append(out.Changes, Change{d.ID, Renewed, d.Renewed})
			}
		}
		for _, d := range revoked {
			gone, _, err := revocations.get(r, d.ID)
			if err != nil {
				return err
			}
			if d.Added <= known && gone.Version > known {
				out.Changes = append(out.Changes, Change{d.ID, Revoked, gone.Version})
			}
		}
		return nil
	})
	return out, err
}
