package ratchet

import (
	"fmt"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Admit answers the frame of a request at once, whoever else is to answer it, and returns the frames of the ticket or refusal (§9):
// it lets a joiner in, or brings a member back into step. Most programs do not call it: an Opener does, which keeps the order in
// which members answer. The space must be durable before the frames leave. Besides the errors of a frame it returns ErrPhase.
func Admit(s Space, now time.Time, frame []byte) (Space, [][]byte, error) {
	d, err := newEdit(s, now, Options{})
	if err != nil {
		return s, nil, err
	}
	if d.st.phase != Member || d.silent() {
		return s, nil, ErrPhase
	}
	if _, err := d.request(incoming{data: frame}, true); err != nil {
		return s, nil, err
	}
	return d.space(), d.frames, nil
}

// openRequest opens a request.
func openRequest(d *edit, f incoming) (Message, error) {
	try := *d
	name, err := try.request(f, false)
	switch {
	case err == nil:
		*d = try
		d.setDesk(d.st.desk.Value().Settled(name, f.name))
		d.forget(f.name)
	case state.VerdictOf(err) == state.Retain:
		d.st.desk, d.st.forest, d.events = try.st.desk, try.st.forest, try.events
		d.setDesk(d.st.desk.Value().Deferred(name, f.name))
		form := orphans.Other
		if err == errUntagged {
			form = orphans.Untagged
		}
		d.retainAs(f, form)
	default:
		d.st.desk, d.events, d.frames = try.st.desk, try.events, try.frames
		d.setDesk(d.st.desk.Value().Settled(name, f.name))
		d.forget(f.name)
	}
	return Message{}, err
}

// errUntagged: a request whose record or root is not known yet.
var errUntagged = fmt.Errorf("%w: request under a tag that is not known", outcome.ErrNotYet)

// request looks into a request (§9, Answering), and answers it if its turn has come. It returns the name of one that opened. The error
// is what becomes of the frame, also of one that was refused.
func (d *edit) request(f incoming, atOnce bool) (name proto.Name, err error) {
	q, err := proto.ParseRequest(f.data)
	if err != nil {
		return name, outcome.Malformed(err)
	}
	if d.st.phase == Left || d.st.phase == Removed {
		return name, outcome.ErrStale
	}
	a, r, err := d.openAsked(q)
	if err != nil {
		return name, err
	}
	if err := d.isOwn(a); err != nil {
		return name, err
	}
	who := d.answerer(f, r, atOnce)
	if a.Root != r.ID() {
		who.Named, _ = d.root(a.Root)
		who.Bind = d.binds(a.Root, r)
	}
	desk, out, err := d.st.desk.Value().Request(a, q.Tag, r, who, d.clockOf())
	if err != nil {
		return name, forged(err)
	}
	d.setDesk(desk)
	if out.Resynced {
		d.emit(Event{Kind: Resynced, Index: a.Index, Key: PublicKey{out.Binding.Key}})
	}
	if out.New && a.Kind == proto.Resync {
		d.st.forest = d.st.forest.Lost(out.Asker, a.Preferred)
	}
	name = a.ID().Name()
	switch out.Act {
	case members.Answer:
		if err := d.answer(a, q.Tag, r, out); err != nil {
			return name, fmt.Errorf("%w: %w", outcome.ErrDeferred, err) // it holds up nothing else
		}
		d.setDesk(d.st.desk.Value().Answered(name, d.clockOf()))
		return name, nil
	case members.Refuse:
		if s, err := proto.SealRefusal(d.st.space, name, a.Ticket, out.Refusal); err == nil {
			d.send(s.Frame())
			d.setDesk(d.st.desk.Value().Refused(name, d.clockOf()))
		}
		if atOnce {
			return name, nil
		}
		return name, fmt.Errorf("%w: request that was refused", outcome.ErrStale)
	case members.Defer:
		return name, outcome.ErrDeferred
	case members.Hold:
		return name, fmt.Errorf("%w: others have to answer", outcome.ErrDeferred)
	}
	return name, outcome.ErrStale
}

// isOwn returns ErrOwn for a request under this member's own key. One that it did not make shows that somebody else has the key.
func (d *edit) isOwn(a proto.Asked) error {
	me, whose := d.st.me(), d.st.asking.Value().Whose(a.ID(), a.Counter)
	if whose != asking.Mine && (a.Index != me.index || a.Verify(d.st.space, me.signing.Public) != nil) {
		return nil
	}
	if whose == asking.Others {
		d.emit(Event{Kind: Impersonated, Index: me.index})
	}
	return outcome.ErrOwn
}

// openAsked opens a request with the key of its tag, and returns the root in which it is answered: that of its invite, or the
// preferred one.
func (d *edit) openAsked(q proto.Request) (proto.Asked, members.Root, error) {
	_, preferred, ok := d.preferred()
	if !ok {
		return proto.Asked{}, members.Root{}, errUntagged
	}
	key, r, found, root := suite.AEAD{}, preferred, false, proto.EpochID{}
	switch q.Kind {
	case proto.Join:
		for row := range d.st.roots.All() {
			held, _ := d.root(row.id)
			if k, ok := held.RequestKey(q.Tag); ok && (!found || held.ID() == preferred.ID()) {
				key, r, found = suite.NewAEAD(k), held, true
			}
		}
	case proto.Resync:
		for _, k := range d.tp.keys.Value().list {
			if own, tag := proto.ResyncKey(k.k, d.st.space, k.root); tag == q.Tag {
				key, found, root = suite.NewAEAD(own), true, k.root
			}
		}
	}
	if !found {
		return proto.Asked{}, members.Root{}, errUntagged
	}
	a, err := q.Open(d.st.space, key)
	if err == nil && a.Root != root { // who has K of one root alone names no other one
		err = suite.ErrInvalid
	}
	if err != nil {
		return proto.Asked{}, members.Root{}, forged(err)
	}
	return a, r, nil
}

// answerer is what there is to be known of this member as one that answers a request, which came with a frame.
func (d *edit) answerer(f incoming, r members.Root, atOnce bool) members.Answerer {
	arrived := d.now
	if n, ok := d.st.orphans.Value().Get(f.name); ok {
		arrived = n.Arrived
	}
	reached := d.st.clock.reached
	return members.Answerer{
		Index: d.st.me().index, AtOnce: atOnce,
		Ready:  d.st.phase == Member && !d.silent() && (reached >= arrived || d.now < arrived-hour) && d.now-reached <= day,
		CanBox: d.dealsFrom(r),
		Free:   func(c proto.Certificate) dkg.Index { return invites.Free(r, c) },
		Died:   d.comesAfter(r.ID()),
		Gives:  d.gives(r), Entered: d.st.forest.Entered(),
	}
}

// binds returns what signs the word of this owner in an older root or one beside, about what is decided in the preferred one. It is nil of
// who is no owner there, and for a root that was never held. Who its owners were is not known any more once it is given up.
func (d *edit) binds(root proto.EpochID, preferred members.Root) func(dkg.Index, proto.BodyHash) proto.Bind {
	place, owner := d.place(preferred)
	if named, held := d.root(root); held && owner {
		place, owner = d.place(named)
	}
	if _, kept := d.tp.keys.Value().of(root); !owner || !kept {
		return nil
	}
	return func(i dkg.Index, body proto.BodyHash) proto.Bind {
		return proto.Sign(proto.Bind{Said: proto.Said{Root: root, By: place}, Index: i, Body: body}, d.st.space, d.st.me().signing)
	}
}

// answer posts a ticket for a request, and notes what is to be said of the asker.
func (d *edit) answer(a proto.Asked, tag proto.Tag, r members.Root, out members.Decision) error {
	frames, err := d.repeated(a.ID().Name())
	if err != nil {
		return err
	}
	if frames == nil {
		if frames, err = d.newTicket(a, tag, r, out); err != nil {
			return err
		}
		d.remember(a.ID().Name(), frames)
	} else if d.queued {
		frames = nil // they lie there yet, or what was to be sent before them
	}
	d.send(frames...)
	introduced := false
	if a.Kind == proto.Join {
		x, _, _ := r.Record(tag)
		in := proto.Introduction{Credential: proto.Credential{Certificate: x.Certificate, Binding: a.Binding}, Rest: a.Rest, Inbox: a.Inbox}
		if next, change, err := r.Introduce(in, members.Via{}); err == nil {
			d.changed(next, change)
			introduced = true
		}
	} else if next, err := r.Update(a.Update); err == nil {
		d.setRoot(next)
	}
	news := d.st.news.Value() // with what is owed to who arrived by that
	if k := (proto.Maker{Index: a.Index, Key: a.Binding.Signing}); introduced && !slices.Contains(news.introduce, k) && len(news.introduce) < maxIntroduce {
		news.introduce = append(slices.Clip(news.introduce), k)
	}
	if a.Kind == proto.Resync || out.Binding.Heard() {
		shown := slices.DeleteFunc(slices.Clone(news.shown), func(s shownRequest) bool { return s.Request == a.ID() })
		if len(shown) < maxShown {
			news.shown = append(shown, shownRequest{a.Shown(), sayings, d.now + hour})
		}
	}
	d.setNews(news)
	return nil
}

// repeated returns the frames of an own ticket that is to be posted again.
func (d *edit) repeated(n proto.Name) ([][]byte, error) {
	for _, t := range d.st.repeats.Value().list {
		if t.name == n && d.st.clock.age(t.at) < repeatFor {
			return t.frames, nil
		}
	}
	return nil, nil
}

// repeatFor is how long an own ticket is posted again with the same bytes (D30).
const repeatFor = day

// remember keeps an own ticket to be posted again.
func (d *edit) remember(n proto.Name, frames [][]byte) {
	r := repeats{append(slices.Clip(d.st.repeats.Value().list), repeat{n, d.age(), frames})}
	d.st.repeats = state.NewSegment(r.pruned(d.age()))
}

// pruned returns the tickets that are still to be repeated: of the last day, and of these the newest that there is room for.
func (r repeats) pruned(age millis) repeats {
	bytes, from := 0, len(r.list)
	for from > 0 && len(r.list)-from < maxRepeats && age-r.list[from-1].at < repeatFor {
		for _, f := range r.list[from-1].frames {
			bytes += len(f)
		}
		if bytes > maxRepeatBytes {
			break
		}
		from--
	}
	return repeats{slices.Clone(r.list[from:])}
}
