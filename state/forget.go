package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/state/store"
)

// Forget makes that whoever gets hold of the store's files and of the vault's key from now on cannot open what was superseded
// before: values, messages and frames that were replaced or taken out. It replaces the data key, seals all that is stored
// anew, of every kind, removes the old key, and lets the store erase its traces (store.Scrubber). docs/SECURITY.md says on which
// medium this holds.
//
// It reads and writes the whole store once, in commits of about 1 MiB; others go on meanwhile. Interrupted it is carried on by
// the next call or by commits, and both keys open what they sealed until then. A row that is damaged keeps the old key in the store: Forget seals all others, and
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
	k.tidying.Lock()
	defer k.tidying.Unlock()
	if _, err := k.refresh(ctx); err != nil {
		return err
	}
	if err := k.draw(ctx, now); err != nil {
		return err
	}
	for k.pass = newPass(k); ; {
		done, err := k.pass.step(ctx)
		if err != nil {
			return errors.Join(err, k.pass.damage)
		}
		if done {
			return k.end(ctx)
		}
	}
}

// end ends a pass: it lets the store erase its traces, and returns what the pass found damaged.
func (k *keyring) end(ctx context.Context) error {
	if err := k.scrub(ctx); err != nil {
		return err
	}
	damage := k.pass.damage
	k.pass = nil
	return damage
}

// draw puts a new data key in front of the others, unless another process does so meanwhile.
func (k *keyring) draw(ctx context.Context, now int64) error {
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

const (
	// forgetAgain is after how long a replacement of the data key that failed is carried on by a commit.
	forgetAgain = time.Hour
	// scrubTime is for how long a commit is held up by the last step, which waits for whoever reads the store.
	scrubTime = time.Second
)

// tidy goes one step towards a new data key if the one in use is older than Options.ForgetEvery. So no commit takes much longer
// than others, however much is stored.
func (v *Vault[V]) tidy(ctx context.Context) {
	now := v.options.Now().UnixMilli()
	k := v.keys
	if v.options.ForgetEvery < 0 || now < k.again.Load() || !k.tidying.TryLock() {
		return // or somebody else is at it
	}
	defer k.tidying.Unlock()
	if err := k.age(ctx, now, v.options.ForgetEvery.Milliseconds()); err != nil && ctx.Err() == nil {
		k.again.Store(now + forgetAgain.Milliseconds())
		v.emit(ID{}, ForgetFailed{err})
	}
}

// age makes one step, if one is to be made.
func (k *keyring) age(ctx context.Context, now, every int64) error {
	if k.pass == nil {
		old := func() bool { return now-k.ring.Load().since >= every }
		if !old() && !k.interrupted {
			return nil
		}
		if _, err := k.refresh(ctx); err != nil {
			return err
		}
		if old() { // nor has another process replaced it
			if err := k.draw(ctx, now); err != nil {
				return err
			}
		} else if !k.interrupted {
			return nil
		}
		k.pass, k.interrupted = newPass(k), false
	}
	done, err := k.pass.step(ctx)
	if err != nil || !done {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, scrubTime)
	defer cancel()
	return k.end(ctx)
}
