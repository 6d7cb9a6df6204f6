package ratchet

import (
	"bytes"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// notice tells members, also those who are removed, of a root: which it is, who belongs to it, and who owns the space
// (§10). A genesis has one too.
type notice struct {
	parent    epochID // zero for a genesis
	rekey     uint64
	root      epochID
	members   bitmap // the roster's indices
	owners    ownerList
	owner     PublicKey // who signed; the dealer of the root
	signature []byte
}

// newNotice signs a notice over a root.
func newNotice(owner signingKey, owners ownerList, c common, r roster) (notice, error) {
	n := notice{parent: c.parent, rekey: c.rekey, root: c.id(), members: r.bitmap(), owners: owners, owner: owner.public}
	if !owners.contains(owner.public) || c.roster != r.digest() {
		return notice{}, fmt.Errorf("%w: notice", errInvalid)
	}
	n.signature = owner.sign(signRekey, c.space[:], n.body())
	return n, nil
}

// verify checks the owner list, that the signer is an owner, and the signature.
func (n notice) verify(o origin) error {
	if err := n.owners.verify(o); err != nil {
		return err
	}
	if !n.owners.contains(n.owner) {
		return fmt.Errorf("%w: not signed by an owner", errInvalid)
	}
	space := o.space()
	return n.owner.verify(n.signature, signRekey, space[:], n.body())
}

// covers checks that the notice is over this common, and the common over this template.
func (n notice) covers(space state.ID, c common, t template) error {
	switch {
	case c.space != space, n.root != c.id(), n.parent != c.parent, n.rekey != c.rekey:
		return fmt.Errorf("%w: notice of another root", errInvalid)
	case c.template != t.digest(), t.rekey != c.rekey, t.depth != c.depth, !t.public.Equal(c.public),
		!bytes.Equal(t.owners.encode(), n.owners.encode()):
		return fmt.Errorf("%w: template of another root", errInvalid)
	}
	return nil
}

// lists checks a roster of the root: the one that its common names, or, with a verified roster statement of the root, the
// one that this names, which leaves nobody out who was there before.
func (n notice) lists(c common, r roster, s *rosterStatement) error {
	ok := c.roster == r.digest() && bytes.Equal(n.members, r.bitmap())
	if s != nil {
		ok = s.root == n.root && s.digest == r.digest() && bytes.Equal(s.members, r.bitmap()) && s.members.contains(n.members)
	}
	for _, e := range r.entries {
		ok = ok && e.key.scheme == n.owner.scheme && checkIndex(e.index, c.depth) == nil
		ok = ok && (s != nil || uint32(e.index) < c.cursor)
	}
	if !ok {
		return fmt.Errorf("%w: roster of another root", errInvalid)
	}
	return nil
}

// body returns what is signed after the space: id_e ‖ u64 rekey generation ‖ id' ‖ vec32 bitmap ‖ vec16 owner list ‖
// vec16 owner key.
func (n notice) body() []byte {
	owners := n.owners.encode()
	w := wire.NewWriter(32 + 8 + 32 + 4 + len(n.members) + 2 + len(owners) + 2 + maxPublicKey)
	w.Fixed(n.parent[:])
	w.U64(n.rekey)
	w.Fixed(n.root[:])
	w.Vec32(n.members)
	w.Vec16(owners)
	writePublicKey(w, n.owner)
	return w.Bytes()
}

// encode returns body ‖ vec16 signature.
func (n notice) encode() []byte {
	w := wire.NewWriter(2 + maxSignature)
	w.Vec16(n.signature)
	return append(n.body(), w.Bytes()...)
}

// maxNotice bounds its encoding: a bitmap of all indices of the deepest tree.
const maxNotice = 32 + 8 + 32 + 4 + 1<<dkg.MaxDepth/8 + 2 + maxOwnerList + 2 + maxPublicKey + 2 + maxSignature

// parseNotice reads a notice without verifying it.
func parseNotice(b []byte) (n notice, err error) {
	r := wire.NewReader(b)
	r.Into(n.parent[:])
	n.rekey = r.U64()
	r.Into(n.root[:])
	n.members = readBitmap(r, r.Vec32(1<<dkg.MaxDepth/8))
	n.owners = readOwnerList(r)
	n.owner = readPublicKey(r)
	n.signature = r.Vec16(maxSignature)
	if err = r.Done(); err != nil {
		return notice{}, err
	}
	return n, nil
}
