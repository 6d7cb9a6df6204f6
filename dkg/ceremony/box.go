package ceremony

import (
	"crypto/ecdh"
	"crypto/hpke"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// Sizes in bytes.
const (
	boxKeySize = 32
	boxSize    = boxKeySize + ed448.ScalarSize + 16
)

func kem() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

// boxKey returns the private key with which a receiver opens what a dealer boxes to it. There is one for each dealer, so that
// showing it shows one box.
func boxKey(seed secret.Bytes, dealer threshold.Index) hpke.PrivateKey {
	ikm := hash(labelBoxKey, seed.Expose(), []byte{uint8(dealer)})
	k, err := kem().DeriveKeyPair(ikm[:])
	if err != nil {
		panic("ceremony: " + err.Error()) // X25519 takes any 32 bytes
	}
	return k
}

func boxInfo(s Setup, round Round, from, to threshold.Index) []byte {
	return slices.Concat([]byte(protocol+labelBox), s.id[:], []byte{uint8(round), uint8(from), uint8(to)})
}

// seal boxes a scalar. It fails if nothing can be boxed to the key.
func seal(s Setup, round Round, from, to threshold.Index, key []byte, value ed448.Scalar) ([]byte, error) {
	public, err := kem().NewPublicKey(key)
	if err != nil {
		return nil, err
	}
	return hpke.Seal(public, hpke.HKDFSHA512(), hpke.AES256GCM(), boxInfo(s, round, from, to), value.Bytes())
}

// open opens a box.
func open(s Setup, round Round, from, to threshold.Index, key hpke.PrivateKey, box []byte) (ed448.Scalar, error) {
	plain, err := hpke.Open(key, hpke.HKDFSHA512(), hpke.AES256GCM(), boxInfo(s, round, from, to), box)
	if err != nil {
		return ed448.Scalar{}, fmt.Errorf("%w: box not opened", ErrEvidence)
	}
	return ed448.ParseScalar(plain)
}

// usable reports whether something can be boxed to a key: X25519 refuses those of small order.
func usable(s Setup, key []byte) bool {
	_, err := seal(s, Deal, 0, 0, key, ed448.Scalar{})
	return err == nil
}
