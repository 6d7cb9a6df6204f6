package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/state/store"
)

// errRingChanged is what resealing a row returns when another process has replaced or removed data keys.
var errRingChanged = errors.New("state: data keys were replaced meanwhile")

// Forget makes that whoever gets hold of the store's files and of the vault's key from now on cannot open what was superseded
// before: values, messages and frames that were replaced or taken out. It replaces the data key, seals all that is stored
// anew, of every kind, removes the old key, and lets the store erase its traces (store.Scrubber). docs/SECURITY.md says on which
// medium this holds.
//
// It reads and writes the whole store once, in commits of about 1 MiB; others go on meanwhile. Interrupted it is carried on by
// the next call, and both keys open what they sealed until then. A row that is damaged keeps the old key in the store: Forget seals all others, and
// returns an ErrCorrupt that names it. After Delete of that value the next call removes the key.
func (v *Vault[V]) Forget(ctx context.Context) error {
	return v.keys.forget(ctx, v.options.Now().UnixMilli())
}

// Rekey replaces the key of the vault: a new passphrase, or a new entry in a key store. Nothing else is sealed anew. Other processes
// go on if their Key finds the new one; those whose Key is the old one get ErrWrongKey from the next call on.
//
// The old key opens the copies of the store that were made before, no matter what Rekey does.
func (v *Vault[V]) Rekey(ctx context.Context, key Key) error {
	if key.From == nil {
		return errors.New("state: no key")
	}
	return v.keys.rekey(ctx, key)
}

func (k *keyring) rekey(ctx context.Context, key Key) error {
	program, hint, err := key.fresh(ctx)
	if err != nil {
		return err
	}
	for {
		base := k.ring.Load()
		next := *base
		next.program, next.hint = program, hint
		err := k.replace(ctx, base, &next)
		if errors.Is(err, store.ErrConflict) && k.ring.Load() != base {
			continue
		}
		if err != nil {
			return err
		}
		k.mu.Lock()
		k.key = key
		k.mu.Unlock()
		return k.scrub(ctx)
	}
}

// forget replaces the data key, unless another process does so meanwhile, and removes those that are no longer in use.
func (k *keyring) forget(ctx context.Context, now int64) error {
	if _, err := k.refresh(ctx); err != nil {
		return err
	}
	for first := k.ring.Load().current().id; k.ring.Load().current().id == first; {
		base := k.ring.Load()
		if len(base.keys) == maxDataKeys {
			return fmt.Errorf("state: %d data keys are in use", maxDataKeys)
		}
		next := *base
		next.since = now
		next.keys = append([]sealKey{newSealKey(secretBytes())}, base.keys...)
		if err := k.replace(ctx, base, &next); err != nil && (!errors.Is(err, store.ErrConflict) || k.ring.Load() == base) {
			return err
		}
	}
	for {
		ring := k.ring.Load()
		damage, stuck, err := k.reseal(ctx, ring)
		if err == nil {
			err = k.remove(ctx, ring, stuck)
		}
		if errors.Is(err, errRingChanged) || errors.Is(err, store.ErrConflict) {
			if err := k.renew(ctx, ring); err != nil {
				return err
			}
			continue
		}
		if err == nil {
			err = k.scrub(ctx)
		}
		return errors.Join(err, damage)
	}
}

// reseal seals all rows anew. It returns what is wrong with those that are damaged, and the keys under which they are sealed.
func (k *keyring) reseal(ctx context.Context, ring *ring) (damage error, stuck map[keyID]bool, err error) {
	stuck = make(map[keyID]bool)
	for _, kind := range store.Kinds() {
		if kind == store.Vault {
			continue
		}
		for after := (ID{}); ; {
			page, err := k.store.List(ctx, kind, after, listPage)
			if err != nil {
				return nil, nil, err
			}
			if len(page) == 0 {
				break
			}
			for _, id := range page {
				err := (&resealing{store: k.store, ring: ring, kind: kind, id: id}).run(ctx)
				if isDamage(err) {
					if damage == nil {
						damage = fmt.Errorf("%v %v: %w", kind, id, err)
					}
					err = k.sealedUnder(ctx, kind, id, stuck)
				}
				if err != nil {
					return nil, nil, err
				}
			}
			after = page[len(page)-1]
		}
	}
	return damage, stuck, nil
}

// isDamage reports whether a row cannot be read, whoever reads it now.
func isDamage(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrWrongKey) || errors.Is(err, ErrTooNew) || errors.Is(err, ErrTooOld)
}

// sealedUnder notes the keys under which a row is sealed. What lies beside it does not count: it opens with its head only.
func (k *keyring) sealedUnder(ctx context.Context, kind store.Kind, id ID, keys map[keyID]bool) error {
	row, err := k.store.Load(ctx, kind, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	keys[keyOf(row.Head.Sealed)] = true
	for _, b := range row.Parts {
		keys[keyOf(b)] = true
	}
	for _, b := range row.Segments {
		keys[keyOf(b)] = true
	}
	return nil
}

// remove takes the keys out of the ring that are neither in use nor stuck.
func (k *keyring) remove(ctx context.Context, base *ring, stuck map[keyID]bool) error {
	next := *base
	next.keys = nil
	for i, key := range base.keys {
		if i == 0 || stuck[key.id] {
			next.keys = append(next.keys, key)
		}
	}
	if len(next.keys) == len(base.keys) {
		return nil
	}
	return k.replace(ctx, base, &next)
}

// scrub lets the store erase what it no longer holds.
func (k *keyring) scrub(ctx context.Context) error {
	s, can := k.store.(store.Scrubber)
	if !can {
		return nil
	}
	return s.Scrub(ctx)
}

// forgetAgain is after how long a Forget that failed is tried again by itself.
const forgetAgain = time.Hour

// tidy calls Forget if the data key is older than Options.ForgetEvery.
func (v *Vault[V]) tidy(ctx context.Context) {
	now := v.options.Now().UnixMilli()
	every := v.options.ForgetEvery.Milliseconds()
	if v.options.ForgetEvery < 0 || now-v.keys.ring.Load().since < every || now < v.keys.again.Load() {
		return
	}
	if !v.keys.tidying.TryLock() {
		return // somebody else is at it
	}
	defer v.keys.tidying.Unlock()
	if now-v.keys.ring.Load().since < every {
		return
	}
	v.keys.again.Store(now + forgetAgain.Milliseconds())
	if err := v.Forget(ctx); err != nil {
		v.emit(ID{}, ForgetFailed{err})
	}
}
