package state

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// errRingChanged is what resealing a row returns when another process has written the store's own row.
var errRingChanged = errors.New("state: the store's own row was replaced meanwhile")

// pass is a way through all rows of a store, in small steps, on which each is sealed anew under the data key in use. Its last
// step removes the keys that are no longer needed.
type pass struct {
	keys  *keyring
	ring  *ring
	kinds []store.Kind // that are left, the one under way first
	after ID           // listed last
	page  []ID         // listed, and left
	row   *resealing   // under way, or nil

	damage  error          // what is wrong with the first damaged row
	stuck   map[keyID]bool // keys under which damaged rows are sealed
	removed bool           // the old keys are
}

func newPass(k *keyring) *pass {
	kinds := slices.DeleteFunc(store.Kinds(), func(k store.Kind) bool { return k == store.Vault })
	return &pass{keys: k, ring: k.ring.Load(), kinds: kinds, stuck: make(map[keyID]bool)}
}

// A step is over when it has read and written 1 MiB, or done what takes as long: to ask for a row counts as rowCost bytes, and
// a commit as commitCost. So it makes at most 16 commits.
const (
	rowCost    = pageBytes / 64
	commitCost = pageBytes / 16
)

// step goes on for a bounded time. It reports whether the pass is at its end.
func (p *pass) step(ctx context.Context) (done bool, err error) {
	for left := pageBytes; !p.removed; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		err := p.list(ctx)
		switch {
		case err != nil:
		case p.row == nil:
			err = p.keys.remove(ctx, p.ring, p.stuck)
			p.removed = err == nil
		default:
			left -= rowCost
			err = p.reseal(ctx, &left)
		}
		if errors.Is(err, errRingChanged) || errors.Is(err, store.ErrConflict) {
			err = p.renew(ctx)
		}
		if err != nil || left <= 0 {
			return false, err
		}
	}
	return true, nil
}

// list sets the row to be sealed anew, nil behind the last one.
func (p *pass) list(ctx context.Context) (err error) {
	for p.row == nil && len(p.kinds) > 0 {
		if len(p.page) == 0 {
			if p.page, err = p.keys.store.List(ctx, p.kinds[0], p.after, listPage); err != nil {
				return err
			}
			if len(p.page) == 0 {
				p.kinds, p.after = p.kinds[1:], ID{}
				continue
			}
			p.after = p.page[len(p.page)-1]
		}
		p.row = newResealing(p.keys.store, p.ring, p.kinds[0], p.page[0])
		p.page = p.page[1:]
	}
	return nil
}

// reseal makes one commit for the row under way, unless it is in order or damaged. A row under a key that is not known is no damage yet:
// another process may have drawn the key meanwhile.
func (p *pass) reseal(ctx context.Context, left *int) error {
	r := p.row
	more, err := r.attempt(ctx, left)
	if errors.Is(err, ErrWrongKey) {
		if rerr := p.keys.renew(ctx, p.ring); rerr == nil {
			return errRingChanged
		} else if !errors.Is(rerr, errRefused) {
			return rerr
		}
	}
	if isDamage(err) {
		if p.damage == nil {
			p.damage = fmt.Errorf("%v %v: %w", r.kind, r.id, err)
		}
		err = p.keys.sealedUnder(ctx, r.kind, r.id, p.stuck)
	}
	if err == nil && !more {
		p.row = nil
	}
	return err
}

// renew goes on under the ring as it is now: from the beginning, if the data key in use is another.
func (p *pass) renew(ctx context.Context) error {
	before := p.ring
	if err := p.keys.renew(ctx, before); err != nil {
		return err
	}
	p.ring = p.keys.ring.Load()
	if p.ring.current().id != before.current().id {
		*p = *newPass(p.keys)
	} else if p.row != nil {
		p.row.ring = p.ring
	}
	return nil
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
