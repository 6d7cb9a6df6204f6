package members

import (
	"iter"
	"maps"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Root is what is known of the members of a root.
type Root struct {
	Terms      // not stored with it
	members    segmap.Map[member]
	statements statements
	records    segmap.Map[record]
	tags       segmap.Map[tagged]
	serial     uint64       // last number given to a binding
	united     proto.Bitmap // gone by other roots of this generation (§10)
	said       Millis       // pruning clock: when the notice was said as a statement last

	introduced map[dkg.Index]int // bindings that were introduced by each and of which nothing was read; follows from members
	both       int               // members that the roster lists, too; follows from members
	revoked    proto.Bitmap      // follows from statements
	removed    proto.Bitmap      // by roles; follows from statements
}

// NewRoot returns a root of which only the notice is known.
func NewRoot(t Terms) Root { return Root{Terms: t} }

// With returns a root that was decoded, under its terms. It returns wire.ErrMalformed if the members do not fit them.
func (r Root) With(t Terms) (Root, error) {
	r.Terms, r.both = t, 0
	for m := range r.members.All() {
		if m.index.Check(t.Depth()) != nil {
			return Root{}, wire.ErrMalformed
		}
		if _, listed := t.roster.Find(m.index); listed {
			r.both++
		}
	}
	return r, nil
}

// member returns what is known of an index. The notice's binding is there from the beginning.
func (r Root) member(i dkg.Index) member {
	m, ok := r.members.Get(segmap.ByIndex(uint32(i)))
	if !ok {
		m.index = i
	}
	if e, listed := r.roster.Find(i); listed && !slices.ContainsFunc(m.bindings, func(b Binding) bool { return b.Body == e.Body }) {
		m.bindings = append([]Binding{Binding{}.with(Identity{Maker: Maker{Index: i, Key: e.Signing}, Body: e.Body})}, m.bindings...)
	}
	return m
}

// Bindings returns the bindings of an index, the listed one first.
func (r Root) Bindings(i dkg.Index) []Binding {
	m := r.member(i)
	out := slices.Clone(m.bindings)
	if at, ok := m.listed(r.Terms); ok {
		out[0], out[at] = out[at], out[0]
	}
	return out
}

// ListedBinding returns the binding by which an index is shown, asks, and is boxed to.
func (r Root) ListedBinding(i dkg.Index) (Binding, bool) {
	m := r.member(i)
	at, ok := m.listed(r.Terms)
	if !ok {
		return Binding{}, false
	}
	return m.bindings[at], true
}

// Binding returns the binding of a maker.
func (r Root) Binding(k Maker) (Binding, bool) {
	m := r.member(k.Index)
	at, ok := m.find(k)
	if !ok {
		return Binding{}, false
	}
	return m.bindings[at], true
}

// All yields the indices of which a binding is known, in ascending order, gone or not.
func (r Root) All() iter.Seq[dkg.Index] {
	return func(yield func(dkg.Index) bool) {
		next := 0
		for m := range r.members.All() {
			for ; next < len(r.roster) && r.roster[next].Index < m.index; next++ {
				if !yield(r.roster[next].Index) {
					return
				}
			}
			if next < len(r.roster) && r.roster[next].Index == m.index {
				next++
			}
			if len(r.member(m.index).bindings) > 0 && !yield(m.index) {
				return
			}
		}
		for ; next < len(r.roster); next++ {
			if !yield(r.roster[next].Index) {
				return
			}
		}
	}
}

// Size returns how many indices All yields.
func (r Root) Size() int { return len(r.roster) + r.members.Size() - r.both }

// Roster returns the members that are listed and not gone.
func (r Root) Roster() (out proto.Roster) {
	for i := range r.All() {
		if b, ok := r.ListedBinding(i); ok && !r.Gone(i) {
			out = append(out, proto.RosterEntry{Index: i, Signing: b.Key, Body: b.Body})
		}
	}
	return out
}

// put returns the root with a member in place of what was known of the index, and what follows from it.
func (r Root) put(m member) Root {
	r = r.counted(m)
	r.members = r.members.Put(m)
	return r
}

// counted returns the root with what follows from a member that is to be put.
func (r Root) counted(m member) Root {
	old, known := r.members.Get(m.Key()) // what the notice alone says of an index was introduced by nobody
	var delta map[dkg.Index]int
	count := func(m member, sign int) {
		for _, b := range m.bindings {
			if b.introducer == 0 || b.Met() {
				continue
			}
			if delta == nil {
				delta = make(map[dkg.Index]int)
			}
			delta[b.introducer] += sign
		}
	}
	count(old, -1)
	count(m, 1)
	for i, n := range delta {
		if n == 0 {
			continue
		}
		next := maps.Clone(r.introduced)
		if next == nil {
			next = make(map[dkg.Index]int)
		}
		if next[i] += n; next[i] == 0 {
			delete(next, i)
		}
		r.introduced = next
	}
	if _, listed := r.roster.Find(m.index); listed && !known {
		r.both++
	}
	return r
}

// update returns the root with the binding of a maker replaced by what f makes of it.
func (r Root) update(k Maker, f func(Binding) (Binding, error)) (Root, error) {
	m := r.member(k.Index)
	at, ok := m.find(k)
	if !ok {
		return r, ErrUnknown
	}
	b, err := f(m.bindings[at])
	if err != nil {
		return r, err
	}
	return r.put(m.with(at, b)), nil
}

// Update takes in a new inbox key of the binding whose key signed it, whatever brought it (D61). It returns ErrUnknown if no
// binding known of the index signed it, since it may be a twin's that is not known yet; suite.ErrInvalid or wire.ErrMalformed for
// the inbox key; ErrStale if one is known that counts before it.
func (r Root) Update(u proto.Update) (Root, error) {
	for _, b := range r.member(u.Index).bindings {
		if u.VerifySignature(r.Space(), b.Key) != nil {
			continue
		}
		if err := u.Fits(r.Suite()); err != nil {
			return r, err
		}
		return r.update(b.Maker, func(b Binding) (Binding, error) {
			if !u.Newer(b.Update) {
				return b, ErrStale
			}
			next := b.Identity
			next.Update = u
			return b.with(next), nil
		})
	}
	return r, ErrUnknown
}

// Boxes takes in to which inbox key an owner would box what is for a member: an update, or the key of its introduction, if it is known to
// be that. It returns the errors of Update, and ErrUnknown.
func (r Root) Boxes(k proto.KnownInbox) (Root, error) {
	if !k.Update.IsZero() {
		return r.Update(k.Update)
	}
	b, ok := r.ListedBinding(k.Index)
	if !ok || !b.Profiled || b.Rest.Inbox != proto.HashOfInbox(k.Inbox) || k.Inbox.KEM() != r.Suite().KEM() {
		return r, ErrUnknown
	}
	return r.update(b.Maker, func(b Binding) (Binding, error) {
		next := b.Identity
		next.Inbox = k.Inbox
		return b.with(next), nil
	})
}

// Answered takes in that a binding said that its requests up to a counter were answered. A counter of more than an hour past
// one's own time is not stored: it would keep the member from asking (§9, Counters from outside).
func (r Root) Answered(k Maker, counter uint64, now Millis) (Root, error) {
	if counter > uint64(now)+maxAnswered {
		return r, nil
	}
	return r.update(k, func(b Binding) (Binding, error) {
		b.Answered = max(b.Answered, counter)
		return b, nil
	})
}

// Millis is a time in milliseconds since 1970.
type Millis = proto.Millis

// Verifier returns the keys under which a signature of an index may be right: the listed one by the notice alone, or all known.
func (r Root) Verifier(i dkg.Index) (keys []suite.PublicKey, certain bool) {
	if k, ok := r.Listed(i); ok {
		return []suite.PublicKey{k}, true
	}
	for _, b := range r.member(i).bindings {
		keys = append(keys, b.Key)
	}
	return keys, false
}

const format = 5 // of a stored Root

// Encode implements state.Piece.
func (r Root) Encode(e *state.Encoder) {
	e.Version(format)
	e.Uint64(r.serial)
	e.Bytes(r.united)
	e.Int64(r.said)
	r.members.Encode(e, "m")
	r.statements.encode(e)
	r.records.Encode(e, "r")
	r.tags.Encode(e, "t")
}

// Decode implements state.Piece. What it returns is to be put under its terms (With).
func (Root) Decode(d *state.Decoder) (r Root, err error) {
	d.Version(format, format)
	r.serial = d.Uint64()
	if b := d.Bytes(proto.MaxBitmap); len(b) > 0 {
		r.united = b
	}
	r.said = d.Int64()
	if r.members, err = segmap.Decode[member](d, "m"); err != nil {
		return Root{}, err
	}
	if r.statements, err = decodeStatements(d); err != nil {
		return Root{}, err
	}
	if r.records, err = segmap.Decode[record](d, "r"); err != nil {
		return Root{}, err
	}
	if r.tags, err = segmap.Decode[tagged](d, "t"); err != nil {
		return Root{}, err
	}
	r.introduced = map[dkg.Index]int{}
	for m := range r.members.All() {
		for _, b := range m.bindings {
			if b.came > r.serial || b.first > r.serial {
				return Root{}, wire.ErrMalformed
			}
			if b.introducer != 0 && !b.Met() {
				r.introduced[b.introducer]++
			}
		}
	}
	r.revoked, r.removed = indicesOf(r.statements.revokes), indicesOf(r.statements.removals)
	return r, d.Err()
}
