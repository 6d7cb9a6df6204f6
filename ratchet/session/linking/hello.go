package linking

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/keywire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// keys are a device's own, for one linking alone.
type keys struct {
	kem     keypair.KEMKey
	signing keypair.SigningKey
	nonce   [sha256.Size]byte
}

const seedsSize = keypair.KEMSeedSize + keypair.SeedSize

func newKeys() keys {
	k := keys{kem: keypair.GenerateKEMKey(), signing: keypair.GenerateSigningKey()}
	rand.Read(k.nonce[:])
	return k
}

// seeds returns what parseKeys makes the keys of.
func (k keys) seeds() []byte { return slices.Concat(k.kem.Seed(), k.signing.Seed()) }

func parseKeys(seeds []byte, nonce [sha256.Size]byte) (k keys, err error) {
	if len(seeds) != seedsSize {
		return keys{}, wire.ErrMalformed
	}
	if k.kem, err = keypair.ParseKEMKey(seeds[:keypair.KEMSeedSize]); err != nil {
		return keys{}, err
	}
	k.nonce = nonce
	k.signing, err = keypair.ParseSigningKey(seeds[keypair.KEMSeedSize:])
	return k, err
}

// hello returns what a device with these keys says of itself. Person is that of the first device, and zero of the further one.
func (k keys) hello(person key.Address) []byte {
	w := wire.NewWriter(helloSize)
	w.U8(codeVersion)
	w.Fixed(k.kem.Public().Bytes())
	w.Fixed(k.signing.Public().Bytes())
	w.Fixed(k.nonce[:])
	w.Fixed(person[:])
	return w.Bytes()
}

const helloSize = 1 + key.KEMPublicKeySize + key.VerifyKeySize + sha256.Size + len(key.Address{})

// hello is what the other device said of itself.
type hello struct {
	kem     key.KEMPublicKey
	signing key.VerifyKey
	person  key.Address // of the first device; zero from the further one
}

func parseHello(b []byte) (h hello, err error) {
	r := wire.NewReader(b)
	r.Version8(codeVersion, codeVersion)
	kem := r.Fixed(key.KEMPublicKeySize)
	h.signing = keywire.Verify(r)
	r.Fixed(sha256.Size) // a nonce, for the transcript
	r.Into(h.person[:])
	if err := r.Done(); err != nil {
		return hello{}, err
	}
	h.kem, err = key.ParseKEMPublicKey(kem)
	return h, err
}
