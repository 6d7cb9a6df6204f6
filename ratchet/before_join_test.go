package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
)

// commits lets a device send messages, each below a commit of its own.
func (x *node) commits(n int) {
	for range n {
		require.NoError(x.net.t, x.edit(func(d *edit) error { d.st.rhythm.commit = true; return d.say(inner("on")) }))
		x.net.settle()
	}
}

// A member that asks is shown what it was shown when it joined (D99), whatever certificate it puts beside its binding: none, or one of
// an invite that nobody knows.
func TestAskerWithAnotherCertificateReadsNothingFromBefore(t *testing.T) {
	for _, forged := range []bool{false, true} {
		tickets := 0
		n := newNetwork(t, 51)
		founder := n.found(rules.Policy{})
		n.member(founder, "m")
		founder.commits(3)
		secret, _ := stateOf(founder.space).forest.Preferred()
		founder.commits(1)
		x := n.member(founder, "x")
		n.now = n.now.Add(2 * time.Hour)
		d, err := newEdit(x.space, n.now, Options{})
		require.NoError(t, err)
		e, r, ok := d.preferred()
		require.True(t, ok)
		terms, ok := d.tp.terms(r.ID())
		require.True(t, ok)
		me, proof := d.asker(), proto.Credential{}
		if forged {
			proof = d.st.me().credential(r)
			proof.Certificate.Admission = suite.NewSigningKey(suite.Ed25519).Public
		}
		a, c, err := d.st.asking.Value().Ask(me, asking.Position{Index: d.st.me().index, Root: r.ID(), Preferred: e.ID(), K: terms.template.K, Proof: proof,
			Update: proto.NewUpdate(d.st.space, d.st.me().index, 1<<31, suite.NewKEMSecret(me.Suite.KEM()).Public, me.Signing)}, d.clockOf())
		require.NoError(t, err)
		x.offline, x.mailbox = true, nil
		founder.receive(newIncoming(state.Frame{Source: "x", Data: c.Post}))
		n.settle()
		for _, f := range x.frames(proto.TypeTicket) {
			p, err := proto.ParsePart(f)
			require.NoError(t, err)
			own, ok := a.Find(d.st.space, p.Name)
			require.True(t, ok)
			got, err := proto.OpenTicket(own.Context, own.Ticket, p.Piece)
			require.NoError(t, err)
			for _, told := range got.Body.Epochs {
				id, err := told.Verify(d.st.space, got.Body.Root.Notice)
				require.NoError(t, err)
				require.False(t, id == secret.ID() && told.Readable, "forged: %v", forged)
			}
			tickets++
		}
		require.NotZero(t, tickets, "forged: %v", forged)
	}
}

// A joiner reads nothing in epochs that its admitter was told itself, by a ticket that brought the joiner's invite.
func TestJoinerOfAJoinerReadsNothingFromBefore(t *testing.T) {
	n := newNetwork(t, 52)
	founder := n.found(rules.Policy{})
	n.member(founder, "m")
	first := founder.invite(invite.Private(0))
	n.settle()
	founder.commits(2)
	secret, _ := stateOf(founder.space).forest.Preferred()
	founder.commits(2)
	second := founder.invite(invite.Private(0))
	n.settle()
	a := n.join(first, "a")
	n.settle()
	told, ok := stateOf(a.space).forest.Epoch(secret.ID())
	require.True(t, ok)
	require.True(t, told.Readable())
	for _, x := range n.all {
		x.offline = x != a
	}
	b := n.join(second, "b")
	n.settle()
	require.Equal(t, Member, b.phase())
	told, _ = stateOf(b.space).forest.Epoch(secret.ID())
	require.True(t, told.ID() != secret.ID() || !told.Readable())
}

// A founder, which never asked for anything, is told of a request that somebody made with its key.
func TestFounderHearsOfAThiefThatAsks(t *testing.T) {
	n := newNetwork(t, 53)
	founder := n.found(rules.Policy{})
	n.member(founder, "m")
	thief := founder.copyOf("thief")
	n.now = n.now.Add(2 * time.Hour)
	require.NoError(t, thief.edit(func(d *edit) error { d.st.rhythm.ask = true; return d.ask() }))
	n.settle()
	require.True(t, founder.has(Impersonated))
}

// An owner keeps no m of an invite that is over, whatever a member puts into a record that has its name: its signatures were looked at
// by nobody, and what it names moves the cursor.
func TestForgedRecordBringsAnOwnerNothing(t *testing.T) {
	n := newNetwork(t, 54)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	require.Zero(t, offers(founder), "m of an invite goes when it is used")
	next := founder.space.Evals().Next()
	require.NoError(t, m.edit(func(d *edit) error {
		_, r, ok := d.preferred()
		require.True(t, ok)
		share, ok := d.share(r.ID())
		require.True(t, ok)
		b, ok := r.ListedBinding(1)
		require.True(t, ok)
		inbox, ok := b.InboxKey()
		require.True(t, ok)
		mine := secret.Random(suite.KeySize)
		box, err := inbox.Seal(suite.HPKEMask, d.st.space, 1, mine.Expose())
		require.NoError(t, err)
		x := r.Used()[0]
		x.Masked = proto.MaskOf(mine, d.st.space, r.Commitment()).HideShare(share)
		x.Certificate.Expires++
		return d.say(statement(proto.InviteMade{Record: x, Boxes: []proto.MaskBox{{Index: 1, Box: box}}}))
	}))
	n.settle()
	require.Zero(t, offers(founder))
	require.Equal(t, next, founder.space.Evals().Next())
}
