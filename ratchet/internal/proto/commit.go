package proto

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// ErrOwnCommit: a commit of the own index, which only its maker can follow.
var ErrOwnCommit = errors.New("ratchet: commit of the own index")

// EpochID names an epoch.
type EpochID [32]byte

// Commit is a broadcast KEM on shares (§4): whoever holds a share other than the maker's derives the same secret from it.
// It is kept as the bytes it came in; they go into the id of the epoch it makes.
type Commit [CommitSize]byte

// Index returns the index that the commit claims to be made with.
func (c Commit) Index() dkg.Index {
	return dkg.Index(uint32(c[0])<<24 | uint32(c[1])<<16 | uint32(c[2])<<8 | uint32(c[3]))
}

// Child returns the id of the epoch of that generation that the commit makes of parent (§5). An id says its generation, as
// only the epochs of a ticket come with one that cannot be counted: nobody can hand on a true epoch under a false one.
func (c Commit) Child(space state.ID, parent EpochID, generation uint64) EpochID {
	return suite.HashID(suite.HashEpoch, []byte{suite.TagCommit}, space[:], parent[:], suite.U64(generation), c[:])
}

// parseCommit copies a commit. What is in it is checked by verify.
func parseCommit(b []byte) (c Commit, err error) {
	if len(b) != CommitSize {
		return Commit{}, fmt.Errorf("%w: length of a commit", wire.ErrMalformed)
	}
	copy(c[:], b)
	return c, nil
}

// commitContext binds a commit to its place.
func commitContext(space state.ID, parent EpochID, i dkg.Index) []byte {
	ctx := make([]byte, 0, 2*32+4)
	ctx = append(ctx, space[:]...)
	ctx = append(ctx, parent[:]...)
	return append(ctx, suite.U32(uint32(i))...)
}

// fresh returns 64 random bytes to be hashed into a nonce.
func fresh() []byte {
	b := make([]byte, 64)
	rand.Read(b)
	return b
}

// NewCommit makes a commit with a share, and the secret that others will derive from it (57 bytes). The maker itself
// cannot derive it again. It returns suite.ErrInvalid for a share that the polynomial does not have.
func NewCommit(space state.ID, parent EpochID, public dkg.Commitment, share dkg.Share) (Commit, secret.Bytes, error) {
	si, err := public.PublicShare(share.Index())
	if err != nil {
		return Commit{}, secret.Bytes{}, fmt.Errorf("%w: share", suite.ErrInvalid)
	}
	ctx := commitContext(space, parent, share.Index())
	s := share.Scalar()
	r := suite.HashToScalar(suite.ScalarCommitNonce, fresh(), s.Bytes(), ctx)
	p := ed448.BaseMult(r)
	d := p.Mult(s)
	ss := ed448.SharedSecret(r, public.C0())

	k := suite.HashToScalar(suite.ScalarDLEQNonce, fresh(), s.Bytes(), ctx, p.Bytes())
	a1, a2 := ed448.BaseMult(k), p.Mult(k)
	c := commitChallenge(ctx, si, p, d, a1, a2)
	z := k.Add(ed448.ShortScalar(c).Mul(s))

	w := wire.NewWriter(CommitSize)
	w.U32(uint32(share.Index()))
	w.Fixed(p.Bytes())
	w.Fixed(d.Bytes())
	w.Fixed(c[:])
	w.Fixed(z.Bytes())
	return Commit(w.Bytes()), ss, nil
}

// commitChallenge is the challenge of the proof that log_G S = log_P D.
func commitChallenge(ctx []byte, s, p, d, a1, a2 ed448.Point) [32]byte {
	return suite.HashTo32(suite.ChallengeDLEQ, ctx, s.Bytes(), p.Bytes(), d.Bytes(), a1.Bytes(), a2.Bytes())
}

// Verify checks that whoever made the commit knows the share of the index it names, of a root of the given depth, and
// returns its points P and D; else it returns suite.ErrInvalid. Without this nothing may be concluded from a commit, and with it
// no more than that: the proof is no signature, as an owner and any two members know every share. All of it is public.
func (c Commit) Verify(space state.ID, parent EpochID, depth int, public dkg.Commitment) (p, d ed448.Point, err error) {
	p, d, challenge, z, err := c.parse(depth)
	if err != nil {
		return ed448.Point{}, ed448.Point{}, fmt.Errorf("%w: commit", suite.ErrInvalid)
	}
	s, err := public.PublicShare(c.Index())
	if err != nil {
		return ed448.Point{}, ed448.Point{}, fmt.Errorf("%w: index of a commit", suite.ErrInvalid)
	}
	minus := ed448.ShortScalar(challenge).Neg()
	a1 := ed448.VarTimeDoubleBaseMult(z, minus, s)
	a2 := ed448.VarTimeMultiMult([]ed448.Scalar{z, minus}, []ed448.Point{p, d})
	if commitChallenge(commitContext(space, parent, c.Index()), s, p, d, a1, a2) != challenge {
		return ed448.Point{}, ed448.Point{}, fmt.Errorf("%w: proof of a commit", suite.ErrInvalid)
	}
	return p, d, nil
}

// Follow verifies the commit and derives its secret (57 bytes) with a share of another index. All members derive the same
// secret, or all refuse it with suite.ErrInvalid. A true commit of the share's own index is ErrOwnCommit: only its maker knows
// its secret.
func (c Commit) Follow(space state.ID, parent EpochID, depth int, public dkg.Commitment, share dkg.Share) (secret.Bytes, error) {
	p, d, err := c.Verify(space, parent, depth, public)
	if err != nil {
		return secret.Bytes{}, err
	}
	if c.Index() == share.Index() {
		return secret.Bytes{}, ErrOwnCommit
	}
	ss, err := share.Combine(c.Index(), d, p)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("%w: index of a commit", suite.ErrInvalid)
	}
	return ss, nil
}

// parse takes the commit apart and checks points, scalar and index.
func (c Commit) parse(depth int) (p, d ed448.Point, challenge [32]byte, z ed448.Scalar, err error) {
	b := c[4:]
	if p, err = ed448.ParsePoint(b[:ed448.PointSize]); err != nil {
		return
	}
	if d, err = ed448.ParsePoint(b[ed448.PointSize : 2*ed448.PointSize]); err != nil {
		return
	}
	copy(challenge[:], b[2*ed448.PointSize:])
	if z, err = ed448.ParseScalar(b[2*ed448.PointSize+len(challenge):]); err != nil {
		return
	}
	return p, d, challenge, z, checkIndex(c.Index(), depth)
}

// SealedCommit is a commit as messages carry it, sealed under the commit key of its parent. It can be compared with ==.
type SealedCommit [sealedCommitSize]byte

// Seal seals the commit.
func (c Commit) Seal(key suite.AEAD, space state.ID, parent EpochID) (out SealedCommit) {
	aad := epochAAD(space, parent)
	key.Seal(out[:0], c[:], aad[:])
	return out
}

// Open opens a sealed commit with the commit key of a possible parent, or returns suite.ErrNotOpened.
func (s SealedCommit) Open(key suite.AEAD, space state.ID, parent EpochID) (c Commit, err error) {
	aad := epochAAD(space, parent)
	_, err = key.Open(c[:0], s[:], aad[:])
	return c, err
}

// CommitSize is the length of a commit: u32 index ‖ P ‖ D ‖ challenge ‖ z.
const CommitSize = 4 + 2*ed448.PointSize + 32 + ed448.ScalarSize

const sealedCommitSize = CommitSize + suite.AEADOverhead
