package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

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

// Secrets returns key bytes that a space holds.
func Secrets(s Space) (out [][]byte) {
	st, tp := s.State(), s.Template()
	d := st.self.Value()
	out = append(out, d.signing.seed.Expose())
	for _, k := range d.inboxes {
		out = append(out, k.secret.seed.Expose())
	}
	if d.request.isOpen() {
		out = append(out, d.request.key.seed.Expose())
	}
	if k := st.owner.Value(); !k.isNone() {
		out = append(out, k.owner.seed.Expose(), k.root.seed.Expose())
	}
	for r := range st.roots.all() {
		out = append(out, r.record.Value().share.Scalar().Bytes())
	}
	for r := range tp.roots.all() {
		t := r.record.Value().template
		out = append(out, t.config.seed.Expose(), t.key.Expose())
	}
	if g := tp.grant.Value(); !g.IsZero() {
		out = append(out, g.share.Scalar().Bytes(), g.admission.key.seed.Expose())
	}
	for c := range st.commits.all() {
		if c.leads() {
			out = append(out, c.from.Expose())
		}
	}
	for r := range st.epochs.all() {
		e := r.epoch()
		out = append(out, e.commitKey.Expose())
		if e.readable() {
			out = append(out, e.headerKey.Expose(), e.auth.Expose())
		}
		for b := range e.blocks.all() {
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

// Committing returns the space as one whose next send commits.
func Committing(s Space) Space {
	st := s.State()
	st.commit = true
	return s.WithState(st)
}

// Held returns how many headers and commits of retained messages a space holds.
func Held(s Space) (headers, commits int) { return s.State().headers.size(), s.State().commits.size() }

// Epochs returns how many epochs a space holds.
func Epochs(s Space) int { return s.State().epochs.size() }

// Evict returns the space with at most limit epochs.
func Evict(s Space, limit int) Space {
	w := &work{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	for w.evict(limit) {
	}
	return w.space()
}

// InboxCounters returns the counters of the members' inbox keys as a space knows them.
func InboxCounters(s Space) (out []uint32) {
	w := &work{st: s.State(), tp: s.Template()}
	_, r, _, _ := w.preferred()
	for m := range r.members.all() {
		out = append(out, m.inboxCounter)
	}
	return out
}

// Opens reports whether who holds a space, with everything in it, can open an envelope that was read: with any key or node
// in it, as a message key, as a chain key, as a node above the sender's chain in the sender tree, or by following the
// commit of an epoch anew.
func Opens(s Space, e Envelope) bool {
	st, tp := s.State(), s.Template()
	keys := Secrets(s)
	for r := range st.epochs.all() {
		x := r.epoch()
		keys = append(keys, nodes(x.senders.root.Expose())...)
		keys = append(keys, nodes(x.commits.f.root.Expose())...)
		for b := range x.blocks.all() {
			keys = append(keys, nodes(b.tree.root.Expose())...)
		}
	}
	w := &work{base: s, st: st, tp: tp, ev: s.Evals()}
	for r := range st.epochs.all() {
		x := r.epoch()
		if !x.readable() {
			continue
		}
		h, err := openHeader(x.header, st.space, x.id, x.depth, e.header)
		if err != nil {
			continue
		}
		if parent, ok := st.epoch(x.parent); ok {
			if _, err := w.follow(edge{parent: parent, commit: x.commit}); err == nil {
				return true
			}
		}
		for _, k := range keys {
			if len(k) != keySize {
				continue
			}
			key := secret.New(k)
			if opensWith(st.space, x, key, e) || opensFrom(st.space, x, key, h, e) {
				return true
			}
			for depth := range x.depth {
				path := treePath(h.index<<depth&(1<<x.depth-1), x.depth, nil)
				if root, _, err := newFrontier(key, x.depth-depth).eval(path); err == nil && opensFrom(st.space, x, root, h, e) {
					return true
				}
			}
		}
	}
	return false
}

func opensFrom(space state.ID, x epoch, chain secret.Bytes, h header, e Envelope) bool {
	var key secret.Bytes
	for range h.number + 1 {
		if chain, key = step(chain); opensWith(space, x, key, e) {
			return true
		}
	}
	return false
}

func opensWith(space state.ID, x epoch, key secret.Bytes, e Envelope) bool {
	_, err := e.open(space, x.id, key)
	return err == nil
}

func nodes(n *ggmNode) (out [][]byte) {
	switch {
	case n == nil:
	case n.holdsKey():
		out = append(out, n.key[:])
	default:
		out = append(nodes(n.child[0]), nodes(n.child[1])...)
	}
	return out
}

// Since returns how many introductions a member's tickets hold.
func Since(s Space) int {
	w := &work{st: s.State(), tp: s.Template()}
	_, r, t, _ := w.preferred()
	_, since := r.roster(r.named(t.notice))
	return len(since)
}

// WithAnswered returns a space that believes of a member that its requests below a counter are answered.
func WithAnswered(s Space, i dkg.Index, below uint64) Space {
	w := &work{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	_, r, _, _ := w.preferred()
	m, _ := r.members.get(byIndex(uint32(i)))
	m.answered = below
	r.members = r.members.put(m)
	w.setRoot(r)
	return w.space()
}

// FakeTicket returns what anybody who saw a request can post.
func FakeTicket(q Request, salt byte) Ticket {
	h := q.hash()
	return Ticket{answers: [16]byte(h[:16]), box: []byte{salt}}
}

// Rebox returns the request of a joiner as any member can box it anew.
func Rebox(joiner, member Space) Request {
	d := joiner.State().self.Value()
	w := &work{st: member.State(), tp: member.Template()}
	_, _, t, _ := w.preferred()
	in, err := parseIntroduction(d.introduction)
	if err != nil {
		panic(err)
	}
	q, err := newIntroductionRequest(w.st.space, t.template.config.public, d.request.key.public, in)
	if err != nil {
		panic(err)
	}
	return q
}

// Leaving returns a member's space in which a joiner was let in, and left.
func Leaving(member, joiner Space) Space {
	w := &work{base: member, st: member.State(), tp: member.Template(), ev: member.Evals()}
	_, r, _, _ := w.preferred()
	in, err := parseIntroduction(joiner.State().self.Value().introduction)
	if err != nil {
		panic(err)
	}
	r.members = r.members.put(strange(in.entry(), true))
	w.setRoot(r)
	return w.space()
}

func strange(e rosterEntry, left bool) member { return member{rosterEntry: e, left: left} }

// WithStrangers returns a space with so many more members, each with an introduction of so many bytes.
func WithStrangers(s Space, n, size int) Space {
	w := &work{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	_, r, _, _ := w.preferred()
	for i := range n {
		m := strange(rosterEntry{index: dkg.Index(1000 + i), key: w.self().signing.public}, false)
		m.introduction = append(u32(uint32(m.index)), make([]byte, size-4)...)
		r.members = r.members.put(m)
	}
	w.setRoot(r)
	return w.space()
}

// Handed returns whose introductions a ticket for a request holds, made by WithStrangers or not.
func Handed(s Space, q Request) (out []dkg.Index) {
	w := &work{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	p, r, t, _ := w.preferred()
	b, err := w.ticketBody(q.hash(), p, r.id, t)
	if err != nil {
		panic(err)
	}
	for _, raw := range b.introductions {
		if in, err := parseIntroduction(raw); err == nil {
			out = append(out, in.index)
		} else {
			out = append(out, dkg.Index(uint32(raw[2])<<8|uint32(raw[3])))
		}
	}
	return out
}

// Swollen returns a space with more to say in a ticket than fits into one.
func Swollen(s Space) Space {
	w := &work{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	_, r, _, _ := w.preferred()
	for i := range 40_000 {
		m := strange(rosterEntry{index: dkg.Index(8000 + i), key: w.self().signing.public}, false)
		m.app, m.answered = make([]byte, 1), 1
		r.members = r.members.put(m)
	}
	r.revokes = nil
	for range maxRevokes {
		r.revokes = append(r.revokes, make([]byte, maxControl))
	}
	r.signed = make([]byte, maxControl)
	w.setRoot(r)
	return WithStrangers(w.space(), 600, 1_700)
}
