package epochs

import (
	"crypto/subtle"
	"slices"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// rekeyIndex is the index of a commit tree that is kept for rekeys: no member has it.
const rekeyIndex = 0

// RekeyRoot is the root that a rekey makes, as its notice says.
type RekeyRoot struct {
	Root
	Parent proto.EpochID
	Place  proto.Place
	Check  proto.Check
}

// DealKeys returns the keys of the root at a place that x makes below an epoch held, for who deals it: by the word with most support.
// It returns ErrUnknown, and ErrClosed if the epoch has no place for a rekey.
func (f Forest) DealKeys(parent proto.EpochID, place proto.Place, x secret.Bytes) (proto.EpochKeys, error) {
	e, ok := f.Epoch(parent)
	if !ok {
		return proto.EpochKeys{}, ErrUnknown
	}
	values, _ := e.values(e.path(rekeyIndex, place))
	if len(values) == 0 {
		return proto.EpochKeys{}, ErrClosed
	}
	return proto.DeriveKeys(proto.EpochSecret(values[0].Value, x), place), nil
}

// HasRekeyPlace reports whether a rekey can be made from the epoch.
func (e Epoch) HasRekeyPlace() bool { return e.covers(e.path(rekeyIndex, proto.Place{})) }

// Rekeyed returns the forest with the root that x makes below an epoch held, whose place there is used up. One that tickets told comes to
// be derived. It returns ErrUnknown if the parent is not held, ErrClosed if the place is used up, ErrFalse if the keys do not have the
// check, and ErrWaits if they do not by any word of a parent that was only told.
func (f Forest) Rekeyed(r RekeyRoot, x secret.Bytes, own Shares, now Millis) (Forest, Change, error) {
	parent, ok := f.Epoch(r.Parent)
	if !ok {
		return f, Change{}, ErrUnknown
	}
	if held, ok := f.Epoch(r.ID); ok && held.derived {
		return f, Change{}, nil
	}
	path := parent.path(rekeyIndex, r.Place)
	values, spent := parent.values(path)
	if len(values) == 0 {
		return f, Change{}, ErrClosed
	}
	keys, fits, ok := fitting(values, r, x)
	switch {
	case !ok && parent.derived:
		return f, Change{}, ErrFalse
	case !ok:
		return f, Change{}, ErrWaits
	}
	parent, err := parent.puncture(path, fits.Words, spent, rekeyIndex)
	if err != nil {
		return f, Change{}, err
	}
	change := Change{}
	next := f.put(parent)
	if !next.hasRoot(r.ID) {
		next, change = next.WithRoot(r.Root, now)
	}
	e := newEpoch(meta{
		id: r.ID, parent: r.Parent, root: r.ID, depth: r.Depth, place: r.Place, check: r.Check, entered: now,
	}, keys).givenBy(parent, fits)
	if next, err = next.take(e, now, &change); err != nil {
		return f, Change{}, err
	}
	next = next.deriveBelow([]proto.EpochID{r.ID}, own, now, &change)
	next, change = next.evict(maxEpochs, change, now)
	return next, change, nil
}

func (f Forest) hasRoot(id proto.EpochID) bool { _, ok := f.Root(id); return ok }

// fitting returns the keys with the check of a root, and the value that gives them.
func fitting(values []pprf.Candidate, r RekeyRoot, x secret.Bytes) (proto.EpochKeys, pprf.Candidate, bool) {
	for _, v := range values {
		keys := proto.DeriveKeys(proto.EpochSecret(v.Value, x), r.Place)
		if check := keys.Check(r.Place); subtle.ConstantTimeCompare(check[:], r.Check[:]) == 1 {
			return keys, v, true
		}
	}
	return proto.EpochKeys{}, pprf.Candidate{}, false
}

// Roots returns what is known of all roots, in ascending order of their ids.
func (f Forest) Roots() []Root { return f.roots }

// HoldsOf reports whether an epoch of a root is held.
func (f Forest) HoldsOf(root proto.EpochID) bool { return len(f.catalog.of(root)) > 0 }

// WithoutRoot returns the forest without a root of which no epoch is held.
func (f Forest) WithoutRoot(id proto.EpochID) Forest {
	if f.HoldsOf(id) {
		return f
	}
	roots := make([]Root, 0, len(f.roots))
	for _, r := range f.roots {
		if r.ID != id {
			roots = append(roots, r)
		}
	}
	f.roots = roots
	return f
}

// GiveUpRoot returns the forest without the epochs of a root, which are given up because of a bound.
func (f Forest) GiveUpRoot(id proto.EpochID, now Millis) (Forest, Change) {
	change := Change{}
	for _, m := range slices.Backward(f.catalog.of(id)) {
		f = f.drop(m.id, givenUp, &change)
		change.GivenUp++
	}
	return f.settle(change, now)
}

// MakersAbove returns who made an epoch held and its ancestors within its root.
func (f Forest) MakersAbove(id proto.EpochID) (out []Maker) {
	for e := range f.Line(id) {
		if e.isRoot() {
			break
		}
		out = append(out, e.maker)
	}
	return out
}
