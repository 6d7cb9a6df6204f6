package relay_test

import (
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay"
)

// An upload goes on where it was, whoever forgot where that is, and is read from any place when it is complete.
func TestBlobs(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(2), w.person(1)
	data := make([]byte, 2*relay.ChunkSize+77)
	rand.Read(data)
	address, size := relay.BlobAddress(sha256.Sum256(data)), int64(len(data))
	piece := func(start int64) []byte { return data[start:min(start+relay.ChunkSize, size)] }
	start := func(d *device) int64 {
		n, err := w.r.Blobs.Start(t.Context(), d.id, address, size)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, start(a.devices[0]))
	_, _, err := w.r.Blobs.Read(t.Context(), b.devices[0].id, address, 0)
	require.ErrorIs(t, err, relay.ErrNotFound, "not before it is complete")
	for at := int64(0); at < size; {
		w.r = w.on(w.store) // the relay keeps nothing in memory
		require.Equal(t, at, start(a.devices[int(at)%2]), "from another device, after another start")
		for range 2 {
			next, err := w.r.Blobs.Append(t.Context(), a.devices[0].id, address, at, piece(at))
			require.NoError(t, err)
			require.Equal(t, min(at+relay.ChunkSize, size), next)
		}
		at = min(at+relay.ChunkSize, size)
	}
	require.Equal(t, size, start(a.devices[0]))
	for _, from := range []int64{0, 1, relay.ChunkSize - 1, relay.ChunkSize, 2*relay.ChunkSize + 5, size - 1} {
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
		require.ErrorIs(t, err, relay.ErrNotFound)
	}
	w.now = w.now.Add(relay.BlobKeep + time.Hour)
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, swept.Blobs)
	require.NotContains(t, w.dump(), "chunks ")
}

func TestBlobsAreBounded(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(1)
	d, address := a.devices[0], relay.BlobAddress{1}
	start := func(size int64) func() error {
		return func() error { _, err := w.r.Blobs.Start(t.Context(), d.id, address, size); return err }
	}
	for _, bad := range []int64{-1, 0, relay.MaxBlob + 1} {
		w.refused(relay.ErrMalformed, start(bad))
	}
	w.refused(relay.ErrQuota, start(5<<20)) // more than the harness lets a person have
	require.NoError(t, start(relay.ChunkSize+10)())
	w.refused(relay.ErrExists, start(11))
	add := func(by *device, at int64, n int) func() error {
		return func() error {
			_, err := w.r.Blobs.Append(t.Context(), by.id, address, at, make([]byte, n))
			return err
		}
	}
	w.refused(relay.ErrNotFound, add(b.devices[0], 0, relay.ChunkSize)) // of another person
	for _, bad := range []struct {
		at int64
		n  int
	}{{0, 0}, {0, 10}, {0, relay.ChunkSize + 1}, {-1, 5}, {relay.ChunkSize + 11, 1}, {1 << 62, 1}} {
		w.refused(relay.ErrMalformed, add(d, bad.at, bad.n))
	}
	w.refused(relay.ErrStale, add(d, relay.ChunkSize, 10))
	require.NoError(t, add(d, 0, relay.ChunkSize)())
	require.ErrorIs(t, add(d, relay.ChunkSize, 10)(), relay.ErrUnverified, "the digest is another one")
	require.NotContains(t, w.dump(), "chunks ")
	require.NoError(t, start(4<<20)(), "what was dropped takes no room")
}
