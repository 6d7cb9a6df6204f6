package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Admission is a one-time key pair that an owner allows to introduce one index of one root.
type Admission struct {
	Key   suite.SigningKey
	owner []byte // sign(owner, "admission", space ‖ root id ‖ u32(index) ‖ admission public key)
}

// newAdmission draws an admission.
func newAdmission(owner suite.SigningKey, space state.ID, root EpochID, i dkg.Index) Admission {
	a := Admission{Key: suite.NewSigningKey(owner.Public.Scheme())}
	a.owner = owner.Sign(suite.SignAdmission, admissionParts(space, root, i, a.Key.Public)...)
	return a
}

func admissionParts(space state.ID, root EpochID, i dkg.Index, key suite.PublicKey) [][]byte {
	return [][]byte{space[:], root[:], suite.U32(uint32(i)), key.Bytes()}
}

// verifyAdmission checks the owner's signature over an admission public key against an owner list.
func verifyAdmission(owners OwnerList, space state.ID, root EpochID, i dkg.Index, key suite.PublicKey, sig []byte) error {
	return owners.verifyAny(sig, suite.SignAdmission, admissionParts(space, root, i, key)...)
}

// Encode returns vec8 private key ‖ vec16 owner's signature. Its length says the scheme.
func (a Admission) Encode() secret.Bytes {
	w := wire.NewWriter(maxAdmission)
	w.Vec8(a.Key.Seed.Expose())
	w.Vec16(a.owner)
	return secret.Own(w.Bytes())
}

// maxAdmission bounds the encoding of an admission.
const maxAdmission = 1 + suite.MaxPublicKey + 2 + suite.MaxSignature

// ParseAdmission reads an admission without verifying the owner's signature.
func ParseAdmission(b []byte) (a Admission, err error) {
	r := wire.NewReader(b)
	seed := r.Vec8(suite.MaxPublicKey)
	a.owner = r.Vec16(suite.MaxSignature)
	if err = r.Done(); err != nil {
		return Admission{}, err
	}
	// In both schemes private keys are as long as public ones.
	a.Key, err = suite.ParseSigningKey(suite.SchemeOf(len(seed)), secret.Own(seed))
	return a, err
}

// Grant is what an invite holds (§9): one share of one root and the right to introduce it. It reads nothing. It is secret:
// whoever has it can take the place. It is immutable; the zero Grant is none.
type Grant struct {
	_         [0]func()
	Origin    Origin
	Owners    OwnerList
	Root      EpochID
	Rekey     uint64
	Share     dkg.Share
	Depth     int
	Public    dkg.Commitment
	Policy    Policy
	Config    suite.KEMKey
	Admission Admission
	owner     suite.PublicKey // who signed
	signature []byte
}

// grantVersion is the version of a grant's encoding.
const grantVersion = Version

// NewGrant signs a grant with an admission of its index. Everything but admission, owner and signature is as given in g.
func NewGrant(owner suite.SigningKey, g Grant) (Grant, error) {
	space := g.Space()
	g.owner = owner.Public
	if g.Admission.Key.IsZero() {
		g.Admission = newAdmission(owner, space, g.Root, g.Share.Index())
	} else {
		g.Admission.owner = owner.Sign(suite.SignAdmission, admissionParts(space, g.Root, g.Share.Index(), g.Admission.Key.Public)...)
	}
	g.signature = owner.Sign(suite.SignInvite, space[:], g.body())
	if err := g.verify(); err != nil {
		return Grant{}, err
	}
	return g, nil
}

// body returns what is signed after the space: u8 version ‖ origin ‖ vec16 owner list ‖ root id ‖ u64 rekey generation ‖
// share (index and scalar) ‖ u8 depth ‖ C ‖ policy ‖ vec16 config public key ‖ vec8 admission ‖ vec16 owner key.
func (g Grant) body() []byte {
	w := wire.NewWriter(MaxGrant)
	w.U8(grantVersion)
	g.Origin.Write(w)
	w.Vec16(g.Owners.Encode())
	w.Fixed(g.Root[:])
	w.U64(g.Rekey)
	w.Fixed(g.Share.Bytes().Expose())
	w.U8(uint8(g.Depth))
	w.Fixed(g.Public.Bytes())
	g.Policy.write(w)
	w.Vec16(g.Config.Bytes())
	w.Vec8(g.Admission.Encode().Expose())
	suite.WritePublicKey(w, g.owner)
	return w.Bytes()
}

// verify checks that everything in the grant belongs together: the space's id names the root owner key, which signed the
// owner list, one of which signed admission and grant; and the share is the committed one.
func (g Grant) verify() error {
	space := g.Space()
	switch {
	case g.Origin.owner.Scheme() != g.Policy.Scheme, g.Admission.Key.Public.Scheme() != g.Policy.Scheme, g.Config.KEM() != g.Policy.KEM:
		return fmt.Errorf("%w: keys of another policy", suite.ErrInvalid)
	case !g.Owners.Contains(g.owner):
		return fmt.Errorf("%w: not signed by an owner", suite.ErrInvalid)
	case checkIndex(g.Share.Index(), g.Depth) != nil, g.Public.Verify(g.Share) != nil:
		return fmt.Errorf("%w: share of an invite", suite.ErrInvalid)
	}
	if err := g.Owners.verify(g.Origin); err != nil {
		return err
	}
	parts := admissionParts(space, g.Root, g.Share.Index(), g.Admission.Key.Public)
	if err := g.owner.Verify(g.Admission.owner, suite.SignAdmission, parts...); err != nil {
		return err
	}
	return g.owner.Verify(g.signature, suite.SignInvite, space[:], g.body())
}

// ParseGrant reads a grant and verifies it: the space's id names the root owner key, which signed the owner list, one of
// which signed the grant; and the share belongs to the polynomial. What it returns can be joined with. It returns
// ErrMalformed, or state.ErrTooOld or state.ErrTooNew for a version that is not read.
func ParseGrant(b []byte) (g Grant, err error) {
	if len(b) > MaxGrant {
		return Grant{}, fmt.Errorf("%w: an invite is longer than its limit", wire.ErrMalformed)
	}
	r := wire.NewReader(b)
	r.Version8(grantVersion, grantVersion)
	g.Origin = ReadOrigin(r)
	g.Owners = readOwnerList(r)
	r.Into(g.Root[:])
	g.Rekey = r.U64()
	g.Share = readNested(r, r.Fixed(dkg.ShareSize), dkg.ParseShare)
	g.Depth = readDepth(r)
	g.Public = readCommitment(r)
	g.Policy = readPolicy(r)
	g.Config = readNested(r, r.Vec16(suite.MaxKEMKey), suite.ParseKEMKey)
	g.Admission = readNested(r, r.Vec8(maxAdmission), ParseAdmission)
	g.owner = suite.ReadPublicKey(r)
	g.signature = r.Vec16(suite.MaxSignature)
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
	w := wire.NewWriter(2 + suite.MaxSignature)
	w.Vec16(g.signature)
	return append(g.body(), w.Bytes()...)
}

// Space returns the space that the grant is for.
func (g Grant) Space() state.ID { return g.Origin.Space() }

// Index returns the index that the grant gives.
func (g Grant) Index() dkg.Index { return g.Share.Index() }

// IsZero reports whether there is no grant.
func (g Grant) IsZero() bool { return g.signature == nil }
