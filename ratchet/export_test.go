package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// What the tests call below the door.
var (
	AskResync  = ask
	SignRoster = signRoster
	Prune      = prune
	Refuse     = refuse
)

// RefusedStatement and UncertainIntroduction are events that no program has to tell apart.
type (
	RefusedStatement      = statementRefused
	UncertainIntroduction = pendingIntroduction
)

// parsed returns what a parser of the tests' own frames returned.
func parsed[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// EncryptUnsigned is Send of a message without a signature, on a space.
func EncryptUnsigned(s Space, now time.Time, plaintext []byte) (Space, []byte, error) {
	return seal(s, now, outgoing{plaintext: plaintext})
}

// Hold keeps what an Opener keeps of a message that cannot be read yet.
func Hold(s Space, now time.Time, source string, frame []byte) (Space, error) {
	e, err := proto.ParseEnvelope(frame)
	if err != nil {
		return s, outcome.Malformed(err)
	}
	w, err := begin(s, now)
	if err != nil {
		return s, err
	}
	w.hold(source, e)
	return w.space(), nil
}

// Release forgets what was kept of a message that will not be read.
func Release(s Space, frame []byte) (Space, error) {
	e, err := proto.ParseEnvelope(frame)
	if err != nil {
		return s, outcome.Malformed(err)
	}
	next, _ := release(s, e)
	return next, nil
}

// Answers reports whether a ticket says that it answers the request of a space.
func Answers(s Space, frame []byte) bool { return answers(s, parsed(proto.ParseTicket(frame))) }

// As returns a space in the ratchet state of one member and with the identity of another, who was let in by a grant of the
// same root: what that other's device would hold if it had read all that the member has read. It makes large spaces cheap.
func As(member, joined Space) Space {
	st := member.State()
	d := joined.State().self.Value()
	d.request, d.introduction, d.committed = request{}, nil, st.self.Value().committed
	d.updatedAt = st.self.Value().updatedAt
	st.self = state.NewSegment(d)
	r, _ := st.root(joined.Template().grant.Value().Root)
	r.share = joined.Template().grant.Value().Share
	st.roots = st.roots.Put(newRootRow(r))
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
	out = append(out, d.signing.Seed.Expose())
	for _, k := range d.inboxes {
		out = append(out, k.secret.Seed.Expose())
	}
	if d.request.isOpen() {
		out = append(out, d.request.key.Seed.Expose())
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
		if c.leads() {
			out = append(out, c.from.Expose())
		}
	}
	for r := range st.epochs.All() {
		e := r.epoch()
		out = append(out, e.commitKey.Expose())
		if e.readable() {
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

// Committing returns the space as one whose next send commits.
func Committing(s Space) Space {
	st := s.State()
	st.commit = true
	return s.WithState(st)
}

// Held returns how many headers and commits of retained messages a space holds.
func Held(s Space) (headers, commits int) { return s.State().headers.Size(), s.State().commits.Size() }

// Epochs returns how many epochs a space holds.
func Epochs(s Space) int { return s.State().epochs.Size() }

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
	for m := range r.members.All() {
		out = append(out, m.inboxCounter)
	}
	return out
}

// Opens reports whether who holds a space, with everything in it, can open an envelope that was read: with any key or node
// in it, as a message key, as a chain key, as a node above the sender's chain in the sender tree, or by following the
// commit of an epoch anew.
func Opens(s Space, frame []byte) bool {
	e := parsed(proto.ParseEnvelope(frame))
	st, tp := s.State(), s.Template()
	keys := Secrets(s)
	for r := range st.epochs.All() {
		x := r.epoch()
		keys = append(keys, nodes(x.senders.Encode())...)
		keys = append(keys, nodes(x.commits.Encode())...)
		for b := range x.blocks.All() {
			keys = append(keys, nodes(b.tree.Encode())...)
		}
	}
	w := &work{base: s, st: st, tp: tp, ev: s.Evals()}
	for r := range st.epochs.All() {
		x := r.epoch()
		if !x.readable() {
			continue
		}
		h, err := proto.OpenHeader(x.header, st.space, x.id, x.depth, e.Header)
		if err != nil {
			continue
		}
		if parent, ok := st.epoch(x.parent); ok {
			if _, err := w.follow(edge{parent: parent, commit: x.commit}); err == nil {
				return true
			}
		}
		for _, k := range keys {
			if len(k) != suite.KeySize {
				continue
			}
			key := secret.New(k)
			if opensWith(st.space, x, key, e) || opensFrom(st.space, x, key, h, e) {
				return true
			}
			for depth := range x.depth {
				path := pprf.Path(h.Index<<depth&(1<<x.depth-1), x.depth, nil)
				if root, _, err := pprf.New(key, x.depth-depth).Eval(path); err == nil && opensFrom(st.space, x, root, h, e) {
					return true
				}
			}
		}
	}
	return false
}

func opensFrom(space state.ID, x epoch, chain secret.Bytes, h proto.Header, e proto.Envelope) bool {
	var key secret.Bytes
	for range h.Number + 1 {
		if chain, key = suite.StepChain(chain); opensWith(space, x, key, e) {
			return true
		}
	}
	return false
}

func opensWith(space state.ID, x epoch, key secret.Bytes, e proto.Envelope) bool {
	_, err := e.Open(space, x.id, key)
	return err == nil
}

// nodes returns the keys in the encoding of a tree: its shape, two bits a node, and then its keys.
func nodes(b []byte) (out [][]byte) {
	inner := 0
	for i := range 4 * len(b) {
		if i == 2*inner+1 {
			break // as many nodes as the inner ones seen so far have children, and the root
		}
		if b[i/4]>>(6-2*(i%4))&3 == 2 {
			inner++
		}
	}
	return slices.Collect(slices.Chunk(b[(2*(2*inner+1)+7)/8:], suite.KeySize))
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
	m, _ := r.members.Get(segmap.ByIndex(uint32(i)))
	m.answered = below
	r.members = r.members.Put(m)
	w.setRoot(r)
	return w.space()
}

// FakeTicket returns what anybody who saw a request can post.
func FakeTicket(request []byte, salt byte) []byte {
	q := parsed(proto.ParseRequest(request))
	h := q.Hash()
	return proto.Ticket{Answers: [16]byte(h[:16]), Box: []byte{salt}}.Bytes()
}

// Rebox returns the request of a joiner as any member can box it anew.
func Rebox(joiner, member Space) []byte {
	d := joiner.State().self.Value()
	w := &work{st: member.State(), tp: member.Template()}
	_, _, t, _ := w.preferred()
	in, err := proto.ParseIntroduction(d.introduction)
	if err != nil {
		panic(err)
	}
	q, err := proto.NewIntroductionRequest(w.st.space, t.template.Config.Public, d.request.key.Public, in)
	if err != nil {
		panic(err)
	}
	return q.Bytes()
}

// Leaving returns a member's space in which a joiner was let in, and left.
func Leaving(member, joiner Space) Space {
	w := &work{base: member, st: member.State(), tp: member.Template(), ev: member.Evals()}
	_, r, _, _ := w.preferred()
	in, err := proto.ParseIntroduction(joiner.State().self.Value().introduction)
	if err != nil {
		panic(err)
	}
	r.members = r.members.Put(strange(in.Entry(), true))
	w.setRoot(r)
	return w.space()
}

func strange(e proto.RosterEntry, left bool) member { return member{RosterEntry: e, left: left} }

// WithStrangers returns a space with so many more members, each with an introduction of so many bytes.
func WithStrangers(s Space, n, size int) Space {
	w := &work{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	_, r, _, _ := w.preferred()
	for i := range n {
		m := strange(proto.RosterEntry{Index: dkg.Index(1000 + i), Signing: w.self().signing.Public}, false)
		m.introduction = append(suite.U32(uint32(m.Index)), make([]byte, size-4)...)
		r.members = r.members.Put(m)
	}
	w.setRoot(r)
	return w.space()
}

// Handed returns whose introductions a ticket for a request holds, made by WithStrangers or not.
func Handed(s Space, request []byte) (out []dkg.Index) {
	q := parsed(proto.ParseRequest(request))
	w := &work{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	p, r, t, _ := w.preferred()
	b, err := w.ticketBody(q.Hash(), p, r.id, t)
	if err != nil {
		panic(err)
	}
	for _, raw := range b.Introductions {
		if in, err := proto.ParseIntroduction(raw); err == nil {
			out = append(out, in.Index)
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
		m := strange(proto.RosterEntry{Index: dkg.Index(8000 + i), Signing: w.self().signing.Public}, false)
		m.app, m.answered = make([]byte, 1), 1
		r.members = r.members.Put(m)
	}
	r.revokes = nil
	for range proto.MaxRevokes {
		r.revokes = append(r.revokes, make([]byte, proto.MaxStatement))
	}
	r.signed = make([]byte, proto.MaxStatement)
	w.setRoot(r)
	return WithStrangers(w.space(), 600, 1_700)
}
