package proto

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// StatementKind says what a control statement is (§7).
type StatementKind uint8

// The kinds of control statement.
const (
	KindLeave  StatementKind = 1
	KindRevoke StatementKind = 2
	KindRoster StatementKind = 3
)

// Statement is a signed statement that travels as the plaintext of a message and, revoke and roster, in tickets.
type Statement struct {
	Kind      StatementKind
	Leave     *LeaveStatement  // one of these three, by kind
	Revoke    *RevokeStatement //
	Roster    *RosterStatement //
	signature []byte
}

// LeaveStatement: member index leaves the space.
type LeaveStatement struct {
	Index dkg.Index
	Rekey uint64
	Time  int64 // milliseconds since 1970, for display only
}

// RevokeStatement: introductions of these indices are refused from now on. Statements of a root add up, so they need no
// order: an owner whose state was restored contradicts nothing it said before.
type RevokeStatement struct {
	Root    EpochID
	Indices []dkg.Index // ascending
}

// Covers reports whether the statement says all that another one says.
func (s RevokeStatement) Covers(other RevokeStatement) bool {
	for _, i := range other.Indices {
		if _, ok := slices.BinarySearch(s.Indices, i); !ok {
			return false
		}
	}
	return true
}

// RosterStatement: these members are the ones whose entries have this digest. It says nothing of others. Members of a root
// only ever come, so the statement that names more of them is the newer one.
type RosterStatement struct {
	Root    EpochID
	Members Bitmap
	Digest  suite.Digest
}

// SignLeave makes the statement of a member that leaves.
func SignLeave(space state.ID, s LeaveStatement, member suite.SigningKey) Statement {
	return Statement{Kind: KindLeave, Leave: &s}.sign(space, member)
}

// SignRevoke makes a revoke statement of an owner. The indices may come in any order.
func SignRevoke(space state.ID, s RevokeStatement, owner suite.SigningKey) Statement {
	s.Indices = slices.Compact(slices.Sorted(slices.Values(s.Indices)))
	return Statement{Kind: KindRevoke, Revoke: &s}.sign(space, owner)
}

// SignRoster makes a roster statement of an owner.
func SignRoster(space state.ID, s RosterStatement, owner suite.SigningKey) Statement {
	return Statement{Kind: KindRoster, Roster: &s}.sign(space, owner)
}

func (c Statement) sign(space state.ID, k suite.SigningKey) Statement {
	c.signature = k.Sign(c.Kind.label(), space[:], c.body())
	return c
}

// root returns the root that an owner's statement is about, zero for a leave.
func (c Statement) root() EpochID {
	switch c.Kind {
	case KindRevoke:
		return c.Revoke.Root
	case KindRoster:
		return c.Roster.Root
	}
	return EpochID{}
}

// label returns the label of the statement's signature.
func (k StatementKind) label() string {
	switch k {
	case KindLeave:
		return suite.SignLeave
	case KindRevoke:
		return suite.SignRevoke
	}
	return suite.SignRoster
}

// Verify checks the signature of a leave with the member's signing key.
func (c Statement) Verify(space state.ID, key suite.PublicKey) error {
	return key.Verify(c.signature, c.Kind.label(), space[:], c.body())
}

// VerifyOwner checks the signature of a revoke or roster statement against an owner list.
func (c Statement) VerifyOwner(space state.ID, owners OwnerList) error {
	if c.Kind == KindLeave {
		return fmt.Errorf("%w: an owner does not leave for others", suite.ErrInvalid)
	}
	return owners.verifyAny(c.signature, c.Kind.label(), space[:], c.body())
}

// body returns what is signed after the space: u32 index ‖ u64 rekey generation ‖ u64 time; or root id ‖ u32 number of
// indices ‖ each u32; or root id ‖ vec16 bitmap ‖ digest.
func (c Statement) body() []byte {
	w := wire.NewWriter(32 + 8 + suite.HashSize)
	switch c.Kind {
	case KindLeave:
		w.U32(uint32(c.Leave.Index))
		w.U64(c.Leave.Rekey)
		w.U64(uint64(c.Leave.Time))
	case KindRevoke:
		w.Fixed(c.Revoke.Root[:])
		w.U32(uint32(len(c.Revoke.Indices)))
		for _, i := range c.Revoke.Indices {
			w.U32(uint32(i))
		}
	case KindRoster:
		w.Fixed(c.Roster.Root[:])
		w.Vec16(c.Roster.Members)
		w.Fixed(c.Roster.Digest[:])
	}
	return w.Bytes()
}

// MaxStatement bounds the encoding of a control statement.
const MaxStatement = 1 + 32 + 4 + max(4*MaxRevoked, MaxSignedMembers) + suite.HashSize + 2 + suite.MaxSignature

// Encode returns the plaintext of a control message: u8 kind ‖ body ‖ vec16 signature.
func (c Statement) Encode() []byte {
	body := c.body()
	w := wire.NewWriter(1 + len(body) + 2 + suite.MaxSignature)
	w.U8(uint8(c.Kind))
	w.Fixed(body)
	w.Vec16(c.signature)
	return w.Bytes()
}

// ParseStatement reads a control statement without verifying it.
func ParseStatement(b []byte) (c Statement, err error) {
	if len(b) > MaxStatement {
		return Statement{}, fmt.Errorf("%w: a statement is longer than its limit", wire.ErrMalformed)
	}
	r := wire.NewReader(b)
	switch c.Kind = StatementKind(r.U8()); c.Kind {
	case KindLeave:
		c.Leave = &LeaveStatement{ReadIndex(r, dkg.MaxDepth), r.U64(), int64(r.U64())}
	case KindRevoke:
		c.Revoke = new(RevokeStatement)
		r.Into(c.Revoke.Root[:])
		c.Revoke.Indices = readIndices(r)
	case KindRoster:
		c.Roster = new(RosterStatement)
		r.Into(c.Roster.Root[:])
		c.Roster.Members = readBitmap(r, r.Vec16(MaxSignedMembers))
		r.Into(c.Roster.Digest[:])
	default:
		r.Fail("kind of a statement")
	}
	c.signature = r.Vec16(suite.MaxSignature)
	if err = r.Done(); err != nil {
		return Statement{}, err
	}
	return c, nil
}

// readIndices reads indices in ascending order.
func readIndices(r *wire.Reader) []dkg.Index {
	indices := make([]dkg.Index, r.Count(MaxRevoked, 4))
	for k := range indices {
		indices[k] = ReadIndex(r, dkg.MaxDepth)
		if k > 0 && indices[k-1] >= indices[k] {
			r.Fail("order of indices")
		}
	}
	return indices
}
