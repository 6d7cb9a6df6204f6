package trefoil

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/vaultkey"
)

// Export writes a backup into an empty store, such as a new SQLite file: every space and direct conversation, the sessions and keys,
// and what was read and is not handed over yet. What waits to be sent is not in it. It is sealed under a key of its own: a
// passphrase (vaultkey.Passphrase), or a recovery key of 32 random bytes that somebody writes down. The client may run meanwhile.
//
// A backup is no store of a client: Open returns state.ErrWrongKey for it, since whoever went on from a copy would use numbers and
// keys that were used. Import alone reads it. What it holds can be read for as long as it and its key exist, whatever the
// device has forgotten since.
func (c *Client) Export(ctx context.Context, to store.Store, key state.Key) error {
	into, err := openVaults(ctx, to, backupKey(key), c.o.Now)
	if err != nil {
		return err
	}
	d := bodyOf(c).directs
	from := vaults{bodyOf(c).spaces, d.persons, d.devices, d.endpoint.Sessions, d.talks}
	return from.copy(ctx, into, asItIs)
}

// Import writes what a backup holds into the store of a new device, which Open opens then. Spaces and sessions pass through their
// Restore: they go on above every number that the lost device can have used, and ask others for what they have missed. It returns
// state.ErrWrongKey for another key and for what is no backup. What the store holds already stays as it is, so an Import that
// was interrupted is made again. Of the options, which are those of the Open that follows, it uses the clock.
//
// The device that the backup is of must not be used any more: both would be the same member.
func Import(ctx context.Context, from store.Store, fromKey state.Key, to store.Store, toKey state.Key, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	backup, err := openVaults(ctx, from, backupKey(fromKey), o.Now)
	if err != nil {
		return err
	}
	into, err := openVaults(ctx, to, toKey, o.Now)
	if err != nil {
		return err
	}
	return backup.copy(ctx, into, restoring(o.Now()))
}

// vaults are those of a client.
type vaults struct {
	spaces   *state.Vault[ratchet.Space]
	persons  *state.Vault[state.One[session.Person]]
	devices  *state.Vault[session.StoredDevice]
	sessions *state.Vault[session.Session]
	talks    *state.Vault[storedTalk]
}

func openVaults(ctx context.Context, s store.Store, k state.Key, now func() time.Time) (v vaults, err error) {
	o := state.Options{Now: now}
	d, err := openDirects(ctx, s, k, nil, o, o)
	if err != nil {
		return vaults{}, err
	}
	spaces, err := state.Open[ratchet.Space](ctx, s, k, o)
	return vaults{spaces, d.persons, d.devices, d.endpoint.Sessions, d.talks}, err
}

// restores say what becomes of the values that know numbers.
type restores struct {
	space  func(ratchet.Space) (ratchet.Space, error)
	device func(session.StoredDevice) (session.StoredDevice, error)
	pair   func(session.Session) (session.Session, error)
}

// asItIs changes nothing.
var asItIs = restores{same[ratchet.Space], same[session.StoredDevice], same[session.Session]}

// restoring passes values through their Restore.
func restoring(now time.Time) restores {
	return restores{
		space:  func(s ratchet.Space) (ratchet.Space, error) { return ratchet.Restore(s, now) },
		device: func(d session.StoredDevice) (session.StoredDevice, error) { return d.With(d.Part().Restore(now)), nil },
		pair:   func(s session.Session) (session.Session, error) { return s.With(s.Part().Restore(now)), nil },
	}
}

// copy copies everything into other vaults but linkings, which end within a day and are of one device.
func (v vaults) copy(ctx context.Context, into vaults, r restores) error {
	for _, copied := range []error{
		copyValues(ctx, v.persons, into.persons, same),
		copyValues(ctx, v.devices, into.devices, r.device),
		copyValues(ctx, v.sessions, into.sessions, r.pair),
		copyValues(ctx, v.talks, into.talks, same),
		copyValues(ctx, v.spaces, into.spaces, r.space),
	} {
		if copied != nil {
			return copied
		}
	}
	return nil
}

func same[V any](v V) (V, error) { return v, nil }

// copyValues copies the values of one kind that the other vault does not hold, with their inboxes.
func copyValues[V state.Value[V]](ctx context.Context, from, into *state.Vault[V], restore func(V) (V, error)) error {
	ids, err := from.List(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := copyValue(ctx, from, into, id, restore); err != nil && !errors.Is(err, state.ErrExists) {
			return fmt.Errorf("trefoil: backup of %v: %w", id, err)
		}
	}
	return nil
}

func copyValue[V state.Value[V]](ctx context.Context, from, into *state.Vault[V], id state.ID, restore func(V) (V, error)) error {
	v, err := from.Load(ctx, id)
	if errors.Is(err, state.ErrNotFound) {
		return nil // it was forgotten meanwhile
	}
	if err != nil {
		return err
	}
	if v, err = restore(v); err != nil {
		return err
	}
	var inbox [][]byte
	for after := uint64(0); ; {
		items, err := from.Inbox(ctx, id, after)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			break
		}
		for _, in := range items {
			inbox, after = append(inbox, in.Data()), in.Seq
		}
	}
	return into.Create(ctx, v, func(tx *state.Tx[V]) error {
		for _, data := range inbox {
			tx.Deliver(data)
		}
		return nil
	})
}

// backupKey returns the key of a backup, which is derived from the one that its owner keeps, so that neither opens what the other
// does.
func backupKey(k state.Key) state.Key { return state.Key{From: backupProvider{k.From}} }

type backupProvider struct{ vaultkey.Provider }

func (p backupProvider) NewKey(ctx context.Context) (key, hint []byte, err error) {
	if key, hint, err = p.Provider.NewKey(ctx); err == nil {
		key, err = deriveBackup(key)
	}
	return key, hint, err
}

func (p backupProvider) FindKey(ctx context.Context, hint []byte) ([]byte, error) {
	key, err := p.Provider.FindKey(ctx, hint)
	if err != nil {
		return nil, err
	}
	return deriveBackup(key)
}

func deriveBackup(key []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, key, nil, "trefoil backup", vaultkey.Size)
}
