package state

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// keyring holds the data keys of one store. Everything but the row that stores them is sealed under one of them.
type keyring struct {
	current Key
	all     map[keyID]Key
}

// Sizes in the row of the store itself. They are part of the stored format.
const (
	databaseIDSize = 16
	maxParameters  = 1 << 10 // bytes of the parameters of a KDF, or of an anchor: both take less than 100
	maxDataKeys    = 64      // one in use, and those under which something is still sealed
)

// vaultID names the one row of kind store.Vault.
var vaultID = ID{0: 't', 1: 'r', 2: 'e', 3: 'f', 4: 'o', 5: 'i', 6: 'l'}

// openKeyring reads the data keys of a store, and makes the first in a new store. It returns ErrWrongKey if they are sealed
// under another key than kek.
func openKeyring(ctx context.Context, s store.Store, kek Key) (*keyring, error) {
	row, err := s.Load(ctx, store.Vault, vaultID)
	if errors.Is(err, store.ErrNotFound) {
		change := newVaultRow(kek)
		err = s.Commit(ctx, change)
		// Somebody else may have been faster, or the store may have failed after it was made: what is stored counts.
		again, loadErr := s.Load(ctx, store.Vault, vaultID)
		if err != nil && !errors.Is(err, store.ErrExists) && loadErr != nil {
			return nil, err
		}
		row, err = again, loadErr
	}
	if err != nil {
		return nil, err
	}
	return readVaultRow(kek, row)
}

// vaultSlot seals the row of the store itself under the program's key.
func vaultSlot(kek Key) slot {
	return slot{keys: &keyring{kek, map[keyID]Key{kek.id: kek}}, kind: store.Vault, id: vaultID}
}

// newVaultRow returns the change that makes the row of a new store: a random database ID and one data key.
func newVaultRow(kek Key) store.Change {
	s := vaultSlot(kek)
	var database [databaseIDSize]byte
	rand.Read(database[:])
	w := wire.NewWriter(64)
	w.U16(sealFormat)
	w.Fixed(database[:])
	w.Vec16(nil) // parameters of a KDF
	w.Vec16(nil) // anchor
	identity := w.Bytes()

	w = wire.NewWriter(64)
	var key [KeySize]byte
	rand.Read(key[:])
	w.U16(1)
	w.Fixed(key[:])
	bound := s
	copy(bound.incarnation[:], database[:])
	keys := bound.seal(roleKeys, "keys", 1, w.Bytes())

	return store.Change{
		Kind: store.Vault, ID: vaultID, Parts: [][]byte{identity, keys},
		Next: store.Head{Version: 1, Sealed: s.seal(roleHead, "head", 1, vaultDigests(identity, keys))},
	}
}

// vaultDigests is what the head of the row says of its parts.
func vaultDigests(identity, keys []byte) []byte {
	a, b := sha256.Sum256(identity), sha256.Sum256(keys)
	return append(a[:], b[:]...)
}

func readVaultRow(kek Key, row store.Row) (*keyring, error) {
	s := vaultSlot(kek)
	digests, err := s.open(roleHead, "head", row.Head.Version, row.Head.Sealed)
	if err != nil {
		return nil, err
	}
	if len(row.Parts) != 2 || string(digests) != string(vaultDigests(row.Parts[0], row.Parts[1])) {
		return nil, fmt.Errorf("%w: the store's own row has other parts", ErrCorrupt)
	}
	r := wire.NewReader(row.Parts[0])
	r.Version16(sealFormat, sealFormat)
	r.Into(s.incarnation[:databaseIDSize])
	r.Vec16(maxParameters)
	r.Vec16(maxParameters)
	if err := r.Done(); err != nil {
		return nil, corrupt("identity", err)
	}
	plain, err := s.open(roleKeys, "keys", row.Head.Version, row.Parts[1])
	if err != nil {
		return nil, err
	}
	r = wire.NewReader(plain)
	n := int(r.U16())
	if n == 0 || n > maxDataKeys {
		r.Fail("number of data keys")
	}
	ring := &keyring{all: make(map[keyID]Key)}
	for i := range n {
		b := r.Fixed(KeySize)
		if r.Err() != nil {
			break
		}
		key, err := NewKey(b)
		if err != nil {
			return nil, err
		}
		ring.all[key.id] = key
		if i == 0 {
			ring.current = key
		}
	}
	if err := r.Done(); err != nil {
		return nil, corrupt("keys", err)
	}
	return ring, nil
}
