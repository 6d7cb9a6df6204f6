package ratchet

import (
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// origin is what a space's id is made of, so that the id names its owner (§2).
type origin struct {
	owner PublicKey // the root owner key
	salt  [32]byte
}

// newOrigin draws the origin of a new space.
func newOrigin(owner PublicKey) origin {
	o := origin{owner: owner}
	rand.Read(o.salt[:])
	return o
}

// space returns the id.
func (o origin) space() state.ID { return id32(hashSpace, o.owner.raw(), o.salt[:]) }

func (o origin) write(w *wire.Writer) {
	writePublicKey(w, o.owner)
	w.Fixed(o.salt[:])
}

func readOrigin(r *wire.Reader) (o origin) {
	o.owner = readPublicKey(r)
	r.Into(o.salt[:])
	return o
}

// ownerList names the owners of a space, signed with the root owner key. Of several lists the one with the highest
// counter counts.
type ownerList struct {
	counter   uint64
	keys      []PublicKey // 1 to maxOwners, ascending by their bytes
	signature []byte
}

// newOwnerList signs a list. The keys may come in any order.
func newOwnerList(root signingKey, space state.ID, counter uint64, keys ...PublicKey) (ownerList, error) {
	l := ownerList{counter: counter, keys: slices.Clone(keys)}
	slices.SortFunc(l.keys, PublicKey.compare)
	if err := l.check(); err != nil {
		return ownerList{}, err
	}
	l.signature = root.sign(signOwner, space[:], l.body())
	return l, nil
}

// check refuses lists that are empty, too long, out of order or of mixed schemes.
func (l ownerList) check() error {
	if len(l.keys) == 0 || len(l.keys) > maxOwners {
		return fmt.Errorf("%w: number of owners", wire.ErrMalformed)
	}
	for i, k := range l.keys {
		if i > 0 && (l.keys[i-1].compare(k) >= 0 || l.keys[0].scheme != k.scheme) {
			return fmt.Errorf("%w: order of owners", wire.ErrMalformed)
		}
	}
	return nil
}

// verify checks the signature with the root owner key.
func (l ownerList) verify(o origin) error {
	if len(l.keys) == 0 || l.keys[0].scheme != o.owner.scheme {
		return fmt.Errorf("%w: scheme of owners", errInvalid)
	}
	space := o.space()
	return o.owner.verify(l.signature, signOwner, space[:], l.body())
}

// contains reports whether k is an owner's key.
func (l ownerList) contains(k PublicKey) bool { return slices.Contains(l.keys, k) }

// verifyAny checks a signature that any of the owners may have made.
func (l ownerList) verifyAny(sig []byte, label string, parts ...[]byte) error {
	for _, k := range l.keys {
		if k.verify(sig, label, parts...) == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: no owner's signature", errInvalid)
}

// body returns u64 counter ‖ u8 number ‖ each key behind its length in two bytes.
func (l ownerList) body() []byte {
	w := wire.NewWriter(8 + 1 + len(l.keys)*(2+maxPublicKey) + 2 + maxSignature)
	w.U64(l.counter)
	w.U8(uint8(len(l.keys)))
	for _, k := range l.keys {
		writePublicKey(w, k)
	}
	return w.Bytes()
}

// encode returns body ‖ vec16 signature.
func (l ownerList) encode() []byte {
	w := wire.NewWriter(2 + maxSignature)
	w.Vec16(l.signature)
	return append(l.body(), w.Bytes()...)
}

// maxOwnerList bounds its encoding.
const maxOwnerList = 8 + 1 + maxOwners*(2+maxPublicKey) + 2 + maxSignature

// parseOwnerList reads an owner list without verifying it.
func parseOwnerList(b []byte) (l ownerList, err error) {
	r := wire.NewReader(b)
	l.counter = r.U64()
	n := r.U8()
	for i := 0; i < int(n) && r.Err() == nil; i++ {
		l.keys = append(l.keys, readPublicKey(r))
	}
	l.signature = r.Vec16(maxSignature)
	if err = r.Done(); err == nil {
		err = l.check()
	}
	if err != nil {
		return ownerList{}, err
	}
	return l, nil
}

// readOwnerList reads one behind its length in two bytes.
func readOwnerList(r *wire.Reader) ownerList {
	return readNested(r, r.Vec16(maxOwnerList), parseOwnerList)
}

// readNested parses a field of r; what its parser refuses, r refuses.
func readNested[T any](r *wire.Reader, field []byte, parse func([]byte) (T, error)) T {
	var zero T
	if r.Err() != nil {
		return zero
	}
	v, err := parse(field)
	if err != nil {
		r.Fail(err.Error())
		return zero
	}
	return v
}

// template is what all members of a root share beside its roster (§2). It is secret: it holds the config private key.
type template struct {
	owners ownerList
	policy Policy
	rekey  uint64 // generation of the root, 0 for the genesis
	public dkg.Commitment
	depth  int
	config boxSecret    // opens requests
	key    secret.Bytes // K, 32 bytes, for owners' use
}

// templateVersion is the version of its encoding.
const templateVersion = 1

// maxTemplate bounds its encoding.
const maxTemplate = 1 + 2 + maxOwnerList + 20 + 8 + 2*ed448.PointSize + 1 + boxSecretSize + keySize

// encode returns u8 version ‖ vec16 owner list ‖ policy ‖ u64 rekey generation ‖ C ‖ u8 depth ‖ config private key ‖ K.
// The config public key is not written: it follows from the private one, and so cannot contradict it.
func (t template) encode() secret.Bytes {
	w := wire.NewWriter(maxTemplate)
	w.U8(templateVersion)
	w.Vec16(t.owners.encode())
	t.policy.write(w)
	w.U64(t.rekey)
	w.Fixed(t.public.Bytes())
	w.U8(uint8(t.depth))
	w.Fixed(t.config.seed.Expose())
	w.Fixed(t.key.Expose())
	return secret.Own(w.Bytes())
}

// parseTemplate reads a template without verifying its owner list.
func parseTemplate(b []byte) (t template, err error) {
	r := wire.NewReader(b)
	r.Version8(templateVersion, templateVersion)
	t.owners = readOwnerList(r)
	t.policy = readPolicy(r)
	t.rekey = r.U64()
	t.public = readCommitment(r)
	t.depth = readDepth(r)
	config := r.Fixed(boxSecretSize)
	t.key = secret.Own(r.Fixed(keySize))
	if err = r.Done(); err != nil {
		return template{}, err
	}
	if t.owners.keys[0].scheme != t.policy.Scheme {
		return template{}, fmt.Errorf("%w: scheme of owners", wire.ErrMalformed)
	}
	if t.config, err = parseBoxSecret(t.policy.KEM, secret.Own(config)); err != nil {
		return template{}, err
	}
	return t, nil
}

// digest returns H(template).
func (t template) digest() digest { return hash(t.encode().Expose()) }

// readCommitment reads the commitment to a polynomial.
func readCommitment(r *wire.Reader) dkg.Commitment {
	return readNested(r, r.Fixed(2*ed448.PointSize), dkg.ParseCommitment)
}

// readDepth reads the depth of the trees of a root.
func readDepth(r *wire.Reader) int {
	depth := int(r.U8())
	if r.Err() == nil && (depth < minDepth || depth > dkg.MaxDepth) {
		r.Fail("depth of a tree")
	}
	return depth
}

// readIndex reads the index of a member of a root of the given depth.
func readIndex(r *wire.Reader, depth int) dkg.Index {
	i := dkg.Index(r.U32())
	if r.Err() == nil && checkIndex(i, depth) != nil {
		r.Fail("index")
	}
	return i
}
