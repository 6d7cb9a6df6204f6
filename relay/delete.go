package relay

import (
	"context"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// deletionRow is what is left of a person that was deleted, beside its address: what it signed.
type deletionRow struct {
	Person    key.Address
	Key       [key.VerifyKeySize]byte
	Signature [key.SignatureSize]byte
	At        int64
	Swept     bool // no blob of the person is left
}

func (r *deletionRow) fields() []any { return []any{&r.Person, &r.Key, &r.Signature, &r.At, &r.Swept} }

var deletions = table[deletionRow, *deletionRow]{store.Deletions}

// Delete takes a person out of the directory for good, as the person itself has signed: its registration goes, all of its devices are
// revoked, and with them their pre-keys, tokens and subscriptions; the log gets a leaf that says so. Whoever looks the person up is
// told that it was deleted, with what it signed. Conversations that it is a member of can go on without it only. Sweep removes
// what is left in its mailboxes, and its blobs; what it sent stays with those that it was sent to.
//
// It returns ErrMalformed or ErrUnverified; ErrNotFound if there is no such person; a *StaleError if the version is not the next one.
// The same deletion again returns the same, another one of the person a *DeletedError.
func (d *Directory) Delete(ctx context.Context, in api.Deletion) (out api.Published, err error) {
	if err := in.Person.Verify(in.Message(), in.Signature); err != nil {
		return api.Published{}, api.Malformed(err)
	}
	row := deletionRow{Person: in.Person.Address(), Key: [key.VerifyKeySize]byte(in.Person.Bytes()),
		Signature: [key.SignatureSize]byte(in.Signature), At: d.b.now()}
	err = d.b.store.Update(ctx, func(tx store.Tx) error {
		out, err = row.delete(tx, in.Version)
		return err
	})
	if err != nil {
		return api.Published{}, err
	}
	return out, nil
}

func (r deletionRow) delete(tx store.Tx, version uint64) (api.Published, error) {
	person, found, err := persons.get(tx, r.Person)
	if err != nil || !found {
		return api.Published{}, or(err, api.ErrNotFound, "no such person")
	}
	before, found, err := deletions.get(tx, r.Person)
	switch {
	case err != nil:
		return api.Published{}, err
	case found && person.Version == version:
		return api.Published{Version: version, Leaf: person.Leaf}, nil
	case found:
		return api.Published{}, before.error(person.Version)
	case person.Version+1 != version:
		return api.Published{}, &api.StaleError{Current: person.Version}
	}
	live, _, err := devicesOf(tx, r.Person)
	if err != nil {
		return api.Published{}, err
	}
	leaf, err := appendLeaf(tx, r.Person, version, nil)
	if err != nil {
		return api.Published{}, err
	}
	if err := persons.put(tx, personRow{r.Person, version, leaf.Leaf}); err != nil {
		return api.Published{}, err
	}
	if err := leaves.insert(tx, leaf); err != nil {
		return api.Published{}, err
	}
	if err := registrations.remove(tx, registrationRow{Person: r.Person}); err != nil {
		return api.Published{}, err
	}
	if err := deletions.insert(tx, r); err != nil {
		return api.Published{}, err
	}
	return api.Published{Version: version, Leaf: leaf.Leaf, Revoked: ids(live)}, revoke(tx, version, r.At, live...)
}

// error returns what whoever looks for the person is told. The key was parsed before it was stored.
func (r deletionRow) error(version uint64) error {
	k, err := key.ParseVerifyKey(r.Key[:])
	if err != nil {
		return err
	}
	return &api.DeletedError{Deletion: api.Deletion{Person: k, Version: version, Signature: r.Signature[:]}}
}

// refuseDeleted returns a *DeletedError for a person that was deleted, and nil for one that is there or never was.
func refuseDeleted(r store.Reader, p personRow) error {
	row, found, err := deletions.get(r, p.Address)
	if err != nil || !found {
		return err
	}
	return row.error(p.Version)
}

// sweepDeleted removes a blob of a person that was deleted.
func (b base) sweepDeleted(tx store.Tx) (int, bool, error) {
	rows, err := deletions.scan(tx, 1, "swept", false)
	if err != nil || len(rows) == 0 {
		return 0, false, err
	}
	left, err := blobs.scan(tx, 1, "", rows[0].Person)
	if err != nil {
		return 0, false, err
	}
	if len(left) > 0 {
		return 1, true, removeBlob(tx, left[0])
	}
	rows[0].Swept = true
	return 0, true, deletions.put(tx, rows[0])
}
