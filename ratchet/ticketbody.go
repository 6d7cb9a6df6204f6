package ratchet

import (
	"bytes"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// ticketEpoch is what a ticket says of one epoch.
type ticketEpoch struct {
	id         epochID
	parent     epochID // zero for a genesis
	generation uint64
	commit     []byte       // that made it of its parent, 206 bytes; empty for a root
	commitKey  secret.Bytes // 32 bytes
	tree       commitTree   // as punctured by the issuer
}

// ticketBody is what a ticket holds (§9). It is secret.
type ticketBody struct {
	issuer        dkg.Index
	notice        notice
	common        common
	template      template
	roster        roster     // of the roster statement, or of the common if there is none
	revokes       [][]byte   // revoke statements, as control plaintexts
	rosterSigned  []byte     // newest roster statement likewise, empty if none
	introductions [][]byte   // accepted since that roster
	answered      []answered // of whom it is known which of their requests were answered, in ascending order of indices
	share         dkg.Share  // zero, but from an owner to whom a dead link was shown
	admission     []byte     // new admission with a share, if any
	epochs        []ticketEpoch
	signature     []byte // of the issuer
}

// answered says that no request of a member counts any more whose counter is below a number (§9).
type answered struct {
	index dkg.Index
	below uint64 // above 0
}

// bodyTicket is the first byte of a body; a refusal has 0.
const bodyTicket = 1

// body returns what is signed after space, H(request) and index: u8(1) ‖ u32 issuer ‖ vec32 notice ‖ common ‖
// vec16 template ‖ vec32 roster ‖ u8 number of revoke statements ‖ each vec16 ‖ vec16 roster
// statement ‖ u32 number of introductions ‖ each vec16 ‖ u32 number of answered ‖ each u32 index ‖ u64 counter ‖ u8 has
// share ‖ [scalar ‖ vec8 admission] ‖ u8 number of epochs ‖ each.
func (b ticketBody) body() []byte {
	w := wire.NewWriter(16 << 10)
	w.U8(bodyTicket)
	w.U32(uint32(b.issuer))
	w.Vec32(b.notice.encode())
	w.Fixed(b.common.encode())
	w.Vec16(b.template.encode().Expose())
	w.Vec32(b.roster.encode())
	w.U8(uint8(len(b.revokes)))
	for _, st := range b.revokes {
		w.Vec16(st)
	}
	w.Vec16(b.rosterSigned)
	w.U32(uint32(len(b.introductions)))
	for _, in := range b.introductions {
		w.Vec16(in)
	}
	w.U32(uint32(len(b.answered)))
	for _, a := range b.answered {
		w.U32(uint32(a.index))
		w.U64(a.below)
	}
	w.Bool(b.share.Index() != 0)
	if b.share.Index() != 0 {
		w.Fixed(b.share.Bytes().Expose())
		w.Vec8(b.admission)
	}
	w.U8(uint8(len(b.epochs)))
	for _, e := range b.epochs {
		e.write(w)
	}
	return w.Bytes()
}

// encode returns body ‖ vec16 signature.
func (b ticketBody) encode() []byte {
	w := wire.NewWriter(2 + maxSignature)
	w.Vec16(b.signature)
	return append(b.body(), w.Bytes()...)
}

// write is the codec of an epoch: id ‖ parent ‖ u64 generation ‖ vec8 commit ‖ commit key ‖ vec32 commit tree.
func (e ticketEpoch) write(w *wire.Writer) {
	w.Fixed(e.id[:])
	w.Fixed(e.parent[:])
	w.U64(e.generation)
	w.Vec8(e.commit)
	w.Fixed(e.commitKey.Expose())
	w.Vec32(e.tree.encode())
}

func readTicketEpoch(r *wire.Reader, depth int) (e ticketEpoch) {
	r.Into(e.id[:])
	r.Into(e.parent[:])
	e.generation = r.U64()
	e.commit = r.Vec8(commitSize)
	e.commitKey = secret.Own(r.Fixed(keySize))
	e.tree = readNested(r, r.Vec32(maxTicket), func(b []byte) (commitTree, error) { return decodeCommitTree(b, depth) })
	// A root, and nothing else, is of generation 0 and was made by no commit.
	if n := len(e.commit); n != 0 && n != commitSize || (n == 0) != (e.generation == 0) || e.generation > maxGeneration {
		r.Fail("epoch of a ticket")
	}
	return e
}

// parseTicketBody reads a body. It verifies nothing.
func parseTicketBody(plain []byte) (b ticketBody, err error) {
	if len(plain) > maxTicket {
		return ticketBody{}, fmt.Errorf("%w: a ticket is longer than its limit", wire.ErrMalformed)
	}
	r := wire.NewReader(plain)
	if r.U8() != bodyTicket {
		r.Fail("body of a ticket")
	}
	b.issuer = dkg.Index(r.U32())
	b.notice = readNested(r, r.Vec32(maxNotice), parseNotice)
	b.common = readCommon(r)
	depth := b.common.depth
	b.template = readNested(r, r.Vec16(maxTemplate), parseTemplate)
	b.roster = readNested(r, r.Vec32(maxRoster), func(b []byte) (roster, error) { return parseRoster(b, depth) })
	n := int(r.U8())
	if n > maxRevokes {
		r.Fail("number of revoke statements")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		b.revokes = append(b.revokes, r.Vec16(maxControl))
	}
	b.rosterSigned = r.Vec16(maxControl)
	b.introductions = make([][]byte, r.Count(maxTicket/2, 2))
	for i := range b.introductions {
		b.introductions[i] = r.Vec16(maxIntroduction)
	}
	b.answered = make([]answered, r.Count(maxTicket/2, 4+8))
	for i := range b.answered {
		a := answered{readIndex(r, depth), r.U64()}
		if a.below == 0 || i > 0 && b.answered[i-1].index >= a.index {
			r.Fail("answered requests")
		}
		b.answered[i] = a
	}
	if r.Bool() {
		b.share = readNested(r, r.Fixed(dkg.ShareSize), dkg.ParseShare)
		b.admission = r.Vec8(maxAdmission)
	}
	n = int(r.U8())
	if n == 0 || n > maxTicketEpochs {
		r.Fail("number of epochs")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		b.epochs = append(b.epochs, readTicketEpoch(r, depth))
	}
	b.signature = r.Vec16(maxSignature)
	if r.Err() == nil && checkIndex(b.issuer, depth) != nil {
		r.Fail("issuer of a ticket")
	}
	if err = r.Done(); err != nil {
		return ticketBody{}, err
	}
	return b, nil
}

// verified is what a ticket proved.
type verified struct {
	introductions []introduction // in the order of the ticket
	roster        roster         // in force: the signed one and the introductions
}

// verify checks what needs no state, so that nobody but a member can answer and no server can make up a space: owner list,
// notice, root id, digests of template and roster, epochs, statements, the introductions' admissions, a share and its
// admission, that the issuer is a member, the issuer's signature over the answer to this request of index j, and last
// what costs most, the epochs' commits.
func (b ticketBody) verify(o origin, request digest, j dkg.Index) (verified, error) {
	space := o.space()
	if err := b.notice.verify(o); err != nil {
		return verified{}, err
	}
	if err := b.notice.covers(space, b.common, b.template); err != nil {
		return verified{}, err
	}
	signed, err := b.verifyStatements(space)
	if err != nil {
		return verified{}, err
	}
	if err := b.notice.lists(b.common, b.roster, signed); err != nil {
		return verified{}, err
	}
	if err := b.verifyEpochs(space); err != nil {
		return verified{}, err
	}
	if err := b.verifyShare(space, j); err != nil {
		return verified{}, err
	}
	v, err := b.verifyIntroductions(space)
	if err != nil {
		return verified{}, err
	}
	issuer, ok := v.roster.find(b.issuer)
	if !ok {
		return verified{}, fmt.Errorf("%w: ticket by no member", errInvalid)
	}
	if err := issuer.key.verify(b.signature, signTicket, space[:], request[:], u32(uint32(j)), b.body()); err != nil {
		return verified{}, err
	}
	return v, b.verifyCommits(space)
}

// verifyEpochs checks that every epoch's id is what its commit makes of its parent with its generation, or the root's, that
// the generation follows its parent's where that is there too, and that none is there twice. The first is the one that the
// issuer prefers: none of the others comes before it in the order of §5.
func (b ticketBody) verifyEpochs(space state.ID) error {
	generations := map[epochID]uint64{b.notice.root: 0}
	seen := make(map[epochID]bool, len(b.epochs))
	for _, e := range b.epochs {
		if seen[e.id] {
			return fmt.Errorf("%w: epoch twice in a ticket", errInvalid)
		}
		seen[e.id], generations[e.id] = true, e.generation
		if first := b.epochs[0]; e.generation > first.generation || e.generation == first.generation && bytes.Compare(e.id[:], first.id[:]) < 0 {
			return fmt.Errorf("%w: order of a ticket's epochs", errInvalid)
		}
	}
	for _, e := range b.epochs {
		if len(e.commit) == 0 {
			if e.id != b.notice.root || e.parent != b.common.parent {
				return fmt.Errorf("%w: root of a ticket", errInvalid)
			}
			continue
		}
		c := commit(e.commit)
		parent, known := generations[e.parent]
		if e.id != c.child(space, e.parent, e.generation) || checkIndex(c.index(), b.common.depth) != nil || known && e.generation != parent+1 {
			return fmt.Errorf("%w: epoch of a ticket", errInvalid)
		}
	}
	return nil
}

// verifyCommits checks the proofs of the epochs' commits, about a millisecond each: nobody can tell of an epoch that its
// maker did not make.
func (b ticketBody) verifyCommits(space state.ID) error {
	for _, e := range b.epochs {
		if len(e.commit) == 0 {
			continue
		}
		if _, _, err := commit(e.commit).verify(space, e.parent, b.common.depth, b.common.public); err != nil {
			return err
		}
	}
	return nil
}

// verifyStatements checks the statements that ride in the ticket and returns the one about the roster, nil if there is none.
func (b ticketBody) verifyStatements(space state.ID) (*rosterStatement, error) {
	for _, raw := range b.revokes {
		if _, err := b.verifyStatement(space, raw, controlRevoke); err != nil {
			return nil, err
		}
	}
	if len(b.rosterSigned) == 0 {
		return nil, nil
	}
	signed, err := b.verifyStatement(space, b.rosterSigned, controlRoster)
	return signed.roster, err
}

func (b ticketBody) verifyStatement(space state.ID, raw []byte, kind controlKind) (control, error) {
	c, err := parseControl(raw)
	if err != nil {
		return control{}, err
	}
	if c.kind != kind || c.root() != b.notice.root {
		return control{}, fmt.Errorf("%w: statement of another root", errInvalid)
	}
	return c, c.verifyOwner(space, b.notice.owners)
}

// verifyShare checks a share that an owner gave, and its admission.
func (b ticketBody) verifyShare(space state.ID, j dkg.Index) error {
	if b.share.Index() == 0 {
		return nil
	}
	if b.share.Index() != j || checkIndex(j, b.common.depth) != nil || b.common.public.Verify(b.share) != nil {
		return fmt.Errorf("%w: share of a ticket", errInvalid)
	}
	if len(b.admission) == 0 {
		return nil
	}
	a, err := parseAdmission(b.admission)
	if err != nil {
		return err
	}
	return verifyAdmission(b.notice.owners, space, b.notice.root, j, a.key.public, a.owner)
}

// verifyIntroductions checks the introductions and adds them to the roster. Inbox keys are not tried: whoever made the
// ticket did, and an owner does so again before it boxes anything.
func (b ticketBody) verifyIntroductions(space state.ID) (verified, error) {
	v := verified{roster: b.roster}
	for _, raw := range b.introductions {
		in, err := parseIntroduction(raw)
		if err != nil {
			return verified{}, err
		}
		if in.root != b.notice.root || checkIndex(in.index, b.common.depth) != nil {
			return verified{}, fmt.Errorf("%w: introduction of another root", errInvalid)
		}
		if _, ok := v.roster.find(in.index); ok {
			return verified{}, fmt.Errorf("%w: index introduced twice", errInvalid)
		}
		if err := in.verifySignatures(space, b.notice.owners, b.template.policy); err != nil {
			return verified{}, err
		}
		v.introductions = append(v.introductions, in)
		v.roster = v.roster.with(in.entry())
	}
	return v, nil
}
