package ratchet

import "github.com/trefoil-im/trefoil/state"

// As returns a space in the ratchet state of one member and with the identity of another, who was let in by a grant of the
// same root: what that other's device would hold if it had read all that the member has read. It makes large spaces cheap.
func As(member, joined Space) Space {
	st := member.State()
	d := joined.State().self.Value()
	d.request, d.introduction, d.committed = request{}, nil, st.self.Value().committed
	d.updatedAt = st.self.Value().updatedAt
	st.self = state.NewSegment(d)
	r, _ := st.root(joined.Template().grant.Value().root)
	r.share = joined.Template().grant.Value().share
	st.roots = st.roots.put(newRootRow(r))
	st.owner = state.NewSegment(ownerKeys{})
	return member.WithState(st)
}
