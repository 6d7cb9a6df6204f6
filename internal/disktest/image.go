package disktest

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// sector is the size in bytes of what a disk writes as a whole or not at all.
const sector = 512

// Trace is what was carried out on a disk, in order.
type Trace []Op

// Image writes into dir the files of the disk as a power loss after all operations of t may leave them. What was synced
// is there. Of each file, what was written or truncated afterwards is lost, kept, or there in part: sector by sector, in
// any combination. A name that was made or removed since the directory was synced is there or not. r decides; equal
// generators make equal files. The trace must begin before the files did.
//
// ignore, unless nil, names syncs that are to have no effect, as on a device that reports them done too early.
func (t Trace) Image(dir string, r *rand.Rand, ignore func(Op) bool) error {
	names := make(map[string]entry)
	for _, op := range t {
		synced := (op.Kind == Sync || op.Kind == Delete) && (ignore == nil || !ignore(op))
		switch op.Kind {
		case Create:
			if names[op.File] == nil {
				names[op.File] = entry{nil}
			}
			names[op.File] = append(names[op.File], &content{})
		case Write, Truncate:
			c := names[op.File].now()
			c.pending = append(c.pending, op)
		case Sync:
			if synced {
				names[op.File].now().sync()
			}
		case Delete:
			names[op.File] = append(names[op.File], nil)
		}
		if synced && op.Dir {
			for name, e := range names {
				names[name] = entry{e.now()}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c := names[name].survivor(r)
		if c == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), c.survivor(r), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// entry is what a name in the directory stood for when the directory was synced and what it has stood for since, in order;
// nil stands for no file.
type entry []*content

func (e entry) now() *content { return e[len(e)-1] }

// survivor returns what the name stands for after a power loss.
func (e entry) survivor(r *rand.Rand) *content { return e[r.IntN(len(e))] }

// content is the content of a file.
type content struct {
	durable []byte
	pending []Op // since the last sync
}

func (c *content) sync() {
	for _, op := range c.pending {
		c.durable = apply(c.durable, op)
	}
	c.pending = nil
}

// survivor returns what is in the file after a power loss.
func (c *content) survivor(r *rand.Rand) []byte {
	b := slices.Clone(c.durable)
	fate := r.IntN(4)
	for _, op := range c.pending {
		switch fate {
		case 0: // all is lost
		case 1: // all is kept
			b = apply(b, op)
		default: // all is torn
			b = tear(b, op, r)
		}
	}
	return b
}

// tear applies some of the sectors of an operation, a truncation wholly or not.
func tear(b []byte, op Op, r *rand.Rand) []byte {
	if op.Kind == Truncate {
		if r.IntN(2) == 0 {
			return b
		}
		return apply(b, op)
	}
	for len(op.Data) > 0 {
		n := min(len(op.Data), int(sector-op.Offset%sector))
		if r.IntN(2) == 0 {
			b = apply(b, Op{Kind: Write, Offset: op.Offset, Data: op.Data[:n]})
		}
		op.Offset, op.Data = op.Offset+int64(n), op.Data[n:]
	}
	return b
}

// apply carries out a write or a truncation.
func apply(b []byte, op Op) []byte {
	end := int(op.Offset) + len(op.Data)
	if missing := end - len(b); missing > 0 {
		b = append(b, make([]byte, missing)...)
	}
	if op.Kind == Truncate {
		return b[:end]
	}
	copy(b[op.Offset:], op.Data)
	return b
}
