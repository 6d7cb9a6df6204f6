package members

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// member is what is known of an index: its bindings, and the statements that decide which of them is listed.
type member struct {
	index    dkg.Index
	bindings []Binding // in the order in which they came to be known
	binds    []bind    // the first counts
}

// bind is a bind statement with the place of the owner that signed it.
type bind struct {
	place uint8
	said  proto.Bind
	last  Millis // wall clock: when it came, or was owed again last
	again uint8  // how often it was owed again
}

// before reports whether b decides, and not o.
func (b bind) before(o bind) bool {
	x, y := proto.StatementHash(b.said), proto.StatementHash(o.said)
	return cmp.Or(cmp.Compare(b.place, o.place), bytes.Compare(x[:], y[:])) < 0
}

const (
	// maxTwins is the number of bindings of one index besides the listed one: who has a link and is a member can sign any
	// number (D15).
	maxTwins = 4
	// maxBindings is the number of bindings of one index that are kept, those among them under which somebody else wrote: beyond, one of
	// which nothing was read gives way, or a further one waits. An index is for one device, so that nobody honest comes to it; whoever
	// does is let in once an owner names it.
	maxBindings = 256
	// maxBinds is the number of bind statements kept of one index. Those that would decide first are kept.
	maxBinds = 4
)

// Key implements segmap.Row.
func (m member) Key() segmap.Key { return segmap.ByIndex(uint32(m.index)) }

// listed returns which of the bindings is listed: the notice's, the one that a bind names, the one that was read first, the
// one with the smaller H(body).
func (m member) listed(t Terms) (int, bool) {
	if e, ok := t.roster.Find(m.index); ok {
		at := slices.IndexFunc(m.bindings, func(b Binding) bool { return b.Body == e.Body })
		return at, at >= 0
	}
	for _, b := range m.binds {
		if at := slices.IndexFunc(m.bindings, func(o Binding) bool { return o.Body == b.said.Body }); at >= 0 {
			return at, true
		}
	}
	best := -1
	for at, b := range m.bindings {
		if best < 0 || b.before(m.bindings[best]) {
			best = at
		}
	}
	return best, best >= 0
}

// find returns the binding with a key.
func (m member) find(k Maker) (int, bool) {
	at := slices.IndexFunc(m.bindings, func(b Binding) bool { return b.Maker == k })
	return at, at >= 0
}

// with returns the member with a binding in place of the one at a position.
func (m member) with(at int, b Binding) member {
	m.bindings = slices.Clone(m.bindings)
	m.bindings[at] = b
	return m
}

// named reports whether a statement or the notice names a body.
func (m member) named(t Terms, body proto.BodyHash) bool {
	e, ok := t.roster.Find(m.index)
	return ok && e.Body == body || slices.ContainsFunc(m.binds, func(b bind) bool { return b.said.Body == body })
}

// decided reports whether the notice, or the first bind of a binding that is known, names a body.
func (m member) decided(t Terms, body proto.BodyHash) bool {
	if e, ok := t.roster.Find(m.index); ok {
		return e.Body == body
	}
	for _, b := range m.binds {
		if b.said.Body == body || slices.ContainsFunc(m.bindings, func(o Binding) bool { return o.Body == b.said.Body }) {
			return b.said.Body == body
		}
	}
	return false
}

// vacate returns the member with room for one more binding: of those besides the listed one of which nothing was read, in this root or an
// older one, the oldest gives way. It reports whether there is room.
func (m member) vacate(t Terms) (member, bool) {
	listed, ok := m.listed(t)
	twins := len(m.bindings)
	if ok {
		twins--
	}
	if twins < maxTwins {
		return m, true
	}
	for at, b := range m.bindings {
		if at != listed && !b.Met() && !m.named(t, b.Body) {
			m.bindings = slices.Delete(slices.Clone(m.bindings), at, at+1)
			return m, true
		}
	}
	return m, false
}

// Encode implements state.Piece.
func (m member) Encode(e *state.Encoder) {
	e.Uint32(uint32(m.index))
	e.Uint32(uint32(len(m.bindings)))
	for _, b := range m.bindings {
		b.encode(e)
	}
	e.Uint32(uint32(len(m.binds)))
	for _, b := range m.binds {
		e.Uint8(b.place)
		e.Bytes(proto.EncodeStatement(b.said))
		e.Int64(b.last)
		e.Uint8(b.again)
	}
}

// Decode implements state.Piece.
func (member) Decode(d *state.Decoder) (m member, err error) {
	m.index = dkg.Index(d.Uint32())
	for range d.Count(maxBindings+maxBinds+1, 8+8+8+4) { // what a bind or the notice names is kept besides
		b, err := decodeBinding(d, m.index)
		if err != nil {
			return member{}, err
		}
		m.bindings = append(m.bindings, b)
	}
	for range d.Count(maxBinds, 64) {
		b := bind{place: d.Uint8()}
		if load(d, &err, &b.said, parseStatement[proto.Bind]); err != nil {
			return member{}, err
		}
		b.last, b.again = d.Int64(), d.Uint8()
		m.binds = append(m.binds, b)
	}
	return m, d.Err()
}

// Named reports whether the notice or an owner's bind names a body for an index: then it is listed whatever was read first.
func (r Root) Named(i dkg.Index, body proto.BodyHash) bool { return r.member(i).named(r.Terms, body) }

// Undecided returns the binding that the owner at a place is to name for an index: the listed one, if more are known of the index, it was
// read, in this root or another that is not newer, and no notice and no bind names it. Where a bind of this owner may not be kept, since as many of it and
// of owners before it stand as are kept, there is none.
func (r Root) Undecided(i dkg.Index, place uint8) (Binding, bool) {
	m := r.member(i)
	at, ok := m.listed(r.Terms)
	if !ok || len(m.bindings) < 2 || r.Gone(i) || len(m.binds) == maxBinds && m.binds[maxBinds-1].place <= place {
		return Binding{}, false
	}
	b := m.bindings[at]
	return b, b.Met() && !m.named(r.Terms, b.Body)
}

// Displaces reports whether the notice, or the bind that counts before others, names another body for an index. Whoever signed for it may
// know a binding that is not known here, so other than for the listing that does not matter.
func (r Root) Displaces(i dkg.Index, body proto.BodyHash) bool {
	if e, listed := r.roster.Find(i); listed {
		return e.Body != body
	}
	binds := r.member(i).binds
	return len(binds) > 0 && binds[0].said.Body != body
}

// Unheeded takes in that a message of a binding was read, and returns the bind by which it lost if that is owed again by the owner whose
// place is given, who signed it: its member may not have read it. It is owed at the earliest an hour after it was said, and each further
// time after twice as long. Now is the wall clock.
func (r Root) Unheeded(k Maker, place uint8, now Millis) (Root, proto.Bind, bool) {
	m := r.member(k.Index)
	if _, listed := r.roster.Find(k.Index); listed || len(m.binds) == 0 {
		return r, proto.Bind{}, false
	}
	b := m.binds[0]
	at, known := m.find(k)
	if !known || m.bindings[at].Body == b.said.Body || b.place != place || !over(now, b.last, hour<<min(b.again, maxDoubled)) {
		return r, proto.Bind{}, false
	}
	b.last, b.again = now, min(b.again, maxDoubled)+1
	m.binds = slices.Clone(m.binds)
	m.binds[0] = b
	return r.put(m), b.said, true
}

// maxDoubled is how often the wait between two repetitions of a bind doubles: for longer than anybody uses a space.
const maxDoubled = 20
