package members

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Succeed returns the members of a root that a rekey made, with what was known under the one before: the statements that count in both; the
// records of the rekey, each with the number of the epoch that was noted with it before, or else serial; of those listed what they said and
// when they were read first; and whoever came by an invite that is issued again, under its new certificate. It reports whether requests that waited may be readable by one of these. Now is the wall clock.
func (r Root) Succeed(old Root, records []proto.Record, serial uint64, now Millis) (_ Root, opened bool) {
	for _, s := range old.Statements() {
		switch s.(type) {
		case proto.Leave, proto.Profile: // they come with their binding
		default:
			if next, _, err := r.Apply(s, Older, now); err == nil {
				r = next
			}
		}
	}
	left := func(k suite.PublicKey) bool { _, stays := r.Owners().PlaceOf(k); return !stays }
	if !slices.ContainsFunc(old.Owners().Keys, left) { // each notice that counted there counts here
		r = r.Unite(old.united)
	}
	for _, x := range records {
		at := serial
		if was, ok := old.records.Get(recordKey(x.Certificate.Name())); ok {
			at = was.serial
		}
		if next, c, err := r.AddRecord(x, at); err == nil {
			r, opened = next, opened || len(c.Opened) > 0
		}
	}
	for m := range old.members.All() {
		for _, b := range m.bindings {
			r, _ = r.inherit(b)
		}
	}
	return r, opened
}

// Meet takes over from another root which bindings of an index were read there, and when. One that is not known comes in if its invite was issued
// again and is not over, and its index is not gone. It reports whether that changed anything. Now is the wall clock.
func (r Root) Meet(other Root, i dkg.Index, now Millis) (next Root, change Change, met bool) {
	next = r
	for _, b := range other.Bindings(i) {
		was, known := next.Binding(b.Maker)
		news := known && earlier(was.first, b.first) != was.first || !known && !r.Gone(i) && !other.Gone(i) && !r.over(other, b, now)
		if !b.Met() || !news {
			continue
		}
		taken, c := next.inherit(b)
		if is, _ := taken.Binding(b.Maker); is.first != was.first {
			next, change, met = taken, change.And(c), true
		}
	}
	return next, change, met
}

// earlier returns the smaller of two numbers of first readings, of which 0 is none.
func earlier(a, b uint64) uint64 { return min(a-1, b-1) + 1 }

// Since returns what changed about the members that are shown when this root took the place of another one, or became what it is: who went,
// and whom the notice lists under another binding.
func (r Root) Since(old Root) (c Change) {
	for i := range old.All() {
		before, _ := old.ListedBinding(i)
		if e, ok := r.roster.Find(i); ok && e.Body != before.Body {
			c.KeyChanged = append(c.KeyChanged, KeyChange{i, before.Body, e.Body})
		}
		if !old.Gone(i) && r.Gone(i) {
			c.Gone = append(c.Gone, i)
		}
	}
	for i := range r.All() { // who was not known before
		if !old.Gone(i) && r.Gone(i) && !slices.Contains(c.Gone, i) {
			c.Gone = append(c.Gone, i)
		}
	}
	return c
}

// inherit takes over what was known of a binding in another root, if it is known here, or its invite was issued again.
func (r Root) inherit(b Binding) (_ Root, change Change) {
	o, known := r.Binding(b.Maker)
	if known && o.Body != b.Body {
		return r, change // one key with two bodies: the first stays
	}
	if !known {
		x, again := r.Invite(proto.NameOfInvite(b.admission()))
		if b.Credential.IsZero() || !again || !x.Certificate.Covers(b.Index) {
			return r, change
		}
		var err error
		if r, change, err = r.Admit(proto.Credential{Certificate: x.Certificate, Binding: b.Credential.Binding}, Via{Needed: b.Met()}); err != nil {
			return r, change
		}
	}
	r.serial = max(r.serial, b.first)
	next, err := r.update(b.Maker, func(o Binding) (Binding, error) {
		i := o.Identity
		if !i.Profiled {
			i.Rest, i.Profiled = b.Rest, b.Profiled
		}
		if i.Credential.IsZero() && i.Admission.IsZero() {
			i.Admission = b.admission()
		}
		if i.Inbox.IsZero() {
			i.Inbox = b.Inbox
		}
		if b.Update.Newer(i.Update) {
			i.Update = b.Update
		}
		if i.Profile.Signature == nil || b.Profile.Counter > i.Profile.Counter {
			i.Profile = b.Profile
		}
		if !i.Left() {
			i.Leave = b.Leave
		}
		o.Answered = max(o.Answered, b.Answered)
		o.first = earlier(o.first, b.first)
		return o.with(i), nil
	})
	if err != nil {
		return r, change
	}
	return next, change
}

// Unite returns the root in which those are gone, too, whom another root of its generation has in gone.
func (r Root) Unite(gone proto.Bitmap) Root {
	r.united = r.united.Union(gone)
	return r
}

// Stay returns the members that a rekey lists: those not gone that the notice lists, that were heard, of whom it is known that they were let
// in since others heard them (a ticket says so to who did not), or that made one of some epochs, each with its listed binding. One that was
// only introduced is not listed: its device may be lost.
func (r Root) Stay(makers []Maker) (out []Binding) {
	for i := range r.All() {
		b, ok := r.ListedBinding(i)
		if !ok || r.Gone(i) {
			continue
		}
		if _, listed := r.Listed(i); listed || b.Met() || b.Answered > 0 || slices.Contains(makers, b.Maker) {
			out = append(out, b)
		}
	}
	return out
}

// ListsGone reports whether only a rekey keeps somebody out who is gone: one that the notice does not have in gone and of whom a binding is
// known, or that was heard. Whoever let it in may not have known.
func (r Root) ListsGone() bool {
	for i := range r.All() {
		if r.Gone(i) && (!r.notice.Gone.Has(i) || r.Heard(i)) {
			return true
		}
	}
	return false
}

// Unlisted returns how many members that were heard the notice does not list.
func (r Root) Unlisted() (n int) {
	for i := range r.All() {
		if _, listed := r.Listed(i); !listed && !r.Gone(i) && r.Heard(i) {
			n++
		}
	}
	return n
}

// Uncovered returns who was read in an older root or before, is not gone, is neither listed nor bound in this one, and is not shut out of it: each
// index with the binding listed there.
func (r Root) Uncovered(old Root, now Millis) (out []Binding) {
	for m := range old.members.All() {
		b, ok := old.ListedBinding(m.index)
		if ok && b.Met() && !r.Gone(b.Index) && !old.Gone(b.Index) && len(r.member(b.Index).bindings) == 0 && !r.Shut(old, b, now) {
			out = append(out, b)
		}
	}
	return out
}

// Shut reports whether this root knows nothing of the index of a binding of an older root whose invite is over. Such a binding may be of somebody
// who was removed and has the link: in the old root it can still bind an index and write as it.
func (r Root) Shut(old Root, b Binding, now Millis) bool {
	return len(r.member(b.Index).bindings) == 0 && r.over(old, b, now)
}

// over reports whether an owner closed the invite of a binding of another root, or its lifetime is over by the wall clock.
func (r Root) over(other Root, b Binding, now Millis) bool {
	c := b.Credential.Certificate
	return !c.IsZero() && (r.Closed(c.Name()) || other.Closed(c.Name()) || c.ExpiredAt(uint64(max(now, 0))))
}
