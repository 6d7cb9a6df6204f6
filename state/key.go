package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state/vaultkey"
)

// Key is where the key of a vault comes from: 32 bytes (NewKey), or a provider. It shows nothing when printed.
type Key struct {
	// From finds the key: a passphrase, the key store of the platform, a key management service. See package vaultkey.
	From vaultkey.Provider
}

// NewKey returns the Key that 32 secret bytes stand for. They must come from a cryptographic random generator or a
// platform's key store; all copies of a vault's key are equivalent.
func NewKey(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("state: a key has %d bytes", KeySize)
	}
	return Key{fixedKey{secret.New(b)}}, nil
}

// Format implements fmt.Formatter for every verb: a provider is not ours to show.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[vault key]") }

// fixedKey is the provider of one key, without a hint.
type fixedKey struct{ key secret.Bytes }

func (k fixedKey) NewKey(context.Context) (key, hint []byte, err error) {
	return k.key.Expose(), nil, nil
}

func (k fixedKey) FindKey(context.Context, []byte) ([]byte, error) { return k.key.Expose(), nil }

// fresh returns a key that was not in use, and its hint.
func (k Key) fresh(ctx context.Context) (sealKey, []byte, error) {
	key, hint, err := k.From.NewKey(ctx)
	if err == nil && (len(key) != KeySize || len(hint) > vaultkey.MaxHint) {
		err = fmt.Errorf("a key of %d bytes with a hint of %d", len(key), len(hint))
	}
	if err != nil {
		return sealKey{}, nil, fmt.Errorf("state: a new key: %w", err)
	}
	return newSealKey(key), hint, nil
}

// find returns the key of a hint.
func (k Key) find(ctx context.Context, hint []byte) (sealKey, error) {
	key, err := k.From.FindKey(ctx, hint)
	if err == nil && len(key) != KeySize {
		err = errors.New("a key of another size")
	}
	if err != nil {
		return sealKey{}, fmt.Errorf("state: the key: %w", err)
	}
	return newSealKey(key), nil
}
