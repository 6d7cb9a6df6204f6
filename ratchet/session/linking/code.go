package linking

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
	"unicode"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
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
	return l.code.text()
}

// code is what both devices know before they hear of each other.
type code struct {
	secret     [sha256.Size]byte
	commitment [sha256.Size]byte // to the hello of the first device
}

// newCode draws a code that is a commitment to what the first device says of itself.
func newCode(hello []byte) (c code) {
	rand.Read(c.secret[:])
	c.commitment = [sha256.Size]byte(hash("commitment", hello))
	return c
}

// text returns the code as it is shown.
func (c code) text() string {
	w := wire.NewWriter(codeSize)
	w.U8(codeVersion)
	w.Fixed(c.secret[:])
	w.Fixed(c.commitment[:])
	w.Fixed(checksum(w.Bytes()))
	return codeText.EncodeToString(w.Bytes())
}

// parseCode reads a code in any case of letters, with white space in it. It returns ErrCode, state.ErrTooNew or state.ErrTooOld.
func parseCode(text string) (c code, err error) {
	if len(text) > 8*codeSize {
		return code{}, ErrCode
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '-' {
			return -1
		}
		return unicode.ToUpper(r)
	}, text)
	b, err := codeText.DecodeString(text)
	if err != nil || len(b) != codeSize || codeText.EncodeToString(b) != text || string(checksum(b[:codeSize-codeChecksum])) != string(b[codeSize-codeChecksum:]) {
		return code{}, ErrCode
	}
	r := wire.NewReader(b[:codeSize-codeChecksum])
	r.Version8(codeVersion, codeVersion)
	r.Into(c.secret[:])
	r.Into(c.commitment[:])
	return c, r.Done()
}

// place names where both devices post and read.
func (c code) place() state.ID { return state.ID(hash("place", c.secret[:])) }

// fits reports whether the code is a commitment to what a device says of itself.
func (c code) fits(hello []byte) bool { return bytes.Equal(hash("commitment", hello), c.commitment[:]) }

// transcript binds what the devices said of themselves.
func (c code) transcript(further, first []byte) []byte {
	return hash("transcript", c.secret[:], c.commitment[:], further, first)
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
