package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// checked seals a body by an issuer, opens and verifies it.
func (p pieces) checked(t testing.TB, b TicketBody, issuer suite.SigningKey) (CheckedTicket, error) {
	t.Helper()
	ctx := TicketContext{Space: p.space, Request: p.ask(t).ID(), Index: 2}
	whole, err := SealTicket(ctx, p.joiners[0].ticket.Public, b, issuer)
	require.NoError(t, err)
	opened, err := OpenTicket(ctx, p.joiners[0].ticket, whole)
	require.NoError(t, err)
	return opened.Verify(ctx, Expected{3, p.suite})
}

// TestChecksOfATicket: an honest ticket passes, by an issuer that the notice lists and by one that it does not.
func TestChecksOfATicket(t *testing.T) {
	for _, s := range suite.Suites() {
		p := newPieces(t, s)
		b := p.ticketBody(t)
		got, err := p.checked(t, b, p.founder.signing)
		require.NoError(t, err)
		require.Equal(t, p.founder.signing.Public, got.Issuer)
		require.Len(t, got.Statements, 2)
		require.Len(t, got.Body.Records, 2)
		require.Equal(t, p.joiners[1].signing.Public, got.Members[1].Key)
		require.Equal(t, b.Epochs[0].Commit.Child(p.space, p.id, 1), got.Epochs[0].ID)
		require.Equal(t, p.joiners[1].signing.Public, got.Epochs[0].Maker)
		require.Equal(t, p.id, got.Epochs[1].ID)
		require.True(t, got.Epochs[1].Maker.IsZero())
		require.Equal(t, p.id, got.Root.ID())

		b.Issuer = 3
		_, err = p.checked(t, b, p.joiners[1].signing)
		require.NoError(t, err)
		twin := p.join(t, 3)
		b.Members = append(b.Members, TicketMember{Index: 3, Credential: twin.credential()})
		got, err = p.checked(t, b, twin.signing)
		require.NoError(t, err, "of two bindings the signature decides")
		require.Equal(t, twin.signing.Public, got.Issuer)
	}
}

// TestLiesOfATicket: one lie, and nothing of the ticket counts; but what was said by others and is false is left out.
func TestLiesOfATicket(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	other := newPieces(t, suite.Ed25519X25519)
	epoch := func(change func(*TicketEpoch)) func(*TicketBody) {
		return func(b *TicketBody) { b.Epochs[0] = with(b.Epochs[0], change) }
	}
	foreign, _, _ := p.commit(t, p.joiners[0])
	for name, lie := range map[string]func(*TicketBody){
		"space":           func(b *TicketBody) { b.Origin = other.origin },
		"root":            func(b *TicketBody) { b.Root = TicketRoot{Notice: other.notice, Roster: other.roster} },
		"template":        func(b *TicketBody) { b.Template.K = secret.Random(32) },
		"suite":           func(b *TicketBody) { b.Template.Policy.Suite = suite.Ed25519Hybrid },
		"roster":          func(b *TicketBody) { b.Root.Roster = other.roster },
		"gone":            func(b *TicketBody) { b.Root.Notice.Gone = NewBitmap(9) },
		"certificate":     func(b *TicketBody) { b.Certificate = p.joiners[1].record.Certificate },
		"its owner":       func(b *TicketBody) { b.Certificate.Expires++ },
		"issuer":          func(b *TicketBody) { b.Issuer = 3 },
		"unknown issuer":  func(b *TicketBody) { b.Issuer = 9 },
		"member":          func(b *TicketBody) { b.Members[1].Credential.Binding.Rest[0]++ },
		"a member twice":  func(b *TicketBody) { b.Members = append(b.Members, b.Members[1]) },
		"unknown maker":   func(b *TicketBody) { b.Members = b.Members[:1] },
		"an epoch twice":  func(b *TicketBody) { b.Epochs = append(b.Epochs, b.Epochs[0]) },
		"header key":      epoch(func(e *TicketEpoch) { e.Header = secret.Random(32) }),
		"commit key":      epoch(func(e *TicketEpoch) { e.CommitKey = secret.Random(32) }),
		"authenticator":   epoch(func(e *TicketEpoch) { e.Authenticator = secret.Random(32) }),
		"parent":          epoch(func(e *TicketEpoch) { e.Parent = EpochID{1} }),
		"commit":          epoch(func(e *TicketEpoch) { e.Commit = foreign.Commit }),
		"maker signature": epoch(func(e *TicketEpoch) { e.Commit.Signature = foreign.Commit.Signature }),
	} {
		b := p.ticketBody(t)
		b.Members = append([]TicketMember(nil), b.Members...)
		lie(&b)
		_, err := p.checked(t, b, p.founder.signing)
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}

	// A maker signs a proof that has two witnesses, and keys that fit it.
	b := p.ticketBody(t)
	b.Epochs[0] = p.falseProof(t, p.joiners[1])
	_, err := p.checked(t, b, p.founder.signing)
	require.ErrorIs(t, err, suite.ErrInvalid, "proof")

	b = p.ticketBody(t)
	b.Statements = append(b.Statements, []byte{99})
	_, err = p.checked(t, b, p.founder.signing)
	require.ErrorIs(t, err, wire.ErrMalformed)

	b = p.ticketBody(t)
	stranger := Sign(Revoke{Said: Said{Root: p.id}, Indices: []dkg.Index{1}}, p.space, suite.NewSigningKey(suite.Ed25519))
	b.Statements = append(b.Statements, EncodeStatement(stranger), []byte{byte(kindPerson)})
	b.Records = append(b.Records, other.joiners[0].record)
	b.Earlier = TicketRoot{Notice: other.notice, Roster: other.roster}
	got, err := p.checked(t, b, p.founder.signing)
	require.NoError(t, err)
	require.Len(t, got.Statements, 2)
	require.Len(t, got.Body.Records, 2)
	require.True(t, got.Body.Earlier.IsZero())
}

// falseProof returns an epoch that a member made with a commit whose D is of another witness, with keys that have its check.
func (p pieces) falseProof(t testing.TB, m piecesMember) TicketEpoch {
	t.Helper()
	b := p.ticketBody(t)
	e := b.Epochs[0]
	core := e.Commit.Core
	core.D = core.D.Add(core.R)
	place := core.Place(p.space, p.id, 1)
	keys := EpochKeys{Header: e.Header, Commit: e.CommitKey, Authenticator: e.Authenticator}
	e.Commit = core.Sign(m.signing, p.space, p.id, 1, keys.Check(place))
	return e
}
