package proto

import (
	"errors"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// ErrOwnCommit: a commit of the share's own index, of which only its maker knows the secret.
var ErrOwnCommit = errors.New("ratchet: commit of the own index")

// Core is the broadcast KEM of a commit (§4): whoever holds a share other than the maker's derives the same secret from it. C
// and Z prove that R and D have one witness, so that all derive the same. They prove nothing of who made it.
type Core struct {
	Maker dkg.Index
	R, D  ed448.Point
	C     [32]byte
	Z     ed448.Scalar
}

// coreSize is the length of its encoding.
const coreSize = 4 + 2*ed448.PointSize + 32 + ed448.ScalarSize

// commitContext binds a commit to where it is made: space ‖ id_e ‖ u32(i).
func commitContext(space state.ID, parent EpochID, i dkg.Index) []byte {
	ctx := make([]byte, 0, 2*32+4)
	ctx = append(ctx, space[:]...)
	ctx = append(ctx, parent[:]...)
	return append(ctx, suite.U32(uint32(i))...)
}

// NewCore makes a core with a share in an epoch, and the secret that others derive from it (57 bytes). It returns
// suite.ErrInvalid for a share that the polynomial does not have. What the share and the witnesses enter takes constant time.
func NewCore(space state.ID, parent EpochID, public dkg.Commitment, share dkg.Share) (Core, secret.Bytes, error) {
	i := share.Index()
	si, err := public.PublicShare(i)
	if err != nil {
		return Core{}, secret.Bytes{}, invalid("share")
	}
	ctx := commitContext(space, parent, i)
	s := share.Scalar()
	r := suite.HashToScalar(suite.ScalarCommitNonce, secret.Random(64).Expose(), s.Bytes(), ctx)
	c := Core{Maker: i, R: ed448.BaseMult(r), D: ed448.BaseMult(r.Mul(s))}
	ss := ed448.SharedSecret(r, public.C0())

	k := suite.HashToScalar(suite.ScalarDLEQNonce, secret.Random(64).Expose(), s.Bytes(), ctx, c.R.Bytes())
	c.C = c.challenge(ctx, si, ed448.BaseMult(k), ed448.BaseMult(k.Mul(s)))
	c.Z = k.Add(ed448.ShortScalar(c.C).Mul(r))
	return c, ss, nil
}

// challenge is the challenge of the proof that log_G R = log_S D.
func (c Core) challenge(ctx []byte, si, a1, a2 ed448.Point) [32]byte {
	return suite.HashTo32(suite.ChallengeDLEQ, ctx, si.Bytes(), c.R.Bytes(), c.D.Bytes(), a1.Bytes(), a2.Bytes())
}

// VerifyProof checks that R and D have one witness, given the public share of the maker's index (§4 step 5). All of it is
// public. It returns suite.ErrInvalid.
func (c Core) VerifyProof(space state.ID, parent EpochID, public ed448.Point) error {
	minus := ed448.ShortScalar(c.C).Neg()
	a1 := ed448.VarTimeDoubleBaseMult(c.Z, minus, c.R)
	a2 := ed448.VarTimeMultiMult([]ed448.Scalar{c.Z, minus}, []ed448.Point{public, c.D})
	if c.challenge(commitContext(space, parent, c.Maker), public, a1, a2) != c.C {
		return invalid("proof of a commit")
	}
	return nil
}

// Follow returns the secret that the core encapsulates (57 bytes). It returns ErrOwnCommit if the share is of the maker's
// index. Without VerifyProof two members may derive two secrets.
func (c Core) Follow(share dkg.Share) (secret.Bytes, error) {
	if c.Maker == share.Index() {
		return secret.Bytes{}, ErrOwnCommit
	}
	ss, err := share.Combine(c.Maker, c.D, c.R)
	if err != nil {
		return secret.Bytes{}, invalid("index of a commit")
	}
	return ss, nil
}

// Place returns the place of the epoch of a generation that the core makes from parent (§5).
func (c Core) Place(space state.ID, parent EpochID, generation uint64) Place {
	return ByCommit.place(space, parent[:], suite.U64(generation), c.Encode())
}

// Encode returns u32(i) ‖ R ‖ D ‖ c ‖ z, 206 bytes.
func (c Core) Encode() []byte { return encode(coreSize, c.write) }

func (c Core) write(w *wire.Writer) {
	w.U32(uint32(c.Maker))
	w.Fixed(c.R.Bytes())
	w.Fixed(c.D.Bytes())
	w.Fixed(c.C[:])
	w.Fixed(c.Z.Bytes())
}

func readCore(r *wire.Reader) (c Core) {
	c.Maker = readIndex(r)
	c.R = readPoint(r)
	c.D = readPoint(r)
	r.Into(c.C[:])
	c.Z = readScalar(r)
	return c
}
