package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// large returns the founder of a space whose notice lists so many members, each with a profile that the founder knows, as after a
// rekey; and a joiner with the ticket that lets it in.
func large(t testing.TB, n int) (founder, joiner Space, now time.Time, ticket [][]byte) {
	now = time.UnixMilli(1_795_000_000_000)
	policy, err := Policy{}.encode()
	require.NoError(t, err)
	var others []person
	for i := 2; i <= n; i++ {
		others = append(others, newPerson(dkg.Index(i), policy.Suite, now.UnixMilli(), []byte("a name and a picture")))
	}
	g, err := newGenesis(now, Policy{}, nil, others...)
	require.NoError(t, err)
	founder, err = g.found(g.founder)
	require.NoError(t, err)
	d, err := newEdit(founder, now, Options{})
	require.NoError(t, err)
	_, r, ok := d.preferred()
	require.True(t, ok)
	for _, x := range others {
		r, _, err = r.Tell(proto.TicketMember{Index: x.index, HasRest: true, Rest: x.rest})
		require.NoError(t, err)
	}
	d.setRoot(r)
	var made invite.Made
	require.NoError(t, NewInvite(invite.Private(0), &made).do(&d))
	founder = d.space()
	joiner, request, err := Join(made.Link, now, []byte("joiner"))
	require.NoError(t, err)
	_, ticket, err = Admit(founder, now, request)
	require.NoError(t, err)
	return founder, joiner, now, ticket
}

// BenchmarkEnter lets a joiner in with the ticket of a space of 1,000 members, all in the notice.
func BenchmarkEnter(b *testing.B) {
	_, joiner, now, ticket := large(b, 1000)
	require.Len(b, ticket, 1)
	_, verify := signature(b)
	ratio(b, "verifications", func() {
		d, err := newEdit(joiner, now, Options{})
		require.NoError(b, err)
		_, err = openFrame(&d, newIncoming(state.Frame{Data: ticket[0]}))
		require.NoError(b, err)
	}, verify)
	b.ReportMetric(float64(len(ticket[0])), "ticket-B")
}

// BenchmarkAdmit makes that ticket.
func BenchmarkAdmit(b *testing.B) {
	founder, _, now, _ := large(b, 1000)
	var made invite.Made
	v, _, err := NewInvite(invite.Private(0), &made).On(founder, now)
	require.NoError(b, err)
	_, request, err := Join(made.Link, now, nil)
	require.NoError(b, err)
	_, verify := signature(b)
	ratio(b, "verifications", func() {
		_, _, err := Admit(v, now, request)
		require.NoError(b, err)
	}, verify)
}

// A ticket tells the profiles of all members that the notice lists, and lets a joiner in.
func TestEnterLargeSpace(t *testing.T) {
	_, joiner, now, ticket := large(t, 300)
	d, err := newEdit(joiner, now, Options{})
	require.NoError(t, err)
	_, err = openFrame(&d, newIncoming(state.Frame{Data: ticket[0]}))
	require.NoError(t, err)
	require.Equal(t, Member, d.st.phase)
	_, r, ok := d.preferred()
	require.True(t, ok)
	require.Equal(t, 301, r.Size())
	b, ok := r.ListedBinding(300)
	require.True(t, ok)
	require.Equal(t, "a name and a picture", string(b.Rest.App))
}
