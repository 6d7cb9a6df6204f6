package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// StatementKind says what a statement says.
type StatementKind uint8

// The kinds of statements (§7).
const (
	KindLeave        StatementKind = 1
	KindRevoke       StatementKind = 2
	KindNotice       StatementKind = 3
	KindBind         StatementKind = 4
	KindClose        StatementKind = 5
	KindInvite       StatementKind = 6
	KindProfile      StatementKind = 7
	KindTitle        StatementKind = 8
	KindRootKey      StatementKind = 9
	KindInviteWanted StatementKind = 10
	KindInviteGiven  StatementKind = 11
	KindCurrent      StatementKind = 12
	KindRole         StatementKind = 13
	kindPerson       StatementKind = 14 // reserved
)

// label returns the label of the signature over a statement, "" if it has none of its own.
func (k StatementKind) label() string {
	switch k {
	case KindLeave:
		return suite.SignLeave
	case KindRevoke:
		return suite.SignRevoke
	case KindBind:
		return suite.SignBind
	case KindClose:
		return suite.SignClose
	case KindProfile:
		return suite.SignProfile
	case KindTitle:
		return suite.SignTitle
	case KindRootKey:
		return suite.SignRoot
	case KindRole:
		return suite.SignRole
	case KindCurrent:
		return suite.SignCurrent
	}
	return ""
}

// Statement is something said in a message or a ticket that changes what members know of each other (§7). Its types are
// Leave, Revoke, Notice, Bind, Close, InviteMade, Profile, Title, RootKey, InviteWanted, InviteGiven, Current and Role.
type Statement interface {
	Kind() StatementKind
	writeBody(*wire.Writer)
	signature() []byte
}

// OwnerStatement is a statement that an owner of a root says: Revoke, Bind, Close, Title, Current and Role. A
// member says Revoke and Title by a role, too.
type OwnerStatement interface {
	Statement
	// RootNamed returns the root that the statement names.
	RootNamed() EpochID
	// signedBy returns the place at which the statement says that its signer stands.
	signedBy() uint8
	// byRole returns the role that gives its signer the right, the zero Role of an owner.
	byRole() Role
}

// signable is a statement that gets a signature.
type signable[S any] interface {
	Statement
	withSignature([]byte) S
}

// maxStatement bounds the encoding of a statement: what a message can hold.
const maxStatement = MaxPlaintext

// Sign returns the statement with a signature: of the member that says it, or of the owner that it names.
func Sign[S signable[S]](s S, space state.ID, k suite.SigningKey) S {
	return s.withSignature(k.Sign(s.Kind().label(), space[:], statementBody(s)))
}

// VerifyStatement checks the signature of a statement, or returns suite.ErrInvalid; also for one that has none of its own.
func VerifyStatement(s Statement, space state.ID, k suite.PublicKey) error {
	if s.Kind().label() == "" {
		return invalid("statement without a signature")
	}
	return k.Verify(s.signature(), s.Kind().label(), space[:], statementBody(s))
}

// VerifyOwner checks that an owner in the list of a root's notice signed a statement, and returns the owner's place; or, of a statement
// by a role, that the role counts in the root and its member signed, and returns 255. Else it returns suite.ErrInvalid. The statement may name another root: it says which key to try first, and the signature decides.
// Whether the root that it names is the same or an older one, the caller knows (§7).
func VerifyOwner(s OwnerStatement, root RootView) (place uint8, err error) {
	space, first := root.Space(), s.signedBy()
	if !s.byRole().IsZero() {
		return bySomeRole, verifyByRole(s, root)
	}
	if k, ok := root.Owner(first); ok && VerifyStatement(s, space, k) == nil {
		return first, nil
	}
	for place := range uint8(MaxOwners) {
		k, ok := root.Owner(place)
		if ok && place != first && VerifyStatement(s, space, k) == nil {
			return place, nil
		}
	}
	return 0, invalid("no owner's statement")
}

// StatementHash returns H(statement).
func StatementHash(s Statement) Digest { return suite.Hash(EncodeStatement(s)) }

func statementBody(s Statement) []byte { return encode(256, s.writeBody) }

// EncodeStatement returns u8 kind ‖ body ‖ vec16 signature.
func EncodeStatement(s Statement) []byte {
	return encode(256, func(w *wire.Writer) {
		w.U8(uint8(s.Kind()))
		s.writeBody(w)
		w.Vec16(s.signature())
	})
}

// ParseStatement reads a statement without verifying it. It returns wire.ErrTooNew for those of persons, which are reserved.
func ParseStatement(b []byte) (Statement, error) {
	if len(b) == 0 || len(b) > maxStatement {
		return nil, fmt.Errorf("%w: length of a statement", wire.ErrMalformed)
	}
	kind, body := StatementKind(b[0]), b[1:]
	read, ok := statementReaders(kind)
	switch {
	case kind == kindPerson:
		return nil, fmt.Errorf("%w: statement of kind %d", wire.ErrTooNew, kind)
	case !ok:
		return nil, fmt.Errorf("%w: kind of a statement", wire.ErrMalformed)
	}
	return parseAll(body, maxStatement, read)
}

// statementReaders returns the reader of a kind.
func statementReaders(k StatementKind) (func(*wire.Reader) Statement, bool) {
	switch k {
	case KindLeave:
		return readLeave, true
	case KindRevoke:
		return readRevoke, true
	case KindNotice:
		return func(r *wire.Reader) Statement { return readNotice(r) }, true
	case KindBind:
		return readBind, true
	case KindClose:
		return readClose, true
	case KindInvite:
		return readInviteMade, true
	case KindProfile:
		return readProfile, true
	case KindTitle:
		return readTitle, true
	case KindRootKey:
		return readRootKey, true
	case KindRole:
		return readRoleStatement, true
	case KindInviteWanted:
		return readInviteWanted, true
	case KindInviteGiven:
		return readInviteGiven, true
	case KindCurrent:
		return readCurrentStatement, true
	}
	return nil, false
}

// Said is what an owner's statement has: the root that it names, and the signer's place in the list of that root, or the role by which it
// is said.
type Said struct {
	Root      EpochID
	By        uint8
	Role      Role
	Signature []byte
}

// RootNamed returns the root that the statement names.
func (s Said) RootNamed() EpochID { return s.Root }

func (s Said) signedBy() uint8   { return s.By }
func (s Said) byRole() Role      { return s.Role }
func (s Said) signature() []byte { return s.Signature }

// writeBy writes u8 place, or 255 and the role.
func (s Said) writeBy(w *wire.Writer) {
	if s.Role.IsZero() {
		w.U8(s.By)
		return
	}
	w.U8(bySomeRole)
	w.Vec16(EncodeStatement(s.Role)[1:])
}

func (s *Said) readBy(r *wire.Reader) {
	if s.By = r.U8(); s.By == bySomeRole {
		s.By, s.Role = 0, readNested(r, r.Vec16(maxRole), readRole)
	} else if r.Err() == nil && s.By >= MaxOwners {
		r.Fail("place of an owner")
	}
}

// readPlace reads the place of an owner where no role counts.
func readPlace(r *wire.Reader) uint8 {
	by := r.U8()
	if r.Err() == nil && by >= MaxOwners {
		r.Fail("place of an owner")
	}
	return by
}
