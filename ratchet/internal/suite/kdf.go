package suite

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha512"
	"errors"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// Expand is HKDF-Expand under a label of the protocol (§2). It returns n bytes.
func Expand(key secret.Bytes, label string, ctx []byte, n int) secret.Bytes {
	out, err := hkdf.Expand(sha512.New, key.Expose(), protocol+label+"\x00"+string(ctx), n)
	if err != nil {
		panic("ratchet: " + err.Error()) // n is a constant far below the limit
	}
	return secret.Own(out)
}

// Extract is HKDF-Extract. It returns 64 bytes.
func Extract(salt, ikm secret.Bytes) secret.Bytes {
	out, err := hkdf.Extract(sha512.New, ikm.Expose(), salt.Expose())
	if err != nil {
		panic("ratchet: " + err.Error()) // only of hashes that FIPS mode refuses
	}
	return secret.Own(out)
}

// MAC is HMAC-SHA-512.
func MAC(key []byte, parts ...string) (d Digest) {
	h := hmac.New(sha512.New, key)
	for _, p := range parts {
		h.Write([]byte(p))
	}
	h.Sum(d[:0])
	return d
}

// StepChain advances a sender chain by one message (§7).
func StepChain(chain secret.Bytes) (next, message secret.Bytes) {
	d := MAC(chain.Expose(), macStep)
	return secret.New(d[:KeySize]), secret.New(d[KeySize:])
}

// KeySize is the length of symmetric keys, of the nodes of trees and of ids.
const KeySize = 32

// MaxExport is the greatest number of bytes that Export returns: what HKDF-Expand-SHA-512 gives, 255 blocks of 64 bytes.
const MaxExport = 16_320

// ErrExport: a label longer than 255 bytes, or a length that is not from 1 to MaxExport.
var ErrExport = errors.New("ratchet: no such export")

// Export returns n bytes that an epoch's exporter secret gives for a label and a context (§5), or ErrExport.
func Export(exporter secret.Bytes, label string, context []byte, n int) (secret.Bytes, error) {
	if len(label) > 255 || n < 1 || n > MaxExport {
		return secret.Bytes{}, ErrExport
	}
	ctx := append([]byte{byte(len(label))}, label...)
	return Expand(exporter, expandExport, append(ctx, context...), n), nil
}
