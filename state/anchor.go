package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/vaultkey"
)

// anchor is the program's Anchor, or none.
type anchor struct{ at vaultkey.Anchor }

// markSize is the size of a mark: u64 version of the store's own row ‖ SHA-256 of its sealed head. It is part of the stored format.
const markSize = 8 + sha256.Size

// mark is what an anchor keeps of a ring.
func (r *ring) mark() []byte {
	return append(binary.BigEndian.AppendUint64(nil, r.head.Version), ancestor(r.head)...)
}

// follows returns ErrRolledBack if a ring cannot be the one of a mark or a later one.
func (r *ring) follows(mark []byte) error {
	if len(mark) != markSize {
		return fmt.Errorf("state: a mark of %d bytes", len(mark))
	}
	version := binary.BigEndian.Uint64(mark)
	switch {
	case r.head.Version > version+1: // others have gone on without this anchor
		return nil
	case r.head.Version == version+1 && bytes.Equal(r.before, mark[8:]),
		r.head.Version == version && bytes.Equal(r.mark(), mark):
		return nil
	}
	return fmt.Errorf("%w: version %d of its own row, where %d was seen", ErrRolledBack, r.head.Version, version)
}

func (a anchor) save(ctx context.Context, r *ring) error {
	if a.at == nil {
		return nil
	}
	if err := a.at.SaveMark(ctx, r.mark()); err != nil {
		return fmt.Errorf("state: the anchor: %w", err)
	}
	return nil
}

// advance compares the ring with the anchor, and replaces both, so that a copy made before is found from now on. The mark is never
// further behind than by one version, whenever the program dies.
func (k *keyring) advance(ctx context.Context, at vaultkey.Anchor) error {
	if at == nil {
		return nil
	}
	k.anchor = anchor{at}
	for {
		mark, err := at.LoadMark(ctx)
		if err != nil {
			return fmt.Errorf("state: the anchor: %w", err)
		}
		base := k.ring.Load()
		if mark != nil {
			if err := base.follows(mark); err != nil {
				return err
			}
		}
		if err := k.anchor.save(ctx, base); err != nil {
			return err
		}
		next := *base
		err = k.replace(ctx, base, &next)
		if !errors.Is(err, store.ErrConflict) || k.ring.Load() == base {
			return err
		}
	}
}
