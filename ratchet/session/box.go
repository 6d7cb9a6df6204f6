package session

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Box is a sealed box: what anybody can make for the holder of an inbox key, without saying who made it. The deployed
// messenger seals in it what goes to an inbox, a hub or a sync target, space manifests, and published invites.
type Box struct {
	ephemeral  PublicKey[Ephemeral]
	nonce      [nonceSize]byte
	associated []byte
	ciphertext []byte
}

// associatedSize is how many random bytes are authenticated beside a box or a header. They serve nothing but that
// deployed peers expect them.
const associatedSize = 32

// boxOverhead is what a box takes in binary beside its plaintext.
const boxOverhead = PublicKeySize + nonceSize + 4 + associatedSize + tagSize

// maxBox is the size of the largest plaintext of a box.
const maxBox = 4 << 20

// Seal seals plaintext, at most 4 MiB, for the holder of an inbox key.
func Seal(to PublicKey[Inbox], plaintext []byte) (Box, error) {
	return seal(GenerateKey[Ephemeral](), to, plaintext)
}

// seal makes a box with an ephemeral key that is known already: the one of an initialization.
func seal(e PrivateKey[Ephemeral], to PublicKey[Inbox], plaintext []byte) (Box, error) {
	if len(plaintext) > maxBox {
		return Box{}, fmt.Errorf("%w: too long for a box", ErrNotReady)
	}
	key, err := boxKey(agree(e, to))
	if err != nil {
		return Box{}, err
	}
	b := Box{ephemeral: e.public, associated: make([]byte, associatedSize)}
	rand.Read(b.nonce[:])
	rand.Read(b.associated)
	b.ciphertext = key.seal(nil, b.nonce[:], plaintext, b.associated)
	return b, nil
}

// boxKey derives the key of a box from its Diffie-Hellman result.
func boxKey(dh secret.Bytes, err error) (aead, error) {
	if err != nil {
		return aead{}, err
	}
	key, err := hkdf.Key(sha512.New, dh.Expose(), nil, labelSealed, keySize)
	if err != nil {
		return aead{}, err
	}
	return newAEAD(secret.Own(key)), nil
}

// Open opens a box with the private key it was sealed for, or returns ErrForged.
func (b Box) Open(k PrivateKey[Inbox]) ([]byte, error) {
	key, err := boxKey(agree(k, b.ephemeral))
	if err != nil {
		return nil, err
	}
	plain, ok := key.open(nil, b.nonce[:], b.ciphertext, b.associated)
	if !ok {
		return nil, fmt.Errorf("%w: box", ErrForged)
	}
	return plain, nil
}

// Ephemeral is the key that the box was made with. It travels beside the box.
func (b Box) Ephemeral() PublicKey[Ephemeral] { return b.ephemeral }

// jsonBox is the JSON of a box, and of either half of a ratchet's message.
type jsonBox struct {
	Ciphertext jsonBase64 `json:"ciphertext"`
	Nonce      jsonBase64 `json:"initialization_vector"`
	Associated jsonBase64 `json:"associated_data"`
}

// JSON returns the box as the deployed peer writes it, without the ephemeral key.
func (b Box) JSON() []byte { return writeJSON(jsonBox{b.ciphertext, b.nonce[:], b.associated}) }

// ParseBoxJSON reads a box as the deployed peer writes it, with the ephemeral key that came beside it.
func ParseBoxJSON(ephemeral PublicKey[Ephemeral], in []byte) (Box, error) {
	var j jsonBox
	if err := readJSON(in, &j, exact); err != nil {
		return Box{}, err
	}
	if ephemeral.IsZero() || len(j.Nonce) != nonceSize || len(j.Ciphertext) < tagSize || len(j.Ciphertext) > maxBox+tagSize {
		return Box{}, fmt.Errorf("%w: box", ErrMalformed)
	}
	return Box{ephemeral, [nonceSize]byte(j.Nonce), j.Associated, j.Ciphertext}, nil
}

// MarshalBinary returns the compact form of the box, with the ephemeral key. It fails for the zero Box only.
func (b Box) MarshalBinary() ([]byte, error) {
	if b.ephemeral.IsZero() {
		return nil, fmt.Errorf("%w: no box", ErrNotReady)
	}
	w := wire.NewWriter(boxOverhead + len(b.ciphertext))
	b.write(w)
	return w.Bytes(), nil
}

func (b Box) write(w *wire.Writer) {
	w.Fixed(b.ephemeral.encoding[:])
	w.Fixed(b.nonce[:])
	w.Vec32(b.associated)
	w.Fixed(b.ciphertext)
}

// ParseBox reads the compact form.
func ParseBox(in []byte) (Box, error) {
	r := wire.NewReader(in)
	b := readBox(r)
	if err := r.Done(); err != nil {
		return Box{}, malformed(err)
	}
	return b, nil
}

func readBox(r *wire.Reader) (b Box) {
	b.ephemeral = readPublicKey[Ephemeral](r)
	r.Into(b.nonce[:])
	b.associated = r.Vec32(maxBox)
	if n := r.Len(); n < tagSize || n > maxBox+tagSize {
		r.Fail("length of a box")
	}
	b.ciphertext = r.Rest()
	return b
}
