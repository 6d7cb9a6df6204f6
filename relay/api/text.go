package api

import (
	"encoding/hex"
	"fmt"
	"slices"
)

// Names and keys of requests have a text in lower-case hexadecimal digits, kinds and reasons have a word. There is one text for
// each value, and reading any other returns ErrMalformed.

// MarshalText implements encoding.TextMarshaler.
func (d DeviceID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *DeviceID) UnmarshalText(text []byte) error { return parseHex(d[:], text) }

// IsZero reports whether it names no device.
func (d DeviceID) IsZero() bool { return d == DeviceID{} }

// MarshalText implements encoding.TextMarshaler.
func (c ConversationID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, c[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *ConversationID) UnmarshalText(text []byte) error { return parseHex(c[:], text) }

// MarshalText implements encoding.TextMarshaler.
func (r RequestID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, r[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *RequestID) UnmarshalText(text []byte) error { return parseHex(r[:], text) }

// MarshalText implements encoding.TextMarshaler.
func (k RequestKey) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *RequestKey) UnmarshalText(text []byte) error { return parseHex(k[:], text) }

// MarshalText implements encoding.TextMarshaler.
func (a BlobAddress) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, a[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *BlobAddress) UnmarshalText(text []byte) error { return parseHex(a[:], text) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error { return parseHex(h[:], text) }

func parseHex(dst, text []byte) error {
	if len(text) == hex.EncodedLen(len(dst)) {
		if _, err := hex.Decode(dst, text); err == nil && hex.EncodeToString(dst) == string(text) {
			return nil
		}
	}
	return fmt.Errorf("%w: %d lower-case hexadecimal digits are expected", ErrMalformed, hex.EncodedLen(len(dst)))
}

// The words, in the order of the numbers from 1 on.
var (
	kindWords    = []string{"direct", "group"}
	messageWords = []string{"frame", "session-began", "member-removed", "member-leaves", "key-requested", "key-answered", "key-expired"}
	reasonWords  = []string{"expired", "full"}
	changeWords  = []string{"added", "renewed", "revoked"}
)

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) { return word(kindWords, k) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Kind) UnmarshalText(text []byte) error { return parseWord(kindWords, k, text) }

// MarshalText implements encoding.TextMarshaler.
func (k MessageKind) MarshalText() ([]byte, error) { return word(messageWords, k) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *MessageKind) UnmarshalText(text []byte) error { return parseWord(messageWords, k, text) }

// MarshalText implements encoding.TextMarshaler.
func (r Reason) MarshalText() ([]byte, error) { return word(reasonWords, r) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Reason) UnmarshalText(text []byte) error { return parseWord(reasonWords, r, text) }

// MarshalText implements encoding.TextMarshaler.
func (c ChangeKind) MarshalText() ([]byte, error) { return word(changeWords, c) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *ChangeKind) UnmarshalText(text []byte) error { return parseWord(changeWords, c, text) }

func word[N ~uint8](words []string, n N) ([]byte, error) {
	if n == 0 || int(n) > len(words) {
		return nil, fmt.Errorf("%w: there is no kind %d", ErrMalformed, n)
	}
	return []byte(words[n-1]), nil
}

func parseWord[N ~uint8](words []string, n *N, text []byte) error {
	i := slices.Index(words, string(text))
	if i < 0 {
		return fmt.Errorf("%w: one of %v is expected", ErrMalformed, words)
	}
	*n = N(i + 1)
	return nil
}
