package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Binding says that a signing key is the member with an index (§9). The admission key of an invite and the signing key itself
// signed it. The founder's has no admission key.
type Binding struct {
	Index            dkg.Index
	Signing          suite.PublicKey
	Rest             RestHash
	Admission        suite.PublicKey // zero: the founder's
	SignedByAdmitter []byte          // with the admission key; empty: the founder's
	SignedByMember   []byte          // with the signing key
}

// NewBinding signs a binding. The zero admission key makes a founder's.
func NewBinding(space state.ID, i dkg.Index, rest RestHash, admission, member suite.SigningKey) Binding {
	b := Binding{Index: i, Signing: member.Public, Rest: rest, Admission: admission.Public}
	body := b.body()
	if !admission.IsZero() {
		b.SignedByAdmitter = admission.Sign(suite.SignBinding, space[:], body)
	}
	b.SignedByMember = member.Sign(suite.SignBinding, space[:], body)
	return b
}

// IsZero reports whether there is no binding.
func (b Binding) IsZero() bool { return b.Index == 0 }

// Hash returns H(body)[:32].
func (b Binding) Hash() BodyHash { return hash32(b.body()) }

// HashOfBody returns the hash of the binding with these fields.
func HashOfBody(i dkg.Index, signing suite.PublicKey, rest RestHash, admission suite.PublicKey) BodyHash {
	return Binding{Index: i, Signing: signing, Rest: rest, Admission: admission}.Hash()
}

// Verify checks what makes a binding right in itself: an admission key, both signatures, and keys of the suite. It returns
// suite.ErrInvalid. A founder's binding is right only where a notice lists its hash.
func (b Binding) Verify(space state.ID, s suite.Suite) error {
	if b.Signing.Scheme() != s.Scheme() || b.Admission.Scheme() != s.Scheme() {
		return invalid("scheme of a binding's keys")
	}
	body := b.body()
	if err := b.Admission.Verify(b.SignedByAdmitter, suite.SignBinding, space[:], body); err != nil {
		return err
	}
	return b.Signing.Verify(b.SignedByMember, suite.SignBinding, space[:], body)
}

func (b Binding) body() []byte { return encode(4+2*(2+suite.MaxPublicKey)+32, b.writeBody) }

func (b Binding) writeBody(w *wire.Writer) {
	w.U32(uint32(b.Index))
	suite.WritePublicKey(w, b.Signing)
	w.Fixed(b.Rest[:])
	suite.WritePublicKey(w, b.Admission)
}

func (b Binding) write(w *wire.Writer) {
	b.writeBody(w)
	w.Vec16(b.SignedByAdmitter)
	w.Vec16(b.SignedByMember)
}

// Encode returns u32(j) ‖ vec16 signing key ‖ H(rest)[:32] ‖ vec16 admission public key ‖ vec16 signature of the admission key
// ‖ vec16 signature of the signing key.
func (b Binding) Encode() []byte { return encode(MaxBinding, b.write) }

func readBinding(r *wire.Reader) (b Binding) {
	b.Index = readIndex(r)
	b.Signing = suite.ReadPublicKey(r)
	r.Into(b.Rest[:])
	b.Admission = readOptionalKey(r)
	if b.Admission.IsZero() {
		if len(r.Vec16(0)) != 0 {
			r.Fail("signature without a key")
		}
	} else {
		b.SignedByAdmitter = readSignature(r)
	}
	b.SignedByMember = readSignature(r)
	return b
}

// ParseBinding reads a binding without verifying it.
func ParseBinding(b []byte) (Binding, error) { return parseAll(b, MaxBinding, readBinding) }

// Credential is a certificate with a binding: the proof that a member whom the notice of a root does not list belongs to it
// (§9). The zero Credential is none.
type Credential struct {
	Certificate Certificate
	Binding     Binding
}

// maxCredential bounds its encoding.
const maxCredential = MaxCertificate + MaxBinding

// IsZero reports whether there is no credential.
func (c Credential) IsZero() bool { return c.Binding.IsZero() }

// Index returns the member's index, and Key its signing key.
func (c Credential) Index() dkg.Index { return c.Binding.Index }

// Key returns the member's signing key.
func (c Credential) Key() suite.PublicKey { return c.Binding.Signing }

// Verify checks that the credential is right under a root, or returns suite.ErrInvalid. Time, revocation and what the reader
// knows play no part.
func (c Credential) Verify(root RootView) error {
	if err := c.verifyMatch(); err != nil {
		return err
	}
	if err := c.Certificate.Verify(root); err != nil {
		return err
	}
	return c.Binding.Verify(root.Space(), root.Suite())
}

// verifyMatch checks that the certificate is for the binding.
func (c Credential) verifyMatch() error {
	if !c.Certificate.Covers(c.Binding.Index) || c.Certificate.Admission != c.Binding.Admission {
		return invalid("binding of another certificate")
	}
	return nil
}

func (c Credential) write(w *wire.Writer) {
	c.Certificate.write(w)
	c.Binding.write(w)
}

// encodeOptional returns certificate ‖ binding, or nothing for the zero Credential.
func (c Credential) encodeOptional() []byte {
	if c.IsZero() {
		return nil
	}
	return encode(maxCredential, c.write)
}

func readCredential(r *wire.Reader) Credential {
	return Credential{readCertificate(r), readBinding(r)}
}

// readOptionalCredential reads a credential behind its length, or the zero one for an empty field.
func readOptionalCredential(r *wire.Reader) Credential {
	b := r.Vec16(maxCredential)
	if len(b) == 0 {
		return Credential{}
	}
	return readNested(r, b, readCredential)
}
