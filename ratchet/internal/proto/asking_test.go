package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TestJoinRequests: what a joiner asks is right as the holder of the invite and of the new signing key wrote it.
func TestJoinRequests(t *testing.T) {
	for _, s := range suite.Suites() {
		p := newPieces(t, s)
		m, other := p.joiners[0], p.joiners[1]
		a := p.ask(t)
		key := suite.NewAEAD(m.keys.RequestKey)
		q := a.Seal(p.space, key, m.keys.Tag)
		back, err := ParseRequest(q.Frame())
		require.NoError(t, err)
		got, err := back.Open(p.space, key)
		require.NoError(t, err)
		require.NoError(t, got.VerifyJoin(p.space, s, m.record.Certificate))
		require.Equal(t, a.ID(), got.ID())
		require.NotEqual(t, q.Frame(), a.Seal(p.space, key, m.keys.Tag).Frame(), "sealed anew it has the same id")

		cert := m.record.Certificate
		for name, err := range map[string]error{
			"certificate": a.VerifyJoin(p.space, s, other.record.Certificate),
			"space":       a.VerifyJoin(state.ID{}, s, cert),
			"suite":       a.VerifyJoin(p.space, suite.Suite(5)-s, cert),
			"ticket key":  with(a, func(a *Asked) { a.Ticket = other.ticket.Public }).VerifyJoin(p.space, s, cert),
			"counter":     with(a, func(a *Asked) { a.Counter++ }).VerifyJoin(p.space, s, cert),
			"index":       with(a, func(a *Asked) { a.Index++ }).VerifyJoin(p.space, s, cert),
			"inbox":       with(a, func(a *Asked) { a.Inbox = other.inbox.Public }).VerifyJoin(p.space, s, cert),
			"rest":        with(a, func(a *Asked) { a.Rest.Time++ }).VerifyJoin(p.space, s, cert),
			"binding":     with(a, func(a *Asked) { a.Binding = other.binding }).VerifyJoin(p.space, s, cert),
			"signature":   with(a, func(a *Asked) { a.Signature = m.binding.SignedByMember }).VerifyJoin(p.space, s, cert),
			"resync":      p.resync(t).VerifyJoin(p.space, s, cert),
		} {
			require.ErrorIs(t, err, suite.ErrInvalid, name)
		}
		for name, err := range map[string]error{
			"key":   second(q.Open(p.space, suite.NewAEAD(other.keys.RequestKey))),
			"space": second(q.Open(state.ID{}, key)),
			"kind":  second(with(q, func(q *Request) { q.Kind = Resync }).Open(p.space, key)),
			"tag":   second(with(q, func(q *Request) { q.Tag[0]++ }).Open(p.space, key)),
		} {
			require.ErrorIs(t, err, suite.ErrNotOpened, name)
		}
	}
}

// TestMemberRequests: what a member asks is right under the key that signs it, and the shown request says so to all.
func TestMemberRequests(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	m, other := p.joiners[0], p.joiners[1]
	a := p.resync(t)
	key, tag := ResyncKey(p.template.K, p.space, p.id)
	got, err := a.Seal(p.space, suite.NewAEAD(key), tag).Open(p.space, suite.NewAEAD(key))
	require.NoError(t, err)
	require.NoError(t, got.VerifyResync(p.space, p.suite, m.signing.Public))
	listed := with(a, func(a *Asked) { a.Credential = Credential{} }).Sign(m.signing, p.space)
	require.NoError(t, listed.VerifyResync(p.space, p.suite, m.signing.Public))
	twin := a.Update
	twin.Index = 3
	for name, err := range map[string]error{
		"key":        a.VerifyResync(p.space, p.suite, other.signing.Public),
		"suite":      a.VerifyResync(p.space, suite.Ed25519Hybrid, m.signing.Public),
		"join":       p.ask(t).VerifyResync(p.space, p.suite, m.signing.Public),
		"credential": with(a, func(a *Asked) { a.Credential = other.credential() }).VerifyResync(p.space, p.suite, m.signing.Public),
		"binding":    with(a, func(a *Asked) { a.Credential.Binding.Rest[0]++ }).VerifyResync(p.space, p.suite, m.signing.Public),
		"update":     with(a, func(a *Asked) { a.Update = twin }).VerifyResync(p.space, p.suite, m.signing.Public),
		"root":       with(a, func(a *Asked) { a.Root[0]++ }).VerifyResync(p.space, p.suite, m.signing.Public),
		"preferred":  with(a, func(a *Asked) { a.Preferred[0]++ }).VerifyResync(p.space, p.suite, m.signing.Public),
	} {
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
	shown := a.Shown()
	require.NoError(t, shown.Verify(p.space, m.signing.Public))
	require.ErrorIs(t, with(shown, func(s *ShownRequest) { s.Counter++ }).Verify(p.space, m.signing.Public), suite.ErrInvalid)
	require.ErrorIs(t, with(shown, func(s *ShownRequest) { s.Request[0]++ }).Verify(p.space, m.signing.Public), suite.ErrInvalid)
	require.ErrorIs(t, with(shown, func(s *ShownRequest) { s.Kind = Join }).Verify(p.space, m.signing.Public), suite.ErrInvalid)
	_, other2 := ResyncKey(p.template.K, p.space, EpochID{1})
	require.NotEqual(t, tag, other2)
}

// TestRequestsRefused: requests that no honest member writes.
func TestRequestsRefused(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	for name, a := range map[string]Asked{
		"counter 0":          with(p.ask(t), func(a *Asked) { a.Counter = 0 }),
		"index 0":            with(p.ask(t), func(a *Asked) { a.Index = 0 }),
		"a joiner's root":    with(p.ask(t), func(a *Asked) { a.Root = p.id }),
		"a joiner's epoch":   with(p.ask(t), func(a *Asked) { a.Preferred = p.id }),
		"two indices":        with(p.ask(t), func(a *Asked) { a.Index = 3 }),
		"founder's binding":  with(p.ask(t), func(a *Asked) { a.Binding, a.Index = p.founder.binding, 1 }),
		"no update":          with(p.resync(t), func(a *Asked) { a.Update = Update{} }),
		"no signature":       with(p.resync(t), func(a *Asked) { a.Signature = nil }),
		"signature too long": with(p.resync(t), func(a *Asked) { a.Signature = make([]byte, 65) }),
	} {
		_, err := parseAll(a.encode(), maxAsked, askedReader(a.Kind))
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	q := p.ask(t).Seal(p.space, suite.NewAEAD(p.keys.Header), Tag{})
	for name, q := range map[string]Request{
		"kind 0":   with(q, func(q *Request) { q.Kind = 0 }),
		"kind 3":   with(q, func(q *Request) { q.Kind = 3 }),
		"no box":   with(q, func(q *Request) { q.Box = q.Box[:suite.AEADOverhead] }),
		"too long": with(q, func(q *Request) { q.Box = make([]byte, MaxRequest-17) }),
	} {
		_, err := ParseRequest(q.Frame())
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
}

// TestRefusals: a refusal opens for its asker, and proves what it says or is a hint.
func TestRefusals(t *testing.T) {
	for _, s := range []suite.Suite{suite.Ed25519Hybrid, suite.Ed448X25519} {
		p := newPieces(t, s)
		m := p.joiners[0]
		twin := p.member(t, 2)
		second2 := NewBinding(p.space, 2, twin.rest.Hash(), m.keys.Admission, twin.signing)
		sealed, err := SealRefusal(p.space, Name{1}, m.ticket.Public, Taken{Binding: second2})
		require.NoError(t, err)
		back, err := ParseSealedRefusal(sealed.Frame())
		require.NoError(t, err)
		require.True(t, IsRefusal(sealed.Frame()))
		y, err := back.Open(p.space, m.ticket)
		require.NoError(t, err)
		require.NoError(t, y.(Taken).Verify(p.space, s, m.binding))
		require.ErrorIs(t, second(back.Open(p.space, p.joiners[1].ticket)), suite.ErrNotOpened)
		for name, b := range map[string]Binding{
			"itself":            m.binding,
			"another index":     p.joiners[1].binding,
			"another admission": NewBinding(p.space, 2, twin.rest.Hash(), p.joiners[1].keys.Admission, twin.signing),
			"forged":            with(second2, func(b *Binding) { b.Rest[0] ^= 1 }),
		} {
			require.ErrorIs(t, Taken{Binding: b}.Verify(p.space, s, m.binding), suite.ErrInvalid, name)
		}

		word := Sign(Bind{Said: Said{Root: p.id}, Index: 2, Body: second2.Hash()}, p.space, p.owner)
		sealed, err = SealRefusal(p.space, Name{1}, m.ticket.Public, Taken{Bind: word})
		require.NoError(t, err)
		y, err = sealed.Open(p.space, m.ticket)
		require.NoError(t, err)
		require.Equal(t, Taken{Bind: word}, y)
		require.ErrorIs(t, y.(Taken).Verify(p.space, s, m.binding), suite.ErrInvalid, "a joiner is shown the other binding")
		sealed, err = SealRefusal(p.space, Name{1}, m.ticket.Public, Taken{})
		require.NoError(t, err)
		require.ErrorIs(t, second(sealed.Open(p.space, m.ticket)), wire.ErrMalformed, "it names nobody")

		revoke := Sign(Revoke{Said: Said{Root: p.id}, Indices: []dkg.Index{2, 7}}, p.space, p.owner)
		closed := Sign(Close{Said: Said{Root: p.id}, Invite: m.record.Certificate.Name()}, p.space, p.owner)
		name, dead := m.record.Certificate.Name(), Dead{p.origin, p.owners, revoke}
		for _, d := range []Dead{dead, {p.origin, p.owners, closed}} {
			sealed, err := SealRefusal(p.space, Name{1}, m.ticket.Public, d)
			require.NoError(t, err)
			y, err := sealed.Open(p.space, m.ticket)
			require.NoError(t, err)
			require.NoError(t, y.(Dead).Verify(p.space, 3, 2, name))
		}
		stranger := suite.NewSigningKey(suite.Ed25519)
		for what, err := range map[string]error{
			"old list":   dead.Verify(p.space, 4, 2, name),
			"space":      dead.Verify(state.ID{}, 3, 2, name),
			"index":      dead.Verify(p.space, 3, 3, name),
			"invite":     Dead{p.origin, p.owners, closed}.Verify(p.space, 3, 2, InviteName{}),
			"no owner":   Dead{p.origin, p.owners, Sign(revoke, p.space, stranger)}.Verify(p.space, 3, 2, name),
			"list":       Dead{p.origin, with(p.owners, func(l *OwnerList) { l.Counter++ }), revoke}.Verify(p.space, 3, 2, name),
			"root owner": Dead{NewOrigin(stranger.Public), p.owners, revoke}.Verify(p.space, 3, 2, name),
		} {
			require.ErrorIs(t, err, suite.ErrInvalid, what)
		}
	}
	p := newPieces(t, suite.Ed25519X25519)
	title := p.statements(t)["title"].(Title)
	for name, b := range map[string][]byte{
		"kind":            {9},
		"reason 0":        encodeRefusal(Hint{0, 0}),
		"reason 6":        encodeRefusal(Hint{6, 0}),
		"needless value":  encodeRefusal(Hint{HintClosed, 1}),
		"no index":        encodeRefusal(Hint{HintNotListed, uint64(dkg.MaxIndex) + 1}),
		"other statement": encodeRefusal(Dead{p.origin, p.owners, title}),
	} {
		_, err := parseRefusal(b)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
}
