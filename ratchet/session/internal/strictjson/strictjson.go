// Package strictjson reads and writes the JSON of the deployed client: one value, of bounded length, with the fields that are
// expected.
package strictjson

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// MaxSize bounds the JSON that is read, in bytes: a ratchet with 2,000 skipped keys takes 300 KiB, and one of a client that
// has erased none of its used keys many times that.
const MaxSize = 8 << 20

// Strictness says what happens to fields that are unknown.
type Strictness bool

const (
	Exact   Strictness = true  // refused: the format is fixed
	Lenient Strictness = false // ignored: applications add to it
)

// Read decodes exactly one JSON value.
func Read(b []byte, out any, s Strictness) error {
	if len(b) > MaxSize {
		return fmt.Errorf("%w: JSON is too long", key.ErrMalformed)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if s == Exact {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(out); err != nil {
		// The decoder's own error may quote the input, which may hold a key.
		return fmt.Errorf("%w: JSON", key.ErrMalformed)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: more than one JSON value", key.ErrMalformed)
	}
	return nil
}

// Write encodes a value that always can be.
func Write(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("strictjson: " + err.Error())
	}
	return b
}

// Base64 is bytes in base64 with padding; nil is a field that is not there.
type Base64 []byte

func (b Base64) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(make([]byte, 0, base64.StdEncoding.EncodedLen(len(b))), b), nil
}

func (b *Base64) UnmarshalText(text []byte) (err error) {
	if bytes.ContainsAny(text, "\r\n") { // which the package ignores
		return key.ErrMalformed
	}
	out := make([]byte, 0, base64.StdEncoding.DecodedLen(len(text)))
	*b, err = base64.StdEncoding.Strict().AppendDecode(out, text)
	return err
}

// Hex is bytes in hexadecimal digits of either case; it is written in lower case.
type Hex []byte

func (b Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

func (b *Hex) UnmarshalText(text []byte) (err error) {
	*b, err = hex.AppendDecode(make([]byte, 0, len(text)/2), text)
	return err
}

// Box is the JSON of a sealed box, and of either half of a ratchet's message.
type Box struct {
	Ciphertext Base64 `json:"ciphertext"`
	Nonce      Base64 `json:"initialization_vector"`
	Associated Base64 `json:"associated_data"`
}
