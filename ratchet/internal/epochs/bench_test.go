package epochs

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// inUnits reports how long an operation took in units of another one, which is measured in the same run.
func inUnits(b *testing.B, name string, unit func()) {
	const n = 200
	start := time.Now()
	for range n {
		unit()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/(float64(time.Since(start))/n), name)
}

func multiplication() func() {
	s, p := ed448.RandomScalar(), ed448.BaseMult(ed448.RandomScalar())
	return func() { p.Mult(s) }
}

// BenchmarkCommit makes commits from one epoch.
func BenchmarkCommit(b *testing.B) {
	m := newGroup(b).member(1)
	m.commit(m.preferred().id)
	at, s := m.preferred().id, Signer{Key: m.sign[1]}
	for b.Loop() {
		if _, _, _, err := m.f.Commit(at, m.shares(), s, false, m.now); err != nil {
			b.Fatal(err)
		}
	}
	inUnits(b, "mults/op", multiplication())
}

// BenchmarkFollow checks, derives and enters a commit, its signature included.
func BenchmarkFollow(b *testing.B) {
	g := newGroup(b)
	m, maker := g.member(1), g.member(2)
	genesis, _ := m.f.Epoch(g.root.ID)
	sealed := genesis.SealCommit(g.space, maker.commit(g.root.ID)[0])
	key := g.sign[2].Public
	for b.Loop() {
		p, err := genesis.OpenCommit(g.space, sealed)
		if err != nil || p.Commit.Verify(key, g.space, genesis.Child(g.space, p.Commit)) != nil {
			b.Fatal(err)
		}
		c, err := m.f.Derive(genesis, p, key, m.shares())
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := m.f.Enter([]Candidate{c}, Reading{2, m.shares(), g.now}); err != nil {
			b.Fatal(err)
		}
	}
	inUnits(b, "mults/op", multiplication())
}

// BenchmarkReceive opens a header, finds the key and uses it up, with more and more epochs held.
func BenchmarkReceive(b *testing.B) {
	for _, epochs := range []int{10, 2_000} {
		b.Run(fmt.Sprint(epochs), func(b *testing.B) {
			m := crowded(b, 10, epochs)
			e := m.preferred()
			header := e.SealHeader(m.space, proto.Header{Index: 2, Number: 8})
			for b.Loop() {
				e, head, ok := m.open(header)
				require.True(b, ok)
				keys, err := m.f.Keys(e.id, head.Index, head.Number, header.Tag())
				require.NoError(b, err)
				m.f.Read(e.id, head.Index, head.Number, keys[0], header.Tag(), m.now)
			}
			key := secret.Random(suite.KeySize)
			inUnits(b, "steps/op", func() { step(key) })
		})
	}
}

// BenchmarkUnknownHeader tries a header that no epoch opens.
func BenchmarkUnknownHeader(b *testing.B) {
	for _, epochs := range []int{10, 2_000} {
		b.Run(fmt.Sprint(epochs), func(b *testing.B) {
			m := crowded(b, 2, epochs)
			for b.Loop() {
				m.open(proto.SealedHeader{1})
			}
		})
	}
}

// BenchmarkEnterTicket merges a ticket of a space in which 1,000 members wrote in each of 5 epochs.
func BenchmarkEnterTicket(b *testing.B) {
	const n = 1_000
	g := newGroup(b)
	m := g.member(1)
	for range near + 1 {
		m.commit(m.preferred().id)
		for i := range n {
			m.receive(m.preferred().id, dkg.Index(i+1), 0)
		}
	}
	ticket := m.ticket(TicketQuery{}, 1)
	joiner := g.bare(2_000)
	joiner.f, _ = joiner.f.WithRoot(g.root, g.now)
	for b.Loop() {
		f, _ := joiner.f.Merge(ticket, joiner.shares(), g.now)
		if f.Size() != near+1 {
			b.Fatal(f.Size())
		}
	}
	inUnits(b, "mults/op", multiplication())
}

// BenchmarkForTicket makes that ticket.
func BenchmarkForTicket(b *testing.B) {
	m := crowded(b, 1_000, 100)
	q := TicketQuery{LastRead: LastRead{}}
	for i := range 1_000 {
		q.LastRead[dkg.Index(i+2)] = m.preferred().Position()
	}
	for b.Loop() {
		m.f.ForTicket(q)
	}
	inUnits(b, "mults/op", multiplication())
}

// BenchmarkBytes counts what is written for a message, and for a commit that is followed.
func BenchmarkBytes(b *testing.B) {
	for _, c := range []struct{ members, epochs int }{{2, 10}, {100, 10}, {1_000, 10}, {100, 2_000}} {
		b.Run(fmt.Sprintf("members=%d/epochs=%d", c.members, c.epochs), func(b *testing.B) {
			m := crowded(b, c.members, c.epochs)
			d := newDisk(b, m.f)
			total, k := 0, 0
			for b.Loop() {
				i := dkg.Index(1 + k*7%c.members)
				e := m.preferred()
				ch, _ := e.senders.chains.get(i)
				m.receive(e.id, i, ch.next())
				total += d.save(m.f)
				k++
			}
			b.ReportMetric(float64(total)/float64(b.N), "bytes/op")
			m.commit(m.preferred().id)
			b.ReportMetric(float64(d.save(m.f)), "bytes/commit")
		})
	}
}

// BenchmarkPreferred decides what is preferred, as after every commit.
func BenchmarkPreferred(b *testing.B) {
	for _, epochs := range []int{10, 2_000} {
		b.Run(fmt.Sprint(epochs), func(b *testing.B) {
			m := crowded(b, 2, epochs)
			for b.Loop() {
				m.f.first()
			}
			inUnits(b, "mults/op", multiplication())
		})
	}
	b.Run("a misled branch of 2000", func(b *testing.B) {
		m := crowded(b, 2, 2_000)
		e, _ := m.f.Epoch(m.f.Children(m.root.ID)[0])
		e.misled = true
		m.f = m.f.put(e)
		for b.Loop() {
			m.f.first()
		}
		inUnits(b, "mults/op", multiplication())
	})
}
