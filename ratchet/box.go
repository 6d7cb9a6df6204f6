package ratchet

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
	maxBoxKey      = 1216
	boxSecretSize  = 32
	maxBoxOverhead = 1120 + 16
)

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

// overhead returns how much longer a box is than its content.
func (k KEM) overhead() int {
	if k == X25519 {
		return 32 + 16
	}
	return maxBoxOverhead
}

// kemOf returns the KEM whose public keys have n bytes, 0 if none has. The lengths differ.
func kemOf(n int) KEM {
	for _, k := range []KEM{MLKEM768X25519, X25519} {
		if _, size := k.hpke(); size == n {
			return k
		}
	}
	return 0
}

// boxKey is a public key to which boxes are sealed. The zero boxKey is none.
type boxKey struct {
	kem    KEM
	raw    []byte
	public hpke.PublicKey
}

// parseBoxKey reads a public key from outside and tries it: a hybrid key may parse and still be unusable, and whoever
// finds that out only at the next rekey has a member that cannot be boxed to.
func parseBoxKey(b []byte) (boxKey, error) {
	k, err := storedBoxKey(b)
	if err != nil {
		return boxKey{}, err
	}
	if _, err := hpke.Seal(k.public, hpke.HKDFSHA512(), hpke.AES256GCM(), nil, nil); err != nil {
		return boxKey{}, fmt.Errorf("%w: unusable public key", errInvalid)
	}
	return k, nil
}

// storedBoxKey reads a public key that parseBoxKey accepted before.
func storedBoxKey(b []byte) (boxKey, error) {
	kem := kemOf(len(b))
	if kem == 0 {
		return boxKey{}, fmt.Errorf("%w: length of a public key", wire.ErrMalformed)
	}
	impl, _ := kem.hpke()
	public, err := impl.NewPublicKey(b)
	if err != nil || !bytes.Equal(public.Bytes(), b) {
		return boxKey{}, fmt.Errorf("%w: public key", wire.ErrMalformed)
	}
	return boxKey{kem, bytes.Clone(b), public}, nil
}

func (k boxKey) isZero() bool        { return k.kem == 0 }
func (k boxKey) bytes() []byte       { return k.raw }
func (k boxKey) equal(o boxKey) bool { return bytes.Equal(k.raw, o.raw) }
func (k boxKey) digest() digest      { return hash(k.raw) }

// boxSecret is a private key that opens boxes. The zero boxSecret is none.
type boxSecret struct {
	public  boxKey
	seed    secret.Bytes
	private secret.Box[hpke.PrivateKey]
}

// newBoxSecret draws a key: of both KEMs any 32 random bytes are one.
func newBoxSecret(kem KEM) boxSecret {
	k, err := parseBoxSecret(kem, secret.Random(boxSecretSize))
	if err != nil {
		panic("ratchet: " + err.Error())
	}
	return k
}

// parseBoxSecret returns the key of a seed of 32 bytes.
func parseBoxSecret(kem KEM, seed secret.Bytes) (boxSecret, error) {
	impl, _ := kem.hpke()
	if impl == nil || seed.Len() != boxSecretSize {
		return boxSecret{}, fmt.Errorf("%w: length of a private key", wire.ErrMalformed)
	}
	private, err := impl.NewPrivateKey(seed.Expose())
	if err != nil {
		return boxSecret{}, fmt.Errorf("%w: private key", wire.ErrMalformed)
	}
	public := private.PublicKey()
	return boxSecret{boxKey{kem, public.Bytes(), public}, seed, secret.Hide(private)}, nil
}

func (k boxSecret) isZero() bool { return k.seed.IsZero() }

// boxInfo binds a box to its purpose, space and recipient, which is an index, or 0 where whoever opens it does not know
// the index yet.
func boxInfo(label string, space state.ID, recipient uint32) []byte {
	b := make([]byte, 0, len(protocol)+len(label)+1+len(space)+4)
	b = append(b, protocol...)
	b = append(b, label...)
	b = append(b, 0)
	b = append(b, space[:]...)
	return append(b, u32(recipient)...)
}

// seal boxes plain (§2).
func (k boxKey) seal(label string, space state.ID, recipient uint32, plain []byte) ([]byte, error) {
	if k.isZero() {
		return nil, fmt.Errorf("%w: no key to box to", errInvalid)
	}
	out, err := hpke.Seal(k.public, hpke.HKDFSHA512(), hpke.AES256GCM(), boxInfo(label, space, recipient), plain)
	if err != nil {
		return nil, fmt.Errorf("%w: key cannot be boxed to", errInvalid)
	}
	return out, nil
}

// open opens a box, or returns errNotOpened.
func (k boxSecret) open(label string, space state.ID, recipient uint32, box []byte) (secret.Bytes, error) {
	if k.isZero() {
		return secret.Bytes{}, errNotOpened
	}
	out, err := hpke.Open(k.private.Expose(), hpke.HKDFSHA512(), hpke.AES256GCM(), boxInfo(label, space, recipient), box)
	if err != nil {
		return secret.Bytes{}, errNotOpened
	}
	return secret.Own(out), nil
}
