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

// child returns the id of the epoch of that generation that the commit makes of parent (§5). An id says its generation, as
// only the epochs of a ticket come with one that cannot be counted: nobody can hand on a true epoch under a false one.
func (c commit) child(space state.ID, parent epochID, generation uint64) epochID {
	return id32(hashEpoch, []byte{tagCommit}, space[:], parent[:], u64(generation), c[:])
}

// parseCommit copies a commit. What is in it is checked by verify.
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

// verify checks that whoever made the commit knows the share of the index it names, of a root of the given depth, and
// returns its points P and D; else it returns errInvalid. Without this nothing may be concluded from a commit, and with it
// no more than that: the proof is no signature, as an owner and any two members know every share. All of it is public.
func (m commit) verify(space state.ID, parent epochID, depth int, public dkg.Commitment) (p, d ed448.Point, err error) {
	p, d, c, z, err := m.parse(depth)
	if err != nil {
		return ed448.Point{}, ed448.Point{}, fmt.Errorf("%w: commit", errInvalid)
	}
	s, err := public.PublicShare(m.index())
	if err != nil {
		return ed448.Point{}, ed448.Point{}, fmt.Errorf("%w: index of a commit", errInvalid)
	}
	minus := ed448.ShortScalar(c).Neg()
	a1 := ed448.VarTimeDoubleBaseMult(z, minus, s)
	a2 := ed448.VarTimeMultiMult([]ed448.Scalar{z, minus}, []ed448.Point{p, d})
	if commitChallenge(commitContext(space, parent, m.index()), s, p, d, a1, a2) != c {
		return ed448.Point{}, ed448.Point{}, fmt.Errorf("%w: proof of a commit", errInvalid)
	}
	return p, d, nil
}

// follow verifies the commit and derives its secret (57 bytes) with a share of another index. All members derive the same
// secret, or all refuse it with errInvalid. A true commit of the share's own index is errOwnCommit: only its maker knows
// its secret.
func (m commit) follow(space state.ID, parent epochID, depth int, public dkg.Commitment, share dkg.Share) (secret.Bytes, error) {
	p, d, err := m.verify(space, parent, depth, public)
	if err != nil {
		return secret.Bytes{}, err
	}
	if m.index() == share.Index() {
		return secret.Bytes{}, errOwnCommit
	}
	ss, err := share.Combine(m.index(), d, p)
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
