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

// View is a root of which notice, roster and template are known. It implements RootView.
type View struct {
	notice Notice
	id     EpochID
	roster Roster
	suite  suite.Suite
}

// NewView returns the view of a root. It is to be verified, by TicketRoot.Verify, before anything is concluded from it.
func NewView(t TicketRoot, s suite.Suite) View { return View{t.Notice, t.Notice.Root(), t.Roster, s} }

// Space implements RootView.
func (v View) Space() state.ID { return v.notice.Common.Space }

// ID implements RootView.
func (v View) ID() EpochID { return v.id }

// Suite implements RootView.
func (v View) Suite() suite.Suite { return v.suite }

// Depth implements RootView.
func (v View) Depth() int { return v.notice.Common.Depth }

// Listed implements RootView.
func (v View) Listed(i dkg.Index) (suite.PublicKey, bool) {
	e, ok := v.roster.Find(i)
	return e.Signing, ok
}

// Owner implements RootView.
func (v View) Owner(place uint8) (suite.PublicKey, bool) { return v.notice.Owners.At(place) }

// Public implements RootView.
func (v View) Public(i dkg.Index) (ed448.Point, error) { return v.notice.Common.Public.PublicShare(i) }
