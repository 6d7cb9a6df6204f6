package ratchet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/cputest"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

var kilobyte = make([]byte, 1024)

// ratio reports the CPU time of an operation in units of another one. Both are run by turns, so that what else the machine does
// falls on both.
func ratio(b *testing.B, name string, op, unit func()) {
	var ops, units time.Duration
	for b.Loop() {
		for range 20 {
			at := cputest.Used()
			for range 10 {
				op()
			}
			mid := cputest.Used()
			for range 10 {
				unit()
			}
			ops, units = ops+mid-at, units+cputest.Used()-mid
		}
	}
	b.ReportMetric(float64(ops)/float64(units), name)
	b.ReportMetric(float64(ops)/float64(200*b.N), "cpu-ns/op")
	b.ReportMetric(0, "ns/op")
}

// signature returns what makes and what checks an Ed25519 signature over 1 KiB.
func signature(b *testing.B) (sign, verify func()) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(b, err)
	sig := ed25519.Sign(key, kilobyte)
	return func() { ed25519.Sign(key, kilobyte) }, func() { ed25519.Verify(public, kilobyte, sig) }
}

// crowd is a space of many members in the notice of its genesis, of whom only the reader's state is kept beside one that has read
// everything, through which the others speak.
type crowd struct {
	testing.TB
	now     time.Time
	genesis genesis
	people  []person // all but the founder
	reader  Space
	witness Space
	own     map[int]own // what the others keep for themselves
}

// own is what a member keeps that the witness does not have: when it committed, and what it has to say.
type own struct {
	committed millis
	news      state.Segment[announcements]
}

func newCrowd(t testing.TB, n int, p rules.Policy) *crowd {
	c := &crowd{TB: t, now: day0, own: map[int]own{}}
	policy, err := encodePolicy(p)
	require.NoError(t, err)
	for i := 2; i <= n; i++ {
		c.people = append(c.people, newPerson(dkg.Index(i), policy.Suite, c.now.UnixMilli(), nil))
	}
	c.genesis, err = newGenesis(c.now, p, nil, c.people...)
	require.NoError(t, err)
	c.reader, err = c.genesis.found(c.genesis.founder)
	require.NoError(t, err)
	c.witness, err = c.genesis.found(c.people[0])
	require.NoError(t, err)
	return c
}

// as returns the witness's space as another member's.
func (c *crowd) as(i int) Space {
	st := stateOf(c.witness)
	me := c.people[i].identity
	me.origin, me.owners = st.me().origin, st.me().owners
	st.self = state.NewSegment(me)
	s, err := c.genesis.poly.Share(me.index)
	require.NoError(c, err)
	for row := range st.roots.All() {
		st.roots = st.roots.Put(newRootRow(row.members.Value(), s))
	}
	st.forest = st.forest.As(me.index)
	if o, ok := c.own[i]; ok {
		st.rhythm.committed, st.news = o.committed, o.news
	}
	return withState(c.witness, st)
}

// say returns the frame of a member's message, which the witness has read.
func (c *crowd) say(i int, text []byte) []byte { return c.sent(i, c.as(i), text) }

// commit returns the frame of a member's message in an epoch that it makes, which the witness has read.
func (c *crowd) commit(i int, text []byte) []byte { return c.sent(i, due(c.as(i)), text) }

func (c *crowd) sent(i int, by Space, text []byte) []byte {
	by, frames, err := Encrypt(by, c.now, text)
	require.NoError(c, err)
	st := stateOf(by)
	c.own[i] = own{st.rhythm.committed, st.news}
	frame := frames[len(frames)-1]
	c.witness, _, err = Decrypt(c.witness, c.now, frame)
	require.NoError(c, err)
	return frame
}

func benchmarkEncrypt(b *testing.B, p rules.Policy) {
	c := newCrowd(b, 2, p)
	var err error
	for range 5 {
		c.reader, _, err = Encrypt(c.reader, c.now, nil)
		require.NoError(b, err)
	}
	sign, _ := signature(b)
	ratio(b, "signs/op", func() {
		if _, _, err := Encrypt(c.reader, c.now, kilobyte); err != nil {
			b.Fatal(err)
		}
	}, sign)
}

// BenchmarkEncrypt1K seals messages of 1 KiB in the steady state.
func BenchmarkEncrypt1K(b *testing.B)       { benchmarkEncrypt(b, rules.Policy{Unpadded: true}) }
func BenchmarkEncrypt1KPadded(b *testing.B) { benchmarkEncrypt(b, rules.Policy{}) }

// BenchmarkDecrypt1K reads messages of 1 KiB of one sender in the steady state.
func BenchmarkDecrypt1K(b *testing.B) {
	c := newCrowd(b, 3, rules.Policy{Unpadded: true})
	var err error
	for range 5 {
		c.reader, _, err = Decrypt(c.reader, c.now, c.say(1, kilobyte))
		require.NoError(b, err)
	}
	f := c.say(1, kilobyte)
	_, verify := signature(b)
	ratio(b, "verifies/op", func() {
		if _, _, err := Decrypt(c.reader, c.now, f); err != nil {
			b.Fatal(err)
		}
	}, verify)
}

// BenchmarkDecryptMean reads what 100 members write in turn on a day, with the commits that ride along.
func BenchmarkDecryptMean(b *testing.B) {
	c := newCrowd(b, 100, rules.Policy{Unpadded: true})
	const messages = 1000
	frames, times := make([][]byte, messages), make([]time.Time, messages)
	for k := range frames {
		c.now = c.now.Add(24 * time.Hour / messages)
		frames[k], times[k] = c.say(1+k*7919%98, kilobyte), c.now
	}
	_, verify := signature(b)
	at, r := 0, c.reader
	ratio(b, "verifies/message", func() {
		if at == messages {
			at, r = 0, c.reader
		}
		var err error
		if r, _, err = Decrypt(r, times[at], frames[at]); err != nil {
			b.Fatal(err)
		}
		at++
	}, verify)
}

// BenchmarkCommit makes a commit with a message below it, and BenchmarkFollow reads it.
func BenchmarkCommit(b *testing.B) {
	s := due(newCrowd(b, 3, rules.Policy{}).reader)
	x := ed448.RandomScalar()
	ratio(b, "base-mults/op", func() {
		if _, _, err := Encrypt(s, day0, nil); err != nil {
			b.Fatal(err)
		}
	}, func() { ed448.BaseMult(x) })
}

func BenchmarkFollow(b *testing.B) {
	c := newCrowd(b, 3, rules.Policy{})
	_, frames, err := Encrypt(due(c.as(1)), c.now, nil)
	require.NoError(b, err)
	x := ed448.RandomScalar()
	ratio(b, "base-mults/op", func() {
		if _, _, err := Decrypt(c.reader, c.now, frames[0]); err != nil {
			b.Fatal(err)
		}
	}, func() { ed448.BaseMult(x) })
}

// due returns a space whose next send commits and announces nothing.
func due(s Space) Space {
	st := stateOf(s)
	st.rhythm.commit = true
	a := st.news.Value()
	for row := range st.roots.All() {
		a.begun = append(a.begun, begun{root: row.id})
	}
	a.updatedAt = st.clock.reading
	st.news = state.NewSegment(a)
	return withState(s, st)
}

// countingStore counts what a vault hands to its store.
type countingStore struct {
	*store.Memory
	written int
	paths   map[string]int
}

func (s *countingStore) Commit(ctx context.Context, changes ...store.Change) error {
	for _, c := range changes {
		s.written += len(c.Next.Sealed)
		for i, p := range c.Parts {
			s.written += len(p)
			s.paths[fmt.Sprint("part ", i)] += len(p)
		}
		for path, p := range c.Put {
			s.written += len(path) + len(p)
			s.paths[path] += len(path) + len(p)
		}
	}
	return s.Memory.Commit(ctx, changes...)
}

// BenchmarkBytesWritten measures the bytes that are handed to the store for each of 1,000 messages of a day, without the message
// itself: of the first day, on which all members are new, and of the second one.
func BenchmarkBytesWritten(b *testing.B) {
	for _, n := range []int{100, 1000} {
		for day := 1; day <= 2; day++ {
			b.Run(fmt.Sprintf("n=%d/day=%d", n, day), func(b *testing.B) {
				for b.Loop() {
					c := newCrowd(b, n, rules.Policy{})
					b.ReportMetric(c.aDay(1000, day), "B/message")
				}
			})
		}
	}
}

// aDay returns the bytes written for each message of the last of some days that the reader reads in a vault.
func (c *crowd) aDay(messages, days int) float64 {
	d := c.newDesk()
	for k := range days * messages {
		if k == (days-1)*messages {
			d.backend.written = 0
			clear(d.backend.paths)
		}
		c.now = c.now.Add(24 * time.Hour / time.Duration(messages))
		i := 1 + k*7919%(len(c.people)-1)
		d.read(i, c.say(i, []byte("text")))
	}
	for path, n := range d.backend.paths {
		if n > 100*messages {
			c.Logf("%s: %d B/message", path, n/messages)
		}
	}
	return float64(d.backend.written) / float64(messages)
}
