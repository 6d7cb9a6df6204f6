package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// introduction binds a joiner's keys to an index of a root (§9).
type introduction struct {
	root       epochID
	rekey      uint64
	index      dkg.Index
	key        PublicKey // signing key
	inbox      []byte    // public inbox key, not tried yet
	ticket     digest    // H(ticket key)
	app        []byte
	time       int64 // milliseconds since 1970, for display only
	admission  PublicKey
	owner      []byte // owner's signature over the admission key
	byAdmitted []byte // signature with the admission key
	byMember   []byte // signature with the new signing key
}

// newIntroduction signs an introduction. The fields up to time are as given in i; key is the member's.
func newIntroduction(space state.ID, i introduction, a admission, member signingKey) (introduction, error) {
	if len(i.app) > MaxApplicationData {
		return introduction{}, ErrTooLong
	}
	i.key, i.admission, i.owner = member.public, a.key.public, a.owner
	body := i.body()
	i.byAdmitted = a.key.sign(signIntroduction, space[:], body)
	i.byMember = member.sign(signIntroduction, space[:], body)
	return i, nil
}

// verify checks everything that needs no state: both signatures, the owner's admission, that keys are of the policy's
// kinds, and that the inbox key can be boxed to, which it returns.
func (i introduction) verify(space state.ID, owners ownerList, p Policy) (boxKey, error) {
	if err := i.verifySignatures(space, owners, p); err != nil {
		return boxKey{}, err
	}
	return parseBoxKey(i.inbox)
}

func (i introduction) verifySignatures(space state.ID, owners ownerList, p Policy) error {
	if i.key.scheme != p.Scheme || i.admission.scheme != p.Scheme || kemOf(len(i.inbox)) != p.KEM {
		return fmt.Errorf("%w: keys of another policy", errInvalid)
	}
	body := i.body()
	// Cheapest first: an outsider cannot make the first two.
	if err := verifyAdmission(owners, space, i.root, i.index, i.admission, i.owner); err != nil {
		return err
	}
	if err := i.admission.verify(i.byAdmitted, signIntroduction, space[:], body); err != nil {
		return err
	}
	return i.key.verify(i.byMember, signIntroduction, space[:], body)
}

// entry returns the roster's entry of the introduced member.
func (i introduction) entry() rosterEntry { return rosterEntry{i.index, i.key, hash(i.inbox)} }

// body returns what is signed twice after the space: root id ‖ u64 rekey generation ‖ u32 index ‖ vec16 signing key ‖
// vec16 inbox key ‖ H(ticket key) ‖ vec16 application data ‖ u64 time ‖ vec16 admission public key ‖ vec16 owner's
// signature.
func (i introduction) body() []byte {
	w := wire.NewWriter(maxIntroduction)
	w.Fixed(i.root[:])
	w.U64(i.rekey)
	w.U32(uint32(i.index))
	writePublicKey(w, i.key)
	w.Vec16(i.inbox)
	w.Fixed(i.ticket[:])
	w.Vec16(i.app)
	w.U64(uint64(i.time))
	writePublicKey(w, i.admission)
	w.Vec16(i.owner)
	return w.Bytes()
}

// encode returns body ‖ vec16 signature of the admission key ‖ vec16 signature of the signing key.
func (i introduction) encode() []byte {
	w := wire.NewWriter(2 * (2 + maxSignature))
	w.Vec16(i.byAdmitted)
	w.Vec16(i.byMember)
	return append(i.body(), w.Bytes()...)
}

// parseIntroduction reads an introduction without verifying it.
func parseIntroduction(b []byte) (i introduction, err error) {
	if len(b) > maxIntroduction {
		return introduction{}, fmt.Errorf("%w: an introduction is longer than its limit", wire.ErrMalformed)
	}
	r := wire.NewReader(b)
	r.Into(i.root[:])
	i.rekey = r.U64()
	i.index = readIndex(r, dkg.MaxDepth)
	i.key = readPublicKey(r)
	i.inbox = r.Vec16(maxBoxKey)
	r.Into(i.ticket[:])
	i.app = r.Vec16(MaxApplicationData)
	i.time = int64(r.U64())
	i.admission = readPublicKey(r)
	i.owner = r.Vec16(maxSignature)
	i.byAdmitted = r.Vec16(maxSignature)
	i.byMember = r.Vec16(maxSignature)
	if err = r.Done(); err != nil {
		return introduction{}, err
	}
	return i, nil
}
