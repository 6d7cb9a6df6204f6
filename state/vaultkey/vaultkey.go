// Package vaultkey says where the key of a vault comes from: 32 bytes of the program's own, a passphrase, the key store of
// the platform, or a key management service.
//
// A vault seals everything under data keys that it draws itself, and seals those under the key that a [Provider] returns. It
// can be replaced without sealing anything else anew (Vault.Rekey of package state), and nothing that is stored says what it
// is.
package vaultkey

import "context"

// Size is the size of a vault's key in bytes.
const Size = 32

// MaxHint is the size of the longest hint in bytes: that of a wrapped key of the common services with room to spare.
const MaxHint = 1 << 10

// Provider makes and finds the key of a vault. A hint is stored beside the data keys, readable without any key, and says how
// the key is found again: the salt of a passphrase, the name of an entry in a key store, or the key itself as a service
// has wrapped it.
//
// A hint may have been altered by whoever can write to the store, so FindKey must refuse what it would not have made. A wrong
// key is found by the vault. Both may be called concurrently, and should heed the context.
type Provider interface {
	// NewKey returns a key of 32 bytes, and the hint by which FindKey returns the same, of at most 1,024 bytes. It is called
	// when a store is first opened, and for Vault.Rekey.
	NewKey(ctx context.Context) (key, hint []byte, err error)

	// FindKey returns the key of a hint. It is called when a store is opened, and when another process has replaced the key.
	FindKey(ctx context.Context, hint []byte) (key []byte, err error)
}
