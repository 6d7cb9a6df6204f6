package proto

import (
	"crypto/rand"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Origin is what a space's id is made of, so that the id names its root owner (§2).
type Origin struct {
	RootOwner suite.PublicKey
	Salt      [32]byte
}

// NewOrigin draws the origin of a new space.
func NewOrigin(rootOwner suite.PublicKey) Origin {
	o := Origin{RootOwner: rootOwner}
	rand.Read(o.Salt[:])
	return o
}

// Space returns the id.
func (o Origin) Space() state.ID {
	return suite.HashID(suite.HashSpace, o.RootOwner.Bytes(), o.Salt[:])
}

// Encode returns vec16 root owner public key ‖ salt.
func (o Origin) Encode() []byte { return encode(2+suite.MaxPublicKey+32, o.write) }

func (o Origin) write(w *wire.Writer) {
	suite.WritePublicKey(w, o.RootOwner)
	w.Fixed(o.Salt[:])
}

func readOrigin(r *wire.Reader) (o Origin) {
	o.RootOwner = suite.ReadPublicKey(r)
	r.Into(o.Salt[:])
	return o
}

// ParseOrigin reads an origin.
func ParseOrigin(b []byte) (Origin, error) { return parseAll(b, 2+suite.MaxPublicKey+32, readOrigin) }
