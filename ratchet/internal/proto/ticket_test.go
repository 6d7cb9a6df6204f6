package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TestTicket: a ticket goes in parts, opens for its asker, and its issuer's signature holds for this request and index alone.
func TestTicket(t *testing.T) {
	for _, s := range suite.Suites() {
		p := newPieces(t, s)
		m, b := p.joiners[0], p.ticketBody(t)
		for _, direct := range []bool{false, true} {
			ctx := TicketContext{p.space, p.ask(t).ID(), 2, direct}
			if direct {
				ctx.Request = DirectRequest(p.link(m))
			}
			whole, err := SealTicket(ctx, m.ticket.Public, b, p.founder.signing)
			require.NoError(t, err)
			parts, err := Split(TypeTicket, ctx.Request.Name(), whole, 4<<10)
			require.NoError(t, err)
			var got []byte
			for _, p := range parts {
				part, err := ParsePart(p.Frame())
				require.NoError(t, err)
				got = append(got, part.Piece...)
			}
			require.Equal(t, whole, got)
			opened, err := OpenTicket(ctx, m.ticket, got)
			require.NoError(t, err)
			require.Equal(t, b.Encode().Expose(), opened.Body.Encode().Expose())
			issuer := p.founder.signing.Public
			require.NoError(t, opened.VerifySignature(ctx, issuer))
			for name, err := range map[string]error{
				"issuer":  opened.VerifySignature(ctx, m.signing.Public),
				"request": opened.VerifySignature(with(ctx, func(c *TicketContext) { c.Request[0]++ }), issuer),
				"index":   opened.VerifySignature(with(ctx, func(c *TicketContext) { c.Index++ }), issuer),
				"space":   opened.VerifySignature(with(ctx, func(c *TicketContext) { c.Space[0]++ }), issuer),
			} {
				require.ErrorIs(t, err, suite.ErrInvalid, name)
			}
			for name, err := range map[string]error{
				"index":  second(OpenTicket(with(ctx, func(c *TicketContext) { c.Index++ }), m.ticket, got)),
				"direct": second(OpenTicket(with(ctx, func(c *TicketContext) { c.Direct = !direct }), m.ticket, got)),
				"key":    second(OpenTicket(ctx, p.joiners[1].ticket, got)),
				"space":  second(OpenTicket(with(ctx, func(c *TicketContext) { c.Space[0]++ }), m.ticket, got)),
			} {
				require.ErrorIs(t, err, suite.ErrNotOpened, name)
			}
		}
	}
	a, err := DirectTicketKey(secret.Random(32), state.ID{}, suite.Ed25519Hybrid)
	require.NoError(t, err)
	require.Equal(t, suite.MLKEM768X25519, a.Public.KEM())
}

// TestEveryKeyOfATicketIsChecked: header key or its hash, commit key and authenticator of an epoch are those that its commit, or
// its notice, signed for; no other makes the same id.
func TestEveryKeyOfATicketIsChecked(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	b := p.ticketBody(t)
	child, genesis := b.Epochs[0], b.Epochs[1]
	id, err := child.Verify(p.space, p.notice)
	require.NoError(t, err)
	require.Equal(t, child.Commit.Child(p.space, p.id, 1), id)
	id, err = genesis.Verify(p.space, p.notice)
	require.NoError(t, err)
	require.Equal(t, p.id, id)
	other := secret.Random(suite.KeySize)
	for name, e := range map[string]TicketEpoch{
		"header key":              with(child, func(e *TicketEpoch) { e.Header = other }),
		"commit key":              with(child, func(e *TicketEpoch) { e.CommitKey = other }),
		"authenticator":           with(child, func(e *TicketEpoch) { e.Authenticator = other }),
		"check":                   with(child, func(e *TicketEpoch) { e.Commit.Check[0]++ }),
		"generation":              with(child, func(e *TicketEpoch) { e.Generation++ }),
		"parent":                  with(child, func(e *TicketEpoch) { e.Parent[0]++ }),
		"core":                    with(child, func(e *TicketEpoch) { e.Commit.Core.Maker++ }),
		"hash of a header key":    with(genesis, func(e *TicketEpoch) { e.HeaderCheck[0]++ }),
		"commit key of a root":    with(genesis, func(e *TicketEpoch) { e.CommitKey = other }),
		"authenticator of a root": with(genesis, func(e *TicketEpoch) { e.Authenticator = other }),
		"parent of a root":        with(genesis, func(e *TicketEpoch) { e.Parent[0]++ }),
	} {
		_, err := e.Verify(p.space, p.notice)
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
}

// TestTicketMembers: what a ticket says of members is right under the root, or the entry is false.
func TestTicketMembers(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	b := p.ticketBody(t)
	listed, joined := b.Members[0], b.Members[1]
	m := p.joiners[1]
	key, err := listed.Verify(p.view(), p.roster)
	require.NoError(t, err)
	require.Equal(t, p.founder.signing.Public, key)
	key, err = joined.Verify(p.view(), p.roster)
	require.NoError(t, err)
	require.Equal(t, m.signing.Public, key)
	for name, m := range map[string]TicketMember{
		"not listed":     with(listed, func(m *TicketMember) { m.Index = 9 }),
		"rest":           with(listed, func(m *TicketMember) { m.Rest.Time++ }),
		"admission key":  with(listed, func(m *TicketMember) { m.Admission = m2key }),
		"inbox":          with(listed, func(m *TicketMember) { m.Inbox = p.joiners[0].inbox.Public }),
		"credential":     with(joined, func(m *TicketMember) { m.Credential = p.joiners[0].credential() }),
		"joiner's rest":  with(joined, func(m *TicketMember) { m.Rest.Time++ }),
		"joiner's inbox": with(joined, func(m *TicketMember) { m.Inbox = p.joiners[0].inbox.Public }),
		"update": with(joined, func(m *TicketMember) {
			m.Update = NewUpdate(p.space, 3, 7, m.Update.Inbox, p.joiners[0].signing)
		}),
		"update of another": with(joined, func(m *TicketMember) { m.Update = p.resync(t).Update }),
	} {
		_, err := m.Verify(p.view(), p.roster)
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
}

var m2key = suite.NewSigningKey(suite.Ed25519).Public

// TestTicketBodiesRefused: bodies that no honest issuer writes.
func TestTicketBodiesRefused(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	child := func(change func(*TicketEpoch)) func(*TicketBody) {
		return func(b *TicketBody) { b.Epochs = []TicketEpoch{with(b.Epochs[0], change)} }
	}
	member := func(m TicketMember) func(*TicketBody) {
		return func(b *TicketBody) { b.Members = []TicketMember{m} }
	}
	good := p.ticketBody(t)
	for name, change := range map[string]func(*TicketBody){
		"issuer":               func(b *TicketBody) { b.Issuer = 0 },
		"no roster":            func(b *TicketBody) { b.Root.Roster = nil },
		"index 0 in gone":      func(b *TicketBody) { b.Root.Notice.Gone = Bitmap{0x80} },
		"zeros in gone":        func(b *TicketBody) { b.Root.Notice.Gone = Bitmap{1, 0} },
		"form of a share":      func(b *TicketBody) { b.ShareForm = 3 },
		"no share":             func(b *TicketBody) { b.ShareBox = nil },
		"v":                    func(b *TicketBody) { b.Masked = secret.Random(57) },
		"order of answered":    func(b *TicketBody) { b.Answered[1].Index = 1 },
		"nothing of a member":  member(TicketMember{Index: 1}),
		"inbox without a rest": member(TicketMember{Index: 1, Inbox: p.founder.inbox.Public}),
		"another's credential": member(TicketMember{Index: 2, Credential: p.joiners[1].credential()}),
		"generation":           child(func(e *TicketEpoch) { e.Generation = MaxGeneration + 1 }),
		"order of chains":      child(func(e *TicketEpoch) { e.Chains = []TicketChain{e.Chains[1], e.Chains[0]} }),
		"chain beyond":         child(func(e *TicketEpoch) { e.Chains[1].Index = 1 << piecesDepth }),
		"tree of another depth": child(func(e *TicketEpoch) {
			_, e.SenderTree, _ = pprf.New(p.keys.Header, piecesDepth+1).Eval(make([]byte, 3))
		}),
		"70 epochs": func(b *TicketBody) {
			for range MaxTicketEpochs {
				b.Epochs = append(b.Epochs, b.Epochs[1])
			}
		},
	} {
		b := p.ticketBody(t)
		change(&b)
		_, err := ParseTicketBody(b.Encode().Expose())
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	_, err := ParseTicketBody(good.Encode().Expose())
	require.NoError(t, err)
	for generation, e := range good.Epochs {
		b := e.encode()
		b[1+32+7] = byte(generation) // the child as a root, the genesis as a child
		_, err := parseAll(b, len(b), ticketEpochReader(piecesDepth))
		require.ErrorIs(t, err, wire.ErrMalformed)
	}
	good.Statements = append(good.Statements, bytesOf(1, 40<<10))
	for range 110 {
		good.Statements = append(good.Statements, good.Statements[2])
	}
	_, err = SealTicket(TicketContext{}, p.joiners[0].ticket.Public, good, p.founder.signing)
	require.ErrorIs(t, err, outcome.ErrTooLong)
}

// TestParts: a whole comes back from its parts in any order and number of times, every frame fits, and parts of two sets are
// never mixed.
func TestParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.SliceOfN(rapid.Byte(), 1, 5000).Draw(t, "whole")
		limit := rapid.IntRange(1, 9000).Draw(t, "frame")
		kind := rapid.SampledFrom([]Type{TypeTicket, TypeRekey}).Draw(t, "type")
		parts, err := Split(kind, Name{1}, whole, limit)
		if err != nil {
			require.ErrorIs(t, err, outcome.ErrTooLong)
			for n := 1; n <= MaxParts; n++ {
				require.Less(t, n*(limit-headOf(kind, n)), len(whole), "it fits %d parts", n)
			}
			return
		}
		other, err := Split(kind, Name{2}, whole, limit)
		require.NoError(t, err)
		var got []byte
		for k, part := range parts {
			require.LessOrEqual(t, len(part.Frame()), limit)
			read, err := ParsePart(part.Frame())
			require.NoError(t, err)
			require.Equal(t, part, read)
			require.NoError(t, read.Verify())
			require.EqualValues(t, k, read.Place)
			require.Equal(t, parts[0].Set(), read.Set())
			require.NotEqual(t, other[k].Set(), read.Set())
			got = append(got, read.Piece...)
		}
		require.Equal(t, whole, got)
	})
	parts, err := Split(TypeTicket, Name{}, make([]byte, 1000), 600)
	require.NoError(t, err)
	for name, p := range map[string]Part{
		"place":    with(parts[0], func(p *Part) { p.Place = 9 }),
		"no piece": with(parts[0], func(p *Part) { p.Piece, p.Hashes = nil, [][32]byte{hash32(nil)} }),
		"no set":   with(parts[0], func(p *Part) { p.Hashes = nil }),
	} {
		_, err := ParsePart(p.Frame())
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	other, err := ParsePart(with(parts[0], func(p *Part) { p.Piece = parts[1].Piece }).Frame())
	require.NoError(t, err)
	require.ErrorIs(t, other.Verify(), wire.ErrMalformed)
	for name, frame := range map[string][]byte{"refusal": {0x22, 1}, "request": {0x23}} {
		_, err := ParsePart(frame)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	six, err := Split(TypeRekey, Name{}, make([]byte, 6_000_000), SmallestMaxFrame)
	require.NoError(t, err, "6 MB fit the smallest frame")
	require.LessOrEqual(t, len(six), MaxParts)
}

// TestRekeyFormats: boxes, contents and owners' part of a rekey open for whom they are.
func TestRekeyFormats(t *testing.T) {
	for _, s := range suite.Suites() {
		p := newPieces(t, s)
		m := p.joiners[0]
		_, _, k := p.rekey(t)
		b, err := k.Encode()
		require.NoError(t, err)
		back, err := ParseRekey(b)
		require.NoError(t, err)
		x, err := OpenRekeyBox(p.space, m.inbox, 2, back.Boxes[0].Box)
		require.NoError(t, err)
		require.True(t, x.Share.Equal(m.share))
		aad := EpochAAD(p.space, p.id)
		plain, err := suite.NewAEAD(RekeyBodyKey(x.X, p.space)).Open(nil, back.Content, aad)
		require.NoError(t, err)
		content, err := ParseRekeyContent(plain)
		require.NoError(t, err)
		require.Equal(t, p.id, content.Notice.Root())
		plain, err = suite.NewAEAD(x.Y).Open(nil, back.Owners, aad)
		require.NoError(t, err)
		owners, err := ParseRekeyOwners(plain)
		require.NoError(t, err)
		require.True(t, owners.Polynomial.Commitment().Equal(p.poly.Commitment()))
		require.ErrorIs(t, second(OpenRekeyBox(p.space, m.inbox, 3, back.Boxes[0].Box)), suite.ErrNotOpened)

		box := p.shareBox(t)
		share, err := OpenShare(p.space, m.inbox, 2, box)
		require.NoError(t, err)
		require.True(t, share.Equal(m.share))
		require.ErrorIs(t, second(OpenShare(p.space, m.inbox, 3, box)), suite.ErrNotOpened)
		zero, err := m.inbox.Public.Seal(suite.HPKEShare, p.space, 2, make([]byte, 56))
		require.NoError(t, err)
		require.ErrorIs(t, second(OpenShare(p.space, m.inbox, 2, zero)), wire.ErrMalformed)

		twice := k
		twice.Boxes = append(twice.Boxes, k.Boxes[0])
		b, err = twice.Encode()
		require.NoError(t, err)
		_, err = ParseRekey(b)
		require.ErrorIs(t, err, wire.ErrMalformed)
		twice.Content = make([]byte, MaxRekey)
		_, err = twice.Encode()
		require.ErrorIs(t, err, outcome.ErrTooLong)
	}
	require.NotEqual(t, TagOfBox(state.ID{}, 1, 2, suite.NewKEMSecret(suite.X25519).Public), BoxTag{})
	require.Equal(t, Name{7}, NameOfRekey(EpochID{7}))
}
