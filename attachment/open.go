package attachment

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// Open returns the content of a blob with random access. It reads the root of the blob; everything else is read and verified
// when it is asked for, and nothing is returned that was not verified. The errors of Open and of the Reader are ErrAltered,
// ErrIncomplete if the blob ends too early, and those of the blob.
func (r Ref) Open(blob io.ReaderAt) (*Reader, error) {
	if r.key.IsZero() {
		return nil, fmt.Errorf("%w: the zero reference", ErrMalformed)
	}
	o := &Reader{blob: blob, ref: r, layout: layoutOf(r.size), aead: secret.Hide(cipherOf(r.key.Expose())), page: -1, chunk: -1}
	offset, size := o.layout.root()
	root, err := o.read(nil, offset, size)
	if err != nil {
		return nil, err
	}
	if digestOf(r.size, root) != r.digest {
		return nil, fmt.Errorf("%w: its root has another digest", ErrAltered)
	}
	o.root = root
	return o, nil
}

// Reader is the content of a blob. It implements io.ReadSeeker and io.ReaderAt. It holds one page and one chunk and is safe for
// concurrent use; calls wait for each other.
type Reader struct {
	blob   io.ReaderAt
	ref    Ref
	layout layout
	aead   secret.Box[cipher.AEAD]
	root   []byte

	mu     sync.Mutex
	offset int64 // of Read
	page   int64 // the page in hashes, or -1
	hashes []byte
	chunk  int64 // the chunk in plain, or -1
	plain  secret.Bytes
	sealed []byte // the buffer of a chunk
}

// Size returns the size of the content in bytes.
func (o *Reader) Size() int64 { return o.ref.size }

// Read implements io.Reader.
func (o *Reader) Read(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.readAt(b, o.offset)
	o.offset += int64(n)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (o *Reader) ReadAt(b []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, errors.New("attachment: negative offset")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for n < len(b) && err == nil {
		var k int
		k, err = o.readAt(b[n:], offset+int64(n))
		n += k
	}
	return n, err
}

// Seek implements io.Seeker.
func (o *Reader) Seek(offset int64, whence int) (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += o.offset
	case io.SeekEnd:
		offset += o.ref.size
	default:
		return 0, errors.New("attachment: Seek from nowhere")
	}
	if offset < 0 {
		return 0, errors.New("attachment: negative offset")
	}
	o.offset = offset
	return offset, nil
}

// readAt reads from one chunk.
func (o *Reader) readAt(b []byte, offset int64) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if offset >= o.ref.size {
		return 0, io.EOF
	}
	i := offset / chunkSize
	if err := o.load(i); err != nil {
		return 0, err
	}
	plain := o.plain.Expose()
	plain = plain[:min(int64(len(plain)), o.ref.size-i*chunkSize)] // without the padding
	return copy(b, plain[offset-i*chunkSize:]), nil
}

// load brings a chunk into o.plain.
func (o *Reader) load(i int64) error {
	if o.chunk == i {
		return nil
	}
	if err := o.loadPage(i / pageChunks); err != nil {
		return err
	}
	offset, size := o.layout.chunk(i)
	sealed, err := o.read(o.sealed, offset, size)
	if err != nil {
		return err
	}
	o.sealed = sealed
	if sum := hashChunk(sealed); string(sum[:]) != string(hashAt(o.hashes, i%pageChunks)) {
		return fmt.Errorf("%w: chunk %d", ErrAltered, i)
	}
	o.chunk = -1 // the buffer is about to change
	plain, err := o.aead.Expose().Open(o.plain.Expose()[:0], nonce(i, i == o.layout.chunks-1), sealed, nil)
	if err != nil { // whoever made the Ref did not make the blob with its key
		return fmt.Errorf("%w: chunk %d", ErrAltered, i)
	}
	o.plain, o.chunk = secret.Own(plain), i
	return nil
}

// loadPage brings a page into o.hashes.
func (o *Reader) loadPage(i int64) error {
	if o.page == i {
		return nil
	}
	offset, size := o.layout.page(i)
	o.page = -1 // the buffer is about to change
	page, err := o.read(o.hashes, offset, size)
	if err != nil {
		return err
	}
	o.hashes = page
	if sum := hashPage(page); string(sum[:]) != string(hashAt(o.root, i)) {
		return fmt.Errorf("%w: page %d", ErrAltered, i)
	}
	o.page = i
	return nil
}

// read reads size bytes of the blob into buffer if it is large enough.
func (o *Reader) read(buffer []byte, offset int64, size int) ([]byte, error) {
	if cap(buffer) < size {
		buffer = make([]byte, size)
	}
	buffer = buffer[:size]
	n, err := o.blob.ReadAt(buffer, offset)
	switch {
	case n == size:
		return buffer, nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: it ends at byte %d of %d", ErrIncomplete, offset+int64(n), o.ref.BlobSize())
	}
	return nil, err
}

func hashAt(hashes []byte, i int64) []byte { return hashes[i*hashSize : (i+1)*hashSize] }
