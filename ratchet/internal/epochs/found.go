package epochs

import (
	"crypto/subtle"
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Found is a candidate as it is kept outside of a forest: the commit that made it, and its keys.
type Found struct {
	Parent     proto.EpochID
	Root       proto.EpochID
	Generation uint64
	Shown      proto.Shown
	Maker      Maker
	Keys       proto.EpochKeys
	Sure       bool // its parent was derived when it was
}

// Found returns what is to be kept of the candidate.
func (c Candidate) Found() Found {
	return Found{c.parent, c.root, c.generation, c.shown, c.maker, c.keys, c.sure}
}

// Candidate returns the candidate that Derive returned once. It is not ok if its root is not held.
func (f Forest) Candidate(x Found) (Candidate, bool) {
	root, ok := f.Root(x.Root)
	if !ok {
		return Candidate{}, false
	}
	place := x.Shown.Commit.Core.Place(f.space, x.Parent, x.Generation)
	c := newCandidate(meta{
		id: proto.ByCommit.ID(place, x.Shown.Commit.Check), parent: x.Parent, root: x.Root, generation: x.Generation, depth: root.Depth,
		place: place, check: x.Shown.Commit.Check, shown: x.Shown, maker: x.Maker,
	}, x.Keys, nil)
	c.sure = x.Sure
	return c, true
}

func newCandidate(m meta, k proto.EpochKeys, words []uint32) Candidate {
	return Candidate{Epoch: newEpoch(m, k), words: words, keys: k}
}

// fitting returns the candidate with the words of its parent that gave it, which are not kept outside of a forest. It returns
// ErrClosed if no word gives it any more, or if its parent was derived since, and the word was false (D87).
func (c Candidate) fitting(parent Epoch, own Shares) (Candidate, error) {
	if c.sure && parent.derived {
		return c, nil
	}
	share, ok := own(parent.root)
	if !ok {
		return c, ErrUnknown
	}
	ss, err := c.shown.Commit.Core.Follow(share)
	if err != nil {
		return c, ErrFalse
	}
	values, spent := parent.values(parent.path(c.maker.Index, c.place))
	for _, v := range values {
		check := proto.DeriveKeys(proto.EpochSecret(v.Value, ss), c.place).Check(c.place)
		if subtle.ConstantTimeCompare(check[:], c.check[:]) == 1 {
			return c.from(parent, v, spent), nil
		}
	}
	return c, ErrClosed
}

// Up returns the epochs held with numbers (Serial) from first on, ascending.
func (f Forest) Up(first uint64) iter.Seq[Epoch] {
	return func(yield func(Epoch) bool) {
		for g := range f.groups.All() {
			if g.no < groupOf(first) {
				continue
			}
			for r := range g.rows.All() {
				if r.serial >= first && !yield(r.record.Value()) {
					return
				}
			}
		}
	}
}

// Down returns the epochs held with numbers up to last, descending.
func (f Forest) Down(last uint64) iter.Seq[Epoch] {
	return func(yield func(Epoch) bool) {
		for g := range backward(f.groups) {
			if g.no > groupOf(last) {
				continue
			}
			for r := range backward(g.rows) {
				if r.serial <= last && !yield(r.record.Value()) {
					return
				}
			}
		}
	}
}

// Place returns where the epoch stands in its parent's commit tree.
func (e Epoch) Place() proto.Place { return e.place }

// Ciphers returns what headers of the epoch and commits made from it are sealed under. The first is not there in an epoch that
// is not Readable.
func (e Epoch) Ciphers() (header, commits suite.AEAD) { return e.header, e.sealing }

// Below reports whether one epoch held lies below another one, held or not.
func (f Forest) Below(id, above proto.EpochID) bool {
	for e := range f.Line(id) {
		if e.parent == above {
			return true
		}
	}
	return false
}

// HeardOnly reports whether nobody but one member was read, or sent, in or below the epoch.
func (e Epoch) HeardOnly(i dkg.Index) bool { return e.onlyHeard(i) }

// Heard reports whether a member is known to have been read, or sent, in or below the epoch. Of many members it is not known.
func (e Epoch) Heard(i dkg.Index) bool {
	return len(e.heard) == maxHeard || slices.Contains(e.heard, i)
}

// SentLess reports whether fewer messages were sent in an epoch than another forest says, of which this one was made. It looks at
// what the two do not share.
func (f Forest) SentLess(prev Forest) bool {
	for g := range f.groups.Unshared(prev.groups) {
		old, _ := prev.groups.Get(g.Key())
		for row := range g.rows.Unshared(old.rows) {
			was, held := old.rows.Get(row.Key())
			if held && was.record == row.record {
				continue // beside one that changed
			}
			if e := row.record.Value(); e.sentBy(f.own) < prev.Sent(e.id) {
				return true
			}
		}
	}
	return false
}
