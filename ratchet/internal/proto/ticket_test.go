package proto

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TestTicket: the joiner verifies the answer to its request and learns who is in the space (§9).
func TestTicket(t *testing.T) {
	for name, p := range policies {
		t.Run("policy"+name, func(t *testing.T) {
			w := newPieces(t, p)
			tk, request := w.ticket(t)
			require.True(t, tk.AnswersTo(request))
			require.False(t, tk.AnswersTo(suite.Digest{}))
			a, err := tk.Open(w.space, w.members[1].ticket, 2)
			require.NoError(t, err)
			require.False(t, a.Refused)
			v, err := a.Body.Verify(w.origin, request, 2)
			require.NoError(t, err)
			require.Len(t, v.Introductions, 2)
			require.Len(t, v.Roster.Entries, 3)
			require.Len(t, a.Body.Revokes, 1)
			require.Len(t, a.Body.Answered, 2)

			_, err = tk.Open(w.space, w.members[2].ticket, 2)
			require.ErrorIs(t, err, suite.ErrNotOpened)
			_, err = tk.Open(w.space, w.members[1].ticket, 3)
			require.ErrorIs(t, err, suite.ErrNotOpened)
		})
	}
}

// TestTicketForged: nobody but a member answers, and only the request that was made; a server, a removed member or an
// outsider cannot make up a space (scenario 7).
func TestTicketForged(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	stranger := newPieces(t, Policy{KEM: suite.X25519})
	_, request := w.request(t, 1)
	body := w.ticketBody(t)
	answer := func(b TicketBody, j dkg.Index, issuer suite.SigningKey) (VerifiedTicket, error) {
		t.Helper()
		tk, err := NewTicket(w.space, request, w.members[1].ticket.Public, j, b, issuer)
		require.NoError(t, err)
		a, err := tk.Open(w.space, w.members[1].ticket, j)
		if err != nil {
			return VerifiedTicket{}, err
		}
		return a.Body.Verify(w.origin, request, j)
	}
	_, err := answer(body, 2, w.members[0].signing)
	require.NoError(t, err)

	_, err = answer(body, 2, stranger.members[0].signing)
	require.ErrorIs(t, err, suite.ErrInvalid, "signed by a stranger")

	for name, change := range map[string]func(b *TicketBody){
		"issuer is no member":      func(b *TicketBody) { b.Issuer = 4 },
		"issuer is another member": func(b *TicketBody) { b.Issuer = 2 },
		"another owner's notice":   func(b *TicketBody) { b.Notice = stranger.notice },
		"another space": func(b *TicketBody) {
			b.Notice, b.Context, b.Template, b.Roster = stranger.notice, stranger.common, stranger.template, stranger.roster
		},
		"another common":             func(b *TicketBody) { b.Context.Cursor++ },
		"another template":           func(b *TicketBody) { b.Template.Key = secret.Random(suite.KeySize) },
		"another roster":             func(b *TicketBody) { b.Roster = b.Roster.With(w.members[1].in.Entry()) },
		"bitmap":                     func(b *TicketBody) { b.Notice.Members = []byte{0x60} },
		"introduction of a stranger": func(b *TicketBody) { b.Introductions[0] = stranger.members[1].in.Encode() },
		"introduction twice":         func(b *TicketBody) { b.Introductions[1] = b.Introductions[0] },
		"stranger's revoke": func(b *TicketBody) {
			b.Revokes = [][]byte{SignRevoke(w.space, RevokeStatement{w.id, nil}, stranger.root).Encode()}
		},
		"leave as a revoke": func(b *TicketBody) {
			b.Revokes = [][]byte{SignLeave(w.space, LeaveStatement{Index: 2}, w.root).Encode()}
		},
		"revoke of another root": func(b *TicketBody) {
			b.Revokes = append(b.Revokes, SignRevoke(w.space, RevokeStatement{EpochID{}, nil}, w.root).Encode())
		},
		"roster of another digest": func(b *TicketBody) {
			b.RosterSigned = SignRoster(w.space, RosterStatement{w.id, b.Roster.Bitmap(), suite.Digest{}}, w.root).Encode()
		},
		"roster of other members": func(b *TicketBody) {
			b.RosterSigned = SignRoster(w.space, RosterStatement{w.id, Bitmap{0x70}, b.Roster.Digest()}, w.root).Encode()
		},
		"epoch of another commit": func(b *TicketBody) { b.Epochs[0].ID[0] ^= 1 },
		"generation of another":   func(b *TicketBody) { b.Epochs[0].Generation = 2 },
		"generation too great":    func(b *TicketBody) { b.Epochs[0].Generation = maxGeneration + 1 },
		"epoch twice":             func(b *TicketBody) { b.Epochs[1] = b.Epochs[0] },
		"made-up root":            func(b *TicketBody) { b.Epochs[1].ID[0] ^= 1 },
		"share of another index":  func(b *TicketBody) { b.Share = w.members[2].share },
		"share of another space":  func(b *TicketBody) { b.Share = stranger.members[1].share },
		"admission by a stranger": func(b *TicketBody) {
			b.Share, b.Admission = w.members[1].share, stranger.members[1].grant.Admission.Encode().Expose()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := body
			b.Introductions = append([][]byte(nil), body.Introductions...)
			b.Epochs = append([]TicketEpoch(nil), body.Epochs...)
			change(&b)
			_, err := answer(b, 2, w.members[0].signing)
			typed(t, err)
		})
	}

	// With a share and a new admission, from an owner.
	b := body
	b.Share, b.Admission = w.members[1].share, w.members[1].grant.Admission.Encode().Expose()
	_, err = answer(b, 2, w.members[0].signing)
	require.NoError(t, err)

	// A good ticket is no answer to another request, for another index, or of another space.
	tk, _ := w.ticket(t)
	a, err := tk.Open(w.space, w.members[1].ticket, 2)
	require.NoError(t, err)
	for name, try := range map[string]func() (VerifiedTicket, error){
		"request": func() (VerifiedTicket, error) { return a.Body.Verify(w.origin, suite.Digest{}, 2) },
		"index":   func() (VerifiedTicket, error) { return a.Body.Verify(w.origin, request, 3) },
		"origin":  func() (VerifiedTicket, error) { return a.Body.Verify(stranger.origin, request, 2) },
	} {
		_, err := try()
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
}

// TestTicketRosters: a roster statement replaces the roster of the common.
func TestTicketRosters(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	_, request := w.request(t, 1)
	longer := w.roster.With(w.members[1].in.Entry())
	b := w.ticketBody(t)
	b.RosterSigned = SignRoster(w.space, RosterStatement{w.id, longer.Bitmap(), longer.Digest()}, w.root).Encode()
	b.Roster, b.Introductions = longer, b.Introductions[1:]
	b.signature = w.members[0].signing.Sign(suite.SignTicket, w.space[:], request[:], suite.U32(2), b.body())
	v, err := b.Verify(w.origin, request, 2)
	require.NoError(t, err)
	require.Len(t, v.Roster.Entries, 3)

	// A statement cannot leave out who was there before.
	b.Roster = Roster{}.With(w.members[1].in.Entry())
	b.RosterSigned = SignRoster(w.space, RosterStatement{w.id, b.Roster.Bitmap(), b.Roster.Digest()}, w.root).Encode()
	_, err = b.Verify(w.origin, request, 2)
	require.ErrorIs(t, err, suite.ErrInvalid)
}

// TestRefusal: an owner's word that a link is dead, and nobody else's.
func TestRefusal(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	_, request := w.request(t, 1)
	tk, err := NewRefusal(w.space, request, w.members[1].ticket.Public, w.root)
	require.NoError(t, err)
	a, err := tk.Open(w.space, w.members[1].ticket, 2)
	require.NoError(t, err)
	require.True(t, a.Refused)
	require.NoError(t, VerifyRefusal(w.owners, w.space, request, a.Refusal))
	require.ErrorIs(t, VerifyRefusal(w.owners, w.space, suite.Digest{}, a.Refusal), suite.ErrInvalid)
	tk, err = NewRefusal(w.space, request, w.members[1].ticket.Public, w.members[2].signing)
	require.NoError(t, err)
	a, err = tk.Open(w.space, w.members[1].ticket, 2)
	require.NoError(t, err)
	require.ErrorIs(t, VerifyRefusal(w.owners, w.space, request, a.Refusal), suite.ErrInvalid)
}

// TestTicketLimit: a ticket beyond a mebibyte is not made.
func TestTicketLimit(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	b := w.ticketBody(t)
	for range 300 {
		b.Introductions = append(b.Introductions, make([]byte, MaxIntroduction))
	}
	_, err := NewTicket(w.space, suite.Digest{}, w.members[1].ticket.Public, 2, b, w.members[0].signing)
	require.ErrorIs(t, err, outcome.ErrTooLong)
	b = w.ticketBody(t)
	for len(b.Roster.Encode()) <= maxRoster {
		b.Roster.Entries = append(b.Roster.Entries, slices.Repeat(b.Roster.Entries, 10)...)
	}
	_, err = NewTicket(w.space, suite.Digest{}, w.members[1].ticket.Public, 2, b, w.members[0].signing)
	require.ErrorIs(t, err, outcome.ErrTooLong, "a roster that no reader takes in")
	_, err = ParseTicket(make([]byte, maxTicket+1))
	require.ErrorIs(t, err, wire.ErrMalformed)
}

// TestRequests: a request opens with its config key, is bound to its introduction, and a resync to its member.
func TestRequests(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	q, _ := w.request(t, 1)
	q, err := ParseRequest(q.Bytes())
	require.NoError(t, err)
	_, err = q.Open(w.space, w.members[0].inbox)
	require.ErrorIs(t, err, suite.ErrNotOpened)
	_, err = q.Open(state.ID{}, w.template.Config)
	require.ErrorIs(t, err, suite.ErrNotOpened)
	b, err := q.Open(w.space, w.template.Config)
	require.NoError(t, err)
	in, inbox, err := b.VerifyIntroduction(w.space, w.owners, w.policy)
	require.NoError(t, err)
	require.EqualValues(t, 2, in.Index)
	require.True(t, inbox.Equal(w.members[1].inbox.Public))

	// Whoever saw an introduction cannot have the ticket boxed to himself.
	stolen, err := NewIntroductionRequest(w.space, w.template.Config.Public, w.members[2].ticket.Public, w.members[1].in)
	require.NoError(t, err)
	b, err = stolen.Open(w.space, w.template.Config)
	require.NoError(t, err)
	_, _, err = b.VerifyIntroduction(w.space, w.owners, w.policy)
	require.ErrorIs(t, err, suite.ErrInvalid)

	rs := w.resync(t)
	require.NoError(t, rs.VerifyResync(w.space, w.members[1].signing.Public))
	require.ErrorIs(t, rs.VerifyResync(w.space, w.members[2].signing.Public), suite.ErrInvalid)
	require.ErrorIs(t, rs.VerifyResync(state.ID{}, w.members[1].signing.Public), suite.ErrInvalid)
	rs.Resync.Counter++
	require.ErrorIs(t, rs.VerifyResync(w.space, w.members[1].signing.Public), suite.ErrInvalid)
}
