package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// RootView is what checks under a root need to know of it. All of it follows from the root's notice and template, so that
// every member has the same: nothing that a member heard or decided may stand behind it (§4).
type RootView interface {
	Space() state.ID
	ID() EpochID
	Suite() suite.Suite
	Depth() int
	// Listed returns the signing key that the notice lists for an index.
	Listed(dkg.Index) (suite.PublicKey, bool)
	// Owner returns the owner key at a place of the notice's list.
	Owner(place uint8) (suite.PublicKey, bool)
	// Public returns f(i)·G, or an error of dkg.Commitment.PublicShare.
	Public(dkg.Index) (ed448.Point, error)
}
