package simnet

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

type vault = state.Vault[ratchet.Space]

// Member is a device of a member: a store that survives crashes, a vault that does not, and an application that shows
// what was read.
type Member struct {
	Name string
	// Read is what the application showed, in order.
	Read []ratchet.Message
	// Events is what the vault reported.
	Events []state.Event
	// Disputed is set by a test for a member whose index somebody else has, too: others need not understand it, nor it
	// them.
	Disputed bool

	net    *Net
	id     state.ID
	store  store.Store
	vault  *vault
	side   int
	mail   []parcel
	held   map[[32]byte]*posting // delivered and not acknowledged
	seq    uint64                // of the inbox item shown last
	sent   map[[32]byte]*text    // frames by what they say
	unread map[[32]byte]error    // why frames were settled unread

	mute     bool // joining, or restored: nobody can be expected to be understood
	voice    int  // how often this member came to be heard: 1 after joining, one more after each restore
	heard    map[*Member]int
	answered map[[16]byte]map[*Member]int // what it had heard when it answered a request

	boundary  int // commit boundaries passed
	crashAt   int // the boundary at which the device is to die, 0 for none
	crashWith storetest.Fault
	dead      storetest.Fault // None while the device runs
}

func newMember(n *Net, name string, id state.ID) *Member {
	m := &Member{
		Name: name, net: n, id: id, store: n.options.Store(), mute: true,
		held: make(map[[32]byte]*posting), sent: make(map[[32]byte]*text), unread: make(map[[32]byte]error),
		heard: make(map[*Member]int), answered: make(map[[16]byte]map[*Member]int),
	}
	if n.options.Backups {
		m.store = &journal{Store: m.store}
	}
	m.boot()
	return m
}

// vaultKey seals all vaults. Attackers of the scenarios have it.
var vaultKey = sha256.Sum256([]byte("simnet"))

// boot opens the vault on what the store holds.
func (m *Member) boot() {
	key, err := state.NewKey(vaultKey[:])
	require.NoError(m.net.t, err)
	m.dead = storetest.None
	// The first Open makes the store a vault, which is not a step of the protocol at which a device may die.
	_, err = state.Open[ratchet.Space](m.net.t.Context(), m.store, key, state.Options{})
	require.NoError(m.net.t, err)
	m.vault, err = state.Open[ratchet.Space](m.net.t.Context(), storetest.Fail(m.store, m.fate), key, state.Options{Now: m.net.Now, Events: m.event})
	require.NoError(m.net.t, err)
}

func (m *Member) event(_ state.ID, e state.Event) {
	m.Events = append(m.Events, e)
	if e, ok := e.(state.FrameUnread); ok && e.Verdict == state.Discard {
		m.unread[e.Hash] = e.Reason
	}
}

// fate lets the device die at a commit boundary: a dead one does nothing more.
func (m *Member) fate(c storetest.Call) storetest.Fault {
	if m.dead != storetest.None {
		return storetest.Before
	}
	if c.Method != "Commit" {
		return storetest.None
	}
	m.boundary++
	switch {
	case m.boundary == m.crashAt:
		m.dead = m.crashWith
	case m.net.chance(m.net.options.Faults.Crash):
		m.dead = storetest.Before + storetest.Fault(m.net.rng.IntN(2))
	}
	return m.dead
}

// CrashAt makes the device die at its nth commit boundary from now on, before or after the commit.
func (m *Member) CrashAt(n int, f storetest.Fault) { m.crashAt, m.crashWith = m.boundary+n, f }

// Boundaries returns how many commit boundaries the device has passed.
func (m *Member) Boundaries() int { return m.boundary }

// run makes a call of the vault. If the device died, it is started again; committed says whether what it wrote last before
// it died was.
func (m *Member) run(call func(context.Context, *vault) error) (crashed, committed bool, err error) {
	err = call(m.net.t.Context(), m.vault)
	if m.dead == storetest.None {
		return false, err == nil, err
	}
	committed = m.dead == storetest.After
	m.net.stats.Crashes++
	m.boot()
	m.redeliver()
	return true, committed, nil
}

// must makes a call that has to succeed, again if the device died before.
func (m *Member) must(call func(context.Context, *vault) error) {
	m.net.t.Helper()
	for {
		crashed, committed, err := m.run(call)
		if crashed && !committed {
			continue
		}
		require.NoError(m.net.t, err, m.Name)
		return
	}
}

// Space returns the member's space as it is stored.
func (m *Member) Space() ratchet.Space {
	m.net.t.Helper()
	s, err := m.vault.Load(m.net.t.Context(), m.id)
	require.NoError(m.net.t, err, m.Name)
	return s
}

// Texts returns what the application showed, without what this member had written itself.
func (m *Member) Texts() (out []string) {
	for _, r := range m.Read {
		if !r.Own {
			out = append(out, string(r.Plaintext))
		}
	}
	return out
}

// update is a change that sends the frame it returns.
func (m *Member) update(change func(ratchet.Space) (ratchet.Space, []byte, error)) ([]byte, error) {
	var frame []byte
	for {
		crashed, committed, err := m.run(func(ctx context.Context, v *vault) error {
			return v.Update(ctx, m.id, func(tx *state.Tx[ratchet.Space]) (err error) {
				next, f, err := change(tx.Value())
				if err != nil {
					return err
				}
				frame = f
				tx.Set(next)
				tx.Send(everybody, f)
				return nil
			})
		})
		if !crashed || committed {
			return frame, err
		}
	}
}

// Send sends a text, in one word or many, and hands it to the relay. Texts of a simulation differ from each other. It
// returns why the space refused, if it did.
func (m *Member) Send(words string) error {
	m.net.t.Helper()
	if ratchet.Due(m.Space(), m.net.now).Fetch {
		m.Fetch(-1)
	}
	frame, err := m.update(func(s ratchet.Space) (ratchet.Space, []byte, error) {
		return ratchet.Encrypt(s, m.net.now, []byte(words))
	})
	if err != nil {
		m.net.stats.Refused++
		return err
	}
	if words != "" {
		m.net.say(m, words, m.frame(frame).Hash())
	}
	m.flush()
	m.look()
	return nil
}

// flush hands everything in the outbox to the relay.
func (m *Member) flush() {
	m.net.t.Helper()
	for again := true; again; {
		var err error
		again, _, err = m.run(func(ctx context.Context, v *vault) error {
			_, err := v.Flush(ctx, m.id, func(_ context.Context, o state.Outgoing) state.Delivery {
				m.net.post(m, o.Data)
				return state.Delivered()
			})
			return err
		})
		require.NoError(m.net.t, err, m.Name)
	}
}

// Fetch receives at most count frames that the relay has for this member, all of them if count is negative, shows what
// was read, and reports how many there were.
func (m *Member) Fetch(count int) (fetched int) {
	m.net.t.Helper()
	for fetched != count {
		p, ok := m.next()
		if !ok {
			break
		}
		m.receive(p)
		fetched++
	}
	m.drain()
	return fetched
}

// frame is what others receive of a member.
func (m *Member) frame(data []byte) state.Frame { return state.Frame{Source: m.Name, Data: data} }

// receive is the receive loop for one parcel.
func (m *Member) receive(p parcel) {
	m.net.t.Helper()
	m.flush() // what was said before this is heard must not be taken for what is said after it
	m.net.stats.Delivered++
	open := ratchet.Opener(ratchet.Options{Topic: everybody, Now: m.net.Now})
	var r state.Receipt
	crashed, _, err := m.run(func(ctx context.Context, v *vault) (err error) {
		r, err = v.Receive(ctx, m.id, p.from.frame(p.data), open)
		return err
	})
	if crashed {
		m.mail = append([]parcel{p}, m.mail...) // it was not acknowledged
		return
	}
	require.NoError(m.net.t, err, m.Name)
	switch r.Verdict {
	case state.Retain:
		m.held[p.hash] = p.posting
	case state.Read:
		m.hear(p.posting)
		delete(m.held, p.hash)
	case state.Discard:
		delete(m.held, p.hash)
	}
	m.settle(r.Acknowledge)
}

// settle notes what became of frames that were retained, and sends what came of them.
func (m *Member) settle(hashes [][32]byte) {
	m.net.t.Helper()
	for _, h := range hashes {
		q := m.held[h]
		delete(m.held, h)
		if _, unread := m.unread[h]; q != nil && !unread {
			m.hear(q)
		}
	}
	m.flush()
	m.look()
}

// hear keeps the books about who can be expected to understand whom.
func (m *Member) hear(p *posting) {
	switch {
	case p.is(frameMessage):
		m.heard[p.from] = max(m.heard[p.from], p.voice)
	case p.is(frameRequest):
		m.answered[p.requestID()] = maps.Clone(m.heard)
		m.answered[p.requestID()][m] = m.voice
	case p.is(frameTicket) && ratchet.Info(m.Space()).Phase == ratchet.Member:
		for o, voice := range p.heard {
			m.heard[o] = max(m.heard[o], voice)
		}
		if m.mute {
			m.mute = false
			m.voice++
		}
	}
}

// drain shows what is in the inbox. What was shown before a crash is told by its number.
func (m *Member) drain() {
	m.net.t.Helper()
	for again := true; again; {
		var err error
		again, _, err = m.run(func(ctx context.Context, v *vault) error {
			return v.Drain(ctx, m.id, func(_ context.Context, in state.Incoming) error {
				if in.Seq > m.seq {
					m.seq = in.Seq
					m.show(in.Data())
				}
				return nil
			})
		})
		require.NoError(m.net.t, err, m.Name)
	}
}

// Attend does what is due, as Due says, and reports whether anything was.
func (m *Member) Attend() (did bool) {
	m.net.t.Helper()
	due := ratchet.Due(m.Space(), m.net.now)
	if due.Fetch {
		m.Fetch(-1)
		due = ratchet.Due(m.Space(), m.net.now)
	}
	do := func(change func(ratchet.Space) (ratchet.Space, []byte, error)) {
		m.net.t.Helper()
		_, err := m.update(change)
		require.NoError(m.net.t, err, m.Name)
		m.flush()
		m.look()
		did = true
	}
	if due.Prune && len(m.held) == 0 && !slices.ContainsFunc(m.mail, m.arrives) {
		m.Prune()
	}
	for _, task := range []ratchet.Tasks{{Ask: due.Ask}, {Roster: due.Roster}, {Send: due.Send}} {
		if task != (ratchet.Tasks{}) {
			do(func(s ratchet.Space) (ratchet.Space, []byte, error) { return ratchet.Perform(s, m.net.now, task) })
		}
	}
	if due.Answer {
		m.answer()
		did = true
	}
	return did
}

// answer answers requests that others have deferred.
func (m *Member) answer() {
	m.net.t.Helper()
	options := ratchet.Options{Topic: everybody, Now: m.net.Now}
	m.must(func(ctx context.Context, v *vault) error { return v.Update(ctx, m.id, ratchet.Maintain(options)) })
	var settled [][32]byte
	m.must(func(ctx context.Context, v *vault) error {
		more, err := v.Retry(ctx, m.id, ratchet.Opener(options))
		settled = append(settled, more...)
		return err
	})
	m.settle(settled)
}

// Prune prunes the space.
func (m *Member) Prune() {
	m.net.t.Helper()
	m.must(func(ctx context.Context, v *vault) error {
		return v.Update(ctx, m.id, func(tx *state.Tx[ratchet.Space]) error {
			next, _, err := ratchet.Perform(tx.Value(), m.net.now, ratchet.Tasks{Prune: true})
			tx.Set(next)
			return err
		})
	})
}
