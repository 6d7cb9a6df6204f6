package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/cputest"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// large returns the founder of a space whose notice lists so many members, each with a profile that the founder knows, as after a
// rekey; and a joiner with the ticket that lets it in.
func large(t testing.TB, n int) (founder, joiner Space, now time.Time, ticket [][]byte) {
	now = time.UnixMilli(1_795_000_000_000)
	policy, err := encodePolicy(rules.Policy{})
	require.NoError(t, err)
	var others []person
	for i := 2; i <= n; i++ {
		others = append(others, newPerson(dkg.Index(i), policy.Suite, now.UnixMilli(), []byte("a name and a picture")))
	}
	g, err := newGenesis(now, rules.Policy{}, nil, others...)
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
	require.NoError(t, d.take(step.NewInvite(invite.Private(0), &made)))
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
	v, _, err := Take(founder, now, step.NewInvite(invite.Private(0), &made))
	require.NoError(b, err)
	_, request, err := Join(made.Link, now, nil)
	require.NoError(b, err)
	_, verify := signature(b)
	ratio(b, "verifications", func() {
		_, _, err := Admit(v, now, request)
		require.NoError(b, err)
	}, verify)
}

// BenchmarkPublicInvites lets joiners in by one public link, one after the other, until so many are in. A joiner draws its place, so the link
// has 8 times as many as are expected: 16 times as many are more than a space has indices. The founder answers all of them; one in 50 enters its ticket, which costs more the more members
// there are, and is heard by the founder.
func BenchmarkPublicInvites(b *testing.B) {
	const n, sample = 1000, 50
	b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
		var made, asked, admitted, entered, heard time.Duration
		spend := func(on *time.Duration, f func()) {
			at := cputest.Used()
			f()
			*on += cputest.Used() - at
		}
		for b.Loop() {
			now := day0
			founder, err := NewSpace(now, rules.Policy{}, nil)
			require.NoError(b, err)
			var m invite.Made
			var said [][]byte
			spend(&made, func() { founder, said, err = Take(founder, now, step.NewInvite(invite.Public(8*n, 0), &m)) })
			require.NoError(b, err)
			var request []byte
			var ticket [][]byte
			for k := range n {
				now = now.Add(time.Second)
				var joiner Space
				spend(&asked, func() { joiner, request, err = Join(m.Link, now, nil) })
				require.NoError(b, err)
				spend(&admitted, func() { founder, ticket, err = Admit(founder, now, request) })
				require.NoError(b, err)
				if k%sample != 0 {
					continue
				}
				d, err := newEdit(joiner, now, Options{})
				require.NoError(b, err)
				spend(&entered, func() { d.openAll(ticket) })
				if d.st.phase == Joining { // its place was drawn before: it would draw another one
					continue
				}
				f, err := newEdit(founder, now, Options{})
				require.NoError(b, err)
				spend(&heard, func() { f.openAll(d.frames) })
				founder = f.space()
			}
			require.Greater(b, len(Members(founder)), n*9/10)
			b.ReportMetric(float64(len(m.Link.Bytes())), "link-B")
			b.ReportMetric(float64(bytesOf(said)), "record-B")
			b.ReportMetric(float64(len(request)), "request-B")
			b.ReportMetric(float64(bytesOf(ticket)), "last-ticket-B")
		}
		ms := func(d time.Duration, of int) float64 { return float64(d) / float64(b.N*of) / float64(time.Millisecond) }
		b.ReportMetric(ms(made, 1), "link-cpu-ms")
		b.ReportMetric(ms(asked, n)+ms(admitted, n)+ms(entered+heard, n/sample), "cpu-ms/join")
		b.ReportMetric(ms(admitted, n), "admit-cpu-ms/join")
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkResync brings a member into step that missed 5 commits and what 100 members wrote, by a ticket that another member makes. What
// the asker does includes the commit that it makes at once when it was out of step.
func BenchmarkResync(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			c := newCrowd(b, n, rules.Policy{})
			c.reader, c.witness = c.knowing(c.reader), c.knowing(c.witness)
			for i := range 5 {
				_, frames, err := Encrypt(due(c.as(1+i)), c.now, nil)
				require.NoError(b, err)
				c.witness, _, err = Decrypt(c.witness, c.now, frames[len(frames)-1])
				require.NoError(b, err)
				for k := range 20 {
					c.say(1+(20*i+k)%(n-2), kilobyte)
				}
			}
			var asking, answering, entering time.Duration
			size, count := 0, 0
			for b.Loop() {
				for range 10 {
					d, err := newEdit(c.reader, c.now, Options{})
					require.NoError(b, err)
					at := cputest.Used()
					require.True(b, d.askAgain())
					asked := cputest.Used()
					_, ticket, err := Admit(c.witness, c.now, d.frames[0])
					answered := cputest.Used()
					require.NoError(b, err)
					d.openAll(ticket)
					entered := cputest.Used()
					newest, _ := stateOf(c.witness).forest.Preferred()
					require.True(b, d.st.forest.Has(newest.ID()))
					asking, answering, entering = asking+asked-at, answering+answered-asked, entering+entered-answered
					size, count = bytesOf(ticket), count+1
				}
			}
			b.ReportMetric(float64(asking+entering)/float64(count), "asker-cpu-ns")
			b.ReportMetric(float64(answering)/float64(count), "answerer-cpu-ns")
			b.ReportMetric(float64(size), "ticket-B")
			b.ReportMetric(0, "ns/op")
		})
	}
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
