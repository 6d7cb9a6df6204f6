package attachment

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

var (
	// ErrMalformed: the bytes are no Ref.
	ErrMalformed = errors.New("attachment: malformed reference")
	// ErrTooLarge: the content is larger than MaxSize.
	ErrTooLarge = errors.New("attachment: content is too large")
	// ErrAltered: the blob is not the one that the Ref was made with.
	ErrAltered = errors.New("attachment: blob was altered")
	// ErrIncomplete: the blob ends early. It can be opened when the rest is there.
	ErrIncomplete = errors.New("attachment: blob is incomplete")
)

const (
	// MaxSize is the largest padded content in bytes: 256 GiB, which is 2,048 pages, so that the root takes 64 KiB of memory
	// as a page does.
	MaxSize int64 = maxPages * pageChunks * chunkSize
	// RefSize is the size of an encoded Ref in bytes.
	RefSize = 1 + 8 + keySize + hashSize
)

// refVersion is the version of a Ref and of the blob it leads to.
const refVersion = 1

// Ref is what a message holds of a file: the key and the digest of a blob. It is immutable and shows no key when it is printed.
// The zero Ref leads to no blob.
type Ref struct {
	size   int64
	key    secret.Bytes
	digest [hashSize]byte
}

// Parse returns the Ref whose encoding is b. Its error is ErrMalformed.
func Parse(b []byte) (Ref, error) {
	r := wire.NewReader(b)
	r.Version8(refVersion, refVersion)
	size := r.U64()
	key := r.Fixed(keySize)
	var ref Ref
	r.Into(ref.digest[:])
	if err := r.Done(); err != nil {
		return Ref{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if size > uint64(MaxSize) || padded(int64(size)) > MaxSize {
		return Ref{}, fmt.Errorf("%w: size of %d bytes", ErrMalformed, size)
	}
	ref.size, ref.key = int64(size), secret.Own(key)
	return ref, nil
}

// Marshal returns the encoding of r, RefSize bytes. They hold the key: they belong into an encrypted message and nowhere else.
func (r Ref) Marshal() []byte {
	w := wire.NewWriter(RefSize)
	w.U8(refVersion)
	w.U64(uint64(r.size))
	w.Fixed(r.key.Expose())
	w.Fixed(r.digest[:])
	return w.Bytes()
}

// Size returns the size of the content in bytes.
func (r Ref) Size() int64 { return r.size }

// BlobSize returns the size of the blob in bytes.
func (r Ref) BlobSize() int64 { return layoutOf(r.size).blob() }

// Equal reports whether both lead to the same content. It takes the same time whatever the keys.
func (r Ref) Equal(o Ref) bool {
	return r.size == o.size && r.digest == o.digest && r.key.Equal(o.key)
}

// String returns a text without the key.
func (r Ref) String() string { return fmt.Sprintf("attachment of %d bytes", r.size) }
