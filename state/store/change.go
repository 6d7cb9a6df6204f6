package store

import (
	"errors"
	"fmt"
	"math"
)

// maxPath is the length of the longest path of a segment in bytes. It leaves room for the key of a row in the databases that
// bound it.
const maxPath = 255

// Change is what one commit does to one row: it creates, updates or deletes the row, or only asserts what its head is.
type Change struct {
	Kind Kind
	ID   ID

	Base Head // the head that the change is made from; the zero Head if there is no row
	Next Head // the head after it, its version Base.Version + 1; the zero Head in a deletion or an assertion

	Delete bool // remove the row with all that lies beside it
	Revive bool // create the row even if one of this ID was deleted

	Parts  [][]byte          // one for each of Kind.Parts; nil for a part that stays, but never in a creation
	Put    map[string][]byte // segments to be added or replaced, by path: 1 to 255 bytes
	Drop   []string          // paths of segments to be removed
	Outbox []Item            // to be appended, every Seq greater than all before; or to replace the item that has the Seq
	Inbox  []Item            // likewise
	Sent   []uint64          // numbers of items to be taken out of the outbox; one that is not there is no error
	Taken  []uint64          // likewise of the inbox
	Frames []FrameRecord     // to be added, or to replace the record with the same hash
	Lost   [][32]byte        // hashes of records of frames to be removed, retained or not; one that is not there is no error
	Forget uint64            // afterwards, records of frames done with whose Seq is below this are removed
}

// Action is what a Change does to its row.
type Action uint8

// The actions.
const (
	Update Action = iota
	Create
	Delete
	Assert // that the row has the head Base, or, if that is zero, that there is no row
)

// Action returns what the change does to its row.
func (c Change) Action() Action {
	switch {
	case c.Delete:
		return Delete
	case c.Next.IsZero():
		return Assert
	case c.Base.Version == 0:
		return Create
	}
	return Update
}

// ChangeError says which of the changes given to Commit was refused.
type ChangeError struct {
	Index int // among the changes
	Err   error
}

// Error returns the reason.
func (e *ChangeError) Error() string { return fmt.Sprintf("change %d: %v", e.Index, e.Err) }

// Unwrap returns the reason.
func (e *ChangeError) Unwrap() error { return e.Err }

// Check returns a *ChangeError for the first change that no Store may carry out, whatever it holds: with ErrIncomplete if it
// would leave a row without one of its parts, and with an error without a name if it breaks another rule of Change, apart
// from a number that is taken. A Store calls it first in Commit.
func Check(changes []Change) error {
	type row struct {
		k  Kind
		id ID
	}
	seen := make(map[row]bool, len(changes))
	for i, c := range changes {
		err := c.check()
		if at := (row{c.Kind, c.ID}); err == nil && seen[at] {
			err = errors.New("store: two changes of one row")
		} else {
			seen[at] = true
		}
		if err != nil {
			return &ChangeError{i, err}
		}
	}
	return nil
}

func (c Change) check() error {
	names := c.Kind.Parts()
	if names == nil {
		return fmt.Errorf("store: there is no %v", c.Kind)
	}
	if c.Base.Version >= math.MaxInt64 || c.Base.Version == 0 && len(c.Base.Sealed) > 0 {
		return fmt.Errorf("store: a change from version %d", c.Base.Version)
	}
	if a := c.Action(); a == Delete || a == Assert {
		return c.checkBare()
	}
	if c.Next.Version != c.Base.Version+1 {
		return fmt.Errorf("store: a change from version %d to %d", c.Base.Version, c.Next.Version)
	}
	if len(c.Parts) != len(names) {
		return fmt.Errorf("%w: %d parts for a row of %d", ErrIncomplete, len(c.Parts), len(names))
	}
	for i, p := range c.Parts {
		if p == nil && c.Action() == Create {
			return fmt.Errorf("%w: no %s", ErrIncomplete, names[i])
		}
	}
	for path := range c.Put {
		if path == "" || len(path) > maxPath {
			return fmt.Errorf("store: a path of %d bytes", len(path))
		}
	}
	for _, path := range c.Drop {
		if _, put := c.Put[path]; put {
			return fmt.Errorf("store: a change puts and drops %q", path)
		}
	}
	return c.checkNumbers()
}

// checkBare refuses contents in a change that has none.
func (c Change) checkBare() error {
	if c.Delete && (c.Base.IsZero() || !c.Next.IsZero()) {
		return errors.New("store: a deletion has a base and no next head")
	}
	if c.Revive || len(c.Parts)+len(c.Put)+len(c.Drop)+len(c.Outbox)+len(c.Inbox)+len(c.Sent)+len(c.Taken)+len(c.Frames)+len(c.Lost) > 0 || c.Forget > 0 {
		return errors.New("store: a deletion or assertion with contents")
	}
	return nil
}

// checkNumbers refuses numbers that are out of range or order, or given twice.
func (c Change) checkNumbers() error {
	for _, items := range [][]Item{c.Outbox, c.Inbox} {
		last := uint64(0)
		for _, it := range items {
			if it.Seq <= last || it.Seq > math.MaxInt64 || it.Lane > math.MaxInt64 {
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
	for _, hash := range c.Lost {
		if hashes[hash] {
			return errors.New("store: a change writes and removes the record of a frame")
		}
	}
	return nil
}
