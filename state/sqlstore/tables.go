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

// script returns the statements of a schema: what comes before the line of dashes once, and what comes after it for each
// kind, with its name for @ and the line of a column for each part.
func script(template string) string {
	once, each, _ := strings.Cut(template, "\n--------\n")
	var b strings.Builder
	b.WriteString(once)
	for _, k := range store.Kinds() {
		for line := range strings.Lines(strings.ReplaceAll(each, "@", k.String())) {
			before, after, isColumn := strings.Cut(line, "\t* ")
			if !isColumn {
				b.WriteString(line)
				continue
			}
			for i, part := range k.Parts() {
				end := strings.TrimRight(after, "\n")
				if i < len(k.Parts())-1 {
					end += ","
				}
				b.WriteString(before + "\t" + part + " " + end + "\n")
			}
		}
	}
	return b.String()
}

// tables holds the statements for the tables of one kind.
type tables struct {
	name  string
	names []string // of the parts, which are columns

	load, segments, numbers, retained string
	head, list, item, frame           string
	create, remove, deleted           string
	bury, revive                      string
	put, drop                         string
	enqueue, take                     string
	record, forget                    string
}

// newTables returns the statements in the SQL that the databases have in common, with ? for each argument.
func newTables(k store.Kind) *tables {
	name, parts := "trefoil_"+k.String(), k.Parts()
	columns := strings.Join(parts, ", ")
	in := func(text string) string { return strings.ReplaceAll(text, "@", name) }
	return &tables{
		name:  name,
		names: parts,

		load:     in("SELECT version, head, " + columns + " FROM @ WHERE id = ?"),
		segments: in("SELECT path, sealed FROM @_segments WHERE id = ?"),
		numbers:  in("SELECT queue, seq, lane, length(sealed) FROM @_items WHERE id = ? ORDER BY queue, seq"),
		retained: in("SELECT hash, seq, length(sealed) FROM @_frames WHERE id = ? AND sealed IS NOT NULL ORDER BY seq"),

		head:  in("SELECT version, head FROM @ WHERE id = ?"),
		list:  in("SELECT id FROM @ WHERE id > ? ORDER BY id LIMIT ?"),
		item:  in("SELECT seq, lane, sealed FROM @_items WHERE id = ? AND queue = ? AND seq = ?"),
		frame: in("SELECT seq, sealed, sealed IS NOT NULL FROM @_frames WHERE id = ? AND hash = ?"),

		create:  in("INSERT INTO @ (id, version, head, " + columns + ") VALUES (?, ?, ?" + strings.Repeat(", ?", len(parts)) + ") ON CONFLICT (id) DO NOTHING"),
		remove:  in("DELETE FROM @ WHERE id = ? AND version = ? AND head = ?"),
		deleted: in("SELECT 1 FROM @_deleted WHERE id = ?"),
		bury:    in("INSERT INTO @_deleted (id) VALUES (?)"),
		revive:  in("DELETE FROM @_deleted WHERE id = ?"),

		put:  in("INSERT INTO @_segments (id, path, sealed) VALUES (?, ?, ?) ON CONFLICT (id, path) DO UPDATE SET sealed = excluded.sealed"),
		drop: in("DELETE FROM @_segments WHERE id = ? AND path = ?"),

		enqueue: in("INSERT INTO @_items (id, queue, seq, lane, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id, queue, seq) DO UPDATE SET lane = excluded.lane, sealed = excluded.sealed"),
		take:    in("DELETE FROM @_items WHERE id = ? AND queue = ? AND seq = ?"),

		record: in("INSERT INTO @_frames (id, hash, seq, sealed) VALUES (?, ?, ?, ?) ON CONFLICT (id, hash) DO UPDATE SET seq = excluded.seq, sealed = excluded.sealed"),
		forget: in("DELETE FROM @_frames WHERE id = ? AND seq < ? AND sealed IS NULL"),
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
