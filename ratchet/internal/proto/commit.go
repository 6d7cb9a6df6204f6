package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Commit is a core with the check of the epoch that it makes, signed by its maker (§4).
type Commit struct {
	Core      Core
	Check     Check
	Signature []byte
}

// Sign returns the commit of a core that makes the epoch of that generation, whose keys have this check.
func (c Core) Sign(k suite.SigningKey, space state.ID, parent EpochID, generation uint64, check Check) Commit {
	out := Commit{Core: c, Check: check}
	id := out.Child(space, parent, generation)
	out.Signature = k.Sign(suite.SignCommit, space[:], id[:])
	return out
}

// Child returns the id of the epoch of that generation that the commit makes from parent (§5).
func (c Commit) Child(space state.ID, parent EpochID, generation uint64) EpochID {
	return ByCommit.ID(c.Core.Place(space, parent, generation), c.Check)
}

// Verify checks the maker's signature over the id of the child (§4 step 3), or returns suite.ErrInvalid.
func (c Commit) Verify(k suite.PublicKey, space state.ID, child EpochID) error {
	return k.Verify(c.Signature, suite.SignCommit, space[:], child[:])
}

// Encode returns core ‖ check ‖ vec16(signature).
func (c Commit) Encode() []byte { return encode(maxCommit, c.write) }

func (c Commit) write(w *wire.Writer) {
	c.Core.write(w)
	w.Fixed(c.Check[:])
	w.Vec16(c.Signature)
}

func readCommit(r *wire.Reader) (c Commit) {
	c.Core = readCore(r)
	r.Into(c.Check[:])
	c.Signature = readSignature(r)
	return c
}

// ParseCommit reads a commit without verifying it.
func ParseCommit(b []byte) (Commit, error) { return parseAll(b, maxCommit, readCommit) }

// Shown is a commit as it is shown to others: beside it the credential of its maker, if and only if the notice of the parent's
// root does not list it.
type Shown struct {
	Commit     Commit
	Credential Credential // zero: the maker is listed
}

// VerifyMaker makes the checks of §4 steps 1 to 3 of a commit that makes the epoch child, and returns the key of its maker.
// It returns suite.ErrInvalid; then this copy of the commit is false, which says nothing of the epoch.
func (s Shown) VerifyMaker(root RootView, child EpochID) (suite.PublicKey, error) {
	i := s.Commit.Core.Maker
	if i.Check(root.Depth()) != nil {
		return suite.PublicKey{}, invalid("index of a commit")
	}
	key, listed := root.Listed(i)
	switch {
	case listed != s.Credential.IsZero():
		return suite.PublicKey{}, invalid("credential beside a commit")
	case !listed && s.Credential.Index() != i:
		return suite.PublicKey{}, invalid("credential of another index")
	case !listed:
		key = s.Credential.Key()
	}
	// The signature of the maker comes first: it is the only one that junk made from an honest credential does not have.
	if err := s.Commit.Verify(key, root.Space(), child); err != nil {
		return suite.PublicKey{}, err
	}
	if !listed {
		if err := s.Credential.Verify(root); err != nil {
			return suite.PublicKey{}, err
		}
	}
	return key, nil
}

// Encode returns commit ‖ vec16(certificate ‖ binding, or empty).
func (s Shown) Encode() []byte {
	return encode(MaxSealedCommit, func(w *wire.Writer) {
		s.Commit.write(w)
		w.Vec16(s.Credential.encodeOptional())
	})
}

// ParseShown reads a commit and its credential without verifying them.
func ParseShown(b []byte) (Shown, error) {
	return parseAll(b, maxOpened, readShown)
}

func readShown(r *wire.Reader) (s Shown) {
	s.Commit = readCommit(r)
	s.Credential = readOptionalCredential(r)
	return s
}

// Seal seals the commit under the commit key of its parent.
func (s Shown) Seal(key suite.AEAD, space state.ID, parent EpochID) Sealed {
	aad := epochAAD(space, parent)
	plain := s.Encode()
	return key.Seal(make([]byte, 0, len(plain)+suite.AEADOverhead), plain, aad[:])
}

// Sealed is a sealed commit as messages carry it.
type Sealed []byte

// minSealed is the length of the shortest: a listed maker's, with Ed25519.
const minSealed = coreSize + 32 + 2 + 64 + 2 + suite.AEADOverhead

// Open opens a sealed commit with the commit key of a possible parent. It returns suite.ErrNotOpened if it is of another
// epoch, and wire.ErrMalformed if the key fits but this is no commit.
func (s Sealed) Open(key suite.AEAD, space state.ID, parent EpochID) (Shown, error) {
	aad := epochAAD(space, parent)
	plain, err := key.Open(nil, s, aad[:])
	if err != nil {
		return Shown{}, err
	}
	return ParseShown(plain)
}

// Digest tells copies of a commit apart.
func (s Sealed) Digest() Digest { return suite.Hash(s) }

// readSealed reads a sealed commit behind its length.
func readSealed(r *wire.Reader) Sealed {
	s := r.Vec16(MaxSealedCommit)
	if r.Err() == nil && len(s) < minSealed {
		r.Fail("length of a sealed commit")
	}
	return s
}

// check refuses what no receiver reads.
func (s Sealed) check() error {
	if len(s) < minSealed || len(s) > MaxSealedCommit {
		return fmt.Errorf("%w: length of a sealed commit", wire.ErrMalformed)
	}
	return nil
}
