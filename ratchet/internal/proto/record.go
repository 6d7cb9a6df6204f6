package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Record is what members keep of an invite (§9): under which key its joiners ask, and the share that they are given, masked
// with what the link alone gives. Used drops the masked share.
type Record struct {
	Certificate Certificate
	RequestKey  secret.Bytes
	Masked      secret.Bytes // v; empty when used
	MaskedHash  [32]byte     // H(v)[:32]
	Signature   []byte
}

// maskedSize returns the length of v of an invite of a kind.
func maskedSize(k dkg.Kind) int {
	if k == dkg.Public {
		return 2 * ed448.ScalarSize
	}
	return ed448.ScalarSize
}

// maxRecord bounds its encoding.
const maxRecord = MaxCertificate + suite.KeySize + 1 + 1 + 2*ed448.ScalarSize + 2 + suite.MaxSignature

// NewRecord signs the record of an invite with the masked share v.
func NewRecord(owner suite.SigningKey, space state.ID, c Certificate, requestKey, v secret.Bytes) Record {
	x := Record{Certificate: c, RequestKey: requestKey, Masked: v, MaskedHash: hash32(v.Expose())}
	x.Signature = owner.Sign(suite.SignInvite, space[:], x.signed())
	return x
}

// IsOpen reports whether the masked share is there.
func (x Record) IsOpen() bool { return !x.Masked.IsZero() }

// Used returns the record without the masked share. Its signature still holds.
func (x Record) Used() Record {
	x.Masked = secret.Bytes{}
	return x
}

// Tag returns the tag of requests under the record, in the clear.
func (x Record) Tag(space state.ID) Tag { return inviteTag(x.RequestKey, space) }

func inviteTag(requestKey secret.Bytes, space state.ID) Tag {
	return Tag(suite.Expand(requestKey, suite.ExpandInviteTag, space[:], len(Tag{})).Expose())
}

// Verify checks that the record is right under a root: its certificate is, the same owner signed it, and the masked share, if
// there, fits its hash. It returns suite.ErrInvalid.
func (x Record) Verify(root RootView) error {
	if err := x.Certificate.Verify(root); err != nil {
		return err
	}
	owner, ok := root.Owner(x.Certificate.Owner)
	if !ok {
		return invalid("no such owner")
	}
	if x.IsOpen() && hash32(x.Masked.Expose()) != x.MaskedHash {
		return invalid("masked share of another record")
	}
	space := root.Space()
	return owner.Verify(x.Signature, suite.SignInvite, space[:], x.signed())
}

// signed returns cert ‖ request key ‖ H(v)[:32].
func (x Record) signed() []byte {
	return encode(MaxCertificate+2*32, func(w *wire.Writer) {
		x.Certificate.writeCert(w)
		w.Fixed(x.RequestKey.Expose())
		w.Fixed(x.MaskedHash[:])
	})
}

func (x Record) write(w *wire.Writer) {
	x.Certificate.write(w)
	w.Fixed(x.RequestKey.Expose())
	w.Bool(x.IsOpen())
	if x.IsOpen() {
		w.Vec8(x.Masked.Expose())
	} else {
		w.Fixed(x.MaskedHash[:])
	}
	w.Vec16(x.Signature)
}

// Encode returns certificate ‖ request key ‖ (u8(1) ‖ vec8 v, or u8(0) ‖ H(v)[:32]) ‖ vec16 signature.
func (x Record) Encode() secret.Bytes { return secret.Own(encode(maxRecord, x.write)) }

func readRecord(r *wire.Reader) (x Record) {
	x.Certificate = readCertificate(r)
	x.RequestKey = secret.Own(r.Fixed(suite.KeySize))
	if r.Bool() {
		x.Masked = readMasked(r, x.Certificate.Kind)
		x.MaskedHash = hash32(x.Masked.Expose())
	} else {
		r.Into(x.MaskedHash[:])
	}
	x.Signature = readSignature(r)
	return x
}

// readMasked reads the masked share of an invite of a kind: one scalar or two.
func readMasked(r *wire.Reader, kind dkg.Kind) secret.Bytes {
	v := r.Vec8(2 * ed448.ScalarSize)
	ok := len(v) == maskedSize(kind)
	for at := 0; ok && at < len(v); at += ed448.ScalarSize {
		_, err := ed448.ParseScalar(v[at : at+ed448.ScalarSize])
		ok = err == nil
	}
	if r.Err() == nil && !ok {
		r.Fail("masked share")
	}
	return secret.Own(v)
}

// ParseRecord reads a record without verifying it.
func ParseRecord(b []byte) (Record, error) { return parseAll(b, maxRecord, readRecord) }

// InviteKeys are what the seed of an invite gives (§9). The seed stands in the link and nowhere else.
type InviteKeys struct {
	M          secret.Bytes // 32 bytes: kept by owners while the invite is open
	Admission  suite.SigningKey
	RequestKey secret.Bytes // 32 bytes
	Tag        Tag
}

// KeysOfInvite returns the keys that a seed of 32 bytes gives in a space, or suite.ErrInvalid for an unknown suite or another
// length.
func KeysOfInvite(seed secret.Bytes, space state.ID, s suite.Suite) (k InviteKeys, err error) {
	if seed.Len() != suite.KeySize || !s.Valid() {
		return InviteKeys{}, invalid("seed of an invite")
	}
	admission := suite.Expand(seed, suite.ExpandInviteAdmission, space[:], s.Scheme().SeedSize())
	if k.Admission, err = suite.ParseSigningKey(s.Scheme(), admission); err != nil {
		return InviteKeys{}, err
	}
	k.M = suite.Expand(seed, suite.ExpandInviteMask, space[:], suite.KeySize)
	k.RequestKey = suite.Expand(seed, suite.ExpandInviteRequest, space[:], suite.KeySize)
	k.Tag = inviteTag(k.RequestKey, space)
	return k, nil
}

// DirectTicketKey returns the key pair to which the ticket of a direct link is boxed.
func DirectTicketKey(seed secret.Bytes, space state.ID, s suite.Suite) (suite.KEMSecret, error) {
	return suite.ParseKEMSecret(s.KEM(), suite.Expand(seed, suite.ExpandDirectTicket, space[:], suite.KEMSecretSize))
}

// MaskOf returns the mask that m gives under a root's polynomial. No mask meets two polynomials, since C is in it.
func MaskOf(m secret.Bytes, space state.ID, public dkg.Commitment) dkg.Mask {
	scalar := func(n byte) ed448.Scalar {
		return suite.HashToScalar(suite.ScalarInviteMask, m.Expose(), space[:], public.Bytes(), []byte{n})
	}
	return dkg.Mask{scalar(0), scalar(1)}
}
