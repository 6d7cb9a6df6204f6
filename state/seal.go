package state

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// KeySize is the size of a vault's key in bytes.
const KeySize = 32

// keyIDSize is the size of the name by which a record knows its key.
const keyIDSize = 8

// Labels and numbers below are part of the stored format.
const (
	labelSeal  = "trefoil state seal"
	labelKeyID = "trefoil state key id"

	// sealFormat is the version of everything a vault stores: the layout of records, heads and queue items. Parts have
	// versions of their own.
	sealFormat = 1
)

// role separates what is sealed under one key.
type role uint8

const (
	roleHead   role = 1
	roleRecord role = 2 // a part or segment
	roleOutbox role = 3
	roleInbox  role = 4
	roleFrame  role = 5
)

// Key is a vault's key. It shows nothing when printed.
type Key struct {
	aead secret.Box[cipher.AEAD]
	id   [keyIDSize]byte
}

// NewKey returns the Key that 32 secret bytes stand for. They must come from a cryptographic random generator, a
// platform's key store or a password-hashing function; all copies of a vault's key are equivalent.
func NewKey(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("state: a key has %d bytes", KeySize)
	}
	derive := func(label string, n int) []byte {
		out, err := hkdf.Expand(sha256.New, b, label, n)
		if err != nil {
			panic(err) // only for lengths over 8,160 bytes
		}
		return out
	}
	aead, err := chacha20poly1305.NewX(derive(labelSeal, chacha20poly1305.KeySize))
	if err != nil {
		panic(err) // only for other key sizes
	}
	k := Key{aead: secret.Hide(aead)}
	copy(k.id[:], derive(labelKeyID, keyIDSize))
	return k, nil
}

// slot seals and opens what belongs to one row.
type slot struct {
	key  Key
	kind store.Kind
	id   ID
}

// headerSize is the size of what a sealed record begins with: format, name of the key, nonce.
const headerSize = 2 + keyIDSize + chacha20poly1305.NonceSizeX

// seal encrypts plain with XChaCha20-Poly1305 under a random nonce, bound to the row, the role, a name and a number: the
// version of a record, the sequence number of an item.
func (s slot) seal(r role, name string, number uint64, plain []byte) []byte {
	w := wire.NewWriter(headerSize + len(plain) + chacha20poly1305.Overhead)
	w.U16(sealFormat)
	w.Fixed(s.key.id[:])
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	w.Fixed(nonce)
	return s.key.aead.Expose().Seal(w.Bytes(), nonce, plain, s.binding(r, name, number))
}

// open decrypts what seal returned for the same row, role, name and number.
func (s slot) open(r role, name string, number uint64, sealed []byte) ([]byte, error) {
	in := wire.NewReader(sealed)
	in.Version16(sealFormat, sealFormat)
	id := in.Fixed(keyIDSize)
	nonce := in.Fixed(chacha20poly1305.NonceSizeX)
	if in.Err() != nil {
		return nil, corrupt(name, in.Err())
	}
	if subtle.ConstantTimeCompare(id, s.key.id[:]) != 1 {
		return nil, ErrWrongKey
	}
	plain, err := s.key.aead.Expose().Open(nil, nonce, sealed[headerSize:], s.binding(r, name, number))
	if err != nil {
		return nil, fmt.Errorf("%w: %s does not authenticate", ErrCorrupt, name)
	}
	return plain, nil
}

// binding is the associated data of a record.
func (s slot) binding(r role, name string, number uint64) []byte {
	w := wire.NewWriter(64 + len(name))
	w.U16(sealFormat)
	w.U8(uint8(s.kind))
	w.Fixed(s.id[:])
	w.U8(uint8(r))
	w.U64(number)
	w.Fixed([]byte(name))
	return w.Bytes()
}

// contents is what a row's head says: the parts, and the counters of what lies beside them.
type contents struct {
	parts    []*node
	outbox   uint64 // Seq of the last item
	inbox    uint64
	frames   uint64 // Seq of the last frame record
	retained uint32 // how many frames are retained
	progress uint64 // how often there was progress while frames were retained
	tried    uint64 // progress when all retained frames were last tried
}

// due reports whether the retained frames are to be tried again.
func (c contents) due() bool { return c.retained > 0 && c.progress > c.tried }

// seal returns the sealed head of a row in this version.
func (c contents) seal(s slot, version uint64) store.Head {
	w := wire.NewWriter(256)
	writeNodes(w, c.parts)
	w.U64(c.outbox)
	w.U64(c.inbox)
	w.U64(c.frames)
	w.U32(c.retained)
	w.U64(c.progress)
	w.U64(c.tried)
	return store.Head{Version: version, Sealed: s.seal(roleHead, "head", version, w.Bytes())}
}

// openHead reads a row's head.
func openHead(s slot, h store.Head) (contents, error) {
	plain, err := s.open(roleHead, "head", h.Version, h.Sealed)
	if err != nil {
		return contents{}, err
	}
	r := wire.NewReader(plain)
	c := contents{parts: readNodes(r)}
	c.outbox, c.inbox, c.frames = r.U64(), r.U64(), r.U64()
	c.retained, c.progress, c.tried = r.U32(), r.U64(), r.U64()
	if err := r.Done(); err != nil {
		return contents{}, corrupt("head", err)
	}
	names := s.kind.Parts()
	if len(c.parts) != len(names) {
		return contents{}, fmt.Errorf("%w: %d parts listed, not %d", ErrCorrupt, len(c.parts), len(names))
	}
	for i, n := range c.parts {
		if n.name != names[i] {
			return contents{}, fmt.Errorf("%w: part %q listed, not %q", ErrCorrupt, n.name, names[i])
		}
	}
	return c, nil
}
