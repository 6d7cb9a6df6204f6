package client_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/attachment"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// cuts breaks connections of requests for blobs: one that comes, one whose answer was due, and one in the middle of the answer.
func (w *server) cuts() (broken *atomic.Int32) {
	broken = new(atomic.Int32)
	var patches, gets atomic.Int32
	w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if !strings.HasPrefix(req.URL.Path, "/v1/blobs/") {
			w.h.ServeHTTP(rw, req)
			return
		}
		switch {
		case req.Method == http.MethodPatch && patches.Add(1) == 1:
		case req.Method == http.MethodPatch && patches.Load() == 3: // carried out, and not answered
			w.h.ServeHTTP(discarded{http.Header{}}, req)
		case req.Method == http.MethodGet && gets.Add(1) == 2:
			w.h.ServeHTTP(&half{ResponseWriter: rw}, req)
		default:
			w.h.ServeHTTP(rw, req)
			return
		}
		broken.Add(1)
		panic(http.ErrAbortHandler)
	}))
	return broken
}

type discarded struct{ h http.Header }

func (d discarded) Header() http.Header         { return d.h }
func (d discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d discarded) WriteHeader(int)             {}

// half writes the first half of an answer.
type half struct{ http.ResponseWriter }

func (h *half) Write(b []byte) (int, error) {
	_, err := h.ResponseWriter.Write(b[:len(b)/2])
	http.NewResponseController(h.ResponseWriter).Flush()
	return len(b), err
}

// A file comes as it was, although connections break while it is sent and while it is read; and nothing is sent twice of what the relay
// had.
func TestFileOverBrokenConnections(t *testing.T) {
	onRelays(t, func(t *testing.T, w *server) {
		from, to := w.client(w.person("from"), nil), w.client(w.person("to"), nil)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		content := make([]byte, 3*api.ChunkSize+rng.IntN(1000))
		for i := range content {
			content[i] = byte(rng.Uint32())
		}
		var blob bytes.Buffer
		ref, err := attachment.Seal(&blob, bytes.NewReader(content))
		require.NoError(t, err)
		broken := w.cuts()
		address, err := from.Blobs.Upload(t.Context(), bytes.NewReader(blob.Bytes()), int64(blob.Len()))
		require.NoError(t, err)
		again, err := from.Blobs.Upload(t.Context(), bytes.NewReader(blob.Bytes()), int64(blob.Len()))
		require.NoError(t, err)
		require.Equal(t, address, again)

		source, err := to.Blobs.Open(t.Context(), address)
		require.NoError(t, err)
		require.Equal(t, int64(blob.Len()), source.Size())
		var got bytes.Buffer
		require.NoError(t, ref.Decrypt(&got, source))
		require.True(t, bytes.Equal(content, got.Bytes()))
		require.Equal(t, int32(3), broken.Load())

		file, err := ref.Open(source)
		require.NoError(t, err)
		tail := make([]byte, 100)
		_, err = file.ReadAt(tail, int64(len(content)-100))
		require.NoError(t, err)
		require.True(t, bytes.Equal(content[len(content)-100:], tail))
	})
}

// An upload that ended in the middle goes on there, with what another client has kept of it.
func TestUploadGoesOn(t *testing.T) {
	onRelays(t, func(t *testing.T, w *server) {
		p := w.person("from")
		blob := bytes.Repeat([]byte("blob"), api.ChunkSize)
		size := int64(len(blob))
		_, err := w.client(p, nil).Blobs.Upload(t.Context(), failing{blob, 2 * api.ChunkSize}, size)
		require.ErrorIs(t, err, io.ErrClosedPipe)
		var sent atomic.Int32
		w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodPatch {
				sent.Add(1)
			}
			w.h.ServeHTTP(rw, req)
		}))
		line := w.client(p, nil)
		address, err := line.Blobs.Upload(t.Context(), bytes.NewReader(blob), size)
		require.NoError(t, err)
		require.Equal(t, int32(2), sent.Load())
		source, err := line.Blobs.Open(t.Context(), address)
		require.NoError(t, err)
		require.NoError(t, iotest.TestReader(source, blob))
		_, err = line.Blobs.Open(t.Context(), api.BlobAddress{1})
		require.ErrorIs(t, err, api.ErrNotFound)
		_, err = line.Blobs.Upload(t.Context(), bytes.NewReader(blob), size+1)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

// failing is a file that cannot be read any longer from a place on, once its digest was computed.
type failing struct {
	data []byte
	from int64
}

func (f failing) ReadAt(b []byte, at int64) (int, error) {
	if len(b) == api.ChunkSize && at >= f.from {
		return 0, io.ErrClosedPipe
	}
	return bytes.NewReader(f.data).ReadAt(b, at)
}

// What a relay answers of a blob is checked before it is used.
func TestRelayThatMisstatesABlob(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	line := w.client(w.person("from"), nil)
	for _, received := range []string{"-1", "1", "262144", "-262144"} {
		w.front(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			if req.Method != http.MethodPut && req.Method != http.MethodPatch {
				w.h.ServeHTTP(rw, req)
				return
			}
			rw.Header().Set("Content-Type", "application/json")
			io.WriteString(rw, `{"received":`+received+`}`)
		}))
		_, err := line.Blobs.Upload(t.Context(), bytes.NewReader(make([]byte, 2*api.ChunkSize)), 2*api.ChunkSize)
		require.ErrorIs(t, err, api.ErrMalformed, received)
	}
}
