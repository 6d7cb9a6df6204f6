package frost

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Sizes of encodings in bytes.
const (
	CommitmentSize     = 1 + 2*ed448.PointSize
	SignatureShareSize = 1 + scalarSize
)

// Commitment is what a signer publishes in round 1. It is an immutable value. The zero Commitment is none.
type Commitment struct {
	index           threshold.Index
	hiding, binding ed448.Point
}

// ParseCommitment reads u8 index ‖ 57 hiding ‖ 57 binding nonce commitment, or returns ErrCommitment.
func ParseCommitment(b []byte) (Commitment, error) {
	if len(b) != CommitmentSize || b[0] == 0 {
		return Commitment{}, fmt.Errorf("%w: not %d bytes, or index 0", ErrCommitment, CommitmentSize)
	}
	hiding, err := ed448.ParsePoint(b[1 : 1+ed448.PointSize])
	if err != nil {
		return Commitment{}, fmt.Errorf("%w: %w", ErrCommitment, err)
	}
	binding, err := ed448.ParsePoint(b[1+ed448.PointSize:])
	if err != nil {
		return Commitment{}, fmt.Errorf("%w: %w", ErrCommitment, err)
	}
	return Commitment{threshold.Index(b[0]), hiding, binding}, nil
}

// Index returns the index of the signer.
func (c Commitment) Index() threshold.Index { return c.index }

// Bytes returns the 115 bytes that ParseCommitment reads.
func (c Commitment) Bytes() []byte {
	w := wire.NewWriter(CommitmentSize)
	w.U8(uint8(c.index))
	w.Fixed(c.hiding.Bytes())
	w.Fixed(c.binding.Bytes())
	return w.Bytes()
}

// Nonce signs one package. It is in memory only: it has no encoding, and a copy of the pointer is the same nonce. It is
// safe for concurrent use: of concurrent calls of Sign at most one signs.
type Nonce struct {
	_          [0]func()
	share      threshold.Share
	commitment Commitment
	secrets    atomic.Pointer[secret.Box[noncePair]] // nil once used
}

type noncePair struct{ hiding, binding ed448.Scalar }

// Commit draws a nonce for a share, and its commitment, which is to be sent to the others. It panics for the zero Share.
func Commit(s threshold.Share) (*Nonce, Commitment) {
	return commit(s, secret.Random(32), secret.Random(32))
}

func commit(s threshold.Share, hiding, binding secret.Bytes) (*Nonce, Commitment) {
	if s.IsZero() {
		panic("frost: no share to sign with")
	}
	// RFC 9591, section 4.1: the share goes in, so that bad randomness alone does not make a nonce known.
	key := scalarBytes(s.Scalar())
	pair := noncePair{h3(hiding.Expose(), key), h3(binding.Expose(), key)}
	n := &Nonce{share: s, commitment: Commitment{s.Index(), ed448.BaseMult(pair.hiding), ed448.BaseMult(pair.binding)}}
	box := secret.Hide(pair)
	n.secrets.Store(&box)
	return n, n.commitment
}

// Sign returns the signature share for a package and uses the nonce up. It returns ErrPackage, and keeps the nonce, if
// the package is for another key than the nonce's share, or does not hold its commitment; ErrNonceUsed if the nonce
// signed before.
func (n *Nonce) Sign(p Package) (SignatureShare, error) {
	at, ok := p.find(n.share.Index())
	if !ok || !p.key.Equal(n.share.Key()) || !bytes.Equal(p.commitments[at].Bytes(), n.commitment.Bytes()) {
		return SignatureShare{}, fmt.Errorf("%w: not with this nonce", ErrPackage)
	}
	box := n.secrets.Swap(nil)
	if box == nil {
		return SignatureShare{}, ErrNonceUsed
	}
	pair := box.Expose()
	z := pair.hiding.Add(pair.binding.Mul(p.factors[at])).Add(p.lambda(at).Mul(n.share.Scalar()).Mul(p.challenge))
	return SignatureShare{n.share.Index(), z}, nil
}
