package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/trefoil-im/trefoil/state/store"
)

// The version of the schema has a table of its own, with one row.
const schemaVersion = "SELECT version FROM trefoil WHERE one = 1"

func tooNew(version, newest int) error {
	if version > newest {
		return fmt.Errorf("schema %d, where this release knows %d: %w", version, newest, store.ErrTooNew)
	}
	return nil
}

// run carries out the statements of a script, which end in a semicolon and a line feed.
func run(ctx context.Context, c *sql.Conn, script string) error {
	for statement := range strings.SplitSeq(script, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := c.ExecContext(ctx, statement); err != nil {
			return err
		}
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
			for _, part := range k.Parts() {
				b.WriteString(before + "\t" + part + " " + after)
			}
		}
	}
	return b.String()
}

// tables holds the statements for the tables of one kind.
type tables struct {
	names []string // of the parts, which are columns
	in    func(text string) string

	load, segments, numbers, retained string
	head, locked, list                string
	create, remove, deleted           string
	clear                             []string
	bury, revive                      string
	put, drop, forget                 string

	items, enqueue, take many
	frames, record, lose many
}

// newTables returns the statements for a kind, which have the row's namespace and ID for their first two arguments. The one
// of update has what is to be set before them.
func newTables(k store.Kind, d dialect) *tables {
	name, parts := "trefoil_"+k.String(), k.Parts()
	columns := strings.Join(parts, ", ")
	in := func(text string) string {
		return d.bind(strings.NewReplacer("@", name, "size(", d.size+"(", "THIS", "namespace = ? AND id = ?").Replace(text))
	}
	each := func(before, row, after string) many { // the rows begin with the arguments that all have
		m := newMany(before, row, after)
		for i := range m {
			m[i] = in(m[i])
		}
		return m
	}
	return &tables{
		names: parts,
		in:    in,

		load:     in("SELECT version, head, " + columns + " FROM @ WHERE THIS"),
		segments: in("SELECT path, sealed FROM @_segments WHERE THIS"),
		numbers:  in("SELECT queue, seq, lane, size(sealed) FROM @_items WHERE THIS ORDER BY queue, seq"),
		retained: in("SELECT hash, seq, size(sealed) FROM @_frames WHERE THIS AND sealed IS NOT NULL ORDER BY seq"),

		head:   in("SELECT version, head FROM @ WHERE THIS"),
		locked: in("SELECT version, head FROM @ WHERE THIS" + d.share),
		list:   in("SELECT id FROM @ WHERE namespace = ? AND id > ? ORDER BY id LIMIT ?"),

		create:  in("INSERT INTO @ (namespace, id, version, head, " + columns + ") VALUES (?, ?, ?, ?" + strings.Repeat(", ?", len(parts)) + ") ON CONFLICT (namespace, id) DO NOTHING"),
		remove:  in("DELETE FROM @ WHERE THIS AND version = ? AND head = ?"),
		clear:   []string{in("DELETE FROM @_segments WHERE THIS"), in("DELETE FROM @_items WHERE THIS"), in("DELETE FROM @_frames WHERE THIS")},
		deleted: in("SELECT 1 FROM @_deleted WHERE THIS"),
		bury:    in("INSERT INTO @_deleted (namespace, id) VALUES (?, ?)"),
		revive:  in("DELETE FROM @_deleted WHERE THIS"),

		put:  in("INSERT INTO @_segments (namespace, id, path, sealed) VALUES (?, ?, ?, ?) ON CONFLICT (namespace, id, path) DO UPDATE SET sealed = excluded.sealed"),
		drop: in("DELETE FROM @_segments WHERE THIS AND path = ?"),

		items:   each("SELECT seq, lane, sealed FROM @_items WHERE THIS AND queue = ? AND seq IN (", "?", ")"),
		enqueue: each("INSERT INTO @_items (namespace, id, queue, seq, lane, sealed) VALUES ", "(?1, ?2, ?3, ?, ?, ?)", " ON CONFLICT (namespace, id, queue, seq) DO UPDATE SET lane = excluded.lane, sealed = excluded.sealed"),
		take:    each("DELETE FROM @_items WHERE THIS AND queue = ? AND seq IN (", "?", ")"),

		frames: each("SELECT hash, seq, sealed, sealed IS NOT NULL FROM @_frames WHERE THIS AND hash IN (", "?", ")"),
		record: each("INSERT INTO @_frames (namespace, id, hash, seq, sealed) VALUES ", "(?1, ?2, ?, ?, ?)", " ON CONFLICT (namespace, id, hash) DO UPDATE SET seq = excluded.seq, sealed = excluded.sealed"),
		lose:   each("DELETE FROM @_frames WHERE THIS AND hash IN (", "?", ")"),
		forget: in("DELETE FROM @_frames WHERE THIS AND seq < ? AND sealed IS NULL"),
	}
}

// update returns the statement that changes the parts that are not nil.
func (t *tables) update(parts [][]byte) string {
	var b strings.Builder
	b.WriteString("UPDATE @ SET version = ?, head = ?")
	for i, p := range parts {
		if p != nil {
			b.WriteString(", " + t.names[i] + " = ?")
		}
	}
	b.WriteString(" WHERE THIS AND version = ? AND head = ?")
	return t.in(b.String())
}

// key names a row among those of its kind.
type key struct {
	namespace string
	id        store.ID
}

// args returns the arguments of a statement about the row.
func (at key) args(more ...any) []any { return append([]any{at.namespace, at.id[:]}, more...) }
