package attachment

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"

	"github.com/trefoil-im/trefoil/internal/secret"
)

const benchSize = 16 << 20

// BenchmarkFloor is what a file costs at least: AES-256-GCM and SHA-256 of its chunks.
func BenchmarkFloor(b *testing.B) {
	chunk, aead := content(chunkSize), cipherOf(secret.Random(keySize).Expose())
	sealed := make([]byte, 0, chunkSize+tagSize)
	b.SetBytes(benchSize)
	for b.Loop() {
		for i := range int64(benchSize / chunkSize) {
			sealed = aead.Seal(sealed[:0], nonce(i, false), chunk, nil)
			sha256.Sum256(sealed)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	plain := content(benchSize)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Seal(io.Discard, bytes.NewReader(plain)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt(b *testing.B) {
	ref, blob := sealed(b, content(benchSize))
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		if err := ref.Decrypt(io.Discard, bytes.NewReader(blob)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadAt reads one byte of another chunk each time.
func BenchmarkReadAt(b *testing.B) {
	ref, blob := sealed(b, content(benchSize))
	r, err := ref.Open(bytes.NewReader(blob))
	if err != nil {
		b.Fatal(err)
	}
	one, at := make([]byte, 1), int64(0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.ReadAt(one, at); err != nil {
			b.Fatal(err)
		}
		at = (at + 37*chunkSize) % benchSize
	}
}
