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

// Unseen returns the space as if no message had been seen in the preferred epoch: a sender that does not commit when it is
// due.
func Unseen(s Space) Space {
	w := &work{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	e, _, _, _ := w.preferred()
	e.seen = 0
	w.put(e)
	return w.space()
}
