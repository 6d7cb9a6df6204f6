package epochs

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// group is a space whose genesis lists everybody.
type group struct {
	t     require.TestingT
	space state.ID
	poly  dkg.Polynomial
	root  Root
	place proto.Place // of the genesis
	keys  proto.EpochKeys
	sign  map[dkg.Index]suite.SigningKey
	now   Millis
}

func newGroup(t require.TestingT) *group {
	g := &group{
		t: t, space: state.ID(secret.Random(32).Expose()), poly: dkg.NewPolynomial(), sign: map[dkg.Index]suite.SigningKey{}, now: 1_000,
	}
	g.place = proto.Place(secret.Random(32).Expose())
	g.keys = proto.DeriveKeys(secret.Random(64), g.place)
	g.root = Root{
		ID: proto.Genesis.ID(g.place, g.keys.Check(g.place)), Depth: dkg.DefaultDepth, Public: g.poly.Commitment(),
	}
	return g
}

// member is one device.
type member struct {
	*group
	index dkg.Index
	share dkg.Share
	f     Forest
	last  map[dkg.Index]Position
}

// bare returns a member without epochs.
func (g *group) bare(i dkg.Index) *member {
	share, err := g.poly.Share(i)
	require.NoError(g.t, err)
	if _, ok := g.sign[i]; !ok {
		g.sign[i] = suite.NewSigningKey(suite.Ed25519)
	}
	return &member{group: g, index: i, share: share, f: New(g.space, i), last: map[dkg.Index]Position{}}
}

// member returns a member that holds the genesis.
func (g *group) member(i dkg.Index) *member {
	m := g.bare(i)
	m.f, _ = m.f.Found(g.root, proto.EpochID{}, g.place, g.keys.Check(g.place), g.keys, g.now)
	return m
}

func (g *group) members(n int) (out []*member) {
	for i := range n {
		out = append(out, g.member(dkg.Index(i+1)))
	}
	return out
}

func (m *member) shares() Shares {
	return func(root proto.EpochID) (dkg.Share, bool) { return m.share, root == m.root.ID }
}

func (m *member) preferred() Epoch {
	e, ok := m.f.Preferred()
	require.True(m.t, ok)
	return e
}

// commit makes a commit from an epoch.
func (m *member) commit(at proto.EpochID) []proto.Shown {
	next, made, _, err := m.f.Commit(at, m.shares(), Signer{Key: m.sign[m.index]}, false, m.now)
	require.NoError(m.t, err)
	m.f = next
	return made
}

// message stands for a frame: it is read if the key is found.
type message struct {
	from   dkg.Index
	epoch  proto.EpochID
	n      uint32
	header proto.SealedHeader
	key    secret.Bytes
	way    []proto.Sealed // ends with the epoch
}

// send makes a message in an epoch, with the commits of its nearest 4 generations.
func (m *member) send(at proto.EpochID) message {
	e, ok := m.f.Epoch(at)
	require.True(m.t, ok)
	var header proto.SealedHeader
	next, n, key, err := m.f.Send(at, func(n uint32) Tag {
		header = e.SealHeader(m.space, proto.Header{Index: m.index, Number: n})
		return header.Tag()
	})
	require.NoError(m.t, err)
	m.f = next
	return message{m.index, at, n, header, key, m.line(at, 4)}
}

// line returns up to n sealed commits that lead to an epoch.
func (m *member) line(at proto.EpochID, n int) (way []proto.Sealed) {
	for e := range m.f.Line(at) {
		p, ok := e.Commit()
		parent, held := m.f.Epoch(e.parent)
		if !ok || !held || len(way) == n {
			break
		}
		way = append(way, parent.SealCommit(m.space, p))
	}
	slices.Reverse(way)
	return way
}

// say commits if wanted and sends in what is preferred then.
func (m *member) say(commit bool) message {
	if commit {
		m.commit(m.preferred().id)
	}
	return m.send(m.preferred().id)
}

// read takes a message in.
func (m *member) read(msg message) error {
	e, head, path, err := m.find(msg)
	if err != nil {
		return err
	}
	keys, err := e.Keys(head.Index, head.Number, msg.header.Tag())
	if err != nil {
		return err
	}
	at := slices.IndexFunc(keys, func(k MessageKey) bool { return k.Key.Equal(msg.key) })
	if at < 0 {
		return ErrNone
	}
	next := m.f
	if len(path) > 0 {
		if next, _, err = next.Enter(path, Reading{head.Index, m.shares(), m.now}); err != nil {
			return err
		}
	}
	m.f, _ = next.Read(e.id, head.Index, head.Number, keys[at], msg.header.Tag(), m.now)
	e, _ = m.f.Epoch(e.id)
	if p, ok := m.last[head.Index]; !ok || m.f.Before(e.Position(), p) {
		m.last[head.Index] = e.Position()
	}
	return nil
}

// find returns the epoch of a message, and the candidates on the way to it.
func (m *member) find(msg message) (Epoch, proto.Header, []Candidate, error) {
	if e, head, ok := m.open(msg.header); ok {
		return e, head, nil, nil
	}
	failed := ErrUnknown
	for i := range msg.way {
		for e := range m.f.All() {
			path, err := m.follow(e, msg.way[i:])
			if err != nil {
				failed = err
			}
			if len(path) == 0 {
				continue
			}
			last := path[len(path)-1].Epoch
			head, err := last.OpenHeader(m.space, msg.header)
			return last, head, path, err
		}
	}
	return Epoch{}, proto.Header{}, nil, failed
}

// follow derives the epochs of a way that begins in one held, none if its first commit is of another epoch.
func (m *member) follow(parent Epoch, way []proto.Sealed) (path []Candidate, err error) {
	for _, sealed := range way {
		p, err := parent.OpenCommit(m.space, sealed)
		if err != nil {
			return nil, nil
		}
		if m.f.Has(parent.Child(m.space, p.Commit)) {
			return nil, nil // the way goes on from there
		}
		c, err := m.f.Derive(parent, p, m.sign[p.Commit.Core.Maker].Public, m.shares())
		if err != nil {
			return nil, err
		}
		path = append(path, c)
		parent = c.Epoch
	}
	return path, nil
}

// ticket returns what a member tells another one.
func (m *member) ticket(q TicketQuery, counter uint64) Ticket {
	if q.LastRead == nil {
		q.LastRead = m.lastRead()
	}
	all, _ := m.f.ForTicket(q)
	return Ticket{Epochs: all, Issuer: m.index, Counter: counter}
}

// lastRead returns where everybody was read.
func (m *member) lastRead() LastRead {
	out := LastRead{}
	for i := range m.sign {
		if i != m.index {
			out[i] = m.last[i]
		}
	}
	return out
}

func (m *member) merge(t Ticket) Change {
	m.f, _ = m.f.WithRoot(m.root, m.now)
	var change Change
	m.f, change = m.f.Merge(t, m.shares(), m.now)
	return change
}

// part is a forest as a state stores it.
type part struct{ f Forest }

func (p part) Encode(e *state.Encoder) {
	e.Version(1)
	p.f.Encode(e)
}

func (part) Decode(d *state.Decoder) (part, error) {
	d.Version(1, 1)
	f, err := DecodeForest(d)
	return part{f}, err
}

func (part) Succeeds(part) error { return nil }

func (p part) one(t require.TestingT) state.One[part] {
	v, err := state.NewOne(p.f.space, p)
	require.NoError(t, err)
	return v
}

// countingStore counts what a vault hands to its store, in bytes and commits.
type countingStore struct {
	*store.Memory
	written, saves int
}

func (c *countingStore) Commit(ctx context.Context, changes ...store.Change) error {
	c.saves++
	for _, change := range changes {
		c.written += len(change.Next.Sealed)
		for _, p := range change.Parts {
			c.written += len(p)
		}
		for path, r := range change.Put {
			c.written += len(path) + len(r)
		}
	}
	return c.Memory.Commit(ctx, changes...)
}

// disk is a vault that holds one forest.
type disk struct {
	t     testing.TB
	back  *countingStore
	vault *state.Vault[state.One[part]]
}

func newDisk(t testing.TB, f Forest) *disk {
	d := &disk{t: t, back: &countingStore{Memory: store.NewMemory()}}
	d.vault = d.open()
	require.NoError(t, d.vault.Create(context.Background(), part{f}.one(t), nil))
	return d
}

func (d *disk) open() *state.Vault[state.One[part]] {
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(d.t, err)
	v, err := state.Open[state.One[part]](context.Background(), d.back, key, state.Options{})
	require.NoError(d.t, err)
	return v
}

// save stores a forest and returns how many bytes that wrote.
func (d *disk) save(f Forest) int {
	before := d.back.written
	require.NoError(d.t, d.vault.Update(context.Background(), f.space, func(tx *state.Tx[state.One[part]]) error {
		tx.Set(part{f}.one(d.t))
		return nil
	}))
	return d.back.written - before
}

// load reads the forest with a new vault.
func (d *disk) load(id state.ID) Forest {
	v, err := d.open().Load(context.Background(), id)
	require.NoError(d.t, err)
	return v.Part().f
}

// open finds the epoch of a header, as a search does.
func (m *member) open(h proto.SealedHeader) (Epoch, proto.Header, bool) {
	for _, all := range []iter.Seq[Epoch]{m.f.Near, m.f.All()} {
		for e := range all {
			if head, err := e.OpenHeader(m.space, h); err == nil {
				return e, head, true
			}
		}
	}
	return Epoch{}, proto.Header{}, false
}
