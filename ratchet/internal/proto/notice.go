package proto

import (
	"bytes"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// RootNotice tells members, also those who are removed, of a root: which it is, who belongs to it, and who owns the space
// (§10). A genesis has one too.
type RootNotice struct {
	parent    EpochID // zero for a genesis
	Rekey     uint64
	Root      EpochID
	Members   Bitmap // the roster's indices
	Owners    OwnerList
	Owner     suite.PublicKey // who signed; the dealer of the root
	signature []byte
}

// NewRootNotice signs a notice over a root.
func NewRootNotice(owner suite.SigningKey, owners OwnerList, c RootContext, r Roster) (RootNotice, error) {
	n := RootNotice{parent: c.parent, Rekey: c.rekey, Root: c.ID(), Members: r.Bitmap(), Owners: owners, Owner: owner.Public}
	if !owners.Contains(owner.Public) || c.Roster != r.Digest() {
		return RootNotice{}, fmt.Errorf("%w: notice", suite.ErrInvalid)
	}
	n.signature = owner.Sign(suite.SignRekey, c.Space[:], n.body())
	return n, nil
}

// verify checks the owner list, that the signer is an owner, and the signature.
func (n RootNotice) verify(o Origin) error {
	if err := n.Owners.verify(o); err != nil {
		return err
	}
	if !n.Owners.Contains(n.Owner) {
		return fmt.Errorf("%w: not signed by an owner", suite.ErrInvalid)
	}
	space := o.Space()
	return n.Owner.Verify(n.signature, suite.SignRekey, space[:], n.body())
}

// covers checks that the notice is over this common, and the common over this template.
func (n RootNotice) covers(space state.ID, c RootContext, t Template) error {
	switch {
	case c.Space != space, n.Root != c.ID(), n.parent != c.parent, n.Rekey != c.rekey:
		return fmt.Errorf("%w: notice of another root", suite.ErrInvalid)
	case c.Template != t.Digest(), t.rekey != c.rekey, t.Depth != c.Depth, !t.Public.Equal(c.Public),
		!bytes.Equal(t.Owners.Encode(), n.Owners.Encode()):
		return fmt.Errorf("%w: template of another root", suite.ErrInvalid)
	}
	return nil
}

// lists checks a roster of the root: the one that its common names, or, with a verified roster statement of the root, the
// one that this names, which leaves nobody out who was there before.
func (n RootNotice) lists(c RootContext, r Roster, s *RosterStatement) error {
	ok := c.Roster == r.Digest() && bytes.Equal(n.Members, r.Bitmap())
	if s != nil {
		ok = s.Root == n.Root && s.Digest == r.Digest() && bytes.Equal(s.Members, r.Bitmap()) && s.Members.Contains(n.Members)
	}
	for _, e := range r.Entries {
		ok = ok && e.Signing.Scheme() == n.Owner.Scheme() && checkIndex(e.Index, c.Depth) == nil
		ok = ok && (s != nil || uint32(e.Index) < c.Cursor)
	}
	if !ok {
		return fmt.Errorf("%w: roster of another root", suite.ErrInvalid)
	}
	return nil
}

// body returns what is signed after the space: id_e ‖ u64 rekey generation ‖ id' ‖ vec32 bitmap ‖ vec16 owner list ‖
// vec16 owner key.
func (n RootNotice) body() []byte {
	owners := n.Owners.Encode()
	w := wire.NewWriter(32 + 8 + 32 + 4 + len(n.Members) + 2 + len(owners) + 2 + suite.MaxPublicKey)
	w.Fixed(n.parent[:])
	w.U64(n.Rekey)
	w.Fixed(n.Root[:])
	w.Vec32(n.Members)
	w.Vec16(owners)
	suite.WritePublicKey(w, n.Owner)
	return w.Bytes()
}

// Encode returns body ‖ vec16 signature.
func (n RootNotice) Encode() []byte {
	w := wire.NewWriter(2 + suite.MaxSignature)
	w.Vec16(n.signature)
	return append(n.body(), w.Bytes()...)
}

// MaxRootNotice bounds its encoding: a bitmap of all indices of the deepest tree.
const MaxRootNotice = 32 + 8 + 32 + 4 + 1<<dkg.MaxDepth/8 + 2 + MaxOwnerList + 2 + suite.MaxPublicKey + 2 + suite.MaxSignature

// ParseRootNotice reads a notice without verifying it.
func ParseRootNotice(b []byte) (n RootNotice, err error) {
	r := wire.NewReader(b)
	r.Into(n.parent[:])
	n.Rekey = r.U64()
	r.Into(n.Root[:])
	n.Members = readBitmap(r, r.Vec32(1<<dkg.MaxDepth/8))
	n.Owners = readOwnerList(r)
	n.Owner = suite.ReadPublicKey(r)
	n.signature = r.Vec16(suite.MaxSignature)
	if err = r.Done(); err != nil {
		return RootNotice{}, err
	}
	return n, nil
}
