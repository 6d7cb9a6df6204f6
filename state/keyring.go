package state

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/vaultkey"
)

// Sizes in the row of the store itself. They are part of the stored format.
const (
	databaseIDSize = 16
	maxBefore      = sha256.Size
	maxDataKeys    = 64 // one in use, and those under which something is still sealed
)

// vaultID names the one row of kind store.Vault.
var vaultID = ID{0: 't', 1: 'r', 2: 'e', 3: 'f', 4: 'o', 5: 'i', 6: 'l'}

// keyring knows the data keys of one store as they were last read.
type keyring struct {
	store  store.Store
	mu     sync.Mutex // held while the row is read or written
	key    Key        // where the program's key comes from
	ring   atomic.Pointer[ring]
	anchor anchor

	tidying sync.Mutex   // held while the data key is replaced
	pass    *pass        // on which it is, or nil
	again   atomic.Int64 // before this time, in ms, commits take no step
	// interrupted says that the store was opened with several data keys: rows are damaged, or a replacement was interrupted.
	interrupted bool
}

// ring is what the row of the store itself says. It is immutable. Everything but that row is sealed under one of its data
// keys.
type ring struct {
	head     store.Head
	database [databaseIDSize]byte
	hint     []byte
	before   []byte    // SHA-256 of the head that this one replaced
	program  sealKey   // under which the row is sealed
	since    int64     // when the key in use was drawn, in ms
	keys     []sealKey // the one in use first
}

func (r *ring) current() sealKey { return r.keys[0] }

func (r *ring) find(id keyID) (sealKey, bool) {
	i := slices.IndexFunc(r.keys, func(k sealKey) bool { return k.id == id })
	if i < 0 {
		return sealKey{}, false
	}
	return r.keys[i], true
}

// assertion is part of every commit: that the ring is still the one under which it was sealed. So nothing is sealed under a
// key that is no longer in use.
func (r *ring) assertion() store.Change {
	return store.Change{Kind: store.Vault, ID: vaultID, Base: r.head}
}

// openKeyring reads the data keys of a store, and makes the first in a new store. It returns ErrWrongKey if they are sealed
// under another key.
func openKeyring(ctx context.Context, s store.Store, key Key, now int64) (*keyring, error) {
	k := &keyring{store: s, key: key}
	_, err := k.refresh(ctx)
	if err == nil {
		k.interrupted = len(k.ring.Load().keys) > 1
	}
	if !errors.Is(err, store.ErrNotFound) {
		return k, err
	}
	program, hint, err := key.fresh(ctx)
	if err != nil {
		return nil, err
	}
	first := &ring{hint: hint, program: program, since: now, keys: []sealKey{newSealKey(secretBytes())}}
	rand.Read(first.database[:])
	err = s.Commit(ctx, first.change(store.Head{}))
	// Somebody else may have been faster, or the store may have failed after it was made: what is stored counts.
	if _, again := k.refresh(ctx); err == nil || errors.Is(err, store.ErrExists) || again == nil {
		err = again
	}
	return k, err
}

func secretBytes() []byte {
	b := make([]byte, KeySize)
	rand.Read(b)
	return b
}

// refresh reads the row again and reports whether it is another one than before.
func (k *keyring) refresh(ctx context.Context) (changed bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reread(ctx)
}

func (k *keyring) reread(ctx context.Context) (changed bool, err error) {
	row, err := k.store.Load(ctx, store.Vault, vaultID)
	before := k.ring.Load()
	if before != nil && errors.Is(err, store.ErrNotFound) {
		return false, fmt.Errorf("%w: it has no row of its own", store.ErrReplaced)
	}
	if err != nil {
		return false, err
	}
	if before != nil && before.head.Equal(row.Head) {
		return false, nil
	}
	next, err := k.read(ctx, before, row)
	if err != nil {
		return false, err
	}
	if before != nil && before.database != next.database {
		return false, fmt.Errorf("%w: it has another ID", store.ErrReplaced)
	}
	k.ring.Store(next)
	return true, nil
}

// replace writes the row anew. If somebody else has written it, it changes nothing and returns store.ErrConflict; the ring is then
// that of the row.
func (k *keyring) replace(ctx context.Context, base, next *ring) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	change := next.change(base.head)
	err := k.store.Commit(ctx, change)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		err = resolve(ctx, k.store, []store.Change{change}, err)
	}
	if err == nil {
		k.ring.Store(next)
		return k.anchor.save(ctx, next)
	}
	if errors.Is(err, store.ErrConflict) {
		changed, rerr := k.reread(ctx)
		if rerr == nil && !changed && k.ring.Load() == base {
			rerr = errRefused
		}
		err = errors.Join(store.ErrConflict, rerr)
	}
	return err
}

// change returns the change that writes a ring in the place of the row that has the head base, and sets its head.
func (r *ring) change(base store.Head) store.Change {
	version := base.Version + 1
	w := wire.NewWriter(64 + len(r.hint))
	w.U16(sealFormat)
	w.Fixed(r.database[:])
	w.Vec16(r.hint)
	r.before = ancestor(base)
	w.Vec16(r.before)
	identity := w.Bytes()

	w = wire.NewWriter(16 + KeySize*len(r.keys))
	w.U64(uint64(r.since))
	w.U16(uint16(len(r.keys)))
	for _, key := range r.keys {
		w.Fixed(key.raw.Expose())
	}
	keys := vaultSlot(r.program, r.database).seal(roleKeys, "keys", version, w.Bytes())
	sealed := vaultSlot(r.program, [databaseIDSize]byte{}).seal(roleHead, "head", version, vaultDigests(identity, keys))
	r.head = store.Head{Version: version, Sealed: sealed}
	return store.Change{Kind: store.Vault, ID: vaultID, Base: base, Next: r.head, Parts: [][]byte{identity, keys}}
}

// ancestor is what a row says of the one before.
func ancestor(base store.Head) []byte {
	if base.IsZero() {
		return nil
	}
	sum := sha256.Sum256(base.Sealed)
	return sum[:]
}

// vaultSlot seals the row of the store itself under the program's key.
func vaultSlot(program sealKey, database [databaseIDSize]byte) slot {
	s := slot{ring: &ring{keys: []sealKey{program}}, kind: store.Vault, id: vaultID}
	copy(s.incarnation[:], database[:])
	return s
}

// vaultDigests is what the head of the row says of its parts.
func vaultDigests(identity, keys []byte) []byte {
	a, b := sha256.Sum256(identity), sha256.Sum256(keys)
	return append(a[:], b[:]...)
}

// read opens the row. The program's key is asked for if its hint is another than before.
func (k *keyring) read(ctx context.Context, before *ring, row store.Row) (*ring, error) {
	if len(row.Parts) != 2 {
		return nil, fmt.Errorf("%w: the store's own row has other parts", ErrCorrupt)
	}
	next := &ring{head: row.Head}
	r := wire.NewReader(row.Parts[0])
	r.Version16(sealFormat, sealFormat)
	r.Into(next.database[:])
	next.hint = bytes.Clone(r.Vec16(vaultkey.MaxHint))
	next.before = bytes.Clone(r.Vec16(maxBefore))
	if err := r.Done(); err != nil {
		return nil, corrupt("identity", err)
	}
	if before != nil && bytes.Equal(before.hint, next.hint) && before.program.id == keyOf(row.Head.Sealed) {
		next.program = before.program
	} else {
		var err error
		if next.program, err = k.key.find(ctx, next.hint); err != nil {
			return nil, err
		}
	}
	digests, err := vaultSlot(next.program, [databaseIDSize]byte{}).open(roleHead, "head", row.Head.Version, row.Head.Sealed)
	if err != nil {
		return nil, err
	}
	if string(digests) != string(vaultDigests(row.Parts[0], row.Parts[1])) {
		return nil, fmt.Errorf("%w: the store's own row has other parts", ErrCorrupt)
	}
	plain, err := vaultSlot(next.program, next.database).open(roleKeys, "keys", row.Head.Version, row.Parts[1])
	if err != nil {
		return nil, err
	}
	return next, next.readKeys(plain)
}

func (r *ring) readKeys(plain []byte) error {
	in := wire.NewReader(plain)
	r.since = int64(in.U64())
	n := int(in.U16())
	if n == 0 || n > maxDataKeys {
		in.Fail("number of data keys")
	}
	for range n {
		b := in.Fixed(KeySize)
		if in.Err() != nil {
			break
		}
		r.keys = append(r.keys, newSealKey(b))
	}
	if err := in.Done(); err != nil {
		return corrupt("keys", err)
	}
	return nil
}

// renew reads the row again unless somebody has done so since used was taken from the ring. It returns errRefused if the row is
// the same.
func (k *keyring) renew(ctx context.Context, used *ring) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ring.Load() != used {
		return nil
	}
	changed, err := k.reread(ctx)
	if err == nil && !changed {
		err = errRefused
	}
	return err
}

// open opens what lies beside a row whose head was opened with the slot. A key that is unknown even after another look is damage
// there, and so is another format: who writes one writes it into the head, too. The slot gets the newer ring.
func (k *keyring) open(ctx context.Context, s *slot, r role, name string, number uint64, sealed []byte) ([]byte, error) {
	plain, err := s.open(r, name, number, sealed)
	if errors.Is(err, ErrTooOld) || errors.Is(err, ErrTooNew) {
		return nil, fmt.Errorf("%w: sealed in another format than the head", ErrCorrupt)
	}
	if !errors.Is(err, ErrWrongKey) {
		return plain, err
	}
	if err := k.renew(ctx, s.ring); err == nil {
		s.ring = k.ring.Load()
		plain, err = s.open(r, name, number, sealed)
		if !errors.Is(err, ErrWrongKey) {
			return plain, err
		}
	} else if err != errRefused {
		return nil, err
	}
	return nil, fmt.Errorf("%w: sealed under an unknown key", ErrCorrupt)
}
