package ratchet

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// controlKind says what a control statement is (§7).
type controlKind uint8

// The kinds of control statement.
const (
	controlLeave  controlKind = 1
	controlRevoke controlKind = 2
	controlRoster controlKind = 3
)

// control is a signed statement that travels as the plaintext of a message and, revoke and roster, in tickets.
type control struct {
	kind      controlKind
	leave     *leaveStatement  // one of these three, by kind
	revoke    *revokeStatement //
	roster    *rosterStatement //
	signature []byte
}

// leaveStatement: member index leaves the space.
type leaveStatement struct {
	index dkg.Index
	rekey uint64
	time  int64 // milliseconds since 1970, for display only
}

// revokeStatement: introductions of these indices are refused from now on. Statements of a root add up, so they need no
// order: an owner whose state was restored contradicts nothing it said before.
type revokeStatement struct {
	root    epochID
	indices []dkg.Index // ascending
}

// covers reports whether the statement says all that another one says.
func (s revokeStatement) covers(other revokeStatement) bool {
	for _, i := range other.indices {
		if _, ok := slices.BinarySearch(s.indices, i); !ok {
			return false
		}
	}
	return true
}

// rosterStatement: these members are the ones whose entries have this digest. It says nothing of others. Members of a root
// only ever come, so the statement that names more of them is the newer one.
type rosterStatement struct {
	root    epochID
	members bitmap
	digest  digest
}

// newLeave, newRevoke and newRoster sign statements: a leave by the member, the others by an owner.
func newLeave(space state.ID, s leaveStatement, member signingKey) control {
	return control{kind: controlLeave, leave: &s}.sign(space, member)
}

func newRevoke(space state.ID, s revokeStatement, owner signingKey) control {
	s.indices = slices.Compact(slices.Sorted(slices.Values(s.indices)))
	return control{kind: controlRevoke, revoke: &s}.sign(space, owner)
}

func newRoster(space state.ID, s rosterStatement, owner signingKey) control {
	return control{kind: controlRoster, roster: &s}.sign(space, owner)
}

func (c control) sign(space state.ID, k signingKey) control {
	c.signature = k.sign(c.kind.label(), space[:], c.body())
	return c
}

// root returns the root that an owner's statement is about, zero for a leave.
func (c control) root() epochID {
	switch c.kind {
	case controlRevoke:
		return c.revoke.root
	case controlRoster:
		return c.roster.root
	}
	return epochID{}
}

// label returns the label of the statement's signature.
func (k controlKind) label() string {
	switch k {
	case controlLeave:
		return signLeave
	case controlRevoke:
		return signRevoke
	}
	return signRoster
}

// verify checks the signature of a leave with the member's signing key.
func (c control) verify(space state.ID, key PublicKey) error {
	return key.verify(c.signature, c.kind.label(), space[:], c.body())
}

// verifyOwner checks the signature of a revoke or roster statement against an owner list.
func (c control) verifyOwner(space state.ID, owners ownerList) error {
	if c.kind == controlLeave {
		return fmt.Errorf("%w: an owner does not leave for others", errInvalid)
	}
	return owners.verifyAny(c.signature, c.kind.label(), space[:], c.body())
}

// body returns what is signed after the space: u32 index ‖ u64 rekey generation ‖ u64 time; or root id ‖ u32 number of
// indices ‖ each u32; or root id ‖ vec16 bitmap ‖ digest.
func (c control) body() []byte {
	w := wire.NewWriter(32 + 8 + hashSize)
	switch c.kind {
	case controlLeave:
		w.U32(uint32(c.leave.index))
		w.U64(c.leave.rekey)
		w.U64(uint64(c.leave.time))
	case controlRevoke:
		w.Fixed(c.revoke.root[:])
		w.U32(uint32(len(c.revoke.indices)))
		for _, i := range c.revoke.indices {
			w.U32(uint32(i))
		}
	case controlRoster:
		w.Fixed(c.roster.root[:])
		w.Vec16(c.roster.members)
		w.Fixed(c.roster.digest[:])
	}
	return w.Bytes()
}

// maxControl bounds the encoding of a control statement.
const maxControl = 1 + 32 + 4 + max(4*maxRevoked, maxSignedMembers) + hashSize + 2 + maxSignature

// encode returns the plaintext of a control message: u8 kind ‖ body ‖ vec16 signature.
func (c control) encode() []byte {
	body := c.body()
	w := wire.NewWriter(1 + len(body) + 2 + maxSignature)
	w.U8(uint8(c.kind))
	w.Fixed(body)
	w.Vec16(c.signature)
	return w.Bytes()
}

// parseControl reads a control statement without verifying it.
func parseControl(b []byte) (c control, err error) {
	if len(b) > maxControl {
		return control{}, fmt.Errorf("%w: a statement is longer than its limit", wire.ErrMalformed)
	}
	r := wire.NewReader(b)
	switch c.kind = controlKind(r.U8()); c.kind {
	case controlLeave:
		c.leave = &leaveStatement{readIndex(r, dkg.MaxDepth), r.U64(), int64(r.U64())}
	case controlRevoke:
		c.revoke = new(revokeStatement)
		r.Into(c.revoke.root[:])
		c.revoke.indices = readIndices(r)
	case controlRoster:
		c.roster = new(rosterStatement)
		r.Into(c.roster.root[:])
		c.roster.members = readBitmap(r, r.Vec16(maxSignedMembers))
		r.Into(c.roster.digest[:])
	default:
		r.Fail("kind of a statement")
	}
	c.signature = r.Vec16(maxSignature)
	if err = r.Done(); err != nil {
		return control{}, err
	}
	return c, nil
}

// readIndices reads indices in ascending order.
func readIndices(r *wire.Reader) []dkg.Index {
	indices := make([]dkg.Index, r.Count(maxRevoked, 4))
	for k := range indices {
		indices[k] = readIndex(r, dkg.MaxDepth)
		if k > 0 && indices[k-1] >= indices[k] {
			r.Fail("order of indices")
		}
	}
	return indices
}
