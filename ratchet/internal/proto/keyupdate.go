package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// KeyUpdate replaces a member's inbox key (§10). Its proof shows that the maker knows the share, so that whoever stole
// only a signing key cannot have the next rekey boxed to himself.
type KeyUpdate struct {
	Counter uint32
	Inbox   []byte // public inbox key, not tried yet
	c       [32]byte
	z       ed448.Scalar // public
}

// NewKeyUpdate proves a new inbox key in an epoch.
func NewKeyUpdate(space state.ID, id EpochID, share dkg.Share, counter uint32, inbox suite.KEMKey) KeyUpdate {
	u := KeyUpdate{Counter: counter, Inbox: inbox.Bytes()}
	s := share.Scalar()
	ctx := commitContext(space, id, share.Index())
	k := suite.HashToScalar(suite.ScalarKeyUpdateNonce, fresh(), s.Bytes(), ctx, suite.U32(counter), inbox.Bytes())
	u.c = u.challenge(space, id, share.Public(), ed448.BaseMult(k))
	u.z = k.Add(ed448.ShortScalar(u.c).Mul(s))
	return u
}

// challenge is the challenge of the proof of knowledge of log_G S.
func (u KeyUpdate) challenge(space state.ID, id EpochID, s, a ed448.Point) [32]byte {
	return suite.HashTo32(suite.ChallengeKeyUpdate, space[:], id[:], s.Bytes(), a.Bytes(), suite.U32(u.Counter), u.Inbox)
}

// Verify checks the proof of member i and tries the key, which it returns.
func (u KeyUpdate) Verify(space state.ID, id EpochID, public dkg.Commitment, i dkg.Index, p Policy) (suite.KEMKey, error) {
	if suite.KEMOf(len(u.Inbox)) != p.KEM {
		return suite.KEMKey{}, fmt.Errorf("%w: inbox key of another policy", suite.ErrInvalid)
	}
	s, err := public.PublicShare(i)
	if err != nil {
		return suite.KEMKey{}, fmt.Errorf("%w: index of a key update", suite.ErrInvalid)
	}
	// All of this is public.
	a := ed448.VarTimeDoubleBaseMult(u.z, ed448.ShortScalar(u.c).Neg(), s)
	if u.challenge(space, id, s, a) != u.c {
		return suite.KEMKey{}, fmt.Errorf("%w: proof of a key update", suite.ErrInvalid)
	}
	return suite.ParseKEMKey(u.Inbox)
}

// Encode returns u32 counter ‖ vec16 inbox key ‖ c ‖ z.
func (u KeyUpdate) Encode() []byte {
	w := wire.NewWriter(maxKeyUpdate)
	w.U32(u.Counter)
	w.Vec16(u.Inbox)
	w.Fixed(u.c[:])
	w.Fixed(u.z.Bytes())
	return w.Bytes()
}

// ParseKeyUpdate reads a key update without verifying it.
func ParseKeyUpdate(b []byte) (u KeyUpdate, err error) {
	r := wire.NewReader(b)
	u.Counter = r.U32()
	u.Inbox = r.Vec16(suite.MaxKEMKey)
	r.Into(u.c[:])
	u.z = readNested(r, r.Fixed(ed448.ScalarSize), ed448.ParseScalar)
	if err = r.Done(); err != nil {
		return KeyUpdate{}, err
	}
	return u, nil
}
