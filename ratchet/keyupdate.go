package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// keyUpdate replaces a member's inbox key (§10). Its proof shows that the maker knows the share, so that whoever stole
// only a signing key cannot have the next rekey boxed to himself.
type keyUpdate struct {
	counter uint32
	inbox   []byte // public inbox key, not tried yet
	c       [32]byte
	z       ed448.Scalar // public
}

// newKeyUpdate proves a new inbox key in an epoch.
func newKeyUpdate(space state.ID, id epochID, share dkg.Share, counter uint32, inbox boxKey) keyUpdate {
	u := keyUpdate{counter: counter, inbox: inbox.raw}
	s := share.Scalar()
	ctx := commitContext(space, id, share.Index())
	k := h2s(scalarKeyUpdateNonce, fresh(), s.Bytes(), ctx, u32(counter), inbox.raw)
	u.c = u.challenge(space, id, share.Public(), ed448.BaseMult(k))
	u.z = k.Add(ed448.ShortScalar(u.c).Mul(s))
	return u
}

// challenge is the challenge of the proof of knowledge of log_G S.
func (u keyUpdate) challenge(space state.ID, id epochID, s, a ed448.Point) [32]byte {
	return h32(challengeKeyUpdate, space[:], id[:], s.Bytes(), a.Bytes(), u32(u.counter), u.inbox)
}

// verify checks the proof of member i and tries the key, which it returns.
func (u keyUpdate) verify(space state.ID, id epochID, public dkg.Commitment, i dkg.Index, p Policy) (boxKey, error) {
	if kemOf(len(u.inbox)) != p.KEM {
		return boxKey{}, fmt.Errorf("%w: inbox key of another policy", errInvalid)
	}
	s, err := public.PublicShare(i)
	if err != nil {
		return boxKey{}, fmt.Errorf("%w: index of a key update", errInvalid)
	}
	// All of this is public.
	a := ed448.VarTimeDoubleBaseMult(u.z, ed448.ShortScalar(u.c).Neg(), s)
	if u.challenge(space, id, s, a) != u.c {
		return boxKey{}, fmt.Errorf("%w: proof of a key update", errInvalid)
	}
	return parseBoxKey(u.inbox)
}

// encode returns u32 counter ‖ vec16 inbox key ‖ c ‖ z.
func (u keyUpdate) encode() []byte {
	w := wire.NewWriter(maxKeyUpdate)
	w.U32(u.counter)
	w.Vec16(u.inbox)
	w.Fixed(u.c[:])
	w.Fixed(u.z.Bytes())
	return w.Bytes()
}

// parseKeyUpdate reads a key update without verifying it.
func parseKeyUpdate(b []byte) (u keyUpdate, err error) {
	r := wire.NewReader(b)
	u.counter = r.U32()
	u.inbox = r.Vec16(maxBoxKey)
	r.Into(u.c[:])
	u.z = readNested(r, r.Fixed(ed448.ScalarSize), ed448.ParseScalar)
	if err = r.Done(); err != nil {
		return keyUpdate{}, err
	}
	return u, nil
}
