package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Introduction is all that a member whom no notice lists says of itself (§9). The zero Introduction is none.
type Introduction struct {
	Credential Credential
	Rest       Rest
	Inbox      suite.KEMKey
}

// IsZero reports whether there is no introduction.
func (i Introduction) IsZero() bool { return i.Credential.IsZero() }

// Index returns the index of the member.
func (i Introduction) Index() dkg.Index { return i.Credential.Index() }

// Verify checks that the introduction is right under a root: its credential is, the hashes of rest and inbox key fit, and
// something can be boxed to the inbox key. It returns suite.ErrInvalid, or wire.ErrMalformed for the inbox key.
func (i Introduction) Verify(root RootView) error {
	if err := verifyProfile(i.Credential.Binding, i.Rest, i.Inbox, root.Suite()); err != nil {
		return err
	}
	if err := i.Credential.Verify(root); err != nil {
		return err
	}
	return i.Inbox.Try()
}

// verifyProfile checks that rest and inbox key are those of a binding, and of the suite.
func verifyProfile(b Binding, x Rest, inbox suite.KEMKey, s suite.Suite) error {
	switch {
	case x.Hash() != b.Rest:
		return invalid("rest of another binding")
	case HashOfInbox(inbox) != x.Inbox:
		return invalid("inbox key of another binding")
	case inbox.KEM() != s.KEM():
		return invalid("inbox key of another suite")
	}
	return nil
}

// Encode returns vec16 certificate ‖ vec16 binding ‖ vec16 rest ‖ vec16 inbox key.
func (i Introduction) Encode() []byte {
	return encode(MaxIntroduction, func(w *wire.Writer) {
		w.Vec16(i.Credential.Certificate.Encode())
		w.Vec16(i.Credential.Binding.Encode())
		w.Vec16(i.Rest.Encode())
		w.Vec16(i.Inbox.Bytes())
	})
}

func readIntroduction(r *wire.Reader) (i Introduction) {
	i.Credential.Certificate = readNested(r, r.Vec16(MaxCertificate), readCertificate)
	i.Credential.Binding = readNested(r, r.Vec16(MaxBinding), readBinding)
	i.Rest = readNested(r, r.Vec16(MaxRest), readRest)
	i.Inbox = readKEMKey(r)
	return i
}

// ParseIntroduction reads an introduction without verifying it.
func ParseIntroduction(b []byte) (Introduction, error) {
	return parseAll(b, MaxIntroduction, readIntroduction)
}
