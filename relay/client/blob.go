package client

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/trefoil-im/trefoil/relay/api"
)

// Upload brings a blob of 1 to api.MaxBlob bytes to the relay, piece by piece, and returns its address. It reads the blob twice, once
// for the digest that is the address. After a broken connection it goes on where the relay stands; when that fails some times in a row it
// returns ErrUnavailable, and the next call with the same bytes goes on there, also in another process. A program whose uploads are to
// outlast it keeps the blob in a file. Other errors are ErrQuota, and those of blob; ErrUnverified means that it changed meanwhile.
func (b *Blobs) Upload(ctx context.Context, blob io.ReaderAt, size int64) (api.BlobAddress, error) {
	h := sha256.New()
	if n, err := io.Copy(h, io.NewSectionReader(blob, 0, size)); err != nil || n < size {
		return api.BlobAddress{}, cmp.Or(err, io.ErrUnexpectedEOF)
	}
	address := api.BlobAddress(h.Sum(nil))
	var at int64
	err := tried(ctx, func() (err error) {
		at, err = b.Start(ctx, address, size)
		return err
	})
	piece := make([]byte, min(api.ChunkSize, size))
	for err == nil && at < size {
		if at < 0 || at%api.ChunkSize != 0 {
			return address, fmt.Errorf("%w: how much of a blob was received", api.ErrMalformed)
		}
		at, err = b.append(ctx, address, blob, at, piece[:min(api.ChunkSize, size-at)])
	}
	return address, err
}

// append adds the piece at a place, and returns where to go on: further on, if another upload of the blob is faster.
func (b *Blobs) append(ctx context.Context, address api.BlobAddress, blob io.ReaderAt, at int64, piece []byte) (received int64, err error) {
	if n, err := blob.ReadAt(piece, at); n < len(piece) {
		return at, cmp.Or(err, io.ErrUnexpectedEOF)
	}
	err = tried(ctx, func() (err error) {
		received, err = b.Append(ctx, address, at, piece)
		return err
	})
	if stale := new(api.StaleError); errors.As(err, &stale) && stale.Current <= math.MaxInt64 {
		received, err = int64(stale.Current), nil
	}
	if err == nil && received <= at {
		err = fmt.Errorf("%w: how much of a blob was received", api.ErrMalformed)
	}
	return received, err
}

// Open returns a blob to be read in order or at any place, for attachment.Ref.Decrypt and attachment.Ref.Open. It reads pieces from the
// relay as they are needed, keeps one of them, and tries again what fails as Upload does; a later call at the same place goes on there.
// The reader ends with ctx, and is safe for concurrent use by ReadAt. What it reads is not verified: a Ref does that, and whoever
// has none compares the SHA-256 digest with the address. It returns ErrNotFound if there is no such blob.
func (b *Blobs) Open(ctx context.Context, address api.BlobAddress) (*io.SectionReader, error) {
	p := &pieces{ctx: ctx, blobs: b, address: address}
	if err := p.fetch(0); err != nil {
		return nil, err
	}
	return io.NewSectionReader(p, 0, p.size), nil
}

// pieces is the io.ReaderAt of a blob at the relay.
type pieces struct {
	ctx     context.Context
	blobs   *Blobs
	address api.BlobAddress

	mu    sync.Mutex
	size  int64
	start int64 // place of data
	data  []byte
}

// ReadAt implements io.ReaderAt.
func (p *pieces) ReadAt(b []byte, at int64) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n < len(b) {
		if at >= p.size {
			return n, io.EOF
		}
		if at < p.start || at >= p.start+int64(len(p.data)) {
			if err := p.fetch(at); err != nil {
				return n, err
			}
		}
		m := copy(b[n:], p.data[at-p.start:])
		n, at = n+m, at+int64(m)
	}
	return n, nil
}

// fetch gets bytes from a place on.
func (p *pieces) fetch(at int64) error {
	var data []byte
	var size int64
	err := tried(p.ctx, func() (err error) {
		data, size, err = p.blobs.Read(p.ctx, p.address, at)
		return err
	})
	switch {
	case err != nil:
		return err
	case len(data) == 0 || int64(len(data)) > size-at || p.size != 0 && size != p.size:
		return fmt.Errorf("%w: a piece of a blob", api.ErrMalformed)
	}
	p.size, p.start, p.data = size, at, data
	return nil
}

// tried makes a call, and again while it may succeed then, maxFailures times after a pause.
func tried(ctx context.Context, call func() error) error {
	for failures := 0; ; failures++ {
		err := call()
		if err == nil || !isTransient(err) || failures == maxFailures || !backOff(ctx, failures, err) {
			return err
		}
	}
}
