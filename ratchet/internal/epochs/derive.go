package epochs

import (
	"crypto/subtle"
	"errors"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Candidate is an epoch that a commit makes and that was derived, but not entered: its parent is not punctured, and the forest
// does not know it.
type Candidate struct {
	Epoch
	words []uint32        // of the parent's told tree, that fitted; nil if they are not known
	spent spent           // of its place in the parent's derived tree; zero if that is not known
	sure  bool            // its parent was derived, so that there is one value for its place
	keys  proto.EpochKeys // all, for who keeps the candidate (Found)
}

// Derive makes steps 4 to 8 of §4 for a commit that was made from an epoch, which is held or a candidate, and was signed by
// key (proto.Shown.VerifyMaker). It returns ErrFalse, ErrMisled, ErrOwnCommit, ErrClosed, ErrWaits, or ErrUnknown without root
// or share.
func (f Forest) Derive(parent Epoch, p proto.Shown, key suite.PublicKey, own Shares) (Candidate, error) {
	core := p.Commit.Core
	place := core.Place(f.space, parent.id, parent.generation+1)
	if f.contradicted(parent, p, place) {
		return Candidate{}, ErrFalse
	}
	root, ok := f.Root(parent.root)
	if !ok {
		return Candidate{}, ErrUnknown
	}
	public, err := root.Public.PublicShare(core.Maker)
	if err != nil || core.VerifyProof(f.space, parent.id, public) != nil {
		return Candidate{}, ErrFalse
	}
	if core.Maker == f.own {
		return Candidate{}, ErrOwnCommit
	}
	return f.derive(parent, p, place, key, own)
}

// contradicted reports whether a child of a derived epoch, held and derived from its tree, has the place of a commit and another check
// (§4 step 4). In what was only told nothing is false: the child that is held may be the one that a false word gave (D205).
func (f Forest) contradicted(parent Epoch, p proto.Shown, place proto.Place) bool {
	if !parent.derived {
		return false
	}
	for _, m := range f.catalog.children(parent.id) {
		if m.place == place && m.check != p.Commit.Check {
			if child, _ := f.Epoch(m.id); child.derived && !child.byWord() {
				return true
			}
		}
	}
	return false
}

// derive makes steps 7 and 8.
func (f Forest) derive(parent Epoch, p proto.Shown, place proto.Place, key suite.PublicKey, own Shares) (Candidate, error) {
	share, ok := own(parent.root)
	if !ok {
		return Candidate{}, ErrUnknown
	}
	ss, err := p.Commit.Core.Follow(share)
	switch {
	case errors.Is(err, proto.ErrOwnCommit): // of an index that the member had in an older root
		return Candidate{}, ErrOwnCommit
	case err != nil:
		return Candidate{}, ErrFalse
	}
	return f.deriveWith(parent, p, place, key, ss)
}

// deriveWith makes steps 7 and 8 with the secret of the commit.
func (f Forest) deriveWith(parent Epoch, p proto.Shown, place proto.Place, key suite.PublicKey, ss secret.Bytes) (Candidate, error) {
	core := p.Commit.Core
	values, spent := parent.values(parent.path(core.Maker, place))
	if len(values) == 0 {
		return Candidate{}, ErrClosed
	}
	m := parent.child(f, p, place, Maker{Index: core.Maker, Key: key})
	for _, v := range values {
		keys := proto.DeriveKeys(proto.EpochSecret(v.Value, ss), place)
		if check := keys.Check(place); subtle.ConstantTimeCompare(check[:], p.Commit.Check[:]) == 1 {
			c := newCandidate(m, keys, nil)
			c.sure = parent.derived
			return c.from(parent, v, spent), nil
		}
	}
	if parent.derived {
		return Candidate{}, ErrMisled
	}
	return Candidate{}, ErrWaits
}

// from returns the candidate that a value of its place in its parent gave.
func (c Candidate) from(parent Epoch, v pprf.Candidate, s spent) Candidate {
	c.words, c.spent = v.Words, s
	c.Epoch = c.Epoch.givenBy(parent, v)
	return c
}

// givenBy returns the epoch that a value of its place in its parent gave, and which the true tree judges later if that is a word.
func (e Epoch) givenBy(parent Epoch, v pprf.Candidate) Epoch {
	e.seed = [32]byte{}
	if !parent.derived {
		e.seed = pprf.SeedHash(parent.path(e.maker.Index, e.place), v.Value)
	}
	return e
}

// spent is a derived tree, and what is left of it without one place: evaluating the place once gives both its value and that. A
// Candidate has it as long as a call lasts, beside the state from before; where candidates are kept (Found) it is left out, since a tree
// from before gives what was used up meanwhile.
type spent struct{ of, left pprf.Frontier }

// values returns what a place in the epoch's commit tree may give, and of a derived tree what is then left of it.
func (e Epoch) values(path []byte) ([]pprf.Candidate, spent) {
	if !e.derived {
		return e.commits.told.Candidates(path), spent{}
	}
	v, left, err := e.commits.tree.Eval(path)
	switch err {
	case nil:
		return []pprf.Candidate{{Value: v}}, spent{e.commits.tree, left}
	case pprf.ErrFull: // so it is followed, but not entered
		return []pprf.Candidate{{Value: v}}, spent{}
	}
	return nil, spent{}
}

// child returns what is fixed of the epoch that a commit makes from this one.
func (e Epoch) child(f Forest, p proto.Shown, place proto.Place, maker Maker) meta {
	return meta{
		id: proto.ByCommit.ID(place, p.Commit.Check), parent: e.id, root: e.root, generation: e.generation + 1, depth: e.depth,
		place: place, check: p.Commit.Check, shown: p, maker: maker,
	}
}

// Signer is a member's signing key, and the credential that it shows beside its commits if the notice of the root does not list
// it.
type Signer struct {
	Key        suite.SigningKey
	Credential proto.Credential
}

// Commit makes a commit from an epoch held and enters its child: one from each word that the member has for its own node, the
// most supported last (D18). With keepOwn the own chains of the children are kept from their start (§5). It returns ErrUnknown,
// ErrClosed if no place is known, or ErrQuota.
func (f Forest) Commit(at proto.EpochID, own Shares, s Signer, keepOwn bool, now Millis) (Forest, []proto.Shown, Change, error) {
	parent, held := f.Epoch(at)
	if !held {
		return f, nil, Change{}, ErrUnknown
	}
	root, known := f.Root(parent.root)
	share, ok := own(parent.root)
	if !known || !ok {
		return f, nil, Change{}, ErrUnknown
	}
	next, change := f, Change{}
	var made []proto.Shown
	children, err := f.ownChildren(parent, root, share, s)
	if err != nil {
		return f, nil, Change{}, err
	}
	for i := len(children) - 1; i >= 0; i-- {
		c := children[i]
		if keepOwn {
			at, err := c.senders.chain(f.own, c.depth)
			if err != nil {
				return f, nil, Change{}, err
			}
			c.own0 = at.chain.words[0].key
		}
		if next, err = next.enter(c, now, &change); err != nil {
			return f, nil, Change{}, err
		}
		made = append(made, c.shown)
	}
	next, change = next.evict(maxEpochs, change, now)
	return next, made, change, nil
}

// ownChildren returns a child for each value that the words of a tree give for the own node, the most supported first. Each has
// a core, and so a place, of its own: one place with two checks would be false (§4 step 4).
func (f Forest) ownChildren(parent Epoch, root Root, share dkg.Share, s Signer) (out []Candidate, err error) {
	var used []uint32
	for range pprf.MaxWords {
		core, ss, err := proto.NewCore(f.space, parent.id, root.Public, share)
		if err != nil {
			return nil, errors.Join(ErrUnknown, err)
		}
		place := core.Place(f.space, parent.id, parent.generation+1)
		values, spent := parent.values(parent.path(core.Maker, place))
		v, ok := unused(values, used)
		if !ok {
			break
		}
		used = append(used, v.Words...)
		keys := proto.DeriveKeys(proto.EpochSecret(v.Value, ss), place)
		p := proto.Shown{
			Commit:     core.Sign(s.Key, f.space, parent.id, parent.generation+1, keys.Check(place)),
			Credential: s.Credential,
		}
		m := parent.child(f, p, place, Maker{Index: core.Maker, Key: s.Key.Public})
		out = append(out, Candidate{Epoch: newEpoch(m, keys)}.from(parent, v, spent))
		if parent.derived {
			break
		}
	}
	if len(out) == 0 {
		return nil, ErrClosed
	}
	return out, nil
}

// unused returns the first value of which no word was used.
func unused(values []pprf.Candidate, used []uint32) (pprf.Candidate, bool) {
next:
	for _, v := range values {
		for _, w := range v.Words {
			for _, u := range used {
				if u == w {
					continue next
				}
			}
		}
		return v, true
	}
	return pprf.Candidate{}, false
}
