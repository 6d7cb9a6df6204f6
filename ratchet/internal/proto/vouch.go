package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Vouch is what the first device of a person says of a further one, in the field person of that one's rest (§9): whoever comes by this
// invite is a device of the person that Signing stands for. The binding of the further device signs it back.
type Vouch struct {
	Signing   suite.PublicKey // of the first device
	Signature []byte
}

// NewVouch signs for the device that comes by the invite of an index with an admission key.
func NewVouch(space state.ID, first suite.SigningKey, i dkg.Index, admission suite.PublicKey) Vouch {
	return Vouch{first.Public, first.Sign(suite.SignPerson, space[:], vouched(i, admission))}
}

// Verify checks that the first device signed for the index and admission key of a binding. It returns suite.ErrInvalid.
func (v Vouch) Verify(space state.ID, i dkg.Index, admission suite.PublicKey) error {
	return v.Signing.Verify(v.Signature, suite.SignPerson, space[:], vouched(i, admission))
}

func vouched(i dkg.Index, admission suite.PublicKey) []byte {
	return encode(4+2+suite.MaxPublicKey, func(w *wire.Writer) {
		w.U32(uint32(i))
		suite.WritePublicKey(w, admission)
	})
}

const (
	vouchVersion = 1
	// MaxVouch bounds an encoded vouch, in bytes.
	MaxVouch = 1 + 2 + suite.MaxPublicKey + 2 + suite.MaxSignature
)

// Encode returns u8(1) ‖ vec16 signing key of the first device ‖ vec16 signature.
func (v Vouch) Encode() []byte {
	return encode(MaxVouch, func(w *wire.Writer) {
		w.U8(vouchVersion)
		suite.WritePublicKey(w, v.Signing)
		w.Vec16(v.Signature)
	})
}

// ParseVouch reads a vouch without verifying it. It returns state.ErrTooNew for one of a later version.
func ParseVouch(b []byte) (Vouch, error) {
	return parseAll(b, MaxVouch, func(r *wire.Reader) (v Vouch) {
		r.Version8(vouchVersion, vouchVersion)
		v.Signing = suite.ReadPublicKey(r)
		v.Signature = readSignature(r)
		return v
	})
}
