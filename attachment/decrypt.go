package attachment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Decrypt reads a blob in order and writes its content. Whether the blob is the one of r is known at its end: until Decrypt
// returned nil what it wrote must not be used, as with any download. What follows the blob is not read. Its errors are
// ErrAltered, ErrIncomplete if the blob ends too early, and those of content and blob.
func (r Ref) Decrypt(content io.Writer, blob io.Reader) error {
	if r.key.IsZero() {
		return fmt.Errorf("%w: the zero reference", ErrMalformed)
	}
	l, aead := layoutOf(r.size), cipherOf(r.key.Expose())
	var page, root []byte
	buffer, plain := make([]byte, chunkSize+tagSize), make([]byte, 0, chunkSize)
	for i := range l.chunks {
		_, size := l.chunk(i)
		sealed := buffer[:size]
		if err := readFull(blob, sealed); err != nil {
			return err
		}
		last := i == l.chunks-1
		plain, err := aead.Open(plain[:0], nonce(i, last), sealed, nil)
		if err != nil {
			return fmt.Errorf("%w: chunk %d", ErrAltered, i)
		}
		if rest := r.size - i*chunkSize; rest > 0 {
			if _, err := content.Write(plain[:min(int64(len(plain)), rest)]); err != nil {
				return err
			}
		}
		sum := hashChunk(sealed)
		page = append(page, sum[:]...)
		if last || (i+1)%pageChunks == 0 {
			if err := expect(blob, buffer, page); err != nil {
				return err
			}
			sum = hashPage(page)
			root, page = append(root, sum[:]...), page[:0]
		}
	}
	if err := expect(blob, buffer, root); err != nil {
		return err
	}
	if digestOf(r.size, root) != r.digest {
		return fmt.Errorf("%w: it has another digest", ErrAltered)
	}
	return nil
}

// expect reads the hashes that were computed.
func expect(blob io.Reader, buffer, hashes []byte) error {
	read := buffer[:len(hashes)]
	if err := readFull(blob, read); err != nil {
		return err
	}
	if !bytes.Equal(read, hashes) {
		return fmt.Errorf("%w: its hashes are others", ErrAltered)
	}
	return nil
}

func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrIncomplete
	}
	return err
}
