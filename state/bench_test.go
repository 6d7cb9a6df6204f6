package state_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/internal/cputest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// blobs is a part of segments of a given size.
type blobs struct{ segments []state.Segment[blob] }

type blob struct{ b []byte }

func (b blob) Encode(e *state.Encoder)             { e.Bytes(b.b) }
func (blob) Decode(d *state.Decoder) (blob, error) { return blob{d.Bytes(1 << 20)}, nil }

func (b blobs) Encode(e *state.Encoder) {
	e.Version(1)
	e.Uint32(uint32(len(b.segments)))
	for i, s := range b.segments {
		s.Encode(e, fmt.Sprint(i))
	}
}

func (blobs) Decode(d *state.Decoder) (blobs, error) {
	d.Version(1, 1)
	b := blobs{make([]state.Segment[blob], d.Count(1<<16, 0))}
	for i := range b.segments {
		var err error
		if b.segments[i], err = state.DecodeSegment[blob](d, fmt.Sprint(i)); err != nil {
			return blobs{}, err
		}
	}
	return b, nil
}

func (blobs) Succeeds(blobs) error { return nil }

type blobSpace = state.SpaceEncryptionState[blobs, set, counter]

func newBlob(n int) state.Segment[blob] {
	b := make([]byte, n)
	rand.Read(b)
	return state.NewSegment(blob{b})
}

// BenchmarkVaultUpdate changes one segment of at most 4 KiB in a value of n KiB. "unsealed" carries out the same
// statements with the same bytes and without a vault, the assertion of its own row included, so the ratio of the two is what sealing and comparing cost.
func BenchmarkVaultUpdate(b *testing.B) {
	for _, backend := range []struct {
		name string
		open func(*testing.B) store.Store
	}{
		{"memory", func(*testing.B) store.Store { return store.NewMemory() }},
		{"sqlite", sqliteFile},
	} {
		for _, kib := range []int{2, 16, 128} {
			b.Run(fmt.Sprintf("%s/n=%d", backend.name, kib), func(b *testing.B) { benchSealed(b, backend.open(b), kib) })
			b.Run(fmt.Sprintf("%s-unsealed/n=%d", backend.name, kib), func(b *testing.B) { benchUnsealed(b, backend.open(b), kib) })
		}
	}
}

func sqliteFile(b *testing.B) store.Store { return sqliteAt(b, filepath.Join(b.TempDir(), "bench.db")) }

func sqliteAt(b *testing.B, dsn string) store.Store {
	db, err := sql.Open("sqlite", dsn)
	require.NoError(b, err)
	s, err := sqlstore.SQLite(b.Context(), db)
	require.NoError(b, err)
	b.Cleanup(func() { s.Close(); db.Close() })
	return s
}

func benchVault(b *testing.B, s store.Store, kib int) (*state.Vault[blobSpace], int) {
	v, err := state.Open[blobSpace](b.Context(), s, testKey(b, 1), state.Options{})
	require.NoError(b, err)
	size := min(4, kib) << 10
	var part blobs
	for range kib << 10 / size {
		part.segments = append(part.segments, newBlob(size))
	}
	first, err := state.New(id(1), part, set{}, counter{})
	require.NoError(b, err)
	require.NoError(b, v.Create(b.Context(), first, nil))
	return v, size
}

func benchSealed(b *testing.B, s store.Store, kib int) {
	ctx := b.Context()
	count := &counting{Store: s}
	v, size := benchVault(b, count, kib)
	fresh := make([]state.Segment[blob], 17) // a prime, so that no segment is replaced by its like
	for i := range fresh {
		fresh[i] = newBlob(size)
	}
	count.written = 0
	b.ReportAllocs()
	start := cputest.Used()
	n := 0
	for b.Loop() {
		count.changes = count.changes[:0]
		err := v.Update(ctx, id(1), func(tx *state.Tx[blobSpace]) error {
			part := slices.Clone(tx.Value().State().segments)
			part[n%len(part)] = state.NewSegment(fresh[n%len(fresh)].Value())
			tx.Set(tx.Value().WithState(blobs{part}))
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(cputest.Used()-start)/float64(n), "cpu-ns/op")
	b.ReportMetric(float64(count.written)/float64(n), "written-B/op")
}

func benchUnsealed(b *testing.B, s store.Store, kib int) {
	ctx := b.Context()
	count := &counting{Store: s}
	v, size := benchVault(b, count, kib)
	var recorded []store.Change // one for each segment
	for n := range kib << 10 / size {
		require.NoError(b, v.Update(ctx, id(1), func(tx *state.Tx[blobSpace]) error {
			part := slices.Clone(tx.Value().State().segments)
			part[n] = newBlob(size)
			tx.Set(tx.Value().WithState(blobs{part}))
			return nil
		}))
		recorded = append(recorded, count.changes[len(count.changes)-1])
	}
	own, err := s.List(ctx, store.Vault, store.ID{}, 1)
	require.NoError(b, err)
	ring, err := s.Head(ctx, store.Vault, own[0])
	require.NoError(b, err)
	count.written = 0
	b.ReportAllocs()
	start := cputest.Used()
	n := 0
	for b.Loop() {
		count.changes = count.changes[:0]
		base, err := s.Head(ctx, store.Spaces, id(1))
		if err != nil {
			b.Fatal(err)
		}
		change := recorded[n%len(recorded)]
		change.Base, change.Next.Version = base, base.Version+1
		if err := count.Commit(ctx, store.Change{Kind: store.Vault, ID: own[0], Base: ring}, change); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(cputest.Used()-start)/float64(n), "cpu-ns/op")
	b.ReportMetric(float64(count.written)/float64(n), "written-B/op")
}
