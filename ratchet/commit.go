package ratchet

import (
	"crypto/rand"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// epochID names an epoch.
type epochID [32]byte

// commit is a broadcast KEM on shares (§4): whoever holds a share other than the maker's derives the same secret from it.
// It is kept as the bytes it came in; they go into the id of the epoch it makes.
type commit [commitSize]byte

// index returns the index that the commit claims to be made with.
func (c commit) index() dkg.Index {
	return dkg.Index(uint32(c[0])<<24 | uint32(c[1])<<16 | uint32(c[2])<<8 | uint32(c[3]))
}

// child returns the id of the epoch that the commit makes of parent (§5).
func (c commit) child(space state.ID, parent epochID) epochID {
	return id32(hashEpoch, []byte{tagCommit}, space[:], parent[:], c[:])
}

// parseCommit copies a commit. What is in it is checked by follow.
func parseCommit(b []byte) (c commit, err error) {
	if len(b) != commitSize {
		return commit{}, fmt.Errorf("%w: length of a commit", wire.ErrMalformed)
	}
	copy(c[:], b)
	return c, nil
}

// commitContext binds a commit to its place.
func commitContext(space state.ID, parent epochID, i dkg.Index) []byte {
	ctx := make([]byte, 0, 2*32+4)
	ctx = append(ctx, space[:]...)
	ctx = append(ctx, parent[:]...)
	return append(ctx, u32(uint32(i))...)
}

// fresh returns 64 random bytes to be hashed into a nonce.
func fresh() []byte {
	b := make([]byte, 64)
	rand.Read(b)
	return b
}

// makeCommit makes a commit with a share, and the secret that others will derive from it (57 bytes). The maker itself
// cannot derive it again. It returns errInvalid for a share that the polynomial does not have.
func makeCommit(space state.ID, parent epochID, public dkg.Commitment, share dkg.Share) (commit, secret.Bytes, error) {
	si, err := public.PublicShare(share.Index())
	if err != nil {
		return commit{}, secret.Bytes{}, fmt.Errorf("%w: share", errInvalid)
	}
	ctx := commitContext(space, parent, share.Index())
	s := share.Scalar()
	r := h2s(scalarCommitNonce, fresh(), s.Bytes(), ctx)
	p := ed448.BaseMult(r)
	d := p.Mult(s)
	ss := ed448.SharedSecret(r, public.C0())

	k := h2s(scalarDLEQNonce, fresh(), s.Bytes(), ctx, p.Bytes())
	a1, a2 := ed448.BaseMult(k), p.Mult(k)
	c := commitChallenge(ctx, si, p, d, a1, a2)
	z := k.Add(ed448.ShortScalar(c).Mul(s))

	w := wire.NewWriter(commitSize)
	w.U32(uint32(share.Index()))
	w.Fixed(p.Bytes())
	w.Fixed(d.Bytes())
	w.Fixed(c[:])
	w.Fixed(z.Bytes())
	return commit(w.Bytes()), ss, nil
}

// commitChallenge is the challenge of the proof that log_G S = log_P D.
func commitChallenge(ctx []byte, s, p, d, a1, a2 ed448.Point) [32]byte {
	return h32(challengeDLEQ, ctx, s.Bytes(), p.Bytes(), d.Bytes(), a1.Bytes(), a2.Bytes())
}

// follow checks the commit and derives its secret (57 bytes) with a share of another index, of a root of the given depth.
// All members derive the same secret, or all refuse it with errInvalid. That the proof is right says that the maker knows
// the share; it is no signature. A commit of the share's own index is errOwnCommit: only its maker knows its secret.
func (m commit) follow(space state.ID, parent epochID, depth int, public dkg.Commitment, share dkg.Share) (secret.Bytes, error) {
	i, j := m.index(), share.Index()
	p, d, c, z, err := m.parse(depth)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("%w: commit", errInvalid)
	}
	if i == j {
		return secret.Bytes{}, errOwnCommit
	}
	// All of this is public. What follows below is not.
	minus := ed448.ShortScalar(c).Neg()
	s, err := public.PublicShare(i)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("%w: index of a commit", errInvalid)
	}
	a1 := ed448.VarTimeDoubleBaseMult(z, minus, s)
	a2 := ed448.VarTimeMultiMult([]ed448.Scalar{z, minus}, []ed448.Point{p, d})
	if commitChallenge(commitContext(space, parent, i), s, p, d, a1, a2) != c {
		return secret.Bytes{}, fmt.Errorf("%w: proof of a commit", errInvalid)
	}
	ss, err := share.Combine(i, d, p)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("%w: index of a commit", errInvalid)
	}
	return ss, nil
}

// parse takes the commit apart and checks points, scalar and index.
func (m commit) parse(depth int) (p, d ed448.Point, c [32]byte, z ed448.Scalar, err error) {
	b := m[4:]
	if p, err = ed448.ParsePoint(b[:ed448.PointSize]); err != nil {
		return
	}
	if d, err = ed448.ParsePoint(b[ed448.PointSize : 2*ed448.PointSize]); err != nil {
		return
	}
	copy(c[:], b[2*ed448.PointSize:])
	if z, err = ed448.ParseScalar(b[2*ed448.PointSize+len(c):]); err != nil {
		return
	}
	return p, d, c, z, checkIndex(m.index(), depth)
}

// checkIndex refuses indices that no member of a root of this depth has. Index 0 would put the secret itself on the wire.
func checkIndex(i dkg.Index, depth int) error {
	if i.Check(depth) != nil {
		return fmt.Errorf("%w: index", wire.ErrMalformed)
	}
	return nil
}
