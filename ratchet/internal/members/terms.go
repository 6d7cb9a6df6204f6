package members

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Terms is what the notice of a root fixes. It implements proto.RootView: nothing in it depends on what a member heard.
type Terms struct {
	id       proto.EpochID
	origin   proto.Origin
	notice   proto.Notice
	template proto.Template
	roster   proto.Roster
}

// NewTerms returns the terms of a root, after the checks of §9 steps 2 to 4: who signed the notice, and that template and
// roster are those that it names. It returns suite.ErrInvalid.
func NewTerms(o proto.Origin, n proto.Notice, t proto.Template, roster proto.Roster) (Terms, error) {
	for _, err := range []error{n.Verify(o), n.VerifyTemplate(t), n.VerifyRoster(roster, t.Policy.Suite)} {
		if err != nil {
			return Terms{}, fmt.Errorf("terms of a root: %w", err)
		}
	}
	return Terms{n.Root(), o, n, t, roster}, nil
}

// IsZero reports whether there are no terms.
func (t Terms) IsZero() bool { return t.id.IsZero() }

// Space implements proto.RootView.
func (t Terms) Space() state.ID { return t.notice.Common.Space }

// ID implements proto.RootView.
func (t Terms) ID() proto.EpochID { return t.id }

// Suite implements proto.RootView.
func (t Terms) Suite() suite.Suite { return t.template.Policy.Suite }

// Depth implements proto.RootView.
func (t Terms) Depth() int { return t.template.Depth }

// Owner implements proto.RootView.
func (t Terms) Owner(place uint8) (suite.PublicKey, bool) { return t.notice.Owners.At(place) }

// Public implements proto.RootView.
func (t Terms) Public(i dkg.Index) (ed448.Point, error) { return t.template.Public.PublicShare(i) }

// Listed implements proto.RootView.
func (t Terms) Listed(i dkg.Index) (suite.PublicKey, bool) {
	e, ok := t.roster.Find(i)
	return e.Signing, ok
}

// Rekey returns the generation of the rekey that made the root, 0 of the genesis.
func (t Terms) Rekey() uint64 { return t.template.Rekey }

// Cursor returns the index from which the owners of the root offer those that are theirs.
func (t Terms) Cursor() dkg.Index { return t.notice.Common.Cursor }

// Owners returns the owner list of the notice.
func (t Terms) Owners() proto.OwnerList { return t.notice.Owners }

// Commitment returns what the shares of the root are checked against.
func (t Terms) Commitment() dkg.Commitment { return t.template.Public }

// Policy returns how the space works.
func (t Terms) Policy() proto.Policy { return t.template.Policy }
