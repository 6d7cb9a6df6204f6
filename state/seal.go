package state

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// keyIDSize is the size of the name by which a record knows its key.
const keyIDSize = 8

// incarnationSize is the size of the random value that tells a row from every other row there was or will be. It is also
// the key of the row's sets and lanes.
const incarnationSize = 32

// Labels and numbers below are part of the stored format.
const (
	labelSeal  = "trefoil state seal"
	labelKeyID = "trefoil state key id"

	// sealFormat is the version of everything a vault stores: the layout of records, heads and queue items. Parts have
	// versions of their own.
	sealFormat = 1
)

// role separates what is sealed under one key.
type role uint8

const (
	roleHead   role = 1
	roleRecord role = 2 // a part or segment
	roleOutbox role = 3
	roleInbox  role = 4
	roleFrame  role = 5
	roleKeys   role = 6
)

// sealKey is a key under which records are sealed.
type sealKey struct {
	raw  secret.Bytes
	aead secret.Box[cipher.AEAD]
	id   keyID
}

type keyID [keyIDSize]byte

// newSealKey returns the sealKey that 32 secret bytes stand for.
func newSealKey(b []byte) sealKey {
	derive := func(label string, n int) []byte {
		out, err := hkdf.Expand(sha256.New, b, label, n)
		if err != nil {
			panic(err) // only for lengths over 8,160 bytes
		}
		return out
	}
	aead, err := chacha20poly1305.NewX(derive(labelSeal, chacha20poly1305.KeySize))
	if err != nil {
		panic(err) // only for other key sizes
	}
	return sealKey{secret.New(b), secret.Hide(aead), keyID(derive(labelKeyID, keyIDSize))}
}

// slot seals and opens what belongs to one row.
type slot struct {
	ring        *ring
	kind        store.Kind
	id          ID
	incarnation [incarnationSize]byte // zero for the head, from which it is read
}

// headerSize is the size of what a sealed record begins with: format, name of the key, nonce.
const headerSize = 2 + keyIDSize + chacha20poly1305.NonceSizeX

// seal encrypts plain with XChaCha20-Poly1305 under a random nonce, bound to the row, its incarnation, the role, a name and
// a number: the version of a record, the sequence number of an item.
func (s slot) seal(r role, name string, number uint64, plain []byte) []byte {
	key := s.ring.current()
	out := make([]byte, headerSize, sealedSize(len(plain)))
	out[1] = sealFormat
	copy(out[2:], key.id[:])
	nonce := out[2+keyIDSize:]
	rand.Read(nonce)
	return key.aead.Expose().Seal(out, nonce, plain, s.binding(r, name, number))
}

// sealedSize returns the length of what seal returns for a text of n bytes.
func sealedSize(n int) int { return headerSize + n + chacha20poly1305.Overhead }

// keyOf returns the name of the key under which something was sealed.
func keyOf(sealed []byte) (id keyID) {
	if len(sealed) >= headerSize {
		copy(id[:], sealed[2:])
	}
	return id
}

// open decrypts what seal returned for the same row, role, name and number.
func (s slot) open(r role, name string, number uint64, sealed []byte) ([]byte, error) {
	in := wire.NewReader(sealed)
	in.Version16(sealFormat, sealFormat)
	var id keyID
	in.Into(id[:])
	nonce := in.Fixed(chacha20poly1305.NonceSizeX)
	if in.Err() != nil {
		return nil, corrupt(name, in.Err())
	}
	key, found := s.ring.find(id)
	if !found {
		return nil, ErrWrongKey
	}
	plain, err := key.aead.Expose().Open(nil, nonce, sealed[headerSize:], s.binding(r, name, number))
	if err != nil {
		return nil, fmt.Errorf("%w: %s does not authenticate", ErrCorrupt, name)
	}
	return plain, nil
}

// binding is the associated data of a record.
func (s slot) binding(r role, name string, number uint64) []byte {
	w := wire.NewWriter(96 + len(name))
	w.U16(sealFormat)
	w.U8(uint8(s.kind))
	w.Fixed(s.id[:])
	w.U8(uint8(r))
	w.Fixed(s.incarnation[:])
	w.U64(number)
	w.Fixed([]byte(name))
	return w.Bytes()
}
