package linking

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
	"unicode"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// ErrCode: no code of a linking, or one that was cut or altered.
var ErrCode = errors.New("linking: no code, or an altered one")

const (
	codeVersion  = 1
	codeChecksum = 4
	codeSize     = 1 + 2*sha256.Size + codeChecksum // 69 bytes, 111 characters
)

var codeText = base32.StdEncoding.WithPadding(base32.NoPadding)

// Code returns what the first device shows, as a QR code or to be typed: 111 letters and digits. Whoever has it can take the place of the
// further device, which shows in the digits. It is empty on the further device.
func (l Linking) Code() string {
	if !l.first {
		return ""
	}
	w := wire.NewWriter(codeSize)
	w.U8(codeVersion)
	w.Fixed(l.secret[:])
	w.Fixed(l.commitment[:])
	w.Fixed(checksum(w.Bytes()))
	return codeText.EncodeToString(w.Bytes())
}

// parseCode reads a code in any case of letters, with white space in it. It returns ErrCode, state.ErrTooNew or state.ErrTooOld.
func parseCode(text string) (secret, commitment [sha256.Size]byte, err error) {
	if len(text) > 8*codeSize {
		return secret, commitment, ErrCode
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '-' {
			return -1
		}
		return unicode.ToUpper(r)
	}, text)
	b, err := codeText.DecodeString(text)
	if err != nil || len(b) != codeSize || codeText.EncodeToString(b) != text || string(checksum(b[:codeSize-codeChecksum])) != string(b[codeSize-codeChecksum:]) {
		return secret, commitment, ErrCode
	}
	r := wire.NewReader(b[:codeSize-codeChecksum])
	r.Version8(codeVersion, codeVersion)
	r.Into(secret[:])
	r.Into(commitment[:])
	return secret, commitment, r.Done()
}

func checksum(b []byte) []byte { return hash("code", b)[:codeChecksum] }

// hash returns SHA-256 of a label and of values whose lengths are fixed or stand before them.
func hash(label string, parts ...[]byte) []byte {
	h := sha256.New()
	h.Write([]byte("trefoil linking " + label + "\x00"))
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// hello is what a device says of itself: keys that are for this linking alone.
type hello struct {
	kem     key.KEMPublicKey
	signing key.VerifyKey
	nonce   [sha256.Size]byte
	person  key.Address // of the first device; zero from the further one
}

const helloSize = 1 + key.KEMPublicKeySize + key.VerifyKeySize + sha256.Size + len(key.Address{})

func (h hello) encode(version uint8) []byte {
	w := wire.NewWriter(helloSize)
	w.U8(version)
	w.Fixed(h.kem.Bytes())
	w.Fixed(h.signing.Bytes())
	w.Fixed(h.nonce[:])
	w.Fixed(h.person[:])
	return w.Bytes()
}
