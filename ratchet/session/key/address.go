package key

import (
	"bytes"
	"crypto/sha256"
	"fmt"
)

// Address names a person or a mailbox: it is the SHA-256 digest of an Ed448 public key. It is public and comparable. Its text
// is base58btc of the multihash: 46 characters that begin with Qm.
type Address [sha256.Size]byte

// A multihash begins with the number of the hash function and the length of the digest.
const (
	multihashSHA256 = 0x12
	multihashSize   = 2 + sha256.Size
)

// ParseAddress reads what String returns, or returns ErrMalformed.
func ParseAddress(s string) (Address, error) {
	var b [multihashSize]byte
	if err := decodeBase58(b[:], s); err != nil {
		return Address{}, err
	}
	if b[0] != multihashSHA256 || b[1] != sha256.Size {
		return Address{}, fmt.Errorf("%w: not the multihash of a SHA-256 digest", ErrMalformed)
	}
	return Address(b[2:]), nil
}

// String returns the address in base58.
func (a Address) String() string { return encodeBase58(a.Multihash()) }

// IsZero reports whether the address names nobody.
func (a Address) IsZero() bool { return a == Address{} }

// Multihash returns the 34 bytes that String writes in base58: 0x12, 0x20 and the digest. A registration's signature covers
// them.
func (a Address) Multihash() []byte {
	return append([]byte{multihashSHA256, sha256.Size}, a[:]...)
}

// base58 is the alphabet of base58btc: digits and letters without 0, O, I and l.
const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// encodeBase58 writes b as a number to the base 58, with a 1 for each leading zero byte.
func encodeBase58(b []byte) string {
	var digits []byte // least significant first
	for _, v := range b {
		carry := int(v)
		for i, d := range digits {
			carry += int(d) << 8
			digits[i] = byte(carry % 58)
			carry /= 58
		}
		for ; carry > 0; carry /= 58 {
			digits = append(digits, byte(carry%58))
		}
	}
	for i := 0; i < len(b) && b[i] == 0; i++ {
		digits = append(digits, 0)
	}
	out := make([]byte, len(digits))
	for i, d := range digits {
		out[len(out)-1-i] = base58[d]
	}
	return string(out)
}

// decodeBase58 reads the one string that encodeBase58 writes for len(dst) bytes.
func decodeBase58(dst []byte, s string) error {
	if len(s) > 2*len(dst) {
		return fmt.Errorf("%w: base58 is too long", ErrMalformed)
	}
	clear(dst)
	for _, c := range []byte(s) {
		carry := bytes.IndexByte([]byte(base58), c)
		if carry < 0 {
			return fmt.Errorf("%w: not base58", ErrMalformed)
		}
		for i := len(dst) - 1; i >= 0; i-- {
			carry += int(dst[i]) * 58
			dst[i] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return fmt.Errorf("%w: base58 is too long", ErrMalformed)
		}
	}
	// Writing the result again finds what is too short or has other leading zeros.
	if encodeBase58(dst) != s {
		return fmt.Errorf("%w: base58 of another length", ErrMalformed)
	}
	return nil
}
