package suite

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// KEM is a key encapsulation mechanism by its number in the HPKE registry, which is part of the format. A space has one,
// fixed in its policy.
type KEM uint16

// The KEMs. MLKEM768X25519 is the default and stays closed to quantum computers (public key 1,216 bytes, box 1,136 more
// than its content). X25519 (RFC 9180; 32 and 48 bytes) is for very large spaces in which the size of rekeys counts.
const (
	MLKEM768X25519 KEM = 0x647a
	X25519         KEM = 0x0020
)

// Sizes over both KEMs.
const (
	MaxKEMKey     = 1216
	KEMSecretSize = 32
	MaxOverhead   = 1120 + 16
)

// Valid reports whether the KEM is one of the protocol.
func (k KEM) Valid() bool { return k == MLKEM768X25519 || k == X25519 }

// hpke returns the KEM and the length of its public keys, nil and 0 if it is none of this protocol.
func (k KEM) hpke() (hpke.KEM, int) {
	switch k {
	case MLKEM768X25519:
		return hpke.MLKEM768X25519(), 1216
	case X25519:
		return hpke.DHKEM(ecdh.X25519()), 32
	}
	return nil, 0
}

// Overhead returns how much longer a box is than its content.
func (k KEM) Overhead() int {
	if k == X25519 {
		return 32 + 16
	}
	return MaxOverhead
}

// KEMOf returns the KEM whose public keys have n bytes, 0 if none has. The lengths differ.
func KEMOf(n int) KEM {
	for _, k := range []KEM{MLKEM768X25519, X25519} {
		if _, size := k.hpke(); size == n {
			return k
		}
	}
	return 0
}

// KEMKey is a public key to which boxes are sealed. The zero KEMKey is none.
type KEMKey struct {
	kem    KEM
	raw    []byte
	public hpke.PublicKey
}

// ParseKEMKey reads a public key from outside and tries it: a hybrid key may parse and still be unusable, and whoever
// finds that out only at the next rekey has a member that cannot be boxed to.
func ParseKEMKey(b []byte) (KEMKey, error) {
	k, err := loadKEMKey(b)
	if err != nil {
		return KEMKey{}, err
	}
	if _, err := hpke.Seal(k.public, hpke.HKDFSHA512(), hpke.AES256GCM(), nil, nil); err != nil {
		return KEMKey{}, fmt.Errorf("%w: unusable public key", ErrInvalid)
	}
	return k, nil
}

// loadKEMKey reads a public key that ParseKEMKey accepted before.
func loadKEMKey(b []byte) (KEMKey, error) {
	kem := KEMOf(len(b))
	if kem == 0 {
		return KEMKey{}, fmt.Errorf("%w: length of a public key", wire.ErrMalformed)
	}
	impl, _ := kem.hpke()
	public, err := impl.NewPublicKey(b)
	if err != nil || !bytes.Equal(public.Bytes(), b) {
		return KEMKey{}, fmt.Errorf("%w: public key", wire.ErrMalformed)
	}
	return KEMKey{kem, bytes.Clone(b), public}, nil
}

// LoadKEMKey reads a public key by its length alone. Whether something can be boxed to it shows in Try, or when something is.
func LoadKEMKey(b []byte) (KEMKey, error) {
	kem := KEMOf(len(b))
	if kem == 0 {
		return KEMKey{}, fmt.Errorf("%w: length of a public key", wire.ErrMalformed)
	}
	return KEMKey{kem: kem, raw: bytes.Clone(b)}, nil
}

// Try returns nil if something can be boxed to the key (§2), and an error of ParseKEMKey if not.
func (k KEMKey) Try() error {
	_, err := ParseKEMKey(k.raw)
	return err
}

// KEM returns the mechanism that the key is of, 0 for the zero key.
func (k KEMKey) KEM() KEM { return k.kem }

// IsZero reports whether there is no key.
func (k KEMKey) IsZero() bool { return k.kem == 0 }

// Bytes returns the encoding, which the caller does not change.
func (k KEMKey) Bytes() []byte { return k.raw }

// Equal reports whether two keys are one.
func (k KEMKey) Equal(o KEMKey) bool { return bytes.Equal(k.raw, o.raw) }

// Digest returns H(key).
func (k KEMKey) Digest() Digest { return Hash(k.raw) }

// KEMSecret is a private key that opens boxes. The zero KEMSecret is none.
type KEMSecret struct {
	Public  KEMKey
	Seed    secret.Bytes
	private secret.Box[hpke.PrivateKey]
}

// NewKEMSecret draws a key: of both KEMs any 32 random bytes are one.
func NewKEMSecret(kem KEM) KEMSecret {
	k, err := ParseKEMSecret(kem, secret.Random(KEMSecretSize))
	if err != nil {
		panic("ratchet: " + err.Error())
	}
	return k
}

// ParseKEMSecret returns the key of a seed of 32 bytes.
func ParseKEMSecret(kem KEM, seed secret.Bytes) (KEMSecret, error) {
	impl, _ := kem.hpke()
	if impl == nil || seed.Len() != KEMSecretSize {
		return KEMSecret{}, fmt.Errorf("%w: length of a private key", wire.ErrMalformed)
	}
	private, err := impl.NewPrivateKey(seed.Expose())
	if err != nil {
		return KEMSecret{}, fmt.Errorf("%w: private key", wire.ErrMalformed)
	}
	public := private.PublicKey()
	return KEMSecret{KEMKey{kem, public.Bytes(), public}, seed, secret.Hide(private)}, nil
}

// IsZero reports whether there is no key.
func (k KEMSecret) IsZero() bool { return k.Seed.IsZero() }

// hpkeInfo binds a box to its purpose, space and recipient, which is an index, or 0 where whoever opens it does not know
// the index yet.
func hpkeInfo(label string, space state.ID, recipient uint32) []byte {
	b := make([]byte, 0, len(protocol)+len(label)+1+len(space)+4)
	b = append(b, protocol...)
	b = append(b, label...)
	b = append(b, 0)
	b = append(b, space[:]...)
	return append(b, U32(recipient)...)
}

// Seal boxes plain (§2).
func (k KEMKey) Seal(label string, space state.ID, recipient uint32, plain []byte) ([]byte, error) {
	if k.IsZero() {
		return nil, fmt.Errorf("%w: no key to box to", ErrInvalid)
	}
	if k.public == nil {
		loaded, err := loadKEMKey(k.raw)
		if err != nil {
			return nil, fmt.Errorf("%w: key cannot be boxed to", ErrInvalid)
		}
		k = loaded
	}
	out, err := hpke.Seal(k.public, hpke.HKDFSHA512(), hpke.AES256GCM(), hpkeInfo(label, space, recipient), plain)
	if err != nil {
		return nil, fmt.Errorf("%w: key cannot be boxed to", ErrInvalid)
	}
	return out, nil
}

// Open opens a box, or returns ErrNotOpened.
func (k KEMSecret) Open(label string, space state.ID, recipient uint32, box []byte) (secret.Bytes, error) {
	if k.IsZero() {
		return secret.Bytes{}, ErrNotOpened
	}
	out, err := hpke.Open(k.private.Expose(), hpke.HKDFSHA512(), hpke.AES256GCM(), hpkeInfo(label, space, recipient), box)
	if err != nil {
		return secret.Bytes{}, ErrNotOpened
	}
	return secret.Own(out), nil
}
