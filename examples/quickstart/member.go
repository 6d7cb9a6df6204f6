package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// member is one person's program: a client and its history in an SQLite file, and a line to the relay. Everything that a chat program
// has to do with the library is in this file.
type member struct {
	name string
	file string
	key  state.Key // in a real program from the platform's key store
	now  func() time.Time
	line *mailbox

	db     *sql.DB
	store  *sqlstore.Store
	client *trefoil.Client
	space  trefoil.Space
	wrote  bool // something waits to be sent
}

// text is what members say to each other: a line, or one of the parts of a long one, which may arrive in any order.
type text struct {
	Line  int    `json:"line"`
	From  string `json:"from"`
	Text  string `json:"text"`
	Part  int    `json:"part,omitempty"` // from 0
	Parts int    `json:"parts"`
}

// maxText is the size of the parts of a long line, in bytes: escaped, it fits into a message.
const maxText = 8 << 10

// schema is the history: what this member read of the others, in the order in which it did. Nothing keeps a line from being in it
// twice but the library.
const schema = `CREATE TABLE history (line INTEGER, name TEXT, part INTEGER, parts INTEGER, text TEXT)`

// newMember starts the program of somebody who is in no space yet.
func newMember(ctx context.Context, w *world, name string) (*member, error) {
	raw := make([]byte, state.KeySize)
	rand.Read(raw)
	key, err := state.NewKey(raw)
	if err != nil {
		return nil, err
	}
	m := &member{name: name, file: filepath.Join(w.dir, name+".db"), key: key, now: w.time, line: w.network.open(name)}
	if err := m.start(ctx); err != nil {
		return nil, err
	}
	if _, err := m.db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", m.file, err), m.stop())
	}
	return m, nil
}

// start opens the file.
func (m *member) start(ctx context.Context) (err error) {
	if m.db, err = sql.Open("sqlite", m.file); err != nil {
		return err
	}
	if m.store, err = sqlstore.SQLite(ctx, m.db); err != nil {
		return errors.Join(err, m.db.Close())
	}
	m.client, err = trefoil.Open(ctx, m.store, m.key, m.line, trefoil.Options{
		Profile: []byte(m.name), InCommit: record, Now: m.now,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", m.file, err), m.stop())
	}
	m.space = m.client.Space(m.space.ID())
	return nil
}

// stop closes the file. Nothing is saved here: everything is on disk already.
func (m *member) stop() error { return errors.Join(m.store.Close(), m.db.Close()) }

// restart stops the program and starts it anew from its file. The relay sends again what was not acknowledged.
func (m *member) restart(ctx context.Context) error {
	if err := m.stop(); err != nil {
		return err
	}
	return m.start(ctx)
}

// record returns what writes a message into the history, in the very commit that takes it out of the vault: once, whenever the
// program ends.
func record(e event.Event) store.Hook {
	msg, ok := e.(event.Message)
	if !ok || msg.Own {
		return nil
	}
	return sqlstore.Rows(func(ctx context.Context, tx *sqlstore.Tx) error {
		var t text
		if err := json.Unmarshal(msg.Body, &t); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO history VALUES (?, ?, ?, ?, ?)`, t.Line, t.From, t.Part, t.Parts, t.Text)
		return err
	})
}

// found makes a space.
func (m *member) found(ctx context.Context) (err error) {
	m.space, err = m.client.NewSpace(ctx)
	return err
}

// invite makes a link.
func (m *member) invite(ctx context.Context, t invite.Terms) (string, error) {
	made, err := m.space.Invite(ctx, t)
	if err != nil {
		return "", err
	}
	m.wrote = true
	return made.Link.URL("https://chat.example/join")
}

// join asks to be let into the space that a link leads to.
func (m *member) join(ctx context.Context, url string) (err error) {
	m.space, err = m.client.Join(ctx, url)
	return err
}

// say writes a line. It is on disk when say returns, and leaves with the next work.
func (m *member) say(ctx context.Context, l line) error {
	parts := split(l.text, maxText)
	for i, part := range parts {
		body, err := json.Marshal(text{Line: l.number, From: l.name, Text: part, Part: i, Parts: len(parts)})
		if err != nil {
			return err
		}
		if _, err := m.space.Send(ctx, body); err != nil {
			return err
		}
	}
	m.wrote = true
	return nil
}

// remove removes a member, as the owner.
func (m *member) remove(ctx context.Context, name string) error {
	members, err := m.space.Members(ctx)
	if err != nil {
		return err
	}
	for _, other := range members {
		if string(other.Profile) == name {
			return m.space.Remove(ctx, other.Index)
		}
	}
	return fmt.Errorf("%s is no member for %s", name, m.name)
}

// knows reports whether a name belongs to the space as far as this member was told.
func (m *member) knows(ctx context.Context, name string) (known bool, err error) {
	members, err := m.space.Members(ctx)
	for _, other := range members {
		known = known || string(other.Profile) == name
	}
	return known, err
}

// work does all that is to be done at the moment: it reads what came, answers, and sends what was written. A program that
// stays would call Run once instead.
func (m *member) work(ctx context.Context) error {
	m.wrote = false
	if err := m.client.Sync(ctx); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	return nil
}

// read returns the lines that this member read, in the order in which they were complete. What was read twice is in it twice.
func (m *member) read(ctx context.Context) (lines []line, err error) {
	rows, err := m.db.QueryContext(ctx, `SELECT line, name, part, parts, text FROM history ORDER BY rowid`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	parts := make(map[int]map[int]string) // of each line
	for rows.Next() {
		var t text
		if err := rows.Scan(&t.Line, &t.From, &t.Part, &t.Parts, &t.Text); err != nil {
			return nil, err
		}
		if parts[t.Line] == nil {
			parts[t.Line] = make(map[int]string)
		}
		of := parts[t.Line]
		if of[t.Part] = t.Text; len(of) < t.Parts {
			continue
		}
		var whole strings.Builder
		for i := range t.Parts {
			whole.WriteString(of[i])
		}
		lines = append(lines, line{t.Line, t.From, whole.String()})
	}
	return lines, rows.Err()
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
