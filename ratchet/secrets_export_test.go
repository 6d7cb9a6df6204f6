package ratchet

// Secrets returns key bytes that a space holds.
func Secrets(s Space) (out [][]byte) {
	st, tp := s.State(), s.Template()
	me := st.self.Value()
	out = append(out, me.signing.Seed.Expose())
	for _, k := range me.inboxes {
		out = append(out, k.secret.Seed.Expose())
	}
	if me.request.isOpen() {
		out = append(out, me.request.key.Seed.Expose())
	}
	if k := st.owner.Value(); !k.isNone() {
		out = append(out, k.owner.Seed.Expose(), k.root.Seed.Expose())
	}
	for r := range st.roots.All() {
		out = append(out, r.record.Value().share.Scalar().Bytes())
	}
	for r := range tp.roots.All() {
		t := r.record.Value().template
		out = append(out, t.Config.Seed.Expose(), t.Key.Expose())
	}
	if g := tp.grant.Value(); !g.IsZero() {
		out = append(out, g.Share.Scalar().Bytes(), g.Admission.Key.Seed.Expose())
	}
	for c := range st.commits.All() {
		if c.resolved() {
			out = append(out, c.from.Expose())
		}
	}
	for r := range st.epochs.All() {
		e := r.epoch()
		out = append(out, e.commitKey.Expose())
		if e.derived() {
			out = append(out, e.headerKey.Expose(), e.auth.Expose())
		}
		for b := range e.blocks.All() {
			for _, c := range b.chains {
				out = append(out, c.key.Expose())
				for _, k := range c.skipped {
					out = append(out, k.key.Expose())
				}
			}
		}
	}
	return out
}
