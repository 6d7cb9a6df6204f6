package double

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha512"
	"slices"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
)

// chain is a symmetric ratchet: each step yields the keys of one message and the next chain. The zero chain is none.
type chain struct {
	key secret.Bytes
	n   uint32 // of the next message
}

func (c chain) IsZero() bool { return c.key.IsZero() }

// messageKeys seal one message: the message key (32) ‖ the prefix of its associated data (32).
type messageKeys struct{ both secret.Bytes }

func (k messageKeys) key() aead.Key {
	return aead.New(secret.Own(k.both.Expose()[:aead.KeySize:aead.KeySize]))
}

// associated returns the body's associated data for a header.
func (k messageKeys) associated(header []byte) []byte {
	return append(append(make([]byte, 0, aead.KeySize+len(header)), k.both.Expose()[aead.KeySize:]...), header...)
}

// step returns the chain after the next message, and the keys of that message.
func (c chain) step() (chain, messageKeys) {
	mac := hmac.New(sha512.New, c.key.Expose())
	sum := func(dst []byte, x byte) []byte {
		mac.Reset()
		mac.Write([]byte{x})
		return mac.Sum(dst)
	}
	// Only the first half of each sum is used; the next one is written over the other.
	b := make([]byte, 0, 2*aead.KeySize+sha512.Size)
	b = sum(b, stepMessage)[:aead.KeySize]
	b = sum(b, stepBody)[:2*aead.KeySize]
	next := sum(make([]byte, 0, sha512.Size), stepChain)[:aead.KeySize]
	return chain{secret.Own(next), c.n + 1}, messageKeys{secret.Own(b)}
}

// skipTo steps until the next message is number n, and returns the keys of those in between, the first limit of them.
func (c chain) skipTo(n uint32, limit int) (chain, []skippedKey) {
	var keys []skippedKey
	for c.n < n && len(keys) < limit {
		var k messageKeys
		number := c.n
		c, k = c.step()
		keys = append(keys, skippedKey{number, k})
	}
	return c, keys
}

// rootStep mixes a Diffie-Hellman result into the root key, and a secret of the braid if there is one. The root key that
// follows is secret if the one before or either of the two is.
func rootStep(root, dh, mixed secret.Bytes) (next secret.Bytes, c chain, header secret.Bytes, err error) {
	ikm, label := dh.Expose(), labelRoot
	if !mixed.IsZero() {
		ikm, label = slices.Concat(ikm, mixed.Expose()), labelBraidedRoot
	}
	b, err := hkdf.Key(sha512.New, ikm, root.Expose(), label, 3*aead.KeySize)
	if err != nil {
		return secret.Bytes{}, chain{}, secret.Bytes{}, err
	}
	next, key, header := split3(secret.Own(b))
	return next, chain{key: key}, header, nil
}
