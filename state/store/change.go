package store

import (
	"errors"
	"fmt"
	"math"
)

// Creates reports whether the change creates its row.
func (c Change) Creates() bool { return c.Base.Version == 0 }

// Check reports what no Store may carry out, whatever it holds: ErrIncomplete for a change that would leave a row without
// one of its parts, and an error without a name for one that breaks another rule stated at the fields. A Store asks it
// first in Commit.
func (c Change) Check(k Kind) error {
	names := k.Parts()
	if names == nil {
		return fmt.Errorf("store: there is no %v", k)
	}
	if len(c.Parts) != len(names) {
		return fmt.Errorf("%w: %d parts for a row of %d", ErrIncomplete, len(c.Parts), len(names))
	}
	if c.Creates() {
		for i, p := range c.Parts {
			if p == nil {
				return fmt.Errorf("%w: no %s", ErrIncomplete, names[i])
			}
		}
	}
	if c.Creates() && len(c.Base.Sealed) > 0 || c.Base.Version >= math.MaxInt64 || c.Next.Version != c.Base.Version+1 {
		return fmt.Errorf("store: a change from version %d to %d", c.Base.Version, c.Next.Version)
	}
	for _, path := range c.Drop {
		if _, put := c.Put[path]; put {
			return fmt.Errorf("store: a change puts and drops %q", path)
		}
	}
	for _, items := range [][]Item{c.Outbox, c.Inbox} {
		last := uint64(0)
		for _, it := range items {
			if it.Seq <= last || it.Seq > math.MaxInt64 {
				return errors.New("store: items of a change are not in order")
			}
			last = it.Seq
		}
	}
	hashes, seqs := make(map[[32]byte]bool, len(c.Frames)), make(map[uint64]bool, len(c.Frames))
	for _, f := range c.Frames {
		if f.Seq == 0 || f.Seq > math.MaxInt64 || seqs[f.Seq] || hashes[f.Hash] {
			return errors.New("store: a change has two records of a frame, or two with the same number")
		}
		hashes[f.Hash], seqs[f.Seq] = true, true
	}
	return nil
}
