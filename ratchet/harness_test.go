package ratchet

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// day0 is when the groups of tests begin.
var day0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// group is a space with some members, all in the notice of the genesis as after a rekey, and a network that delivers what a test
// says. It has one clock.
type group struct {
	testing.TB
	now     time.Time
	genesis genesis
	peers   []*peer
}

// peer is a member with a vault.
type peer struct {
	*group
	index  dkg.Index
	vault  *state.Vault[Space]
	store  *store.Memory
	id     state.ID
	read   []Message
	events []state.Event
	out    [][]byte // what was posted since the test took it
}

func newGroup(t testing.TB, n int, p rules.Policy) *group {
	g := &group{TB: t, now: day0}
	policy, err := encodePolicy(p)
	require.NoError(t, err)
	var others []person
	for i := 2; i <= n; i++ {
		others = append(others, newPerson(dkg.Index(i), policy.Suite, g.now.UnixMilli(), nil))
	}
	g.genesis, err = newGenesis(g.now, p, nil, others...)
	require.NoError(t, err)
	for _, x := range append([]person{g.genesis.founder}, others...) {
		s, err := g.genesis.found(x)
		require.NoError(t, err)
		g.peers = append(g.peers, g.newPeer(s))
	}
	return g
}

func (g *group) newPeer(s Space) *peer {
	p := &peer{group: g, store: store.NewMemory(), id: s.ID(), index: stateOf(s).me().index}
	p.open()
	require.NoError(g, p.vault.Create(context.Background(), s, nil))
	return p
}

// open opens the vault, as after a start of the program.
func (p *peer) open() {
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(p, err)
	p.vault, err = state.Open[Space](context.Background(), p.store, key, state.Options{
		Now: func() time.Time { return p.now }, ForgetEvery: -1,
		Events: func(_ state.ID, e state.Event) { p.events = append(p.events, e) },
	})
	require.NoError(p, err)
}

func (p *peer) options() Options {
	return Options{Topic: "space", Now: func() time.Time { return p.now }}
}

func (p *peer) space() Space {
	s, err := p.vault.Load(context.Background(), p.id)
	require.NoError(p, err)
	return s
}

func (p *peer) state() stateBody { return stateOf(p.space()) }

// update runs an update and collects what leaves.
func (p *peer) update(fn func(*state.Tx[Space]) error) error {
	err := p.vault.Update(context.Background(), p.id, fn)
	p.flush()
	return err
}

func (p *peer) flush() {
	_, err := p.vault.Flush(context.Background(), p.id, func(_ context.Context, o state.Outgoing) state.Delivery {
		p.out = append(p.out, slices.Clone(o.Data))
		return state.Delivered()
	})
	require.NoError(p, err)
}

// take returns what was posted since it was called last.
func (p *peer) take() [][]byte {
	out := p.out
	p.out = nil
	return out
}

// send encrypts a message and returns its frame, which nobody gets.
func (p *peer) send(text string) []byte {
	require.NoError(p, p.update(Send(p.options(), []byte(text))))
	out := p.take()
	require.NotEmpty(p, out)
	return out[len(out)-1]
}

// receive gives the peer a frame, and reads its inbox.
func (p *peer) receive(frame []byte, source string) state.Receipt {
	r, err := p.vault.Receive(context.Background(), p.id, state.Frame{Source: source, Data: frame}, Opener(p.options()))
	require.NoError(p, err)
	p.drain()
	return r
}

func (p *peer) drain() {
	p.flush()
	require.NoError(p, p.vault.Drain(context.Background(), p.id, func(_ context.Context, in state.Incoming) error {
		m, err := ParseMessage(in.Data())
		require.NoError(p, err)
		p.read = append(p.read, m)
		return nil
	}))
}

// texts returns what was read since it was called last.
func (p *peer) texts() (out []string) {
	for _, m := range p.read {
		out = append(out, string(m.Plaintext))
	}
	p.read = nil
	return out
}

// all gives a frame to all peers but one, which may be nil.
func (g *group) all(from *peer, frame []byte) {
	source := ""
	if from != nil {
		source = fmt.Sprint(from.index)
	}
	for _, p := range g.peers {
		if p != from {
			p.receive(frame, source)
		}
	}
}

// say sends a message to all.
func (g *group) say(p *peer, text string) { g.all(p, p.send(text)) }

// sees reports whether an event of a kind was reported since the last call of forget.
func (p *peer) sees(k EventKind) bool {
	return slices.ContainsFunc(p.events, func(e state.Event) bool { o, ok := e.(Event); return ok && o.Kind == k })
}

// preferred returns the id of the epoch in which the peer sends.
func (p *peer) preferred() [32]byte {
	e, _ := p.state().forest.Preferred()
	return e.ID()
}

// agree asserts that all peers prefer one epoch.
func (g *group) agree() {
	g.Helper()
	for _, p := range g.peers[1:] {
		require.Equal(g, g.peers[0].preferred(), p.preferred(), "member %d", p.index)
	}
}

// pass lets time go by.
func (g *group) pass(d time.Duration) { g.now = g.now.Add(d) }
