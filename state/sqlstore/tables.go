package sqlstore

import (
	"fmt"
	"strings"

	"github.com/trefoil-im/trefoil/state/store"
)

// The version of the schema has a table of its own, with one row.
const (
	schemaVersion    = "SELECT version FROM trefoil"
	setSchemaVersion = "INSERT INTO trefoil (one, version) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET version = excluded.version"
)

func tooNew(version, newest int) error {
	if version > newest {
		return fmt.Errorf("schema %d, where this release knows %d: %w", version, newest, store.ErrTooNew)
	}
	return nil
}

// tables holds the statements for the four tables of one kind of value.
type tables struct {
	name  string
	names []string // of the parts, which are columns
	parts int

	load, segments, head, list string
	create, remove             string
	put, drop                  string
	items, count               string
	enqueue, take              string
	frame, retained            string
	record, forget             string
}

// newTables returns the statements in the SQL that the databases have in common, with ? for each argument.
func newTables(k store.Kind) *tables {
	name, parts := k.String(), k.Parts()
	columns := strings.Join(parts, ", ")
	in := func(text string) string { return strings.ReplaceAll(text, "@", name) }
	return &tables{
		name:  name,
		names: parts,
		parts: len(parts),

		load:     in("SELECT version, head, " + columns + " FROM @ WHERE id = ?"),
		segments: in("SELECT path, sealed FROM @_segments WHERE id = ?"),
		head:     in("SELECT version, head FROM @ WHERE id = ?"),
		list:     in("SELECT id FROM @ ORDER BY id"),

		create: in("INSERT INTO @ (id, version, head, " + columns + ") VALUES (?, ?, ?" + strings.Repeat(", ?", len(parts)) + ") ON CONFLICT (id) DO NOTHING"),
		remove: in("DELETE FROM @ WHERE id = ? AND version = ? AND head = ?"),

		put:  in("INSERT INTO @_segments (id, path, sealed) VALUES (?, ?, ?) ON CONFLICT (id, path) DO UPDATE SET sealed = excluded.sealed"),
		drop: in("DELETE FROM @_segments WHERE id = ? AND path = ?"),

		items:   in("SELECT seq, sealed FROM @_items WHERE id = ? AND queue = ? AND seq > ? ORDER BY seq LIMIT ?"),
		count:   in("SELECT count(*) FROM @_items WHERE id = ? AND queue = ?"),
		enqueue: in("INSERT INTO @_items (id, queue, seq, sealed) VALUES (?, ?, ?, ?)"),
		take:    in("DELETE FROM @_items WHERE id = ? AND queue = ? AND seq = ? AND sealed = ?"),

		frame:    in("SELECT seq, sealed, sealed IS NOT NULL FROM @_frames WHERE id = ? AND hash = ?"),
		retained: in("SELECT hash, seq, sealed FROM @_frames WHERE id = ? AND seq > ? AND sealed IS NOT NULL ORDER BY seq LIMIT ?"),
		record:   in("INSERT INTO @_frames (id, hash, seq, sealed) VALUES (?, ?, ?, ?) ON CONFLICT (id, hash) DO UPDATE SET seq = excluded.seq, sealed = excluded.sealed"),
		forget:   in("DELETE FROM @_frames WHERE id = ? AND seq < ? AND sealed IS NULL"),
	}
}

// update returns the statement that changes the parts that are not nil.
func (t *tables) update(parts [][]byte) string {
	var b strings.Builder
	b.WriteString("UPDATE " + t.name + " SET version = ?, head = ?")
	for i, p := range parts {
		if p != nil {
			b.WriteString(", " + t.names[i] + " = ?")
		}
	}
	b.WriteString(" WHERE id = ? AND version = ? AND head = ?")
	return b.String()
}
