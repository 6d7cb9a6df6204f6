package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// member is one person's program: a vault in an SQLite file of its own, and a line to the relay. Everything that a chat
// program has to do with the library is in this file.
type member struct {
	name  string
	file  string
	key   state.Key // in a real program from the platform's key store
	space state.ID
	world *world

	db      *sql.DB
	store   *sqlstore.Store
	vault   *state.Vault[ratchet.Space]
	options ratchet.Options
	open    state.Opener[ratchet.Space]

	handled uint64           // the last item of the inbox that was handled
	parts   map[int][]string // of lines that are not complete yet
	read    []line           // in the order in which they were read
}

// world is what the members share: the network, the time, and for tests something that makes stores fail.
type world struct {
	relay *relay
	now   func() time.Time
	dir   string
	wrap  func(store.Store) store.Store
}

// text is what members say to each other: a line, or one of the parts of a long one.
type text struct {
	Line  int    `json:"line"`
	From  string `json:"from"`
	Text  string `json:"text"`
	Part  int    `json:"part,omitempty"` // from 0
	Parts int    `json:"parts"`          // they may arrive in any order
}

// maxText is the size of the parts of a long line, in bytes: escaped, it fits into a message of 64 KiB.
const maxText = 8 << 10

// maxParts bounds the parts of a line: half a gigabyte is more than anybody says.
const maxParts = 1 << 16

// newMember starts the program of somebody who is in no space yet.
func newMember(ctx context.Context, w *world, name string) (*member, error) {
	raw := make([]byte, state.KeySize)
	random(raw)
	key, err := state.NewKey(raw)
	if err != nil {
		return nil, err
	}
	m := &member{name: name, file: filepath.Join(w.dir, name+".db"), key: key, world: w, parts: make(map[int][]string)}
	m.options = ratchet.Options{Topic: "space", Now: w.now}
	m.open = ratchet.Opener(m.options)
	w.relay.open(name)
	return m, m.start(ctx)
}

// start opens the file.
func (m *member) start(ctx context.Context) (err error) {
	if m.db, err = sql.Open("sqlite", m.file); err != nil {
		return err
	}
	if m.store, err = sqlstore.SQLite(ctx, m.db); err != nil {
		return errors.Join(err, m.db.Close())
	}
	var backend store.Store = m.store
	if m.world.wrap != nil {
		backend = m.world.wrap(backend)
	}
	m.vault, err = state.Open[ratchet.Space](ctx, backend, m.key, state.Options{Now: m.world.now})
	return err
}

// stop closes the file. Nothing is saved here: everything is on disk already.
func (m *member) stop() error { return errors.Join(m.store.Close(), m.db.Close()) }

// restart stops the program and starts it anew from its file. The relay sends again what was not acknowledged.
func (m *member) restart(ctx context.Context) error {
	if err := m.stop(); err != nil {
		return err
	}
	m.world.relay.reconnect(m.name)
	return m.start(ctx)
}

// found makes a space.
func (m *member) found(ctx context.Context) error {
	space, err := ratchet.NewSpace(m.world.now(), ratchet.Policy{}, []byte(m.name))
	if err != nil {
		return err
	}
	m.space = space.ID()
	return m.create(ctx, space, nil)
}

// invite makes a link and tells the others of it.
func (m *member) invite(ctx context.Context, t invite.Terms) (url string, err error) {
	var made invite.Made
	if err := m.update(ctx, ratchet.Do(m.options, ratchet.NewInvite(t, &made))); err != nil {
		return "", err
	}
	if err := m.flush(ctx); err != nil {
		return "", err
	}
	return made.Link.URL("https://chat.example/join")
}

// join asks to be let into the space that a link leads to.
func (m *member) join(ctx context.Context, url string) error {
	link, err := invite.Find(url)
	if err != nil {
		return err
	}
	space, request, err := ratchet.Join(link, m.world.now(), []byte(m.name))
	if err != nil {
		return err
	}
	m.space = space.ID()
	if err := m.create(ctx, space, func(tx *state.Tx[ratchet.Space]) error {
		tx.Send("space", request)
		return nil
	}); err != nil {
		return err
	}
	return m.flush(ctx)
}

// say encrypts a line. State and envelopes are on disk when it returns; flush sends them.
func (m *member) say(ctx context.Context, l line) error {
	parts := split(l.text, maxText)
	return m.update(ctx, func(tx *state.Tx[ratchet.Space]) error {
		for i, part := range parts {
			plain, err := json.Marshal(text{Line: l.number, From: l.name, Text: part, Part: i, Parts: len(parts)})
			if err != nil {
				return err
			}
			if err := m.seal(tx, plain); err != nil {
				return err
			}
		}
		return nil
	})
}

// seal encrypts one message and puts it into the outbox.
func (m *member) seal(tx *state.Tx[ratchet.Space], plain []byte) error {
	return ratchet.Send(m.options, plain)(tx)
}

// flush hands the outbox to the relay.
func (m *member) flush(ctx context.Context) error {
	return persist(func() error {
		_, err := m.vault.Flush(ctx, m.space, func(_ context.Context, out state.Outgoing) state.Delivery {
			m.world.relay.post(m.name, out.Data)
			return state.Delivered()
		})
		return err
	})
}

// receive takes in frames and reads what they brought. It returns the hashes of the frames that are dealt with, to be
// acknowledged; what is to be answered lies in the outbox.
func (m *member) receive(ctx context.Context, frames []parcel) (done [][32]byte, err error) {
	for _, p := range frames {
		if err := persist(func() error {
			r, err := m.vault.Receive(ctx, m.space, state.Frame{Source: p.from, Data: p.data}, m.open)
			if r.Verdict == state.Read || r.Verdict == state.Discard {
				done = append(done, p.hash)
			}
			done = append(done, r.Acknowledge...)
			return err
		}); err != nil {
			return done, err
		}
	}
	return done, m.drain(ctx)
}

// drain takes what was read out of the inbox.
func (m *member) drain(ctx context.Context) error {
	return persist(func() error {
		return m.vault.Drain(ctx, m.space, func(_ context.Context, in state.Incoming) error {
			if in.Seq <= m.handled {
				return nil // handed over again after a failure
			}
			msg, err := ratchet.ParseMessage(in.Data())
			if err != nil {
				return err
			}
			var t text
			if err := json.Unmarshal(msg.Plaintext, &t); err != nil {
				return err
			}
			m.handled = in.Seq
			m.hear(t)
			return nil
		})
	})
}

// hear takes in a text; with the last of its parts a line is read.
func (m *member) hear(t text) {
	parts := m.parts[t.Line]
	if t.Part < 0 || t.Part >= t.Parts || t.Parts > maxParts || parts != nil && len(parts) != t.Parts {
		return // nothing that say has written
	}
	if parts == nil {
		parts = make([]string, t.Parts)
		m.parts[t.Line] = parts
	}
	parts[t.Part] = t.Text
	if len(parts) > 1 && slices.Contains(parts, "") {
		return
	}
	m.read = append(m.read, line{t.Line, t.From, strings.Join(parts, "")})
	delete(m.parts, t.Line)
}

// care does what the space needs its device to do beside sending and receiving, once everything that was stored for it is read.
func (m *member) care(ctx context.Context) error {
	if err := m.update(ctx, func(tx *state.Tx[ratchet.Space]) error {
		if err := ratchet.CaughtUp(m.options)(tx); err != nil {
			return err
		}
		return ratchet.Maintain(m.options)(tx)
	}); err != nil {
		return err
	}
	if err := persist(func() error {
		settled, err := m.vault.Retry(ctx, m.space, m.open)
		m.world.relay.acknowledge(m.name, settled...)
		return err
	}); err != nil {
		return err
	}
	if err := m.drain(ctx); err != nil {
		return err
	}
	return m.flush(ctx)
}

// load returns the space as it is on disk.
func (m *member) load(ctx context.Context) (space ratchet.Space, err error) {
	err = persist(func() error {
		space, err = m.vault.Load(ctx, m.space)
		return err
	})
	return space, err
}

// create and update are the vault's, by somebody who does not give up when the disk fails. After ErrUncertain they look
// what became of it.
func (m *member) create(ctx context.Context, space ratchet.Space, fn func(*state.Tx[ratchet.Space]) error) error {
	return persist(func() error {
		err := m.vault.Create(ctx, space, fn)
		if errors.Is(err, state.ErrExists) {
			return nil // a try of which nobody could say whether it was carried out
		}
		return err
	})
}

func (m *member) update(ctx context.Context, fn func(*state.Tx[ratchet.Space]) error) error {
	return persist(func() error {
		var next ratchet.Space
		err := m.vault.Update(ctx, m.space, func(tx *state.Tx[ratchet.Space]) error {
			err := fn(tx)
			next = tx.Value()
			return err
		})
		if !errors.Is(err, state.ErrUncertain) {
			return err
		}
		space, lerr := m.load(ctx)
		if lerr == nil && space.Equal(next) {
			return nil
		}
		return errors.Join(lerr, err)
	})
}

// tries is how often something is tried while the disk fails.
const tries = 50

// persist tries something again that failed. What it tries changes nothing when it fails.
func persist(do func() error) (err error) {
	for range tries {
		if err = do(); err == nil || errors.Is(err, state.ErrIncomplete) || errors.Is(err, ratchet.ErrPhase) {
			return err
		}
	}
	return fmt.Errorf("given up after %d tries: %w", tries, err)
}

// split returns s in parts of at most n bytes and whole characters: at least one part, and none empty if there are more.
func split(s string, n int) (parts []string) {
	for len(s) > n {
		at := n
		for !utf8.RuneStart(s[at]) {
			at--
		}
		parts, s = append(parts, s[:at]), s[at:]
	}
	return append(parts, s)
}
