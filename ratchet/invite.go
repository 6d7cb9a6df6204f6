package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// admission is a one-time key pair that an owner allows to introduce one index of one root.
type admission struct {
	key   signingKey
	owner []byte // sign(owner, "admission", space ‖ root id ‖ u32(index) ‖ admission public key)
}

// newAdmission draws an admission.
func newAdmission(owner signingKey, space state.ID, root epochID, i dkg.Index) admission {
	a := admission{key: newSigningKey(owner.public.scheme)}
	a.owner = owner.sign(signAdmission, admissionParts(space, root, i, a.key.public)...)
	return a
}

func admissionParts(space state.ID, root epochID, i dkg.Index, key PublicKey) [][]byte {
	return [][]byte{space[:], root[:], u32(uint32(i)), key.raw()}
}

// verifyAdmission checks the owner's signature over an admission public key against an owner list.
func verifyAdmission(owners ownerList, space state.ID, root epochID, i dkg.Index, key PublicKey, sig []byte) error {
	return owners.verifyAny(sig, signAdmission, admissionParts(space, root, i, key)...)
}

// encode and parseAdmission are the codec: vec8 private key ‖ vec16 owner's signature. Its length says the scheme.
func (a admission) encode() secret.Bytes {
	w := wire.NewWriter(maxAdmission)
	w.Vec8(a.key.seed.Expose())
	w.Vec16(a.owner)
	return secret.Own(w.Bytes())
}

// maxAdmission bounds the encoding of an admission.
const maxAdmission = 1 + maxPublicKey + 2 + maxSignature

func parseAdmission(b []byte) (a admission, err error) {
	r := wire.NewReader(b)
	seed := r.Vec8(maxPublicKey)
	a.owner = r.Vec16(maxSignature)
	if err = r.Done(); err != nil {
		return admission{}, err
	}
	// In both schemes private keys are as long as public ones.
	a.key, err = parseSigningKey(schemeOf(len(seed)), secret.Own(seed))
	return a, err
}

// Grant is what an invite holds (§9): one share of one root and the right to introduce it. It reads nothing. It is secret:
// whoever has it can take the place. It is immutable; the zero Grant is none.
type Grant struct {
	_         [0]func()
	origin    origin
	owners    ownerList
	root      epochID
	rekey     uint64
	share     dkg.Share
	depth     int
	public    dkg.Commitment
	policy    Policy
	config    boxKey
	admission admission
	owner     PublicKey // who signed
	signature []byte
}

// grantVersion is the version of a grant's encoding.
const grantVersion = frameVersion

// newGrant signs a grant with an admission of its index. Everything but admission, owner and signature is as given in g.
func newGrant(owner signingKey, g Grant) (Grant, error) {
	space := g.Space()
	g.owner = owner.public
	if g.admission.key.isZero() {
		g.admission = newAdmission(owner, space, g.root, g.share.Index())
	} else {
		g.admission.owner = owner.sign(signAdmission, admissionParts(space, g.root, g.share.Index(), g.admission.key.public)...)
	}
	g.signature = owner.sign(signInvite, space[:], g.body())
	if err := g.verify(); err != nil {
		return Grant{}, err
	}
	return g, nil
}

// body returns what is signed after the space: u8 version ‖ origin ‖ vec16 owner list ‖ root id ‖ u64 rekey generation ‖
// share (index and scalar) ‖ u8 depth ‖ C ‖ policy ‖ vec16 config public key ‖ vec8 admission ‖ vec16 owner key.
func (g Grant) body() []byte {
	w := wire.NewWriter(maxGrant)
	w.U8(grantVersion)
	g.origin.write(w)
	w.Vec16(g.owners.encode())
	w.Fixed(g.root[:])
	w.U64(g.rekey)
	w.Fixed(g.share.Bytes().Expose())
	w.U8(uint8(g.depth))
	w.Fixed(g.public.Bytes())
	g.policy.write(w)
	w.Vec16(g.config.raw)
	w.Vec8(g.admission.encode().Expose())
	writePublicKey(w, g.owner)
	return w.Bytes()
}

// verify checks that everything in the grant belongs together: the space's id names the root owner key, which signed the
// owner list, one of which signed admission and grant; and the share is the committed one.
func (g Grant) verify() error {
	space := g.Space()
	switch {
	case g.origin.owner.scheme != g.policy.Scheme, g.admission.key.public.scheme != g.policy.Scheme, g.config.kem != g.policy.KEM:
		return fmt.Errorf("%w: keys of another policy", errInvalid)
	case !g.owners.contains(g.owner):
		return fmt.Errorf("%w: not signed by an owner", errInvalid)
	case checkIndex(g.share.Index(), g.depth) != nil, g.public.Verify(g.share) != nil:
		return fmt.Errorf("%w: share of an invite", errInvalid)
	}
	if err := g.owners.verify(g.origin); err != nil {
		return err
	}
	parts := admissionParts(space, g.root, g.share.Index(), g.admission.key.public)
	if err := g.owner.verify(g.admission.owner, signAdmission, parts...); err != nil {
		return err
	}
	return g.owner.verify(g.signature, signInvite, space[:], g.body())
}

// ParseGrant reads a grant and verifies it: the space's id names the root owner key, which signed the owner list, one of
// which signed the grant; and the share belongs to the polynomial. What it returns can be joined with. It returns
// ErrMalformed, or state.ErrTooOld or state.ErrTooNew for a version that is not read.
func ParseGrant(b []byte) (Grant, error) {
	g, err := parseGrant(b)
	return g, malformed(err)
}

func parseGrant(b []byte) (g Grant, err error) {
	if len(b) > maxGrant {
		return Grant{}, fmt.Errorf("%w: an invite is longer than its limit", wire.ErrMalformed)
	}
	r := wire.NewReader(b)
	r.Version8(grantVersion, grantVersion)
	g.origin = readOrigin(r)
	g.owners = readOwnerList(r)
	r.Into(g.root[:])
	g.rekey = r.U64()
	g.share = readNested(r, r.Fixed(dkg.ShareSize), dkg.ParseShare)
	g.depth = readDepth(r)
	g.public = readCommitment(r)
	g.policy = readPolicy(r)
	g.config = readNested(r, r.Vec16(maxBoxKey), parseBoxKey)
	g.admission = readNested(r, r.Vec8(maxAdmission), parseAdmission)
	g.owner = readPublicKey(r)
	g.signature = r.Vec16(maxSignature)
	if err = r.Done(); err == nil {
		err = g.verify()
	}
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

// Bytes returns the encoding that ParseGrant reads, about 1.9 KiB with the default policy. It is secret: it goes into a
// link's fragment or a box, nowhere else.
func (g Grant) Bytes() []byte {
	w := wire.NewWriter(2 + maxSignature)
	w.Vec16(g.signature)
	return append(g.body(), w.Bytes()...)
}

// Space returns the space that the grant is for.
func (g Grant) Space() state.ID { return g.origin.space() }

// Index returns the index that the grant gives.
func (g Grant) Index() dkg.Index { return g.share.Index() }

// Generation returns the rekey generation of the root. A later rekey ends the grant.
func (g Grant) Generation() uint64 { return g.rekey }

// Policy returns the policy of the space.
func (g Grant) Policy() Policy { return g.policy }

// IsZero reports whether there is no grant.
func (g Grant) IsZero() bool { return g.signature == nil }
