package relay

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// The log is all publications in their order, as the leaves of a Merkle tree (RFC 6962, section 2.1). A client that saw one
// root asks for a proof that a later one extends it, and for a proof that what Lookup answered is a leaf: so nobody can be
// shown another registration than others are shown without leaving a trace. CheckRecord and CheckTree of package tlog verify
// both proofs.

type leafRow struct {
	Leaf    uint64
	Person  key.Address
	Version uint64
	Hash    api.Hash
}

type hashRow struct {
	Place uint64
	Hash  api.Hash
}

type treeRow struct{ One, Size uint64 }

func (r *leafRow) fields() []any { return []any{&r.Leaf, &r.Person, &r.Version, &r.Hash} }
func (r *hashRow) fields() []any { return []any{&r.Place, &r.Hash} }
func (r *treeRow) fields() []any { return []any{&r.One, &r.Size} }

var (
	leaves = table[leafRow, *leafRow]{store.Leaves}
	hashes = table[hashRow, *hashRow]{store.Hashes}
	tree   = table[treeRow, *treeRow]{store.Tree}
)

// appendLeaf adds a leaf to the tree and returns its row, to be written when its person is.
func appendLeaf(tx store.Tx, person key.Address, version uint64, registration []byte) (leafRow, error) {
	size, err := treeSize(tx)
	if err != nil {
		return leafRow{}, err
	}
	leaf := tlog.RecordHash(api.LeafRecord(person, version, registration))
	added, err := tlog.StoredHashesForRecordHash(int64(size), leaf, stored{tx})
	if err != nil {
		return leafRow{}, err
	}
	first := uint64(tlog.StoredHashIndex(0, int64(size)))
	var rows []hashRow
	for i, h := range added {
		rows = append(rows, hashRow{first + uint64(i), api.Hash(h)})
	}
	if err := hashes.insert(tx, rows...); err != nil {
		return leafRow{}, err
	}
	return leafRow{size, person, version, api.Hash(leaf)}, tree.put(tx, treeRow{1, size + 1})
}

func treeSize(r store.Reader) (uint64, error) {
	row, _, err := tree.get(r, uint64(1))
	return row.Size, err
}

// stored reads the hashes of the tree.
type stored struct{ r store.Reader }

// ReadHashes implements tlog.HashReader.
func (s stored) ReadHashes(places []int64) ([]tlog.Hash, error) {
	var keys []store.Key
	for _, p := range places {
		keys = append(keys, store.Key{p})
	}
	rows, err := hashes.all(s.r, keys)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]tlog.Hash, len(rows))
	for _, r := range rows {
		found[int64(r.Place)] = tlog.Hash(r.Hash)
	}
	out := make([]tlog.Hash, len(places))
	for i, p := range places {
		h, ok := found[p]
		if !ok {
			return nil, fmt.Errorf("%w: hash %d of the log", api.ErrNotFound, p)
		}
		out[i] = h
	}
	return out, nil
}

// Log returns the state of the log.
func (d *Directory) Log(ctx context.Context) (out api.LogHead, err error) {
	err = d.b.store.View(ctx, func(r store.Reader) error {
		size, err := treeSize(r)
		if err != nil {
			return err
		}
		root, err := tlog.TreeHash(int64(size), stored{r})
		out = api.LogHead{Size: size, Root: api.Hash(root)}
		return err
	})
	return out, err
}

// Inclusion returns the proof that a leaf is in the log as it was with size leaves (RFC 6962, section 2.1.1). It returns
// ErrNotFound if there are not so many, or the leaf is not among them.
func (d *Directory) Inclusion(ctx context.Context, leaf, size uint64) (proof []api.Hash, err error) {
	return d.prove(ctx, size, leaf < size, func(h tlog.HashReader) ([]tlog.Hash, error) {
		return tlog.ProveRecord(int64(size), int64(leaf), h)
	})
}

// Consistency returns the proof that the log with size leaves begins with the one that had older leaves, 1 at least (RFC 6962,
// section 2.1.2). It returns ErrNotFound if there are not so many.
func (d *Directory) Consistency(ctx context.Context, older, size uint64) (proof []api.Hash, err error) {
	return d.prove(ctx, size, older > 0 && older <= size, func(h tlog.HashReader) ([]tlog.Hash, error) {
		return tlog.ProveTree(int64(size), int64(older), h)
	})
}

func (d *Directory) prove(ctx context.Context, size uint64, isPossible bool, f func(tlog.HashReader) ([]tlog.Hash, error)) (proof []api.Hash, err error) {
	err = d.b.store.View(ctx, func(r store.Reader) error {
		now, err := treeSize(r)
		if err != nil || !isPossible || size > now {
			return or(err, api.ErrNotFound, "not in the log")
		}
		hashes, err := f(stored{r})
		proof = nil
		for _, h := range hashes {
			proof = append(proof, api.Hash(h))
		}
		return err
	})
	return proof, err
}

// Leaves returns at most limit entries of the log, 1,000 at most, from one on: for those who watch what is published in their
// name.
func (d *Directory) Leaves(ctx context.Context, from uint64, limit int) (out []api.Leaf, err error) {
	err = d.b.store.View(ctx, func(r store.Reader) error {
		out = nil
		rows, err := leaves.after(r, min(limit, 1000), "", nil, store.Key{int64(from) - 1})
		for _, row := range rows {
			out = append(out, api.Leaf{Person: row.Person, Version: row.Version, Hash: row.Hash})
		}
		return err
	})
	return out, err
}
