// Package simnet is a network for tests: members of one space with real vaults, and a relay that loses, repeats, delays,
// reorders and partitions what they send. Members act as a sensible application does, and crash where a test or chance
// wants it. Everything is decided by one seed, the clock is simulated, and what must hold is checked all along:
//
//	n := simnet.New(t, simnet.Options{Seed: 7, Faults: simnet.Rough})
//	n.Grow(8)
//	n.Run(200)
//	n.Rest()
//
// A Net is not safe for concurrent use: its members take turns.
package simnet

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state/store"
)

// Start is when every simulation begins.
var Start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// Options say how a simulation runs. The zero value has a relay without faults.
type Options struct {
	// Seed decides everything: a run with the same seed and options posts the same bytes.
	Seed uint64
	// Policy is the space's. Boxes are X25519 unless it says otherwise, since they are small.
	Policy rules.Policy
	// Faults are those of the relay and of the members' machines while Run runs.
	Faults Faults
	// Store makes an empty store for a member's device; store.NewMemory by default.
	Store func() store.Store
	// MaxFrame is the longest frame that the relay takes; see ratchet.Options.
	MaxFrame int
	// NoMailboxes says that the relay keeps nothing for devices that are offline.
	NoMailboxes bool
	// Backups makes stores remember all changes, so that Backup and Restore work.
	Backups bool
}

// Faults are probabilities of what goes wrong.
type Faults struct {
	Lose   float64 // that a frame never reaches a member
	Late   float64 // that it is held back for up to LateBy steps
	Repeat float64 // that it arrives twice, or comes back to its sender
	Crash  float64 // that a device dies at a commit, before or after it
	Both   float64 // that several members send at once, none having heard of the others

	LateBy int // steps; 40 by default
	Window int // how many frames may overtake one another; 1 or less for none
}

// Rough are the faults under which nothing may be lost.
var Rough = Faults{Late: 0.10, Repeat: 0.15, Crash: 0.02, Both: 0.20, Window: 64}

// Net is a relay with the members of one space.
type Net struct {
	Members []*Member // in the order in which they came

	t       testing.TB
	options Options
	rng     *rand.Rand
	now     time.Time
	step    int
	rough   bool // the faults count
	founder *Member

	posts  []*posting
	posted map[[32]byte]*posting
	texts  map[string]*text
	checks checks
	drop   func(from, to *Member, post int) bool
	log    hash.Hash // over all that was posted and read
	stats  Stats
}

// Stats count what happened.
type Stats struct {
	Texts     int // sent
	Posted    int // frames, repeats included
	Bytes     int // of them
	Delivered int // frames handed to members
	Lost      int // deliveries that never happen
	Crashes   int
	Tickets   int
	Refused   int // calls to send that the space refused
	Epochs    int // in which somebody sent
	Rounds    int // of quiet until all were at rest, the most
}

// New returns a Net with one member, the founder of a space. With a *testing.T the library's randomness comes from the
// seed, too, so that the test must not run in parallel with others; a failure names the seed.
func New(t testing.TB, o Options) *Net {
	t.Helper()
	if tt, ok := t.(*testing.T); ok {
		cryptotest.SetGlobalRandom(tt, o.Seed)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("simnet: the seed of this run is %d", o.Seed)
		}
	})
	if o.Policy.KEM == 0 {
		o.Policy.KEM = rules.X25519
	}
	if o.Store == nil {
		o.Store = func() store.Store { return store.NewMemory() }
	}
	if o.Faults.LateBy == 0 {
		o.Faults.LateBy = 40
	}
	n := &Net{
		t: t, options: o, rng: rand.New(rand.NewPCG(o.Seed, 0)), now: Start,
		posted: make(map[[32]byte]*posting), texts: make(map[string]*text), checks: newChecks(), log: sha256.New(),
	}
	s, err := ratchet.NewSpace(n.now, o.Policy, []byte("m1"))
	require.NoError(t, err)
	n.founder = n.add("m1", s)
	return n
}

// Now returns the simulated time.
func (n *Net) Now() time.Time { return n.now }

// Advance moves the clock, by half a day at most at a time: devices for which nothing lies at the relay look that up.
func (n *Net) Advance(d time.Duration) {
	n.t.Helper()
	const look = 12 * time.Hour
	for ; d > 0; d -= look {
		n.now = n.now.Add(min(d, look))
		if d < look {
			return
		}
		for _, m := range n.Members {
			if !m.Offline && !slices.ContainsFunc(m.mail, m.arrives) {
				m.settle(m.CaughtUp())
			}
		}
	}
}

// Stats returns what happened so far.
func (n *Net) Stats() Stats {
	n.stats.Epochs = len(n.checks.exported)
	return n.stats
}

// Digest returns a hash of all that was posted and read so far.
func (n *Net) Digest() [32]byte { return [32]byte(n.log.Sum(nil)) }

// Founder returns the member that made the space.
func (n *Net) Founder() *Member { return n.founder }

// Others returns all members but some.
func (n *Net) Others(not ...*Member) (out []*Member) {
next:
	for _, m := range n.Members {
		for _, o := range not {
			if m == o {
				continue next
			}
		}
		out = append(out, m)
	}
	return out
}

// Draw returns so many of some members, drawn by chance.
func (n *Net) Draw(from []*Member, count int) (out []*Member) {
	for _, i := range n.rng.Perm(len(from))[:count] {
		out = append(out, from[i])
	}
	return out
}

// Grow lets members in until there are count, one after the other, without faults. Afterwards all know one another.
func (n *Net) Grow(count int) {
	n.t.Helper()
	defer n.calm()()
	for len(n.Members) < count {
		n.Join(n.Invite())
		n.Settle()
	}
	n.Rest()
}

// Invite lets the founder make an invite for one person.
func (n *Net) Invite() invite.Link {
	n.t.Helper()
	return n.InviteBy(n.founder, invite.Private(0))
}

// InviteBy lets an owner make an invite.
func (n *Net) InviteBy(m *Member, t invite.Terms) invite.Link {
	n.t.Helper()
	defer n.calm()()
	var made invite.Made
	m.Step(step.NewInvite(t, &made))
	return made.Link
}

// Join adds a member that asks to be let in by a link. It enters when somebody's ticket reaches it.
func (n *Net) Join(l invite.Link) *Member {
	n.t.Helper()
	defer n.calm()()
	name := fmt.Sprintf("m%d", len(n.Members)+1)
	l, err := invite.FromBytes(l.Bytes())
	require.NoError(n.t, err)
	s, q, err := ratchet.Join(l, n.now, []byte(name))
	require.NoError(n.t, err)
	return n.add(name, s, q)
}

// add creates a member's device, with frames in its outbox.
func (n *Net) add(name string, s ratchet.Space, frames ...[]byte) *Member {
	n.t.Helper()
	m := newMember(n, name)
	n.Members = append(n.Members, m)
	m.Create(s, frames...)
	return m
}

// Partition puts members into groups that do not hear of one another until Heal. Who is in none is with the first.
func (n *Net) Partition(groups ...[]*Member) {
	for i, g := range groups {
		for _, m := range g {
			m.side = i
		}
	}
}

// Heal ends a partition: what was held back is delivered.
func (n *Net) Heal() {
	for _, m := range n.Members {
		m.side = 0
	}
}

// Drop makes the relay lose what f says, until it is called with nil: post counts what was posted, from 0.
func (n *Net) Drop(f func(from, to *Member, post int) bool) { n.drop = f }

// Inject posts a message that a member's device sent without having saved that it did: from then on its state is as one
// that was restored. Words is what it says.
func (n *Net) Inject(from *Member, words string, frame []byte) {
	n.t.Helper()
	p := n.posting(from, frame)
	n.say(from, words, p)
	from.voice++
	n.post(p)
}

// Flood posts frames that somebody made who is no member, under the name of a mailbox.
func (n *Net) Flood(mailbox string, frames ...[]byte) {
	for _, f := range frames {
		p := n.posting(nil, f)
		p.mailbox = mailbox
		n.post(p)
	}
}

// calm turns the faults off until the function it returns is called.
func (n *Net) calm() func() {
	was := n.rough
	n.rough = false
	return func() { n.rough = was }
}

// chance is true with probability p, and false without a look at the generator while there are no faults.
func (n *Net) chance(p float64) bool { return n.rough && p > 0 && n.rng.Float64() < p }
