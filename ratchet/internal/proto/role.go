package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Rights is what a role lets a member do beside what all may. The zero Rights are none.
type Rights uint8

// The rights (§10, Roles).
const (
	MayInvite Rights = 1 << iota // it may ask owners for links, also where members may not
	MayRemove                    // it may remove members that are no owners
	MayTitle                     // it may name the space

	allRights = MayInvite | MayRemove | MayTitle
)

// Grant is the rights of a member.
type Grant struct {
	Index  dkg.Index
	Rights Rights
}

// Role gives a member rights in one root. It names the member's signing key, so that all who know the notice of that root judge alike
// what the member says by it.
type Role struct {
	Root      EpochID
	By        uint8 // place of the owner in the list of the root
	Index     dkg.Index
	Key       suite.PublicKey
	Rights    Rights
	Signature []byte
}

// Kind implements Statement.
func (Role) Kind() StatementKind { return KindRole }

// RootNamed returns the root that the statement names.
func (s Role) RootNamed() EpochID { return s.Root }

// Maker returns the member.
func (s Role) Maker() Maker { return Maker{Index: s.Index, Key: s.Key} }

// IsZero reports whether there is no role.
func (s Role) IsZero() bool { return s.Signature == nil }

func (s Role) signedBy() uint8               { return s.By }
func (s Role) byRole() Role                  { return Role{} }
func (s Role) signature() []byte             { return s.Signature }
func (s Role) withSignature(sig []byte) Role { s.Signature = sig; return s }

func (s Role) writeBody(w *wire.Writer) {
	w.Fixed(s.Root[:])
	w.U8(s.By)
	w.U32(uint32(s.Index))
	suite.WritePublicKey(w, s.Key)
	w.U8(uint8(s.Rights))
}

func readRole(r *wire.Reader) (s Role) {
	r.Into(s.Root[:])
	s.By = readPlace(r)
	s.Index = readIndex(r)
	s.Key = suite.ReadPublicKey(r)
	if s.Rights = Rights(r.U8()); r.Err() == nil && (s.Rights == 0 || s.Rights > allRights) {
		r.Fail("rights")
	}
	s.Signature = readSignature(r)
	return s
}

func readRoleStatement(r *wire.Reader) Statement { return readRole(r) }

// rightTo returns the right to say a kind of owners' statements by a role, none for those that owners alone say.
func rightTo(k StatementKind) Rights {
	switch k {
	case KindRevoke:
		return MayRemove
	case KindTitle:
		return MayTitle
	}
	return 0
}

// bySomeRole stands for the place of an owner where a role signed.
const bySomeRole = 255

// verifyByRole checks what a role signed: the role and what is said name this root and no other, an owner of the root gave the role, it has
// the right, and its member signed. Who is gone or was given which role is not asked: all judge alike whatever they heard.
func verifyByRole(s OwnerStatement, root RootView) error {
	role := s.byRole()
	if role.Root != root.ID() || s.RootNamed() != root.ID() || role.Rights&rightTo(s.Kind()) == 0 {
		return invalid("role")
	}
	if _, err := VerifyOwner(role, root); err != nil {
		return err
	}
	return VerifyStatement(s, root.Space(), role.Key)
}

// ByRole returns the role by which an owner's statement was said; the zero Role for an owner's own.
func ByRole(s OwnerStatement) Role { return s.byRole() }

// RootKey hands the root owner key on: from the member that holds it with a box, and from the one that got it without, under the same
// counter. The root owner key signs both, so who says the second has it.
type RootKey struct {
	Counter   uint64
	Index     dkg.Index // who gets it, or got it
	Box       []byte    // the seed of the key, to the newest inbox key of the index; empty from who got it
	Signature []byte
}

// Kind implements Statement.
func (RootKey) Kind() StatementKind { return KindRootKey }

func (s RootKey) signature() []byte                { return s.Signature }
func (s RootKey) withSignature(sig []byte) RootKey { s.Signature = sig; return s }

func (s RootKey) writeBody(w *wire.Writer) {
	w.U64(s.Counter)
	w.U32(uint32(s.Index))
	w.Vec16(s.Box)
}

func readRootKey(r *wire.Reader) Statement {
	s := RootKey{Counter: r.U64(), Index: readIndex(r), Box: r.Vec16(suite.MaxPublicKey + suite.MaxOverhead)}
	if len(s.Box) == 0 {
		s.Box = nil
	}
	s.Signature = readSignature(r)
	return s
}
