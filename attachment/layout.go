package attachment

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"

	"github.com/trefoil-im/trefoil/internal/padme"
)

const (
	chunkSize  = 64 << 10 // of content
	tagSize    = 16
	keySize    = 32
	hashSize   = sha256.Size
	pageChunks = 2048 // a page of hashes is as large as a chunk
	maxPages   = 2048 // and so is the root

	// minPadded makes short texts, thumbnails and voice notes of a second look alike.
	minPadded = 1 << 10
)

// padded returns the length to which content of n bytes is brought: that of Padmé.
func padded(n int64) int64 { return padme.Length(max(n, minPadded)) }

// layout is where the parts of a blob lie.
type layout struct {
	padded int64 // bytes of content and padding, at least one
	chunks int64
	pages  int64
}

func layoutOf(size int64) layout {
	l := layout{padded: padded(size)}
	l.chunks = (l.padded + chunkSize - 1) / chunkSize
	l.pages = (l.chunks + pageChunks - 1) / pageChunks
	return l
}

// chunk returns the place of a sealed chunk.
func (l layout) chunk(i int64) (offset int64, size int) {
	offset = i*(chunkSize+tagSize) + i/pageChunks*pageChunks*hashSize
	return offset, int(min(chunkSize, l.padded-i*chunkSize)) + tagSize
}

// page returns the place of a page.
func (l layout) page(i int64) (offset int64, size int) {
	last := min((i+1)*pageChunks, l.chunks) - 1
	offset, n := l.chunk(last)
	return offset + int64(n), int(last-i*pageChunks+1) * hashSize
}

// root returns the place of the root.
func (l layout) root() (offset int64, size int) {
	offset, n := l.page(l.pages - 1)
	return offset + int64(n), int(l.pages) * hashSize
}

// blob returns the size of the whole.
func (l layout) blob() int64 {
	offset, n := l.root()
	return offset + int64(n)
}

// cipherOf returns AES-256-GCM under a key of keySize bytes.
func cipherOf(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has another size: a mistake of this package
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// nonce returns the nonce of a chunk.
func nonce(i int64, last bool) []byte {
	b := make([]byte, 12)
	binary.BigEndian.PutUint64(b[3:11], uint64(i))
	if last {
		b[11] = 1
	}
	return b
}

func hashChunk(sealed []byte) [hashSize]byte { return hash([]byte{0}, sealed) }

func hashPage(page []byte) [hashSize]byte { return hash([]byte{1}, page) }

func digestOf(size int64, root []byte) [hashSize]byte {
	return hash(binary.BigEndian.AppendUint64([]byte{2}, uint64(size)), root)
}

func hash(parts ...[]byte) (sum [hashSize]byte) {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}
