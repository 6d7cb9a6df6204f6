package proto

import (
	"bytes"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TicketEpoch is what a ticket says of one epoch.
type TicketEpoch struct {
	ID         EpochID
	Parent     EpochID // zero for a genesis
	Generation uint64
	Commit     []byte          // that made it of its parent, 206 bytes; empty for a root
	CommitKey  secret.Bytes    // 32 bytes
	Tree       pprf.CommitTree // as punctured by the issuer
}

// TicketBody is what a ticket holds (§9). It is secret.
type TicketBody struct {
	Issuer        dkg.Index
	Notice        RootNotice
	Context       RootContext
	Template      Template
	Roster        Roster     // of the roster statement, or of the common if there is none
	Revokes       [][]byte   // revoke statements, as control plaintexts
	RosterSigned  []byte     // newest roster statement likewise, empty if none
	Introductions [][]byte   // accepted since that roster
	Answered      []Answered // of whom it is known which of their requests were answered, in ascending order of indices
	Share         dkg.Share  // zero, but from an owner to whom a dead link was shown
	Admission     []byte     // new admission with a share, if any
	Epochs        []TicketEpoch
	signature     []byte // of the issuer
}

// Answered says that no request of a member counts any more whose counter is below a number (§9).
type Answered struct {
	Index dkg.Index
	Below uint64 // above 0
}

// bodyTicket is the first byte of a body; a refusal has 0.
const bodyTicket = 1

// body returns what is signed after space, H(request) and index: u8(1) ‖ u32 issuer ‖ vec32 notice ‖ common ‖
// vec16 template ‖ vec32 roster ‖ u8 number of revoke statements ‖ each vec16 ‖ vec16 roster
// statement ‖ u32 number of introductions ‖ each vec16 ‖ u32 number of answered ‖ each u32 index ‖ u64 counter ‖ u8 has
// share ‖ [scalar ‖ vec8 admission] ‖ u8 number of epochs ‖ each.
func (b TicketBody) body() []byte {
	w := wire.NewWriter(16 << 10)
	w.U8(bodyTicket)
	w.U32(uint32(b.Issuer))
	w.Vec32(b.Notice.Encode())
	w.Fixed(b.Context.Encode())
	w.Vec16(b.Template.Encode().Expose())
	w.Vec32(b.Roster.Encode())
	w.U8(uint8(len(b.Revokes)))
	for _, st := range b.Revokes {
		w.Vec16(st)
	}
	w.Vec16(b.RosterSigned)
	w.U32(uint32(len(b.Introductions)))
	for _, in := range b.Introductions {
		w.Vec16(in)
	}
	w.U32(uint32(len(b.Answered)))
	for _, a := range b.Answered {
		w.U32(uint32(a.Index))
		w.U64(a.Below)
	}
	w.Bool(b.Share.Index() != 0)
	if b.Share.Index() != 0 {
		w.Fixed(b.Share.Bytes().Expose())
		w.Vec8(b.Admission)
	}
	w.U8(uint8(len(b.Epochs)))
	for _, e := range b.Epochs {
		e.write(w)
	}
	return w.Bytes()
}

// Encode returns body ‖ vec16 signature.
func (b TicketBody) Encode() []byte {
	w := wire.NewWriter(2 + suite.MaxSignature)
	w.Vec16(b.signature)
	return append(b.body(), w.Bytes()...)
}

// write is the codec of an epoch: id ‖ parent ‖ u64 generation ‖ vec8 commit ‖ commit key ‖ vec32 commit tree.
func (e TicketEpoch) write(w *wire.Writer) {
	w.Fixed(e.ID[:])
	w.Fixed(e.Parent[:])
	w.U64(e.Generation)
	w.Vec8(e.Commit)
	w.Fixed(e.CommitKey.Expose())
	w.Vec32(e.Tree.Encode())
}

func readTicketEpoch(r *wire.Reader, depth int) (e TicketEpoch) {
	r.Into(e.ID[:])
	r.Into(e.Parent[:])
	e.Generation = r.U64()
	e.Commit = r.Vec8(CommitSize)
	e.CommitKey = secret.Own(r.Fixed(suite.KeySize))
	e.Tree = readNested(r, r.Vec32(maxTicket), func(b []byte) (pprf.CommitTree, error) { return pprf.DecodeCommitTree(b, depth) })
	// A root, and nothing else, is of generation 0 and was made by no commit.
	if n := len(e.Commit); n != 0 && n != CommitSize || (n == 0) != (e.Generation == 0) || e.Generation > maxGeneration {
		r.Fail("epoch of a ticket")
	}
	return e
}

// ParseTicketBody reads a body. It verifies nothing.
func ParseTicketBody(plain []byte) (b TicketBody, err error) {
	if len(plain) > maxTicket {
		return TicketBody{}, fmt.Errorf("%w: a ticket is longer than its limit", wire.ErrMalformed)
	}
	r := wire.NewReader(plain)
	if r.U8() != bodyTicket {
		r.Fail("body of a ticket")
	}
	b.Issuer = dkg.Index(r.U32())
	b.Notice = readNested(r, r.Vec32(MaxRootNotice), ParseRootNotice)
	b.Context = readRootContext(r)
	depth := b.Context.Depth
	b.Template = readNested(r, r.Vec16(MaxTemplate), ParseTemplate)
	b.Roster = readNested(r, r.Vec32(maxRoster), func(b []byte) (Roster, error) { return parseRoster(b, depth) })
	n := int(r.U8())
	if n > MaxRevokes {
		r.Fail("number of revoke statements")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		b.Revokes = append(b.Revokes, r.Vec16(MaxStatement))
	}
	b.RosterSigned = r.Vec16(MaxStatement)
	b.Introductions = make([][]byte, r.Count(maxTicket/2, 2))
	for i := range b.Introductions {
		b.Introductions[i] = r.Vec16(MaxIntroduction)
	}
	b.Answered = make([]Answered, r.Count(maxTicket/2, 4+8))
	for i := range b.Answered {
		a := Answered{ReadIndex(r, depth), r.U64()}
		if a.Below == 0 || i > 0 && b.Answered[i-1].Index >= a.Index {
			r.Fail("answered requests")
		}
		b.Answered[i] = a
	}
	if r.Bool() {
		b.Share = readNested(r, r.Fixed(dkg.ShareSize), dkg.ParseShare)
		b.Admission = r.Vec8(maxAdmission)
	}
	n = int(r.U8())
	if n == 0 || n > MaxTicketEpochs {
		r.Fail("number of epochs")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		b.Epochs = append(b.Epochs, readTicketEpoch(r, depth))
	}
	b.signature = r.Vec16(suite.MaxSignature)
	if r.Err() == nil && checkIndex(b.Issuer, depth) != nil {
		r.Fail("issuer of a ticket")
	}
	if err = r.Done(); err != nil {
		return TicketBody{}, err
	}
	return b, nil
}

// VerifiedTicket is what a ticket proved.
type VerifiedTicket struct {
	Introductions []Introduction // in the order of the ticket
	Roster        Roster         // in force: the signed one and the introductions
}

// Verify checks what needs no state, so that nobody but a member can answer and no server can make up a space: owner list,
// notice, root id, digests of template and roster, epochs, statements, the introductions' admissions, a share and its
// admission, that the issuer is a member, the issuer's signature over the answer to this request of index j, and last
// what costs most, the epochs' commits.
func (b TicketBody) Verify(o Origin, request suite.Digest, j dkg.Index) (VerifiedTicket, error) {
	space := o.Space()
	if err := b.Notice.verify(o); err != nil {
		return VerifiedTicket{}, err
	}
	if err := b.Notice.covers(space, b.Context, b.Template); err != nil {
		return VerifiedTicket{}, err
	}
	signed, err := b.verifyStatements(space)
	if err != nil {
		return VerifiedTicket{}, err
	}
	if err := b.Notice.lists(b.Context, b.Roster, signed); err != nil {
		return VerifiedTicket{}, err
	}
	if err := b.verifyEpochs(space); err != nil {
		return VerifiedTicket{}, err
	}
	if err := b.verifyShare(space, j); err != nil {
		return VerifiedTicket{}, err
	}
	v, err := b.verifyIntroductions(space)
	if err != nil {
		return VerifiedTicket{}, err
	}
	issuer, ok := v.Roster.Find(b.Issuer)
	if !ok {
		return VerifiedTicket{}, fmt.Errorf("%w: ticket by no member", suite.ErrInvalid)
	}
	if err := issuer.Signing.Verify(b.signature, suite.SignTicket, space[:], request[:], suite.U32(uint32(j)), b.body()); err != nil {
		return VerifiedTicket{}, err
	}
	return v, b.verifyCommits(space)
}

// verifyEpochs checks that every epoch's id is what its commit makes of its parent with its generation, or the root's, that
// the generation follows its parent's where that is there too, and that none is there twice. The first is the one that the
// issuer prefers: none of the others comes before it in the order of §5.
func (b TicketBody) verifyEpochs(space state.ID) error {
	generations := map[EpochID]uint64{b.Notice.Root: 0}
	seen := make(map[EpochID]bool, len(b.Epochs))
	for _, e := range b.Epochs {
		if seen[e.ID] {
			return fmt.Errorf("%w: epoch twice in a ticket", suite.ErrInvalid)
		}
		seen[e.ID], generations[e.ID] = true, e.Generation
		if first := b.Epochs[0]; e.Generation > first.Generation || e.Generation == first.Generation && bytes.Compare(e.ID[:], first.ID[:]) < 0 {
			return fmt.Errorf("%w: order of a ticket's epochs", suite.ErrInvalid)
		}
	}
	for _, e := range b.Epochs {
		if len(e.Commit) == 0 {
			if e.ID != b.Notice.Root || e.Parent != b.Context.parent {
				return fmt.Errorf("%w: root of a ticket", suite.ErrInvalid)
			}
			continue
		}
		c := Commit(e.Commit)
		parent, known := generations[e.Parent]
		if e.ID != c.Child(space, e.Parent, e.Generation) || checkIndex(c.Index(), b.Context.Depth) != nil || known && e.Generation != parent+1 {
			return fmt.Errorf("%w: epoch of a ticket", suite.ErrInvalid)
		}
	}
	return nil
}

// verifyCommits checks the proofs of the epochs' commits, about a millisecond each: nobody can tell of an epoch that its
// maker did not make.
func (b TicketBody) verifyCommits(space state.ID) error {
	for _, e := range b.Epochs {
		if len(e.Commit) == 0 {
			continue
		}
		if _, _, err := Commit(e.Commit).Verify(space, e.Parent, b.Context.Depth, b.Context.Public); err != nil {
			return err
		}
	}
	return nil
}

// verifyStatements checks the statements that ride in the ticket and returns the one about the roster, nil if there is none.
func (b TicketBody) verifyStatements(space state.ID) (*RosterStatement, error) {
	for _, raw := range b.Revokes {
		if _, err := b.verifyStatement(space, raw, KindRevoke); err != nil {
			return nil, err
		}
	}
	if len(b.RosterSigned) == 0 {
		return nil, nil
	}
	signed, err := b.verifyStatement(space, b.RosterSigned, KindRoster)
	return signed.Roster, err
}

func (b TicketBody) verifyStatement(space state.ID, raw []byte, kind StatementKind) (Statement, error) {
	c, err := ParseStatement(raw)
	if err != nil {
		return Statement{}, err
	}
	if c.Kind != kind || c.root() != b.Notice.Root {
		return Statement{}, fmt.Errorf("%w: statement of another root", suite.ErrInvalid)
	}
	return c, c.VerifyOwner(space, b.Notice.Owners)
}

// verifyShare checks a share that an owner gave, and its admission.
func (b TicketBody) verifyShare(space state.ID, j dkg.Index) error {
	if b.Share.Index() == 0 {
		return nil
	}
	if b.Share.Index() != j || checkIndex(j, b.Context.Depth) != nil || b.Context.Public.Verify(b.Share) != nil {
		return fmt.Errorf("%w: share of a ticket", suite.ErrInvalid)
	}
	if len(b.Admission) == 0 {
		return nil
	}
	a, err := ParseAdmission(b.Admission)
	if err != nil {
		return err
	}
	return verifyAdmission(b.Notice.Owners, space, b.Notice.Root, j, a.Key.Public, a.owner)
}

// verifyIntroductions checks the introductions and adds them to the roster. Inbox keys are not tried: whoever made the
// ticket did, and an owner does so again before it boxes anything.
func (b TicketBody) verifyIntroductions(space state.ID) (VerifiedTicket, error) {
	v := VerifiedTicket{Roster: b.Roster}
	for _, raw := range b.Introductions {
		in, err := ParseIntroduction(raw)
		if err != nil {
			return VerifiedTicket{}, err
		}
		if in.Root != b.Notice.Root || checkIndex(in.Index, b.Context.Depth) != nil {
			return VerifiedTicket{}, fmt.Errorf("%w: introduction of another root", suite.ErrInvalid)
		}
		if _, ok := v.Roster.Find(in.Index); ok {
			return VerifiedTicket{}, fmt.Errorf("%w: index introduced twice", suite.ErrInvalid)
		}
		if err := in.verifySignatures(space, b.Notice.Owners, b.Template.Policy); err != nil {
			return VerifiedTicket{}, err
		}
		v.Introductions = append(v.Introductions, in)
		v.Roster = v.Roster.With(in.Entry())
	}
	return v, nil
}
