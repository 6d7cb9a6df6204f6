package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Introduction binds a joiner's keys to an index of a root (§9).
type Introduction struct {
	Root       EpochID
	Rekey      uint64
	Index      dkg.Index
	Key        suite.PublicKey // signing key
	Inbox      []byte          // public inbox key, not tried yet
	Ticket     suite.Digest    // H(ticket key)
	App        []byte
	Time       int64 // milliseconds since 1970, for display only
	admission  suite.PublicKey
	owner      []byte // owner's signature over the admission key
	byAdmitted []byte // signature with the admission key
	byMember   []byte // signature with the new signing key
}

// NewIntroduction signs an introduction. The fields up to time are as given in i; key is the member's.
func NewIntroduction(space state.ID, i Introduction, a Admission, member suite.SigningKey) (Introduction, error) {
	if len(i.App) > MaxApplicationData {
		return Introduction{}, outcome.ErrTooLong
	}
	i.Key, i.admission, i.owner = member.Public, a.Key.Public, a.owner
	body := i.body()
	i.byAdmitted = a.Key.Sign(suite.SignIntroduction, space[:], body)
	i.byMember = member.Sign(suite.SignIntroduction, space[:], body)
	return i, nil
}

// Verify checks everything that needs no state: both signatures, the owner's admission, that keys are of the policy's
// kinds, and that the inbox key can be boxed to, which it returns.
func (i Introduction) Verify(space state.ID, owners OwnerList, p Policy) (suite.KEMKey, error) {
	if err := i.verifySignatures(space, owners, p); err != nil {
		return suite.KEMKey{}, err
	}
	return suite.ParseKEMKey(i.Inbox)
}

func (i Introduction) verifySignatures(space state.ID, owners OwnerList, p Policy) error {
	if i.Key.Scheme() != p.Scheme || i.admission.Scheme() != p.Scheme || suite.KEMOf(len(i.Inbox)) != p.KEM {
		return fmt.Errorf("%w: keys of another policy", suite.ErrInvalid)
	}
	body := i.body()
	// Cheapest first: an outsider cannot make the first two.
	if err := verifyAdmission(owners, space, i.Root, i.Index, i.admission, i.owner); err != nil {
		return err
	}
	if err := i.admission.Verify(i.byAdmitted, suite.SignIntroduction, space[:], body); err != nil {
		return err
	}
	return i.Key.Verify(i.byMember, suite.SignIntroduction, space[:], body)
}

// Entry returns the roster's entry of the introduced member.
func (i Introduction) Entry() RosterEntry { return RosterEntry{i.Index, i.Key, suite.Hash(i.Inbox)} }

// body returns what is signed twice after the space: root id ‖ u64 rekey generation ‖ u32 index ‖ vec16 signing key ‖
// vec16 inbox key ‖ H(ticket key) ‖ vec16 application data ‖ u64 time ‖ vec16 admission public key ‖ vec16 owner's
// signature.
func (i Introduction) body() []byte {
	w := wire.NewWriter(MaxIntroduction)
	w.Fixed(i.Root[:])
	w.U64(i.Rekey)
	w.U32(uint32(i.Index))
	suite.WritePublicKey(w, i.Key)
	w.Vec16(i.Inbox)
	w.Fixed(i.Ticket[:])
	w.Vec16(i.App)
	w.U64(uint64(i.Time))
	suite.WritePublicKey(w, i.admission)
	w.Vec16(i.owner)
	return w.Bytes()
}

// Encode returns body ‖ vec16 signature of the admission key ‖ vec16 signature of the signing key.
func (i Introduction) Encode() []byte {
	w := wire.NewWriter(2 * (2 + suite.MaxSignature))
	w.Vec16(i.byAdmitted)
	w.Vec16(i.byMember)
	return append(i.body(), w.Bytes()...)
}

// ParseIntroduction reads an introduction without verifying it.
func ParseIntroduction(b []byte) (i Introduction, err error) {
	if len(b) > MaxIntroduction {
		return Introduction{}, fmt.Errorf("%w: an introduction is longer than its limit", wire.ErrMalformed)
	}
	r := wire.NewReader(b)
	r.Into(i.Root[:])
	i.Rekey = r.U64()
	i.Index = ReadIndex(r, dkg.MaxDepth)
	i.Key = suite.ReadPublicKey(r)
	i.Inbox = r.Vec16(suite.MaxKEMKey)
	r.Into(i.Ticket[:])
	i.App = r.Vec16(MaxApplicationData)
	i.Time = int64(r.U64())
	i.admission = suite.ReadPublicKey(r)
	i.owner = r.Vec16(suite.MaxSignature)
	i.byAdmitted = r.Vec16(suite.MaxSignature)
	i.byMember = r.Vec16(suite.MaxSignature)
	if err = r.Done(); err != nil {
		return Introduction{}, err
	}
	return i, nil
}
