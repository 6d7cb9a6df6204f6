package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Certificate is an owner's word that whoever has an admission key may bind keys to indices of a root (§9): one index for
// kinds Private and Direct, a run for Public.
type Certificate struct {
	Kind      dkg.Kind
	Root      EpochID
	Owner     uint8 // place of the signer in the list of that root's notice
	First     dkg.Index
	Count     uint32
	Step      uint8
	Expires   uint32 // hours since 1970, 0 never; ends answers, and nothing that is followed
	Admission suite.PublicKey
	Signature []byte
}

// runUnit divides the length of a run, which a link gives in these units.
const runUnit = 16

// maxStep is the greatest step of a run: owners give out indices in turn, and there are at most that many.
const maxStep = MaxOwners

// IsZero reports whether there is no certificate.
func (c Certificate) IsZero() bool { return c.Kind == 0 }

// checkRun reports whether kind, first index, count and step of a certificate or link are those of an invite.
func checkRun(kind dkg.Kind, first dkg.Index, count uint32, step uint8) bool {
	last := uint64(first) + (uint64(count)-1)*uint64(step)
	switch kind {
	case dkg.Private, dkg.Direct:
		return count == 1 && step == 1
	case dkg.Public:
		return count >= runUnit && count%runUnit == 0 && step >= 1 && step <= maxStep && last <= uint64(dkg.MaxIndex)
	}
	return false
}

// last returns the greatest index that the certificate covers.
func (c Certificate) last() dkg.Index { return c.First + dkg.Index(c.Count-1)*dkg.Index(c.Step) }

// Covers reports whether the certificate is for an index.
func (c Certificate) Covers(i dkg.Index) bool {
	if c.IsZero() || i < c.First || i > c.last() {
		return false
	}
	return (i-c.First)%dkg.Index(c.Step) == 0
}

// ExpiredAt reports whether the lifetime is over at a time in milliseconds since 1970.
func (c Certificate) ExpiredAt(millis uint64) bool {
	return c.Expires != 0 && millis/3_600_000 >= uint64(c.Expires)
}

// Name returns the name of the invite that the certificate is of.
func (c Certificate) Name() InviteName { return NameOfInvite(c.Admission) }

// NameOfInvite returns the name of the invite with an admission key.
func NameOfInvite(admission suite.PublicKey) InviteName {
	key := encode(2+suite.MaxPublicKey, func(w *wire.Writer) { suite.WritePublicKey(w, admission) })
	d := suite.HashLabel(suite.HashInvite, key)
	return InviteName(d[:16])
}

// Sign returns the certificate with an owner's signature.
func (c Certificate) Sign(owner suite.SigningKey, space state.ID) Certificate {
	c.Signature = owner.Sign(suite.SignAdmission, space[:], c.cert())
	return c
}

// Verify checks what a certificate needs to be right under a root: it names the root, its indices are inside the depth, its
// admission key is of the suite, and the owner at its place in the notice's list signed it. It returns suite.ErrInvalid. Time
// plays no part.
func (c Certificate) Verify(root RootView) error {
	switch {
	case c.IsZero():
		return invalid("no certificate")
	case c.Root != root.ID():
		return invalid("certificate of another root")
	case c.last().Check(root.Depth()) != nil:
		return invalid("certificate beyond the depth")
	case c.Admission.Scheme() != root.Suite().Scheme():
		return invalid("scheme of an admission key")
	}
	owner, ok := root.Owner(c.Owner)
	if !ok {
		return invalid("no such owner")
	}
	space := root.Space()
	return owner.Verify(c.Signature, suite.SignAdmission, space[:], c.cert())
}

// cert returns what is signed after the space.
func (c Certificate) cert() []byte { return encode(MaxCertificate, c.writeCert) }

func (c Certificate) writeCert(w *wire.Writer) {
	w.U8(uint8(c.Kind))
	w.Fixed(c.Root[:])
	w.U8(c.Owner)
	w.U32(uint32(c.First))
	w.U32(c.Count)
	w.U8(c.Step)
	w.U32(c.Expires)
	suite.WritePublicKey(w, c.Admission)
}

func (c Certificate) write(w *wire.Writer) {
	c.writeCert(w)
	w.Vec16(c.Signature)
}

// Encode returns u8 kind ‖ root id ‖ u8 place of the owner ‖ u32 first ‖ u32 n ‖ u8 step ‖ u32 expires ‖ vec16 admission
// public key ‖ vec16 signature; of the zero Certificate nothing.
func (c Certificate) Encode() []byte {
	if c.IsZero() {
		return nil
	}
	return encode(MaxCertificate, c.write)
}

func readCertificate(r *wire.Reader) (c Certificate) {
	c.Kind = dkg.Kind(r.U8())
	r.Into(c.Root[:])
	c.Owner = r.U8()
	c.First = readIndex(r)
	c.Count = r.U32()
	c.Step = r.U8()
	c.Expires = r.U32()
	c.Admission = suite.ReadPublicKey(r)
	c.Signature = readSignature(r)
	if r.Err() == nil && (!checkRun(c.Kind, c.First, c.Count, c.Step) || c.Owner >= MaxOwners) {
		r.Fail("certificate")
	}
	return c
}

// ParseCertificate reads a certificate without verifying it.
func ParseCertificate(b []byte) (Certificate, error) {
	return parseAll(b, MaxCertificate, readCertificate)
}

// readOptionalCertificate reads a certificate behind its length, or the zero one for an empty field.
func readOptionalCertificate(r *wire.Reader) Certificate {
	b := r.Vec16(MaxCertificate)
	if len(b) == 0 {
		return Certificate{}
	}
	return readNested(r, b, readCertificate)
}
