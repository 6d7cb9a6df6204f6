package relay

import (
	"context"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Lookup returns what the directory knows of a person, or ErrNotFound, or a *DeletedError if it was deleted. It consumes nothing. Known is the version that the
// caller has seen, 0 for none: Changes says what is different since.
func (d *Directory) Lookup(ctx context.Context, person key.Address, known uint64) (out api.Person, err error) {
	err = d.b.store.View(ctx, func(r store.Reader) error {
		row, found, err := persons.get(r, person)
		if err != nil || !found {
			return or(err, api.ErrNotFound, "no such person")
		}
		if err := refuseDeleted(r, row); err != nil {
			return err
		}
		registration, _, err := registrations.get(r, person)
		if err != nil {
			return err
		}
		live, revoked, err := devicesOf(r, person)
		if err != nil {
			return err
		}
		out = api.Person{Address: person, Version: row.Version, Registration: registration.Registration, Leaf: row.Leaf}
		for _, d := range live {
			out.Devices = append(out.Devices, api.Device{ID: d.ID, Bundle: d.Bundle, Unclaimed: int(d.Unclaimed)})
			switch {
			case d.Added > known:
				out.Changes = append(out.Changes, api.Change{Device: d.ID, What: api.Added, In: d.Added})
			case d.Renewed > known:
				out.Changes = append(out.Changes, api.Change{Device: d.ID, What: api.Renewed, In: d.Renewed})
			}
		}
		for _, d := range revoked {
			gone, _, err := revocations.get(r, d.ID)
			if err != nil {
				return err
			}
			if d.Added <= known && gone.Version > known {
				out.Changes = append(out.Changes, api.Change{Device: d.ID, What: api.Revoked, In: gone.Version})
			}
		}
		return nil
	})
	return out, err
}
