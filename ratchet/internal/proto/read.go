package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// checkIndex refuses indices that no member of a root of this depth has. Index 0 would put the secret itself on the wire.
func checkIndex(i dkg.Index, depth int) error {
	if i.Check(depth) != nil {
		return fmt.Errorf("%w: index", wire.ErrMalformed)
	}
	return nil
}

// readNested parses a field of r; what its parser refuses, r refuses.
func readNested[T any](r *wire.Reader, field []byte, parse func([]byte) (T, error)) T {
	var zero T
	if r.Err() != nil {
		return zero
	}
	v, err := parse(field)
	if err != nil {
		r.Fail(err.Error())
		return zero
	}
	return v
}

// readCommitment reads the commitment to a polynomial.
func readCommitment(r *wire.Reader) dkg.Commitment {
	return readNested(r, r.Fixed(2*ed448.PointSize), dkg.ParseCommitment)
}

// readDepth reads the depth of the trees of a root.
func readDepth(r *wire.Reader) int {
	depth := int(r.U8())
	if r.Err() == nil && (depth < minDepth || depth > dkg.MaxDepth) {
		r.Fail("depth of a tree")
	}
	return depth
}

// ReadIndex reads the index of a member of a root of the given depth.
func ReadIndex(r *wire.Reader, depth int) dkg.Index {
	i := dkg.Index(r.U32())
	if r.Err() == nil && checkIndex(i, depth) != nil {
		r.Fail("index")
	}
	return i
}
