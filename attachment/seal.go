package attachment

import (
	"bufio"
	"crypto/cipher"
	"io"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// Seal reads content to its end, writes the blob that hides it, and returns the Ref to it. The key is drawn anew by each call.
// Seal returns ErrTooLarge, and errors of content and blob as they are; what was written by then is of no use.
func Seal(blob io.Writer, content io.Reader) (Ref, error) {
	return seal(blob, content, secret.Random(keySize))
}

func seal(blob io.Writer, content io.Reader, key secret.Bytes) (Ref, error) {
	s := sealer{blob: blob, aead: cipherOf(key.Expose())}
	counted := &padder{content: content}
	src := bufio.NewReaderSize(counted, chunkSize)
	chunk := make([]byte, chunkSize)
	for last := false; !last; {
		n, err := io.ReadFull(src, chunk)
		if err != nil && !counted.ended { // a download that broke off is io.ErrUnexpectedEOF, like the end of the padding
			return Ref{}, err
		}
		// The last chunk is encrypted as such, so whether another follows is known before.
		if _, err = src.Peek(1); err != nil && err != io.EOF {
			return Ref{}, err
		}
		last = err == io.EOF
		if err := s.add(chunk[:n], last); err != nil {
			return Ref{}, err
		}
	}
	if _, err := blob.Write(s.root); err != nil {
		return Ref{}, err
	}
	return Ref{size: counted.size, key: key, digest: digestOf(counted.size, s.root)}, nil
}

// sealer writes a blob.
type sealer struct {
	blob   io.Writer
	aead   cipher.AEAD
	chunks int64
	sealed []byte // the buffer of a chunk
	page   []byte
	root   []byte
}

// add writes a chunk, and the page behind it if it is the last of one.
func (s *sealer) add(chunk []byte, last bool) error {
	s.sealed = s.aead.Seal(s.sealed[:0], nonce(s.chunks, last), chunk, nil)
	if _, err := s.blob.Write(s.sealed); err != nil {
		return err
	}
	sum := hashChunk(s.sealed)
	s.page = append(s.page, sum[:]...)
	s.chunks++
	if !last && s.chunks%pageChunks != 0 {
		return nil
	}
	if _, err := s.blob.Write(s.page); err != nil {
		return err
	}
	sum = hashPage(s.page)
	s.root, s.page = append(s.root, sum[:]...), s.page[:0]
	return nil
}

// padder yields content and then zeros.
type padder struct {
	content io.Reader
	size    int64 // of the content so far
	ended   bool
	zeros   int64 // that are left
}

func (p *padder) Read(b []byte) (int, error) {
	if !p.ended {
		n, err := p.content.Read(b)
		p.size += int64(n)
		if p.size > MaxSize || padded(p.size) > MaxSize {
			return 0, ErrTooLarge
		}
		if err != io.EOF {
			return n, err
		}
		p.ended, p.zeros = true, padded(p.size)-p.size
		return n, nil
	}
	if p.zeros == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), p.zeros))
	clear(b[:n])
	p.zeros -= int64(n)
	return n, nil
}
