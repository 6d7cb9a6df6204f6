package members

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// maxIntroduced is the number of bindings that one member introduced and of which nothing was read: everybody with a public
// link can sign bindings for its whole run (D72).
const maxIntroduced = 256

// Via says how an introduction came.
type Via struct {
	By     dkg.Index // the member that introduced another one (flag 4); 0 for the member itself, and for tickets
	Needed bool      // a message of another member below a commit of this binding is to be read: it comes in beyond the bound
}

// Introduce takes in a binding that the notice does not list, with rest and inbox key, after the checks of §9. It returns
// suite.ErrInvalid for a false one, and ErrLimit if as many of its index are known, each of which was heard: the frame waits
// until an owner names the binding or others write below its commits (D15). One that another member introduced in vain is left
// out: it comes with its own messages.
func (r Root) Introduce(i proto.Introduction, via Via) (Root, Change, error) {
	if err := i.Verify(r.Terms); err != nil {
		return r, Change{}, err
	}
	return r.introduce(i.Credential, via, func(b Identity) Identity {
		b.Rest, b.Profiled, b.Inbox = i.Rest, true, i.Inbox
		return b
	})
}

// Admit takes in a binding without its profile, as tickets and commits show it, after the checks of §9.
func (r Root) Admit(c proto.Credential, via Via) (Root, Change, error) {
	if err := c.Verify(r.Terms); err != nil {
		return r, Change{}, err
	}
	return r.introduce(c, via, func(b Identity) Identity { return b })
}

// Tell takes in what a ticket says of a member, after the checks of §9 step 6.
func (r Root) Tell(m proto.TicketMember) (Root, Change, error) {
	key, err := m.Verify(r.Terms, r.roster)
	if err != nil {
		return r, Change{}, err
	}
	return r.tell(proto.CheckedMember{TicketMember: m, Key: key})
}

// TellAll takes in what a ticket that was checked under this root says of members. What there is no room for is left out.
func (r Root) TellAll(all []proto.CheckedMember) (Root, Change) {
	r, others := r.tellListed(all)
	var change Change
	for _, m := range others {
		next, c, err := r.tell(m)
		if err != nil {
			continue
		}
		r, change = next, change.And(c)
	}
	return r, change
}

// tellListed takes in what is said of members that the notice lists, all at once, and returns what is said of others.
func (r Root) tellListed(all []proto.CheckedMember) (Root, []proto.CheckedMember) {
	var others []proto.CheckedMember
	told := make([]member, 0, len(all))
	for _, m := range all {
		k := Maker{Index: m.Index, Key: m.Key}
		was := r.member(m.Index)
		at, ok := was.find(k)
		if !m.Credential.IsZero() || !ok {
			others = append(others, m)
			continue
		}
		told = append(told, was.with(at, was.bindings[at].told(m.TicketMember)))
	}
	slices.SortFunc(told, func(a, b member) int { return cmp.Compare(a.index, b.index) })
	told = slices.CompactFunc(told, func(a, b member) bool { return a.index == b.index }) // a ticket says of each once
	for _, m := range told {
		r = r.counted(m)
	}
	r.members = r.members.PutAll(told)
	return r, others
}

// told returns a binding with what a ticket says of it.
func (b Binding) told(m proto.TicketMember) Binding {
	said := b.Identity
	if m.HasRest && !b.Profiled {
		said.Rest, said.Profiled = m.Rest, true
		if b.Credential.IsZero() {
			said.Admission = m.Admission
		}
	}
	if !m.Inbox.IsZero() && b.Inbox.IsZero() {
		said.Inbox = m.Inbox
	}
	if m.Update.Newer(b.Update) {
		said.Update = m.Update
	}
	return b.with(said)
}

// tell takes in what was checked.
func (r Root) tell(m proto.CheckedMember) (next Root, change Change, err error) {
	next = r
	if !m.Credential.IsZero() {
		if next, change, err = r.introduce(m.Credential, Via{}, func(b Identity) Identity { return b }); err != nil {
			return r, Change{}, err
		}
	}
	next, err = next.update(Maker{Index: m.Index, Key: m.Key}, func(b Binding) (Binding, error) { return b.told(m.TicketMember), nil })
	if err != nil {
		return r, Change{}, err
	}
	return next, change, nil
}

func (r Root) introduce(c proto.Credential, via Via, fill func(Identity) Identity) (Root, Change, error) {
	k := Maker{Index: c.Index(), Key: c.Key()}
	if _, ok := r.Binding(k); ok {
		next, err := r.update(k, func(b Binding) (Binding, error) {
			if b.Credential.IsZero() || b.Body != c.Binding.Hash() || b.Profiled {
				return b, ErrStale // the notice's, or one key with two bodies: the first stays
			}
			return b.with(fill(b.Identity)), nil
		})
		if err != nil {
			return r, Change{}, nil
		}
		return next, Change{}, nil
	}
	if via.By != 0 && r.introduced[via.By] >= maxIntroduced {
		return r, Change{}, nil
	}
	m := r.member(k.Index)
	body := c.Binding.Hash()
	if kept := len(m.bindings); !m.named(r.Terms, body) && (!via.Needed || kept >= maxBindings) || kept > maxBindings+maxBinds {
		var ok bool
		if m, ok = m.vacate(r.Terms); !ok {
			return r, Change{}, ErrLimit
		}
	}
	before, _ := r.ListedBinding(k.Index)
	r.serial++
	b := Binding{came: r.serial, introducer: via.By}
	m.bindings = append(slices.Clone(m.bindings), b.with(fill(Identity{Maker: k, Body: body, Credential: c})))
	r = r.put(m)
	change := Change{Came: []dkg.Index{k.Index}}
	if len(m.bindings) > 1 {
		change.Conflicts = append(change.Conflicts, k.Index)
	}
	if r.Gone(k.Index) {
		change.LetInGone = append(change.LetInGone, k.Index)
	}
	return r, change.listing(k.Index, before, r), nil
}

// listing adds what an operation changed about who is listed: of an index that is named by a bind.
func (c Change) listing(i dkg.Index, before Binding, after Root) Change {
	now, _ := after.ListedBinding(i)
	var none proto.BodyHash
	if m := after.member(i); before.Body != none && now.Body != before.Body && len(m.binds) > 0 && m.named(after.Terms, now.Body) {
		c.KeyChanged = append(c.KeyChanged, KeyChange{i, before.Body, now.Body})
	}
	return c
}

// ReadFrom takes in that a message of a binding was read: it is heard. The masked share of an invite of that one index is erased,
// whatever request or ticket came before. After is not below the numbers of first readings in other roots (Reads), so that one order holds for
// all. It returns ErrUnknown for a binding that is not known.
func (r Root) ReadFrom(k Maker, after uint64) (Root, Change, error) {
	b, ok := r.Binding(k)
	if !ok {
		return r, Change{}, ErrUnknown
	}
	if b.Heard() {
		return r, Change{}, nil
	}
	var change Change
	if !b.Met() {
		r.serial = max(r.serial, after) + 1
		b.first = r.serial
		change.Arrived = append(change.Arrived, k.Index)
	}
	b.heard = true
	m := r.member(k.Index)
	at, _ := m.find(k)
	r = r.put(m.with(at, b))
	r, change.Erased = r.hear(k.Index)
	return r, change, nil
}

// Reads is not below the number of any first reading that this root knows of.
func (r Root) Reads() uint64 { return r.serial }

// Heard reports whether a message of any binding of an index was read.
func (r Root) Heard(i dkg.Index) bool {
	return slices.ContainsFunc(r.member(i).bindings, Binding.Heard)
}

// Met reports whether a message of an index was read in this root or another that is not newer, under whichever binding.
func (r Root) Met(i dkg.Index) bool { return slices.ContainsFunc(r.member(i).bindings, Binding.Met) }
