package proto

import (
	"crypto/rand"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Origin is what a space's id is made of, so that the id names its owner (§2).
type Origin struct {
	owner suite.PublicKey // the root owner key
	salt  [32]byte
}

// NewOrigin draws the origin of a new space.
func NewOrigin(owner suite.PublicKey) Origin {
	o := Origin{owner: owner}
	rand.Read(o.salt[:])
	return o
}

// Space returns the id.
func (o Origin) Space() state.ID { return suite.HashID(suite.HashSpace, o.owner.Bytes(), o.salt[:]) }

// Write appends vec16 root owner key ‖ salt.
func (o Origin) Write(w *wire.Writer) {
	suite.WritePublicKey(w, o.owner)
	w.Fixed(o.salt[:])
}

// ReadOrigin reads an origin inside a larger encoding.
func ReadOrigin(r *wire.Reader) (o Origin) {
	o.owner = suite.ReadPublicKey(r)
	r.Into(o.salt[:])
	return o
}
