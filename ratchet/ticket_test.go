package ratchet

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

// TestTicket: the joiner verifies the answer to its request and learns who is in the space (§9).
func TestTicket(t *testing.T) {
	for name, p := range policies {
		t.Run("policy"+name, func(t *testing.T) {
			w := newPieces(t, p)
			tk, request := w.ticket(t)
			require.True(t, tk.answersTo(request))
			require.False(t, tk.answersTo(digest{}))
			a, err := tk.open(w.space, w.members[1].ticket, 2)
			require.NoError(t, err)
			require.False(t, a.refused)
			v, err := a.body.verify(w.origin, request, 2)
			require.NoError(t, err)
			require.Len(t, v.introductions, 2)
			require.Len(t, v.roster.entries, 3)
			require.Len(t, a.body.revokes, 1)
			require.Len(t, a.body.answered, 2)

			_, err = tk.open(w.space, w.members[2].ticket, 2)
			require.ErrorIs(t, err, errNotOpened)
			_, err = tk.open(w.space, w.members[1].ticket, 3)
			require.ErrorIs(t, err, errNotOpened)
		})
	}
}

// TestTicketForged: nobody but a member answers, and only the request that was made; a server, a removed member or an
// outsider cannot make up a space (scenario 7).
func TestTicketForged(t *testing.T) {
	w := newPieces(t, Policy{KEM: X25519})
	stranger := newPieces(t, Policy{KEM: X25519})
	_, request := w.request(t, 1)
	body := w.ticketBody(t)
	answer := func(b ticketBody, j dkg.Index, issuer signingKey) (verified, error) {
		t.Helper()
		tk, err := newTicket(w.space, request, w.members[1].ticket.public, j, b, issuer)
		require.NoError(t, err)
		a, err := tk.open(w.space, w.members[1].ticket, j)
		if err != nil {
			return verified{}, err
		}
		return a.body.verify(w.origin, request, j)
	}
	_, err := answer(body, 2, w.members[0].signing)
	require.NoError(t, err)

	_, err = answer(body, 2, stranger.members[0].signing)
	require.ErrorIs(t, err, errInvalid, "signed by a stranger")

	for name, change := range map[string]func(b *ticketBody){
		"issuer is no member":      func(b *ticketBody) { b.issuer = 4 },
		"issuer is another member": func(b *ticketBody) { b.issuer = 2 },
		"another owner's notice":   func(b *ticketBody) { b.notice = stranger.notice },
		"another space": func(b *ticketBody) {
			b.notice, b.common, b.template, b.roster = stranger.notice, stranger.common, stranger.template, stranger.roster
		},
		"another common":             func(b *ticketBody) { b.common.cursor++ },
		"another template":           func(b *ticketBody) { b.template.key = secret.Random(keySize) },
		"another roster":             func(b *ticketBody) { b.roster = b.roster.with(w.members[1].in.entry()) },
		"bitmap":                     func(b *ticketBody) { b.notice.members = []byte{0x60} },
		"introduction of a stranger": func(b *ticketBody) { b.introductions[0] = stranger.members[1].in.encode() },
		"introduction twice":         func(b *ticketBody) { b.introductions[1] = b.introductions[0] },
		"stranger's revoke": func(b *ticketBody) {
			b.revokes = [][]byte{newRevoke(w.space, revokeStatement{w.id, nil}, stranger.root).encode()}
		},
		"leave as a revoke": func(b *ticketBody) {
			b.revokes = [][]byte{newLeave(w.space, leaveStatement{index: 2}, w.root).encode()}
		},
		"revoke of another root": func(b *ticketBody) {
			b.revokes = append(b.revokes, newRevoke(w.space, revokeStatement{epochID{}, nil}, w.root).encode())
		},
		"roster of another digest": func(b *ticketBody) {
			b.rosterSigned = newRoster(w.space, rosterStatement{w.id, b.roster.bitmap(), digest{}}, w.root).encode()
		},
		"roster of other members": func(b *ticketBody) {
			b.rosterSigned = newRoster(w.space, rosterStatement{w.id, bitmap{0x70}, b.roster.digest()}, w.root).encode()
		},
		"epoch of another commit": func(b *ticketBody) { b.epochs[0].id[0] ^= 1 },
		"generation of another":   func(b *ticketBody) { b.epochs[0].generation = 2 },
		"generation too great":    func(b *ticketBody) { b.epochs[0].generation = maxGeneration + 1 },
		"epoch twice":             func(b *ticketBody) { b.epochs[1] = b.epochs[0] },
		"made-up root":            func(b *ticketBody) { b.epochs[1].id[0] ^= 1 },
		"share of another index":  func(b *ticketBody) { b.share = w.members[2].share },
		"share of another space":  func(b *ticketBody) { b.share = stranger.members[1].share },
		"admission by a stranger": func(b *ticketBody) {
			b.share, b.admission = w.members[1].share, stranger.members[1].grant.admission.encode().Expose()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := body
			b.introductions = append([][]byte(nil), body.introductions...)
			b.epochs = append([]ticketEpoch(nil), body.epochs...)
			change(&b)
			_, err := answer(b, 2, w.members[0].signing)
			typed(t, err)
		})
	}

	// With a share and a new admission, from an owner.
	b := body
	b.share, b.admission = w.members[1].share, w.members[1].grant.admission.encode().Expose()
	_, err = answer(b, 2, w.members[0].signing)
	require.NoError(t, err)

	// A good ticket is no answer to another request, for another index, or of another space.
	tk, _ := w.ticket(t)
	a, err := tk.open(w.space, w.members[1].ticket, 2)
	require.NoError(t, err)
	for name, try := range map[string]func() (verified, error){
		"request": func() (verified, error) { return a.body.verify(w.origin, digest{}, 2) },
		"index":   func() (verified, error) { return a.body.verify(w.origin, request, 3) },
		"origin":  func() (verified, error) { return a.body.verify(stranger.origin, request, 2) },
	} {
		_, err := try()
		require.ErrorIs(t, err, errInvalid, name)
	}
}

// TestTicketRosters: a roster statement replaces the roster of the common.
func TestTicketRosters(t *testing.T) {
	w := newPieces(t, Policy{KEM: X25519})
	_, request := w.request(t, 1)
	longer := w.roster.with(w.members[1].in.entry())
	b := w.ticketBody(t)
	b.rosterSigned = newRoster(w.space, rosterStatement{w.id, longer.bitmap(), longer.digest()}, w.root).encode()
	b.roster, b.introductions = longer, b.introductions[1:]
	b.signature = w.members[0].signing.sign(signTicket, w.space[:], request[:], u32(2), b.body())
	v, err := b.verify(w.origin, request, 2)
	require.NoError(t, err)
	require.Len(t, v.roster.entries, 3)

	// A statement cannot leave out who was there before.
	b.roster = roster{}.with(w.members[1].in.entry())
	b.rosterSigned = newRoster(w.space, rosterStatement{w.id, b.roster.bitmap(), b.roster.digest()}, w.root).encode()
	_, err = b.verify(w.origin, request, 2)
	require.ErrorIs(t, err, errInvalid)
}

// TestRefusal: an owner's word that a link is dead, and nobody else's.
func TestRefusal(t *testing.T) {
	w := newPieces(t, Policy{KEM: X25519})
	_, request := w.request(t, 1)
	tk, err := newRefusal(w.space, request, w.members[1].ticket.public, w.root)
	require.NoError(t, err)
	a, err := tk.open(w.space, w.members[1].ticket, 2)
	require.NoError(t, err)
	require.True(t, a.refused)
	require.NoError(t, verifyRefusal(w.owners, w.space, request, a.refusal))
	require.ErrorIs(t, verifyRefusal(w.owners, w.space, digest{}, a.refusal), errInvalid)
	tk, err = newRefusal(w.space, request, w.members[1].ticket.public, w.members[2].signing)
	require.NoError(t, err)
	a, err = tk.open(w.space, w.members[1].ticket, 2)
	require.NoError(t, err)
	require.ErrorIs(t, verifyRefusal(w.owners, w.space, request, a.refusal), errInvalid)
}

// TestTicketLimit: a ticket beyond a mebibyte is not made.
func TestTicketLimit(t *testing.T) {
	w := newPieces(t, Policy{KEM: X25519})
	b := w.ticketBody(t)
	for range 300 {
		b.introductions = append(b.introductions, make([]byte, maxIntroduction))
	}
	_, err := newTicket(w.space, digest{}, w.members[1].ticket.public, 2, b, w.members[0].signing)
	require.ErrorIs(t, err, ErrTooLong)
	b = w.ticketBody(t)
	for len(b.roster.encode()) <= maxRoster {
		b.roster.entries = append(b.roster.entries, slices.Repeat(b.roster.entries, 10)...)
	}
	_, err = newTicket(w.space, digest{}, w.members[1].ticket.public, 2, b, w.members[0].signing)
	require.ErrorIs(t, err, ErrTooLong, "a roster that no reader takes in")
	_, err = ParseTicket(make([]byte, maxTicket+1))
	require.ErrorIs(t, err, ErrMalformed)
}

// TestRequests: a request opens with its config key, is bound to its introduction, and a resync to its member.
func TestRequests(t *testing.T) {
	w := newPieces(t, Policy{KEM: X25519})
	q, _ := w.request(t, 1)
	q, err := ParseRequest(q.Bytes())
	require.NoError(t, err)
	_, err = q.open(w.space, w.members[0].inbox)
	require.ErrorIs(t, err, errNotOpened)
	_, err = q.open(state.ID{}, w.template.config)
	require.ErrorIs(t, err, errNotOpened)
	b, err := q.open(w.space, w.template.config)
	require.NoError(t, err)
	in, inbox, err := b.verifyIntroduction(w.space, w.owners, w.policy)
	require.NoError(t, err)
	require.EqualValues(t, 2, in.index)
	require.True(t, inbox.equal(w.members[1].inbox.public))

	// Whoever saw an introduction cannot have the ticket boxed to himself.
	stolen, err := newIntroductionRequest(w.space, w.template.config.public, w.members[2].ticket.public, w.members[1].in)
	require.NoError(t, err)
	b, err = stolen.open(w.space, w.template.config)
	require.NoError(t, err)
	_, _, err = b.verifyIntroduction(w.space, w.owners, w.policy)
	require.ErrorIs(t, err, errInvalid)

	rs := w.resync(t)
	require.NoError(t, rs.verifyResync(w.space, w.members[1].signing.public))
	require.ErrorIs(t, rs.verifyResync(w.space, w.members[2].signing.public), errInvalid)
	require.ErrorIs(t, rs.verifyResync(state.ID{}, w.members[1].signing.public), errInvalid)
	rs.resync.counter++
	require.ErrorIs(t, rs.verifyResync(w.space, w.members[1].signing.public), errInvalid)
}
