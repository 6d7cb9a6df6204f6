package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Grant is what an invite holds (SPEC §9): one share of one root and the right to introduce it. It reads nothing. It is secret:
// whoever has it can take the place. It is immutable and shows nothing when printed; the zero Grant is none.
type Grant struct{ proto proto.Grant }

// ParseGrant reads a grant and verifies it: the space's ID names the root owner key, which signed the owner list, one of
// which signed the grant; and the share belongs to the polynomial. What it returns can be joined with. It returns
// ErrMalformed, or state.ErrTooOld or state.ErrTooNew for a version that is not read.
func ParseGrant(b []byte) (Grant, error) {
	g, err := proto.ParseGrant(b)
	return Grant{g}, outcome.Malformed(err)
}

// Bytes returns the encoding that ParseGrant reads, about 1.9 KiB with the default policy. It is secret: it goes into a
// link's fragment or a box, nowhere else.
func (g Grant) Bytes() []byte { return g.proto.Bytes() }

// Space returns the space that the grant is for.
func (g Grant) Space() state.ID { return g.proto.Space() }

// Index returns the index that the grant gives.
func (g Grant) Index() dkg.Index { return g.proto.Index() }

// Policy returns the policy of the space.
func (g Grant) Policy() Policy {
	p := g.proto.Policy
	return Policy{Scheme(p.Scheme), KEM(p.KEM), p.Repudiable}
}

// IsZero reports whether there is no grant.
func (g Grant) IsZero() bool { return g.proto.IsZero() }

// NewGrant takes the next share out of the evals for an invite of the given kind. The space that comes back must be
// durable before the grant leaves. It returns ErrPhase for a member that is not the dealer of the preferred root, and
// dkg.ErrExhausted if no share is left.
func NewGrant(s Space, now time.Time, kind dkg.Kind) (Space, Grant, error) {
	d, err := newEdit(s, now)
	if err != nil {
		return s, Grant{}, err
	}
	_, r, t, ok := d.preferred()
	if !ok || d.st.phase != Member || !d.isDealer() || !d.ev.CanDeal() {
		return s, Grant{}, outcome.ErrPhase
	}
	if id, _ := d.ev.Root(); id != r.id {
		return s, Grant{}, outcome.ErrPhase
	}
	if d.ev.Remaining() == 0 {
		return s, Grant{}, dkg.ErrExhausted
	}
	admit := suite.NewSigningKey(t.template.Policy.Scheme)
	evals, share, err := d.ev.Issue(kind, admit.Public.Bytes())
	if err != nil {
		return s, Grant{}, err
	}
	g, err := proto.NewGrant(d.st.owner.Value().owner, proto.Grant{
		Origin: d.st.identity().origin, Owners: d.st.identity().owners, Root: r.id, Rekey: r.rekey, Share: share,
		Depth: t.template.Depth, Public: t.template.Public, Policy: t.template.Policy,
		Config: t.template.Config.Public, Admission: proto.Admission{Key: admit},
	})
	if err != nil {
		return s, Grant{}, err
	}
	return s.WithEvals(evals), Grant{g}, nil
}

// Revoke takes invites back that nobody used yet: introductions of these indices are refused from now on. Whoever was let
// in already stays. It returns ErrPhase for a member that is not the dealer, and dkg.ErrIndex or dkg.ErrLedger for an
// index that is not open.
func Revoke(s Space, now time.Time, indices ...dkg.Index) (Space, []byte, error) {
	return dealerStatement(s, now, func(d *edit, r root, owner suite.SigningKey) (proto.Statement, error) {
		next, err := d.ev.Revoke(indices...)
		if err != nil {
			return proto.Statement{}, err
		}
		d.ev = next
		st := proto.RevokeStatement{Root: r.id, Indices: slices.Clone(indices)}
		for _, held := range r.revocations() {
			st.Indices = append(st.Indices, held.Indices...)
		}
		c := proto.SignRevoke(d.st.space, st, owner)
		if len(c.Revoke.Indices) > proto.MaxRevoked {
			return proto.Statement{}, outcome.ErrTooLong
		}
		return c, nil
	})
}
