package key

import (
	"encoding/hex"
	"fmt"
)

// MarshalText returns what String returns. It does not fail.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText returns, or returns ErrMalformed.
func (a *Address) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAddress(string(text))
	return err
}

// MarshalText returns the key as 114 hexadecimal digits. It does not fail.
func (k VerifyKey) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k.encoding[:]), nil }

// UnmarshalText reads what MarshalText returns, or returns ErrMalformed.
func (k *VerifyKey) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || hex.EncodeToString(b) != string(text) {
		return fmt.Errorf("%w: hexadecimal digits of a key", ErrMalformed)
	}
	*k, err = ParseVerifyKey(b)
	return err
}
