package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Template is what all members of a root share beside its roster (§2). It is secret: it holds the config private key.
type Template struct {
	Owners OwnerList
	Policy Policy
	rekey  uint64 // generation of the root, 0 for the genesis
	Public dkg.Commitment
	Depth  int
	Config suite.KEMSecret // opens requests
	Key    secret.Bytes    // K, 32 bytes, for owners' use
}

// templateVersion is the version of its encoding.
const templateVersion = 1

// MaxTemplate bounds its encoding.
const MaxTemplate = 1 + 2 + MaxOwnerList + 20 + 8 + 2*ed448.PointSize + 1 + suite.KEMSecretSize + suite.KeySize

// Encode returns u8 version ‖ vec16 owner list ‖ policy ‖ u64 rekey generation ‖ C ‖ u8 depth ‖ config private key ‖ K.
// The config public key is not written: it follows from the private one, and so cannot contradict it.
func (t Template) Encode() secret.Bytes {
	w := wire.NewWriter(MaxTemplate)
	w.U8(templateVersion)
	w.Vec16(t.Owners.Encode())
	t.Policy.write(w)
	w.U64(t.rekey)
	w.Fixed(t.Public.Bytes())
	w.U8(uint8(t.Depth))
	w.Fixed(t.Config.Seed.Expose())
	w.Fixed(t.Key.Expose())
	return secret.Own(w.Bytes())
}

// ParseTemplate reads a template without verifying its owner list.
func ParseTemplate(b []byte) (t Template, err error) {
	r := wire.NewReader(b)
	r.Version8(templateVersion, templateVersion)
	t.Owners = readOwnerList(r)
	t.Policy = readPolicy(r)
	t.rekey = r.U64()
	t.Public = readCommitment(r)
	t.Depth = readDepth(r)
	config := r.Fixed(suite.KEMSecretSize)
	t.Key = secret.Own(r.Fixed(suite.KeySize))
	if err = r.Done(); err != nil {
		return Template{}, err
	}
	if t.Owners.keys[0].Scheme() != t.Policy.Scheme {
		return Template{}, fmt.Errorf("%w: scheme of owners", wire.ErrMalformed)
	}
	if t.Config, err = suite.ParseKEMSecret(t.Policy.KEM, secret.Own(config)); err != nil {
		return Template{}, err
	}
	return t, nil
}

// Digest returns H(template).
func (t Template) Digest() suite.Digest { return suite.Hash(t.Encode().Expose()) }
