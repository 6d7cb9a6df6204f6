package state

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/state/inspect"
	"github.com/trefoil-im/trefoil/state/store"
)

// Pending returns how much of the value of id waits, or ErrNotFound. It reads the head of the row only, so it is cheap enough
// to ask for all values.
func (v *Vault[V]) Pending(ctx context.Context, id ID) (inspect.Pending, error) {
	_, c, err := v.opened(ctx, id, func() (store.Head, error) { return v.store.Head(ctx, v.kind, id) })
	return c.pending(), err
}

func (c *contents) pending() inspect.Pending {
	return inspect.Pending{
		Outbox: int(c.outbox.held.n), Inbox: int(c.inbox.held.n), Retained: int(c.frames.held.n), Retry: c.due(),
	}
}

// Inspect describes what is stored for id without telling what it says, or returns ErrNotFound. It reads every record and
// queued item, and names those that are damaged: a row that Load refuses can be looked at.
func (v *Vault[V]) Inspect(ctx context.Context, id ID) (inspect.Value, error) {
	var row store.Row
	var unread error
	slot, c, err := v.opened(ctx, id, func() (store.Head, error) {
		row, unread = v.store.Load(ctx, v.kind, id)
		return row.Head, unread
	})
	if unread != nil {
		return inspect.Value{}, unread
	}
	out := inspect.Value{Kind: v.kind.String(), ID: id, Version: row.Head.Version, Lanes: lanes(row.Outbox)}
	for _, h := range row.Inbox {
		out.Inbox += h.Size
	}
	for _, f := range row.Retained {
		out.Retained += f.Size
	}
	if err != nil {
		out.Problems = append(out.Problems, err.Error())
		return out, nil
	}
	out.Pending = c.pending()
	if err := c.verify(row); err != nil {
		out.Problems = append(out.Problems, err.Error())
	}
	slot = slot.with(&c)
	sealed := maps.Clone(row.Segments)
	for i, n := range c.parts {
		if i < len(row.Parts) {
			sealed[n.name] = row.Parts[i]
		}
		p := inspect.Part{Name: n.name, Version: n.version}
		out.Problems = append(out.Problems, slot.look(n, n.name, sealed, &p)...)
		out.Parts = append(out.Parts, p)
	}
	if len(sealed) > 0 && len(out.Problems) == 0 {
		out.Problems = append(out.Problems, fmt.Sprintf("%d records that nothing lists", len(sealed)))
	}
	for q, held := range map[store.Queue][]store.Held{store.Outbox: row.Outbox, store.Inbox: row.Inbox} {
		damaged, err := v.damagedItems(ctx, slot, q, held)
		if err != nil {
			return inspect.Value{}, err
		}
		for _, seq := range damaged {
			out.Problems = append(out.Problems, Damaged{Queue: q, Seq: seq}.String())
		}
	}
	return out, nil
}

// lanes groups the items of an outbox by destination.
func lanes(outbox []store.Held) (out []inspect.Lane) {
	at := make(map[uint64]int)
	for _, h := range outbox {
		i, known := at[h.Lane]
		if !known {
			i = len(out)
			at[h.Lane] = i
			out = append(out, inspect.Lane{First: h.Seq})
		}
		out[i].Frames++
		out[i].Bytes += h.Size
	}
	return out
}

// look takes what lies at a path and below out of the records, counts it, and returns what is wrong with it.
func (s slot) look(n *node, path string, sealed map[string][]byte, p *inspect.Part) (problems []string) {
	l := &load{func(path string, n *node) ([]byte, error) {
		b := sealed[path]
		delete(sealed, path)
		p.Bytes += len(b)
		return s.record(path, n, b)
	}}
	if _, err := l.decoder(path, n); err != nil {
		return []string{err.Error()}
	}
	for _, sub := range n.segments {
		p.Segments++
		problems = append(problems, s.look(sub, path+"/"+sub.name, sealed, p)...)
	}
	return problems
}

// Stats returns what the vault did since it was opened. Other vaults on the same store count for themselves.
func (v *Vault[V]) Stats() inspect.Stats {
	c := &v.stats
	return inspect.Stats{
		Commits: c.commits.Load(), Conflicts: c.conflicts.Load(), Loads: c.loads.Load(),
		Read: c.verdicts[Read].Load(), Discarded: c.verdicts[Discard].Load(),
		Retained: c.verdicts[Retain].Load(), Stopped: c.verdicts[Stop].Load(),
		Sent: c.sent.Load(), Deferred: c.deferred.Load(), Fenced: c.fenced.Load(),
	}
}

// receive counts frames.
func (c *counters) receive(receipts []Receipt) {
	for _, r := range receipts {
		c.verdicts[min(r.Verdict, Read)].Add(1)
	}
}

// counters are what Stats returns.
type counters struct {
	commits, conflicts, loads atomic.Uint64
	verdicts                  [Read + 1]atomic.Uint64
	sent, deferred, fenced    atomic.Uint64
}
