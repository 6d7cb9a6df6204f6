package invites_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

var wishes = []invite.Terms{invite.Private(0), invite.Direct(24 * time.Hour), invite.Public(64, 24*time.Hour)}

// textOf returns the link of an invite as people get it.
func textOf(t *testing.T, m invites.Made) invite.Link {
	l, err := invites.Link(m.Link)
	require.NoError(t, err)
	return l
}

// A link with what the record holds gives the share of each of its indices, and neither gives one alone. Its text fits a QR code.
func TestLinkAndRecordGiveTheShare(t *testing.T) {
	w := newWorld(t)
	for _, wish := range wishes {
		made := w.make(0, wish)
		text, err := textOf(t, made).URL("https://t.example/jo")
		require.NoError(t, err)
		require.Len(t, text, map[dkg.Kind]int{dkg.Private: 20 + 1 + 132, dkg.Direct: 20 + 1 + 132, dkg.Public: 20 + 1 + 136}[wish.Kind()])
		read, err := invite.Parse(strings.ToLower(text))
		require.NoError(t, err)
		require.Equal(t, wish.Kind(), read.Kind())
		require.Equal(t, w.root.Space(), read.Space())
		l, err := proto.ParseLink(read.Bytes())
		require.NoError(t, err)
		require.True(t, made.Link.Encode().Equal(l.Encode()))
		c := made.Record.Certificate
		for _, i := range []dkg.Index{l.First, l.First + dkg.Index(l.Count-1)*dkg.Index(l.Step)} {
			require.True(t, l.Covers(i) && c.Covers(i))
			s, err := invites.OpenShare(l, made.Record.Masked, i, w.poly.Commitment())
			require.NoError(t, err)
			want, err := w.poly.Share(i)
			require.NoError(t, err)
			require.True(t, s.Equal(want))
		}
		_, err = invites.OpenShare(l, made.Record.Masked, 1, w.poly.Commitment())
		require.ErrorIs(t, err, invites.ErrForged, "an index of somebody else")
		other := w.make(0, wish)
		_, err = invites.OpenShare(l, other.Record.Masked, l.First, w.poly.Commitment())
		require.ErrorIs(t, err, invites.ErrForged)
		_, err = invites.OpenShare(l, made.Record.Masked, l.First, dkg.NewPolynomial().Commitment())
		require.ErrorIs(t, err, invites.ErrForged)
	}
	for _, bad := range []invite.Terms{invite.Public(17, 0), invite.Public(0, 0), invite.Private(-1), {}} {
		_, _, err := invites.Make(w.evals[0], w.root, invites.Last(w.root), w.owners[0], bad, now)
		require.ErrorIs(t, err, invites.ErrTerms)
	}
	stranger := w.owners[0]
	stranger.Key = suite.NewSigningKey(suite.Ed25519)
	_, _, err := invites.Make(w.evals[0], w.root, invites.Last(w.root), stranger, wishes[0], now)
	require.ErrorIs(t, err, invites.ErrNoOwner)
	older, err := dkg.NewPolynomial().Evals(dkg.Terms{Root: [32]byte{1}, Next: 2, Depth: dkg.DefaultDepth, Capacity: 4096})
	require.NoError(t, err)
	for _, cannot := range []dkg.Evals{w.evals[0].ReadOnly(), dkg.NoEvals(), older} {
		_, _, err = invites.Make(cannot, w.root, invites.Last(w.root), w.owners[0], wishes[0], now)
		require.ErrorIs(t, err, dkg.ErrReadOnly)
	}
}

// Two owners that make runs at the same time, without having heard of one another, never give out one index twice.
func TestRunsOfTwoOwners(t *testing.T) {
	w := newWorld(t)
	seen := map[dkg.Index]int{}
	evals := w.evals
	for range 6 {
		for k := range evals {
			for _, wish := range wishes {
				var made invites.Made
				var err error
				evals[k], made, err = invites.Make(evals[k], w.root, invites.Last(w.root), w.owners[k], wish, now) // the root stays as it was
				require.NoError(t, err)
				for n := range made.Link.Count {
					i := made.Link.First + dkg.Index(n)*dkg.Index(made.Link.Step)
					require.NotContains(t, seen, i)
					require.NotEqual(t, dkg.Index(1), i)
					seen[i] = k
				}
			}
		}
	}
	made := w.make(0, invite.Public(128, 0))
	w.evals[1] = evals[1]
	next := w.make(1, wishes[0])
	require.Greater(t, next.Link.First, made.Link.First+dkg.Index(127*2), "the cursor passes what was heard of")
}

// An owner that holds a seat gets m of what others made, checks it, and continues it.
func TestSeatContinuesAnInvite(t *testing.T) {
	w := newWorld(t)
	by := w.make(0, wishes[0])
	w.seat(by)
	me := w.who[by.Link.First]
	inboxes := []suite.KEMSecret{suite.NewKEMSecret(ofSuite.KEM()), me.inbox}

	var err error
	made := w.make(0, wishes[1])
	require.Len(t, made.Statements, 1)
	require.Len(t, made.Statements[0].Boxes, 1)
	w.evals[1], err = invites.Keep(w.evals[1], w.root, made.Statements[0], by.Link.First, inboxes)
	require.NoError(t, err)
	_, err = invites.Keep(w.evals[1], w.root, made.Statements[0], by.Link.First, inboxes)
	require.NoError(t, err, "a second time")
	names := map[[16]byte]bool{}
	for o := range w.evals[1].Offers() {
		names[o.Name] = true
	}
	require.True(t, names[made.Record.Certificate.Name()])

	crossed := made.Statements[0]
	crossed.Record = w.make(0, wishes[2]).Record
	_, err = invites.Keep(w.evals[1], w.root, crossed, by.Link.First, inboxes)
	require.ErrorIs(t, err, invites.ErrForged, "m of another invite")
	_, err = invites.Keep(w.evals[1], w.root, made.Statements[0], by.Link.First, inboxes[:1])
	require.ErrorIs(t, err, invites.ErrForged)
}

// What is over leaves the ledger, and m with it.
func TestEndedInvitesLeaveTheLedger(t *testing.T) {
	w := newWorld(t)
	used, revoked, closed, kept, expired := w.make(0, wishes[0]), w.make(0, wishes[0]), w.make(0, wishes[2]), w.make(0, wishes[0]), w.make(0, wishes[1])
	w.join(used, used.Link.First)
	for _, m := range []invites.Made{revoked, closed} {
		said, err := invites.End(w.root, w.owners[0], w.epoch, m.Record.Certificate.Name())
		require.NoError(t, err)
		require.Len(t, said, 1)
		w.apply(said...)
	}
	w.root, _ = w.root.Expire(now+48*hour, 1)
	w.root, _ = w.root.Expire(now+48*hour, 1+24*hour)
	ev, ended := invites.Settle(w.evals[0], w.root)
	require.Len(t, ended, 4)
	for o := range ev.Offers() {
		require.Equal(t, kept.Record.Certificate.Name(), proto.InviteName(o.Name))
	}
	require.NotContains(t, ended, kept.Record.Certificate.Name())
	require.Contains(t, ended, expired.Record.Certificate.Name())

	_, err := invites.End(w.root, w.owners[0], w.epoch, used.Record.Certificate.Name())
	require.ErrorIs(t, err, invites.ErrMember, "who came by it is removed by a rekey")
	_, err = invites.End(w.root, w.owners[0], w.epoch, closed.Record.Certificate.Name(), 1)
	require.ErrorIs(t, err, invites.ErrTerms, "a place of somebody else")
	_, err = invites.End(w.root, w.owners[0], w.epoch, proto.InviteName{1})
	require.ErrorIs(t, err, invites.ErrTerms)
}

// An owner may take back any number of links: it says its revokes in one, so nobody comes to the bound of those that are kept (D58).
func TestManyRevokes(t *testing.T) {
	w := newWorld(t)
	runs := []invites.Made{w.make(0, invite.Public(160, 0)), w.make(1, invite.Public(160, 0))}
	for n := range dkg.Index(160) {
		for owner, made := range runs {
			c := made.Record.Certificate
			said, err := invites.End(w.root, w.owners[owner], w.epoch, c.Name(), c.First+2*n)
			require.NoError(t, err)
			w.apply(said...)
		}
	}
	for n := range dkg.Index(160) {
		for _, made := range runs {
			require.True(t, w.root.Gone(made.Link.First+2*n))
		}
	}
}

// A link that is handed on counts from a member with a seat, for this member, and of an invite that is open (D73).
func TestInviteGivenNeedsASeat(t *testing.T) {
	w := newWorld(t)
	by := w.make(0, wishes[0])
	w.join(by, by.Link.First)
	self := by.Link.First
	inboxes := []suite.KEMSecret{w.who[self].inbox}
	made := w.make(0, wishes[0])
	given, err := invites.Give(w.root, self, textOf(t, made))
	require.NoError(t, err)
	got, err := invites.Given(w.root, given, 1, self, inboxes)
	require.NoError(t, err)
	require.Equal(t, textOf(t, made).Bytes(), got.Bytes())

	_, err = invites.Given(w.root, given, self, self, inboxes)
	require.ErrorIs(t, err, invites.ErrForged, "by a member without a seat")
	for name, link := range map[string]invite.Link{
		"no link": {}, "another space's": textOf(t, newWorld(t).make(0, wishes[0])), "used": textOf(t, by),
	} {
		given, err := invites.Give(w.root, self, link)
		require.NoError(t, err)
		_, err = invites.Given(w.root, given, 1, self, inboxes)
		require.ErrorIs(t, err, invites.ErrForged, name)
	}
	_, err = invites.Give(w.root, 77, textOf(t, made))
	require.ErrorIs(t, err, invites.ErrMember)
}

// A free index is one of the run of which nobody is known.
func TestFreeIndex(t *testing.T) {
	w := newWorld(t)
	made := w.make(0, invite.Public(16, 0))
	c := made.Record.Certificate
	require.Equal(t, c.First, invites.Free(w.root, c))
	w.join(made, c.First)
	require.Equal(t, c.First+2, invites.Free(w.root, c))
	for n := range dkg.Index(16) {
		said, err := invites.End(w.root, w.owners[0], w.epoch, c.Name(), c.First+2*n)
		if n == 0 {
			require.ErrorIs(t, err, invites.ErrMember)
			continue
		}
		require.NoError(t, err)
		w.apply(said...)
	}
	require.Zero(t, invites.Free(w.root, c))
}
