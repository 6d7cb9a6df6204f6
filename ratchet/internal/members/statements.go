package members

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Bounds of the statements of owners that are kept (§7). An honest owner names its revoked indices again in one statement, and
// has one title.
const (
	maxRevokes = 256
	maxCloses  = 256
	maxTitles  = proto.MaxOwners + 1
)

// statements are the owners' statements that count in a root, each kind apart.
type statements struct {
	revokes segmap.Map[said]
	closes  segmap.Map[said]
	titles  segmap.Map[said] // the newest of each owner, and the newest by a role

	roles    segmap.Map[said]
	removals segmap.Map[said] // revokes by roles
}

// said is an owner's statement with the place of the owner that signed it; 255 if it was said by a role.
type said struct {
	place uint8
	what  proto.OwnerStatement
	key   segmap.Key // follows from both
}

// saidBy returns a statement at its place: a close by the invite, a title by its owner, the others by their hash.
func saidBy(place uint8, s proto.OwnerStatement) said {
	out := said{place: place, what: s}
	switch s := s.(type) {
	case proto.Close:
		copy(out.key.Place[:], s.Invite[:])
	case proto.Title:
		out.key.Place[0] = place
	default:
		h := proto.StatementHash(s)
		out.key = segmap.ByID([32]byte(h[:32]))
	}
	return out
}

// member returns who said a statement by a role, whichever owner gave it.
func (s said) member() Maker { return proto.ByRole(s.what).Maker() }

// Key implements segmap.Row.
func (s said) Key() segmap.Key { return s.key }

// Encode implements state.Piece.
func (s said) Encode(e *state.Encoder) {
	e.Uint8(s.place)
	e.Bytes(proto.EncodeStatement(s.what))
}

// Decode implements state.Piece.
func (said) Decode(d *state.Decoder) (said, error) {
	place, raw := d.Uint8(), d.Bytes(proto.MaxPlaintext)
	if err := d.Err(); err != nil {
		return said{}, err
	}
	s, err := proto.ParseStatement(raw)
	if err != nil {
		return said{}, err
	}
	of, ok := s.(proto.OwnerStatement)
	if !ok || place >= proto.MaxOwners && proto.ByRole(of).IsZero() {
		return said{}, wire.ErrMalformed
	}
	return saidBy(place, of), nil
}

func (s statements) encode(e *state.Encoder) {
	s.revokes.Encode(e, "sr")
	s.closes.Encode(e, "sc")
	s.titles.Encode(e, "st")
	s.roles.Encode(e, "sg")
	s.removals.Encode(e, "sm")
}

func decodeStatements(d *state.Decoder) (s statements, err error) {
	for _, of := range []struct {
		kind proto.StatementKind
		name string
		to   *segmap.Map[said]
	}{
		{proto.KindRevoke, "sr", &s.revokes}, {proto.KindClose, "sc", &s.closes},
		{proto.KindTitle, "st", &s.titles}, {proto.KindRole, "sg", &s.roles}, {proto.KindRevoke, "sm", &s.removals},
	} {
		if *of.to, err = segmap.Decode[said](d, of.name); err != nil {
			return statements{}, err
		}
		for x := range of.to.All() {
			if x.what.Kind() != of.kind {
				return statements{}, wire.ErrMalformed
			}
		}
	}
	return s, nil
}

// indicesOf returns the set of the indices that some revokes name.
func indicesOf(revokes segmap.Map[said]) (out proto.Bitmap) {
	for x := range revokes.All() {
		out = out.Union(proto.NewBitmap(x.what.(proto.Revoke).Indices...))
	}
	return out
}

// Age says how the root that a statement names stands to the one in which it is to count.
type Age uint8

const (
	// Unheld: it is not known. A newer root would be known before what is said in it counts.
	Unheld Age = iota
	// Older: its rekey generation is smaller.
	Older
	// Newer or beside: of the same or a greater rekey generation.
	Newer
)

// Apply takes in a statement, after its signature was checked under the keys of this root. An owner's counts if it names this
// root or an older one and an owner of this root signed it (D62); else it is ErrNoEffect, or ErrUnknown if the root that it names
// is not held. It returns suite.ErrInvalid, ErrStale, ErrLimit, and ErrUnknown for a member's statement under a binding that is
// not known. Statements of kinds that change nothing here are ErrNoEffect. Now is the wall clock.
func (r Root) Apply(s proto.Statement, named Age, now Millis) (Root, Change, error) {
	switch s := s.(type) {
	case proto.Leave:
		return r.leave(s)
	case proto.Profile:
		return r.profile(s)
	case proto.Notice:
		return r.heardOf(s)
	case proto.Current:
		return r, Change{}, ErrNoEffect // reserved
	case proto.OwnerStatement:
		return r.ownerSaid(s, named, now)
	}
	return r, Change{}, ErrNoEffect
}

func (r Root) ownerSaid(s proto.OwnerStatement, named Age, now Millis) (Root, Change, error) {
	place, err := proto.VerifyOwner(s, r.Terms)
	switch {
	case err != nil:
		return r, Change{}, err
	case s.RootNamed() != r.ID() && named == Unheld:
		return r, Change{}, ErrUnknown
	case s.RootNamed() != r.ID() && named != Older:
		return r, Change{}, ErrNoEffect
	}
	switch s := s.(type) {
	case proto.Bind:
		return r.bind(place, s, now)
	case proto.Revoke:
		if !s.Role.IsZero() {
			return r.remove(place, s)
		}
		return r.revoke(place, s)
	case proto.Role:
		return r.give(place, s)
	case proto.Close:
		return r.close(place, s, now)
	case proto.Title:
		before, _ := r.Title()
		r.statements.titles, err = newest(r.statements.titles, saidBy(place, s), s.Counter, maxTitles)
		after, _ := r.Title()
		return r, Change{Titled: !bytes.Equal(before.Title, after.Title)}, err
	}
	return r, Change{}, err
}

// newest returns the map with a statement that has a counter, unless one at its place counts before it.
func newest(m segmap.Map[said], s said, counter uint64, limit int) (segmap.Map[said], error) {
	old, ok := m.Get(s.key)
	switch {
	case ok && !newer(s, counter, old):
		return m, ErrStale
	case !ok && m.Size() >= limit:
		return m, ErrLimit
	}
	return m.Put(s), nil
}

// newer reports whether a statement counts before an older one: the greater counter, then the smaller hash (D38).
func newer(s said, counter uint64, old said) bool {
	was := old.what.(proto.Title).Counter
	a, b := proto.StatementHash(s.what), proto.StatementHash(old.what)
	return cmp.Or(cmp.Compare(was, counter), bytes.Compare(a[:], b[:])) < 0
}

// bind decides which binding of an index is listed. It counts for a binding that comes later, too.
func (r Root) bind(place uint8, s proto.Bind, now Millis) (Root, Change, error) {
	m := r.member(s.Index)
	b := bind{place: place, said: s, last: now}
	if s.Index.Check(r.Depth()) != nil {
		return r, Change{}, ErrNoEffect
	}
	if slices.ContainsFunc(m.binds, func(o bind) bool { return proto.StatementHash(o.said) == proto.StatementHash(s) }) {
		return r, Change{}, ErrStale
	}
	before, _ := r.ListedBinding(s.Index)
	at := 0
	for at < len(m.binds) && m.binds[at].before(b) {
		at++
	}
	if at == maxBinds {
		return r, Change{}, ErrStale // four decide before it
	}
	m.binds = slices.Insert(slices.Clone(m.binds), at, b)
	m.binds = m.binds[:min(len(m.binds), maxBinds)]
	r = r.put(m)
	return r, Change{}.listing(s.Index, before, r), nil
}

// profile takes in new application data of the binding whose key signed it.
func (r Root) profile(s proto.Profile) (Root, Change, error) {
	for _, b := range r.member(s.Index).bindings {
		if proto.VerifyStatement(s, r.Space(), b.Key) != nil {
			continue
		}
		next, err := r.update(b.Maker, func(b Binding) (Binding, error) {
			if b.Profile.Signature != nil {
				x, y := proto.StatementHash(s), proto.StatementHash(b.Profile)
				if cmp.Or(cmp.Compare(b.Profile.Counter, s.Counter), bytes.Compare(x[:], y[:])) >= 0 {
					return b, ErrStale
				}
			}
			next := b.Identity
			next.Profile = s
			return b.with(next), nil
		})
		if err != nil {
			return r, Change{}, err
		}
		return next, Change{Profiled: []dkg.Index{s.Index}}, nil
	}
	return r, Change{}, ErrUnknown
}

// Title returns the title of the space: of the greatest counter, then of the smaller hash.
func (r Root) Title() (proto.Title, bool) {
	var best said
	for s := range r.statements.titles.All() {
		if best.what == nil || newer(s, s.what.(proto.Title).Counter, best) {
			best = s
		}
	}
	t, ok := best.what.(proto.Title)
	return t, ok
}

// Statements returns all statements that are kept, as a ticket carries them: those that decide who is a member first.
func (r Root) Statements() (out []proto.Statement) {
	for m := range r.members.All() {
		for _, b := range m.bindings {
			if b.Left() {
				out = append(out, b.Leave)
			}
		}
		for _, b := range m.binds {
			out = append(out, b.said)
		}
	}
	for _, of := range []segmap.Map[said]{r.statements.revokes, r.statements.closes, r.statements.roles, r.statements.removals, r.statements.titles} {
		for s := range of.All() {
			out = append(out, s.what)
		}
	}
	for m := range r.members.All() {
		for _, b := range m.bindings {
			if b.Profile.Signature != nil {
				out = append(out, b.Profile)
			}
		}
	}
	return out
}
