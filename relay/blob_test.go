package relay_test

import (
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/api"
)

// An upload goes on where it was, whoever forgot where that is, and is read from any place when it is complete.
func TestBlobs(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(2), w.person(1)
	data := make([]byte, 2*api.ChunkSize+77)
	rand.Read(data)
	address, size := api.BlobAddress(sha256.Sum256(data)), int64(len(data))
	piece := func(start int64) []byte { return data[start:min(start+api.ChunkSize, size)] }
	start := func(d *device) int64 {
		n, err := w.r.Blobs.Start(t.Context(), d.id, address, size)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, start(a.devices[0]))
	_, _, err := w.r.Blobs.Read(t.Context(), b.devices[0].id, address, 0)
	require.ErrorIs(t, err, api.ErrNotFound, "not before it is complete")
	for at := int64(0); at < size; {
		w.r = w.on(w.store) // the relay keeps nothing in memory
		require.Equal(t, at, start(a.devices[int(at)%2]), "from another device, after another start")
		for range 2 {
			next, err := w.r.Blobs.Append(t.Context(), a.devices[0].id, address, at, piece(at))
			require.NoError(t, err)
			require.Equal(t, min(at+api.ChunkSize, size), next)
		}
		at = min(at+api.ChunkSize, size)
	}
	require.Equal(t, size, start(a.devices[0]))
	for _, from := range []int64{0, 1, api.ChunkSize - 1, api.ChunkSize, 2*api.ChunkSize + 5, size - 1} {
		var got []byte
		for at := from; at < size; {
			part, all, err := w.r.Blobs.Read(t.Context(), b.devices[0].id, address, at)
			require.NoError(t, err)
			require.Equal(t, size, all)
			got = append(got, part...)
			at += int64(len(part))
		}
		require.Equal(t, data[from:], got)
	}
	for _, from := range []int64{-1, size, 1 << 62} {
		_, _, err := w.r.Blobs.Read(t.Context(), b.devices[0].id, address, from)
		require.ErrorIs(t, err, api.ErrNotFound)
	}
	w.now = w.now.Add(api.BlobKeep + time.Hour)
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, swept.Blobs)
	require.NotContains(t, w.dump(), "chunks ")
}

func TestBlobsAreBounded(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(1)
	d, address := a.devices[0], api.BlobAddress{1}
	start := func(size int64) func() error {
		return func() error { _, err := w.r.Blobs.Start(t.Context(), d.id, address, size); return err }
	}
	for _, bad := range []int64{-1, 0, api.MaxBlob + 1} {
		w.refused(api.ErrMalformed, start(bad))
	}
	w.refused(api.ErrQuota, start(5<<20)) // more than the harness lets a person have
	require.NoError(t, start(api.ChunkSize+10)())
	w.refused(api.ErrExists, start(11))
	add := func(by *device, at int64, n int) func() error {
		return func() error {
			_, err := w.r.Blobs.Append(t.Context(), by.id, address, at, make([]byte, n))
			return err
		}
	}
	w.refused(api.ErrNotFound, add(b.devices[0], 0, api.ChunkSize)) // of another person
	for _, bad := range []struct {
		at int64
		n  int
	}{{0, 0}, {0, 10}, {0, api.ChunkSize + 1}, {-1, 5}, {api.ChunkSize + 11, 1}, {1 << 62, 1}} {
		w.refused(api.ErrMalformed, add(d, bad.at, bad.n))
	}
	w.refused(api.ErrStale, add(d, api.ChunkSize, 10))
	require.NoError(t, add(d, 0, api.ChunkSize)())
	require.ErrorIs(t, add(d, api.ChunkSize, 10)(), api.ErrUnverified, "the digest is another one")
	require.NotContains(t, w.dump(), "chunks ")
	require.NoError(t, start(4<<20-1<<10)(), "what was dropped takes no room")
}
