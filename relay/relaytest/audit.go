package relaytest

import (
	"context"
	"errors"
	"fmt"
	"math/bits"

	"github.com/trefoil-im/trefoil/relay/store"
)

// Audit returns what does not add up in the rows of a relay, as of one moment: a counter that differs from what it counts, a gap in
// what is numbered, or a part of a mutation without the rest. After every mutation, whole or refused, Audit returns nil. What the tables
// themselves refuse, such as a reference to no row, it does not look for.
func Audit(ctx context.Context, s store.Store) error {
	b := books{rows: make(map[*store.Table][]store.Row)}
	if err := s.View(ctx, b.read); err != nil {
		return err
	}
	b.persons()
	b.keys()
	b.log()
	b.conversations()
	b.requests()
	b.mailboxes()
	b.messages()
	b.blobs()
	return errors.Join(b.wrong...)
}

// books is all rows of a store.
type books struct {
	rows  map[*store.Table][]store.Row
	wrong []error
}

func (b *books) read(r store.Reader) error {
	clear(b.rows)
	for _, t := range store.Schema {
		for q := (store.Query{Limit: page}); ; {
			rows, err := r.Scan(t, q)
			if err != nil {
				return err
			}
			b.rows[t] = append(b.rows[t], rows...)
			if len(rows) < page {
				break
			}
			q.After = t.Key(rows[page-1])
		}
	}
	return nil
}

// name is the values of some columns of a row, as what a map is indexed by.
func name(values ...any) string { return fmt.Sprintf("%x", values) }

// number returns the number in a column.
func number(r store.Row, column int) int64 { return r[column].(int64) }

// count returns, for each name of some columns, how many rows of a table have it.
func (b *books) count(t *store.Table, columns ...int) map[string]int64 {
	return b.sum(t, func(store.Row) int64 { return 1 }, columns...)
}

// sum returns the sum of what the rows of a table count for, for each name of some columns.
func (b *books) sum(t *store.Table, worth func(store.Row) int64, columns ...int) map[string]int64 {
	out := make(map[string]int64)
	for _, r := range b.rows[t] {
		out[columnsOf(r, columns...)] += worth(r)
	}
	return out
}

func columnsOf(r store.Row, columns ...int) string {
	var values []any
	for _, c := range columns {
		values = append(values, r[c])
	}
	return name(values...)
}

// check notes what is wrong with a row unless it holds.
func (b *books) check(holds bool, r store.Row, format string, args ...any) {
	if !holds {
		b.wrong = append(b.wrong, fmt.Errorf("relaytest: %x: %s", r[0], fmt.Sprintf(format, args...)))
	}
}

// persons: each is registered, or deleted with all its devices.
func (b *books) persons() {
	registered, deleted := b.count(store.Registrations, 0), b.count(store.Deletions, 0)
	live, revoked := b.count(store.Devices, 1), b.count(store.Revocations, 0)
	for _, d := range b.rows[store.Devices] {
		live[name(d[1])] -= revoked[name(d[0])]
	}
	for _, p := range b.rows[store.Persons] {
		who := name(p[0])
		b.check(registered[who]+deleted[who] == 1, p, "a person is registered or deleted")
		b.check((live[who] > 0) == (registered[who] > 0), p, "%d devices of a person that has %d registrations", live[who], registered[who])
	}
}

// keys: a device counts its one-time pre-keys.
func (b *books) keys() {
	unclaimed, highest := b.count(store.OneTime, 0), make(map[string]int64)
	for _, k := range b.rows[store.OneTime] {
		highest[name(k[0])] = max(highest[name(k[0])], number(k, 1))
	}
	gone := b.count(store.Revocations, 0)
	for _, d := range b.rows[store.Devices] {
		if id := name(d[0]); gone[id] == 0 {
			b.check(number(d, 9) == unclaimed[id], d, "%d one-time pre-keys, and %d are counted", unclaimed[id], number(d, 9))
			b.check(number(d, 8) >= highest[id], d, "the number of a one-time pre-key is above the highest")
		}
	}
	mailboxes := b.count(store.Mailboxes, 0)
	for _, d := range b.rows[store.Devices] {
		b.check(mailboxes[name(d[0])] == 1, d, "a device without a mailbox")
	}
}

// log: it has a leaf for each version of each person, all hashes, and nothing else.
func (b *books) log() {
	size := uint64(len(b.rows[store.Leaves]))
	last, version := make(map[string]int64), make(map[string]int64)
	for i, l := range b.rows[store.Leaves] {
		who := name(l[1])
		b.check(number(l, 0) == int64(i), l, "leaf %d is missing", i)
		version[who]++
		b.check(number(l, 2) == version[who], l, "version %d of a person is missing in the log", version[who])
		last[who] = number(l, 0)
	}
	for _, p := range b.rows[store.Persons] {
		b.check(number(p, 1) == version[name(p[0])] && number(p, 2) == last[name(p[0])], p, "the log has another version of a person")
	}
	for _, t := range b.rows[store.Tree] {
		b.check(number(t, 1) == int64(size), t, "%d leaves, and %d are counted", size, number(t, 1))
	}
	hashes := 2*int(size) - bits.OnesCount64(size) // of a tree as in RFC 6962, each once
	for i, h := range b.rows[store.Hashes] {
		b.check(number(h, 0) == int64(i) && i < hashes, h, "hash %d of the log", i)
	}
	if n := len(b.rows[store.Hashes]); n != hashes {
		b.wrong = append(b.wrong, fmt.Errorf("relaytest: %d hashes of a log with %d leaves", n, size))
	}
}

// conversations: sessions are numbered without gaps up to the current one, and each has part of what its proposal brought.
func (b *books) conversations() {
	sessions, members, pairs := b.count(store.Sessions, 0), b.count(store.Members, 0), b.count(store.Pairs, 2)
	current, proposed := make(map[string]int64), b.count(store.Proposals, 3, 4)
	for _, c := range b.rows[store.Currents] {
		current[name(c[0])] = number(c, 1)
	}
	for _, c := range b.rows[store.Conversations] {
		id := name(c[0])
		b.check(current[id] > 0 && sessions[id] == current[id], c, "%d sessions, and the current one is %d", sessions[id], current[id])
		b.check(members[id] > 0, c, "nobody is a member")
		b.check(pairs[id] == 0 || members[id] == 2, c, "%d members of a pair", members[id])
	}
	for _, s := range b.rows[store.Sessions] {
		b.check(proposed[columnsOf(s, 0, 1)] == 1, s, "session %d without its proposal", number(s, 1))
	}
}

// requests: those that are answered have an answer.
func (b *books) requests() {
	answers := b.count(store.Answers, 0)
	for _, q := range b.rows[store.Requests] {
		b.check(number(q, 7) == answers[name(q[0])], q, "a key request is answered without an answer, or the reverse")
	}
}

// mailboxes: they count their subscriptions, have numbered all that is in them, and know who takes how much room.
func (b *books) mailboxes() {
	topics, gone, highest := b.count(store.Subscriptions, 1), b.count(store.Revocations, 0), make(map[string]int64)
	for _, it := range b.rows[store.Items] {
		highest[name(it[0])] = max(highest[name(it[0])], number(it, 1))
	}
	for _, t := range b.rows[store.Tombstones] {
		highest[name(t[0])] = max(highest[name(t[0])], number(t, 3))
	}
	for _, m := range b.rows[store.Mailboxes] {
		id := name(m[0])
		b.check(gone[id] > 0 || number(m, 2) == topics[id], m, "%d subscriptions, and %d are counted", topics[id], number(m, 2))
		b.check(number(m, 1) >= highest[id], m, "item %d, and the last one is %d", highest[id], number(m, 1))
	}
	used := b.sum(store.Items, func(it store.Row) int64 { return number(it, 6) }, 5, 0)
	freed := b.sum(store.Freed, func(r store.Row) int64 { return number(r, 2) }, 0, 1)
	for id, n := range freed {
		used[id] += n
	}
	for _, u := range b.rows[store.Usage] {
		id := columnsOf(u, 0, 1)
		b.check(used[id] == number(u, 2), u, "%d bytes in a mailbox, and %d are counted", used[id], number(u, 2))
		delete(used, id)
	}
	for id, n := range used {
		b.wrong = append(b.wrong, fmt.Errorf("relaytest: %s: %d bytes in a mailbox that are not counted", id, n))
	}
}

// messages: somebody waits for each, or Sweep will look at it; and who waits has its kind and topic.
func (b *books) messages() {
	waiting, settled := b.count(store.Items, 2), b.count(store.Settled, 0)
	about := make(map[string]string)
	for _, m := range b.rows[store.Messages] {
		b.check(waiting[name(m[0])]+settled[name(m[0])] > 0, m, "nobody waits for a message")
		about[name(m[0])] = columnsOf(m, 1, 2)
	}
	for _, it := range b.rows[store.Items] {
		b.check(columnsOf(it, 3, 4) == about[name(it[2])], it, "item %d is about another message", number(it, 1))
	}
}

// blobs: what was received is there.
func (b *books) blobs() {
	received := b.sum(store.Chunks, func(c store.Row) int64 { return int64(len(c[3].([]byte))) }, 0, 1)
	sizes := b.sum(store.Blobs, func(r store.Row) int64 { return number(r, 2) }, 0)
	for _, r := range b.rows[store.Blobs] {
		n := received[columnsOf(r, 0, 1)]
		b.check(n == number(r, 3), r, "%d bytes of a blob, and %d are counted", n, number(r, 3))
	}
	for _, s := range b.rows[store.Storage] {
		b.check(number(s, 1) >= sizes[name(s[0])], s, "%d bytes of blobs, and %d are counted", sizes[name(s[0])], number(s, 1))
	}
}
