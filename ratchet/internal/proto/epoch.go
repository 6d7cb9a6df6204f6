package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// EpochKind says what makes an epoch. Its number stands behind two labels (§2).
type EpochKind uint8

// The kinds of epochs.
const (
	Genesis  EpochKind = suite.TagGenesis
	ByCommit EpochKind = suite.TagCommit
	ByRekey  EpochKind = suite.TagRekey
)

// place returns the place of an epoch of a kind, of which body says what it is made of.
func (k EpochKind) place(space state.ID, body ...[]byte) Place {
	return suite.HashID(suite.HashPlace, append([][]byte{{byte(k)}, space[:]}, body...)...)
}

// ID returns the id of the epoch of this kind at a place, whose keys have this check.
func (k EpochKind) ID(place Place, check Check) EpochID {
	return suite.HashID(suite.HashEpoch, []byte{byte(k)}, place[:], check[:])
}

// EpochKeys are the keys of an epoch (§5), 32 bytes each. Those in a ticket lack some.
type EpochKeys struct {
	Header        secret.Bytes
	Commit        secret.Bytes
	SenderRoot    secret.Bytes // of the sender tree
	CommitRoot    secret.Bytes // of the commit tree
	Authenticator secret.Bytes
	Exporter      secret.Bytes
}

// EpochSecret returns the secret of an epoch: extract(salt = seed of its place in the parent's tree, ikm), 64 bytes.
func EpochSecret(seed, ikm secret.Bytes) secret.Bytes { return suite.Extract(seed, ikm) }

// DeriveKeys returns the keys that an epoch's secret gives.
func DeriveKeys(epochSecret secret.Bytes, place Place) EpochKeys {
	key := func(label string) secret.Bytes { return suite.Expand(epochSecret, label, place[:], suite.KeySize) }
	return EpochKeys{
		Header:        key(suite.ExpandHeaderKey),
		Commit:        key(suite.ExpandCommitKey),
		SenderRoot:    key(suite.ExpandSenderRoot),
		CommitRoot:    key(suite.ExpandCommitRoot),
		Authenticator: key(suite.ExpandAuthenticator),
		Exporter:      key(suite.ExpandExporter),
	}
}

// HeaderCheck returns hh of the epoch's header key.
func (k EpochKeys) HeaderCheck(place Place) HeaderCheck {
	return suite.HashTo32(suite.Hash32HeaderCheck, place[:], k.Header.Expose())
}

// Check returns the check of the keys; all of header key, commit key and authenticator are needed.
func (k EpochKeys) Check(place Place) Check { return k.CheckUnder(place, k.HeaderCheck(place)) }

// CheckUnder returns the check of commit key and authenticator beside a header key of which only hh is known.
func (k EpochKeys) CheckUnder(place Place, hh HeaderCheck) Check {
	return suite.HashTo32(suite.Hash32EpochCheck, place[:], hh[:], k.Commit.Expose(), k.Authenticator.Expose())
}

// Jitter returns the first 4 bytes of H("jitter" ‖ id ‖ u32(i)), by which members spread what they do at a time (§5, §7).
func Jitter(id EpochID, i dkg.Index) uint32 {
	d := suite.HashLabel(suite.HashJitter, id[:], suite.U32(uint32(i)))
	return uint32(d[0])<<24 | uint32(d[1])<<16 | uint32(d[2])<<8 | uint32(d[3])
}

// epochAAD is the additional data of headers and sealed commits: space ‖ id_e.
func epochAAD(space state.ID, id EpochID) (aad [64]byte) {
	copy(aad[:], space[:])
	copy(aad[32:], id[:])
	return aad
}
