package session

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// What the deployed peer writes as JSON is read and written by the types of this file and of the files named after what
// they hold; nothing else in the package knows JSON.

// strictness says what happens to fields that are not known.
type strictness bool

const (
	exact   strictness = true  // refused: the format is fixed
	lenient strictness = false // ignored: applications add to it
)

// readJSON decodes exactly one JSON value.
func readJSON(b []byte, out any, s strictness) error {
	if len(b) > maxJSON {
		return fmt.Errorf("%w: JSON is too long", ErrMalformed)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if s == exact {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(out); err != nil {
		// The decoder's own text may quote the input, which may be a key.
		return fmt.Errorf("%w: JSON", ErrMalformed)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: more than one JSON value", ErrMalformed)
	}
	return nil
}

// writeJSON encodes a value that always can be.
func writeJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("session: " + err.Error())
	}
	return b
}

// jsonBase64 is bytes in base64 with padding; nil is a field that is not there.
type jsonBase64 []byte

func (b jsonBase64) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(make([]byte, 0, base64.StdEncoding.EncodedLen(len(b))), b), nil
}

func (b *jsonBase64) UnmarshalText(text []byte) (err error) {
	if bytes.ContainsAny(text, "\r\n") { // which the package ignores
		return ErrMalformed
	}
	out := make([]byte, 0, base64.StdEncoding.DecodedLen(len(text)))
	*b, err = base64.StdEncoding.Strict().AppendDecode(out, text)
	return err
}

// jsonHex is bytes in hexadecimal digits of either case; it is written in lower case.
type jsonHex []byte

func (b jsonHex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

func (b *jsonHex) UnmarshalText(text []byte) (err error) {
	*b, err = hex.AppendDecode(make([]byte, 0, len(text)/2), text)
	return err
}
