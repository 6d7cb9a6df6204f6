package ratchet_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// kilobyte is the plaintext of the message benchmarks.
var kilobyte = make([]byte, 1024)

// inUnits reports how long an operation took in units of another one, which is measured in the same run.
func inUnits(b *testing.B, name string, unit func()) {
	const n = 200
	start := time.Now()
	for range n {
		unit()
	}
	one := time.Since(start) / n
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(one), name)
}

// signature returns what makes and what checks an Ed25519 signature over about what is signed of a message.
func signature(b *testing.B) (sign, verify func()) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(b, err)
	msg := make([]byte, 400)
	sig := ed25519.Sign(key, msg)
	return func() { ed25519.Sign(key, msg) }, func() { ed25519.Verify(public, msg, sig) }
}

// BenchmarkNewSpace founds spaces of capacity 10,000.
func BenchmarkNewSpace(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ratchet.NewSpace(ratchettest.Day0, ratchet.Policy{}); err != nil {
			b.Fatal(err)
		}
	}
	s := ed448.RandomScalar()
	inUnits(b, "base-mults/op", func() { ed448.BaseMult(s) })
}

// BenchmarkEncrypt1K seals signed messages of 1 KiB in the steady state.
func BenchmarkEncrypt1K(b *testing.B) {
	g := ratchettest.NewGroup(b, 2, ratchet.Policy{})
	p := g.Peers[0]
	for range 5 {
		g.Send(p, "the chain has begun, and commits are carried")
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(kilobyte)))
	for b.Loop() {
		if _, _, err := ratchet.Encrypt(p.Space, g.Now, kilobyte); err != nil {
			b.Fatal(err)
		}
	}
	sign, _ := signature(b)
	inUnits(b, "signs/op", sign)
}

// BenchmarkDecrypt1K reads signed messages of 1 KiB of one sender in the steady state.
func BenchmarkDecrypt1K(b *testing.B) {
	g := ratchettest.NewGroup(b, 2, ratchet.Policy{})
	for range 5 {
		g.Deliver(g.Send(g.Peers[0], "the chain has begun, and commits are carried"), g.Peers[1])
	}
	e := g.Send(g.Peers[0], string(kilobyte))
	b.ReportAllocs()
	b.SetBytes(int64(len(kilobyte)))
	for b.Loop() {
		if _, _, err := ratchet.Decrypt(g.Peers[1].Space, g.Now, e); err != nil {
			b.Fatal(err)
		}
	}
	_, verify := signature(b)
	inUnits(b, "verifies/op", verify)
}

// BenchmarkAdmit answers a joiner's request.
func BenchmarkAdmit(b *testing.B) {
	g := ratchettest.NewGroup(b, 3, ratchet.Policy{})
	_, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ratchet.Admit(g.Peers[1].Space, g.Now, q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEnter takes in a ticket.
func BenchmarkEnter(b *testing.B) {
	g := ratchettest.NewGroup(b, 3, ratchet.Policy{})
	joiner, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(b, err)
	ticket := g.Admit(g.Peers[1], q)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ratchet.Enter(joiner, g.Now, ticket); err != nil {
			b.Fatal(err)
		}
	}
}

// countingStore counts what a vault hands to its store.
type countingStore struct {
	*store.Memory
	written int
}

func (s *countingStore) Commit(ctx context.Context, changes ...store.Change) error {
	for _, c := range changes {
		s.written += len(c.Next.Sealed)
		for _, p := range c.Parts {
			s.written += len(p)
		}
		for path, p := range c.Put {
			s.written += len(path) + len(p)
		}
	}
	return s.Memory.Commit(ctx, changes...)
}

// stateBytes returns the size of a stored row.
func (s *countingStore) stateBytes(t testing.TB, id state.ID) (n int) {
	row, err := s.Load(context.Background(), store.Spaces, id)
	require.NoError(t, err)
	for _, p := range row.Parts {
		n += len(p)
	}
	for _, p := range row.Segments {
		n += len(p)
	}
	return n
}

// crowd is a group of two, founder and witness, and many others who were let in and of whom only the identities are kept:
// they speak through the state of the witness.
type crowd struct {
	*ratchettest.Group
	others []ratchet.Space
}

func newCrowd(t testing.TB, n int) *crowd {
	c := &crowd{Group: ratchettest.NewGroup(t, 2, ratchettest.Small)}
	for len(c.others) < n-2 {
		joined, q, err := ratchet.Join(c.Grant(), c.Now, nil)
		require.NoError(t, err)
		for _, p := range c.Peers {
			c.Admit(p, q)
		}
		c.others = append(c.others, joined)
		if ratchet.Due(c.Peers[0].Space, c.Now).Roster || len(c.others) == n-2 {
			next, e, err := ratchet.SignRoster(c.Peers[0].Space, c.Now)
			require.NoError(t, err)
			c.Peers[0].Space = next
			c.Deliver(e, c.Peers[1])
		}
	}
	require.Len(t, ratchet.Members(c.Peers[0].Space), n)
	return c
}

// say sends a text of one of the others; the witness has read it then.
func (c *crowd) say(i int, text string) []byte {
	p := &ratchettest.Peer{Space: ratchet.As(c.Peers[1].Space, c.others[i])}
	e := c.Send(p, text)
	c.Deliver(e, c.Peers[1])
	return e
}

// day is a space of n members in whose vault the founder reads a thousand messages of a day. Its figures are bytes.
func day(t testing.TB, n int) (perMessage, stateSize float64) {
	c := newCrowd(t, n)
	reader := c.Peers[0].Space
	backend := &countingStore{Memory: store.NewMemory()}
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	clock := func() time.Time { return c.Now }
	v, err := state.Open[ratchet.Space](t.Context(), backend, key, state.Options{Now: clock})
	require.NoError(t, err)
	ctx := context.Background()
	require.NoError(t, v.Create(ctx, reader, nil))
	backend.written = 0
	open := ratchet.Opener(ratchet.Options{Now: clock})
	const messages = 1000
	for i := range messages {
		c.Now = c.Now.Add(24 * time.Hour / messages)
		from := i * 7919 % len(c.others)
		r, err := v.Receive(ctx, reader.ID(), state.Frame{Source: fmt.Sprint(from), Data: c.say(from, fmt.Sprint(i))}, open)
		require.NoError(t, err)
		require.Equal(t, state.Read, r.Verdict, "%v", r.Reason)
		if i%100 == 99 {
			err := v.Drain(ctx, reader.ID(), func(context.Context, state.Incoming) error { return nil })
			require.NoError(t, err)
		}
	}
	return float64(backend.written) / messages, float64(backend.stateBytes(t, reader.ID()))
}

// BenchmarkStateSize measures a vault in which 1,000 messages of a simulated day are read: the bytes of its row at the
// end, and how many are written per message, without the message itself.
func BenchmarkStateSize(b *testing.B) {
	for _, n := range []int{4, 100, 1000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			var written, size float64
			for b.Loop() {
				written, size = day(b, n)
			}
			b.ReportMetric(size, "state-B")
			b.ReportMetric(written, "written-B/msg")
		})
	}
}
