package proto

import (
	"bytes"
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Expected is what the receiver of a ticket knows of its space before.
type Expected struct {
	Owners uint64      // counter of the owner list in the link or held: an older list is refused
	Suite  suite.Suite // of the link or held
}

// CheckedTicket is a ticket of which everything was verified that needs no state of the receiver (§9, checks of a ticket).
type CheckedTicket struct {
	Body       TicketBody // Records and Earlier without those that are not right
	Root       View
	Issuer     suite.PublicKey
	Statements []Statement // those of owners are of an owner of this root; of others the signature is not verified
	Members    []CheckedMember
	Epochs     []CheckedEpoch
}

// CheckedMember is what a ticket says of a member, with the member's signing key.
type CheckedMember struct {
	TicketMember
	Key suite.PublicKey
}

// CheckedEpoch is an epoch of a ticket, with its id, that of its root, and the signing key of its maker; of a root, the zero key.
type CheckedEpoch struct {
	TicketEpoch
	ID    EpochID
	Root  EpochID
	Maker suite.PublicKey
}

// Verify makes the checks of a ticket that need no state: steps 2 to 6, 8 and 10, and of step 7 that of the certificate. It
// returns suite.ErrInvalid or wire.ErrMalformed, and then nothing of the ticket counts. What is left to the caller: whether the
// root comes after the preferred one, the share, generations far above its own, parents that it holds, and who is gone.
func (t Ticket) Verify(ctx TicketContext, want Expected) (CheckedTicket, error) {
	b, s := t.Body, t.Body.Template.Policy.Suite
	out := CheckedTicket{Root: NewView(b.Root, s)}
	if b.Origin.Space() != ctx.Space || b.Root.Notice.Owners.Counter < want.Owners || s != want.Suite {
		return CheckedTicket{}, invalid("ticket of another space, suite or time")
	}
	if err := b.Root.Verify(b.Origin, s); err != nil {
		return CheckedTicket{}, err
	}
	if err := b.Root.Notice.VerifyTemplate(b.Template); err != nil {
		return CheckedTicket{}, err
	}
	if !b.Earlier.IsZero() && b.Earlier.Verify(b.Origin, s) != nil {
		b.Earlier = TicketRoot{}
	}
	if !b.Certificate.IsZero() {
		if !b.Certificate.Covers(ctx.Index) {
			return CheckedTicket{}, invalid("certificate of another index")
		}
		if err := b.Certificate.Verify(out.Root); err != nil {
			return CheckedTicket{}, err
		}
	}
	b.Records = slices.DeleteFunc(slices.Clone(b.Records), func(x Record) bool { return x.Verify(out.Root) != nil })
	out.Body = b
	if err := out.checkMembers(); err != nil {
		return CheckedTicket{}, err
	}
	// The signature comes before the epochs, of which each costs two multiplications.
	if err := out.checkIssuer(ctx, t); err != nil {
		return CheckedTicket{}, err
	}
	if err := out.checkStatements(); err != nil {
		return CheckedTicket{}, err
	}
	if err := out.checkEpochs(); err != nil {
		return CheckedTicket{}, err
	}
	return out, nil
}

// checkStatements parses the statements. It leaves out those that are too new, and those of owners that no owner of this root
// said.
func (t *CheckedTicket) checkStatements() error {
	for _, b := range t.Body.Statements {
		s, err := ParseStatement(b)
		switch o, ok := s.(OwnerStatement); {
		case errors.Is(err, wire.ErrTooNew):
			continue
		case err != nil:
			return err
		case ok:
			if _, err := VerifyOwner(o, t.Root); err != nil {
				continue
			}
		}
		t.Statements = append(t.Statements, s)
	}
	return nil
}

// checkMembers verifies the entries of members, of which no two have one index and key.
func (t *CheckedTicket) checkMembers() error {
	t.Members = make([]CheckedMember, 0, len(t.Body.Members))
	seen := make(map[Maker]bool, len(t.Body.Members))
	for _, m := range t.Body.Members {
		key, err := m.Verify(t.Root, t.Body.Root.Roster)
		if err != nil {
			return err
		}
		if seen[Maker{m.Index, key}] {
			return invalid("a member twice")
		}
		seen[Maker{m.Index, key}] = true
		t.Members = append(t.Members, CheckedMember{m, key})
	}
	return nil
}

// keysOf returns the signing keys that an index may have under a root: the one that its notice lists, or those of the bindings in
// the ticket.
func (t *CheckedTicket) keysOf(root RootView, i dkg.Index) []suite.PublicKey {
	if k, ok := root.Listed(i); ok {
		return []suite.PublicKey{k}
	}
	var keys []suite.PublicKey
	for _, m := range t.Members {
		if m.Index == i && !m.Credential.IsZero() {
			keys = append(keys, m.Key)
		}
	}
	return keys
}

// checkIssuer finds the issuer: of the keys that its index has, the one that signed the ticket.
func (t *CheckedTicket) checkIssuer(ctx TicketContext, ticket Ticket) error {
	for _, key := range t.keysOf(t.Root, t.Body.Issuer) {
		if ticket.VerifySignature(ctx, key) == nil {
			t.Issuer = key
			return nil
		}
	}
	return invalid("issuer of a ticket")
}

// checkEpochs verifies the epochs: their keys, and commits with the checks of §4 that need no tree. An epoch does not say of
// which root it is: it is of the one under which its commit is right.
func (t *CheckedTicket) checkEpochs() error {
	roots := []TicketRoot{t.Body.Root}
	if !t.Body.Earlier.IsZero() {
		roots = append(roots, t.Body.Earlier)
	}
	for _, e := range t.Body.Epochs {
		checked, err := CheckedEpoch{}, invalid("epoch of a ticket")
		for _, root := range roots {
			if checked, err = t.checkEpoch(e, root); err == nil {
				break
			}
		}
		if err != nil {
			return err
		}
		t.Epochs = append(t.Epochs, checked)
	}
	sorted := slices.SortedFunc(slices.Values(t.Epochs), func(a, b CheckedEpoch) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for k := range sorted {
		if k > 0 && sorted[k-1].ID == sorted[k].ID {
			return invalid("an epoch twice")
		}
	}
	for _, e := range t.Epochs {
		at, ok := slices.BinarySearchFunc(sorted, e.Parent, func(p CheckedEpoch, id EpochID) int { return bytes.Compare(p.ID[:], id[:]) })
		if ok && !e.IsRoot() && sorted[at].Generation+1 != e.Generation {
			return invalid("generation of an epoch")
		}
	}
	return nil
}

// checkEpoch verifies an epoch as one of a root.
func (t *CheckedTicket) checkEpoch(e TicketEpoch, of TicketRoot) (CheckedEpoch, error) {
	root := NewView(of, t.Root.Suite())
	id, err := e.Verify(root.Space(), of.Notice)
	if err != nil || e.IsRoot() {
		return CheckedEpoch{e, id, root.ID(), suite.PublicKey{}}, err
	}
	maker := e.Commit.Core.Maker
	public, err := root.Public(maker)
	if err != nil || maker.Check(root.Depth()) != nil {
		return CheckedEpoch{}, invalid("index of a commit")
	}
	for _, key := range t.keysOf(root, maker) {
		if e.Commit.Verify(key, root.Space(), id) == nil {
			return CheckedEpoch{e, id, root.ID(), key}, e.Commit.Core.VerifyProof(root.Space(), e.Parent, public)
		}
	}
	return CheckedEpoch{}, invalid("maker of a commit")
}
