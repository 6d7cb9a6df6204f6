// Package box is the sealed box: what anybody can make for the holder of an inbox key, without saying who made it.
package box

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/keywire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/strictjson"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// Box is a sealed box. The deployed client seals in it what goes to an inbox, a hub or a sync target, space manifests, and
// published invites. It is immutable.
type Box struct {
	ephemeral  key.PublicKey[key.Ephemeral]
	nonce      [aead.NonceSize]byte
	associated []byte
	ciphertext []byte
}

// label is the deployed client's label of the key of a box. It is part of the format.
const label = "quilibrium-sealed-sender"

// MaxPlaintext is the size of the largest plaintext in bytes: an initiation with a message of a mebibyte, as base64 within
// JSON within JSON.
const MaxPlaintext = 4 << 20

// Seal seals plaintext, at most 4 MiB, for the holder of an inbox key.
func Seal(to key.PublicKey[key.Inbox], plaintext []byte) (Box, error) {
	return SealWith(keypair.GenerateKey[key.Ephemeral](), to, plaintext)
}

// SealWith seals with an ephemeral key that exists: the one of an initiation.
func SealWith(e keypair.PrivateKey[key.Ephemeral], to key.PublicKey[key.Inbox], plaintext []byte) (Box, error) {
	if len(plaintext) > MaxPlaintext {
		return Box{}, fmt.Errorf("%w: too long for a box", key.ErrArgument)
	}
	k, err := derive(keypair.Agree(e, to))
	if err != nil {
		return Box{}, err
	}
	b := Box{ephemeral: e.Public(), associated: make([]byte, aead.AssociatedSize)}
	rand.Read(b.nonce[:])
	rand.Read(b.associated)
	b.ciphertext = k.Seal(nil, b.nonce[:], plaintext, b.associated)
	return b, nil
}

// derive returns the key of a box from its Diffie-Hellman result.
func derive(dh secret.Bytes, err error) (aead.Key, error) {
	if err != nil {
		return aead.Key{}, err
	}
	k, err := hkdf.Key(sha512.New, dh.Expose(), nil, label, aead.KeySize)
	if err != nil {
		return aead.Key{}, err
	}
	return aead.New(secret.Own(k)), nil
}

// Open opens a box with the private key it was sealed for, or returns ErrForged.
func (b Box) Open(inbox keypair.PrivateKey[key.Inbox]) ([]byte, error) {
	k, err := derive(keypair.Agree(inbox, b.ephemeral))
	if err != nil {
		return nil, err
	}
	plain, ok := k.Open(nil, b.nonce[:], b.ciphertext, b.associated)
	if !ok {
		return nil, fmt.Errorf("%w: box", key.ErrForged)
	}
	return plain, nil
}

// Ephemeral is the key that the box was made with. It travels beside the box.
func (b Box) Ephemeral() key.PublicKey[key.Ephemeral] { return b.ephemeral }

// JSON returns the box as the deployed client writes it, without the ephemeral key.
func (b Box) JSON() []byte {
	return strictjson.Write(strictjson.Box{Ciphertext: b.ciphertext, Nonce: b.nonce[:], Associated: b.associated})
}

// ParseJSON reads a box as the deployed client writes it, with the ephemeral key that came beside it.
func ParseJSON(ephemeral key.PublicKey[key.Ephemeral], in []byte) (Box, error) {
	var j strictjson.Box
	if err := strictjson.Read(in, &j, strictjson.Exact); err != nil {
		return Box{}, err
	}
	if ephemeral.IsZero() || len(j.Nonce) != aead.NonceSize || len(j.Ciphertext) < aead.TagSize ||
		len(j.Ciphertext) > MaxPlaintext+aead.TagSize {
		return Box{}, fmt.Errorf("%w: box", key.ErrMalformed)
	}
	return Box{ephemeral, [aead.NonceSize]byte(j.Nonce), j.Associated, j.Ciphertext}, nil
}

// Size returns the size of the compact form in bytes.
func (b Box) Size() int {
	return key.PublicKeySize + aead.NonceSize + 4 + len(b.associated) + len(b.ciphertext)
}

// MarshalBinary returns the compact form of the box, with the ephemeral key. It fails for the zero Box only.
func (b Box) MarshalBinary() ([]byte, error) {
	if b.ephemeral.IsZero() {
		return nil, fmt.Errorf("%w: no box", key.ErrArgument)
	}
	w := wire.NewWriter(b.Size())
	b.Write(w)
	return w.Bytes(), nil
}

// Write appends the compact form.
func (b Box) Write(w *wire.Writer) {
	w.Fixed(b.ephemeral.Bytes())
	w.Fixed(b.nonce[:])
	w.Vec32(b.associated)
	w.Fixed(b.ciphertext)
}

// Parse reads the compact form.
func Parse(in []byte) (Box, error) {
	r := wire.NewReader(in)
	b := read(r)
	if err := r.Done(); err != nil {
		return Box{}, key.Malformed(err)
	}
	return b, nil
}

// read reads what Write appended, to the end of the input.
func read(r *wire.Reader) (b Box) {
	b.ephemeral = keywire.Public[key.Ephemeral](r)
	r.Into(b.nonce[:])
	b.associated = r.Vec32(MaxPlaintext)
	if n := r.Len(); n < aead.TagSize || n > MaxPlaintext+aead.TagSize {
		r.Fail("length of a box")
	}
	b.ciphertext = r.Rest()
	return b
}
