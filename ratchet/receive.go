package ratchet

import (
	"errors"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Decrypt opens the frame of a message (§7). Its error carries a verdict; with Retain the frame is to be tried again later, which
// Opener sees to: most programs call that. On error the space returned is s.
func Decrypt(s Space, now time.Time, frame []byte) (Space, Message, error) {
	d, err := newEdit(s, now, Options{})
	if err != nil {
		return s, Message{}, err
	}
	f := newIncoming(state.Frame{Data: frame})
	env, err := proto.ParseEnvelope(frame)
	if err != nil {
		return s, Message{}, outcome.Malformed(err)
	}
	m, _, err := d.receive(f, env)
	m.Events = d.events
	if err != nil {
		return s, m, err
	}
	d.followRekeys()
	m.Events = d.events
	return d.space(), m, nil
}

// openMessage opens a message.
func openMessage(d *edit, f incoming) (Message, error) {
	env, err := proto.ParseEnvelope(f.data)
	if err != nil {
		return Message{}, d.unread(f, outcome.Malformed(err))
	}
	before := *d
	m, found, err := d.receive(f, env)
	verdict := state.VerdictOf(err)
	if verdict == state.Read {
		return m, nil
	}
	events := d.events
	*d = before
	switch verdict {
	case state.Retain:
		d.events = events
		d.retain(found, err)
	case state.Discard:
		d.events = events
		d.forget(f.name)
	}
	d.turnedUp(found)
	return Message{}, err
}

// retain notes what was found out about a message that cannot be read yet.
func (d *edit) retain(found orphans.Result, reason error) {
	x, lost := d.st.orphans.Value().Note(found, orphans.Reading{
		Now: d.age(), Wall: d.now,
		Stranger: errors.Is(reason, outcome.ErrUnknownSender) || errors.Is(reason, errBindings), Prior: errors.Is(reason, errPrior),
		Unsaid: errors.Is(reason, errUnsaid),
	})
	d.setOrphans(x)
	d.lose(lost...)
}

// errPrior marks a frame that may be from before joining: a reason to wait, and none to send (§9).
var errPrior = errors.New("ratchet: maybe from before joining")

// errBindings: as many bindings of the sender's index are known as may be. One that an owner names comes in.
var errBindings = fmt.Errorf("%w: bindings of one index", outcome.ErrBound)

// receive reads a message. What is found out about its frame is returned with an error, too.
func (d *edit) receive(f incoming, env proto.Envelope) (Message, orphans.Result, error) {
	frame := orphans.Frame{Name: f.name, Size: len(f.data), Source: f.source, Member: f.member, Envelope: env}
	found := d.st.orphans.Value().Search(frame, d.known(), orphans.ForFrame())
	l, err := d.find(env, found)
	if err != nil {
		return Message{}, found, err
	}
	if err := d.unseal(&l); err != nil {
		return Message{}, found, err
	}
	if err := d.authenticate(&l); err != nil {
		return Message{}, found, err
	}
	if err := d.sayable(&l); err != nil {
		return Message{}, found, err
	}
	if err := d.enter(&l); err != nil {
		return Message{}, found, err
	}
	d.keep(frame, &l)
	d.turnedUp(found)
	return d.deliver(&l), found, nil
}

// reading is a message while it is read.
type reading struct {
	env   proto.Envelope
	ctx   proto.MessageContext
	epoch epochs.Epoch
	path  []epochs.Candidate // to epoch, from one that is held
	root  members.Root
	key   epochs.MessageKey
	said  proto.Content
	maker proto.Maker
	own   bool
}

// find returns the message where its header opened (Reading, steps 3 and 4).
func (d *edit) find(env proto.Envelope, found orphans.Result) (l reading, err error) {
	if !found.Found {
		if found.Forged {
			return l, fmt.Errorf("%w: a commit of its own line is false", outcome.ErrForged)
		}
		for _, w := range found.Closed {
			if err := d.beforeJoin(w); err != nil {
				return l, err
			}
		}
		return l, outcome.ErrUnknownEpoch
	}
	var ok bool
	if l.path, ok = d.known().path(found.Path); !ok {
		return l, outcome.ErrUnknownEpoch
	}
	if n := len(l.path); n > 0 {
		l.epoch = l.path[n-1].Epoch
	} else if l.epoch, ok = d.st.forest.Epoch(found.Epoch); !ok {
		return l, outcome.ErrUnknownEpoch
	}
	if l.root, ok = d.root(l.epoch.Root()); !ok {
		return l, outcome.ErrUnknownEpoch
	}
	if found.Header.Index.Check(l.root.Depth()) != nil {
		return l, fmt.Errorf("%w: index of a header", outcome.ErrMalformed)
	}
	l.env = env
	l.ctx = proto.MessageContext{Space: d.st.space, Epoch: l.epoch.ID(), Header: found.Header, Bound: env.Bound()}
	l.own = found.Header.Index == d.st.me().index
	return l, nil
}

// unseal opens the body (steps 5 to 8).
func (d *edit) unseal(l *reading) error {
	keys, err := l.epoch.Keys(l.ctx.Header.Index, l.ctx.Header.Number, l.env.Header.Tag())
	if err != nil {
		return d.noKey(err, l)
	}
	for _, l.key = range keys {
		switch l.said, err = l.env.Open(l.ctx, l.key.Key); {
		case err == nil:
			return nil
		case errors.Is(err, wire.ErrMalformed):
			return fmt.Errorf("%w: %w", outcome.ErrForged, err)
		}
	}
	if _, derived := l.epoch.ChainWords(l.ctx.Header.Index); derived {
		return fmt.Errorf("%w: body of a message", outcome.ErrForged)
	}
	return fmt.Errorf("%w: no word of its chain opens it", outcome.ErrNotYet)
}

// noKey returns the outcome of a message without a key.
func (d *edit) noKey(err error, l *reading) error {
	switch {
	case errors.Is(err, epochs.ErrDuplicate) && l.own:
		return outcome.ErrOwn
	case errors.Is(err, epochs.ErrDuplicate):
		return outcome.ErrDuplicate
	case errors.Is(err, epochs.ErrRolledBack) && l.own:
		return fmt.Errorf("%w: own number that was used otherwise", outcome.ErrForged)
	case errors.Is(err, epochs.ErrRolledBack):
		return outcome.ErrSenderRolledBack
	case errors.Is(err, epochs.ErrExpired):
		return outcome.ErrExpired
	case errors.Is(err, epochs.ErrSkips):
		return fmt.Errorf("%w: numbers passed over", outcome.ErrBound)
	}
	issuers, derived := l.epoch.ChainWords(l.ctx.Header.Index)
	if derived || l.epoch.Derived() || d.st.forest.MayReturn(l.epoch.ID()) {
		return outcome.ErrUnknownEpoch
	}
	if len(issuers) == 0 {
		issuers = l.epoch.Words()
	}
	if err := d.beforeJoin(orphans.Words{Issuers: len(issuers), UsedUp: true}); err != nil {
		return err
	}
	return outcome.ErrNotYet
}

// beforeJoin returns what becomes of a frame that lacks what was used up in all words about it (§9, ErrBeforeJoin): it was sent
// before joining, or may have been. Of a member that never asked there are no words.
func (d *edit) beforeJoin(w orphans.Words) error {
	switch {
	case d.ticket().BeforeJoin(w):
		return outcome.ErrBeforeJoin
	case w.UsedUp:
		return fmt.Errorf("%w: %w", outcome.ErrNotYet, errPrior)
	}
	return nil
}

// authenticate checks the signature (step 9).
func (d *edit) authenticate(l *reading) error {
	i := l.ctx.Header.Index
	l.maker.Index = i
	intro := l.said.Inner.Introduction
	if _, listed := l.root.Listed(i); !listed && !intro.IsZero() {
		if intro.Index() != i {
			return fmt.Errorf("%w: introduction of another member", outcome.ErrForged)
		}
		l.maker.Key = intro.Credential.Key()
		if err := l.said.Verify(l.maker.Key, l.ctx); err != nil {
			return fmt.Errorf("%w: %w", outcome.ErrForged, err)
		}
		return d.introduce(l, intro)
	}
	keys, certain := l.root.Verifier(i)
	if certain && len(keys) == 1 && d.checks != nil {
		l.maker.Key = keys[0]
		d.checks.begin(l.said.Check(keys[0], l.ctx))
		return nil
	}
	for _, k := range keys {
		if l.said.Verify(k, l.ctx) == nil {
			l.maker.Key = k
			return nil
		}
	}
	if certain {
		return fmt.Errorf("%w: signature of a message", outcome.ErrForged)
	}
	return outcome.ErrUnknownSender
}

// introduce takes in the sender's own introduction.
func (d *edit) introduce(l *reading, intro proto.Introduction) error {
	if b, ok := l.root.Binding(l.maker); ok && b.Profiled && b.Body == intro.Credential.Binding.Hash() {
		return nil
	}
	r, c, err := l.root.Introduce(intro, members.Via{})
	switch {
	case errors.Is(err, members.ErrLimit):
		return errBindings
	case err != nil:
		return fmt.Errorf("%w: %w", outcome.ErrForged, err)
	}
	if _, ok := r.Binding(l.maker); !ok {
		return outcome.ErrUnknownSender // one key with two bodies: the first stays, and it was not this one
	}
	l.root = d.changed(r, c)
	return nil
}

// enter enters the epochs on the way and uses the number up (step 10).
func (d *edit) enter(l *reading) error {
	f, change, err := d.st.forest.Enter(l.path, epochs.Reading{Sender: l.ctx.Header.Index, Own: d.share, Now: d.age()})
	switch {
	case errors.Is(err, epochs.ErrQuota):
		return fmt.Errorf("%w: epochs of one maker", outcome.ErrBound)
	case err != nil:
		return outcome.ErrUnknownEpoch
	}
	if err := d.admitMakers(l); err != nil {
		return err
	}
	d.grow(f, change)
	d.heard(l.epoch, l.ctx.Header.Index)
	f, change = d.st.forest.Read(l.ctx.Epoch, l.ctx.Header.Index, l.ctx.Header.Number, l.key, l.env.Header.Tag(), d.age())
	d.grow(f, change)
	return nil
}

// admitMakers takes in the bindings of those that made the epochs on the way: others wrote below their commits.
func (d *edit) admitMakers(l *reading) error {
	for _, c := range l.path {
		p, _ := c.Commit()
		r, ok := d.root(c.Root())
		if p.Credential.IsZero() || !ok {
			continue
		}
		if _, known := r.Binding(c.Maker()); known {
			continue
		}
		r, change, err := r.Admit(p.Credential, members.Via{Needed: c.Maker().Index != l.maker.Index})
		if err != nil {
			return errBindings
		}
		if r = d.changed(r, change); r.ID() == l.root.ID() {
			l.root = r
		}
	}
	return nil
}

// keep takes in what a message that was read shows besides its content: commits of others, and what its sender lacks.
func (d *edit) keep(frame orphans.Frame, l *reading) {
	x := d.st.orphans.Value()
	waited := x.Retains(frame.Name)
	if waited {
		x = x.ReadOne()
	}
	if waited || len(l.env.Others) > 0 {
		d.setOrphans(x.Keep(frame, l.maker.Index, d.known(), orphans.ForFrame(), orphans.Reading{Now: d.age(), Wall: d.now}))
	}
	if waiting := d.st.lines.Value(); len(waiting.list) > 0 {
		d.setLines(waiting.carried(d.st.forest, d.st.space, l.env.Ways))
	}
	if !l.own {
		if next, lacks := d.st.lines.Value().lacking(d.st.forest, l.ctx.Epoch); lacks {
			d.setLines(next)
		}
		d.st.rhythm.heard = d.age()
	}
}

// deliver takes in what the message says, and returns it.
func (d *edit) deliver(l *reading) Message {
	m := Message{
		ID: l.said.ID(l.ctx), Sender: l.maker.Index, SenderKey: PublicKey{l.maker.Key}, Own: l.maker == d.st.me().maker(),
		Epoch: l.ctx.Epoch, Number: l.ctx.Header.Number,
		Sent: int64(l.said.Inner.Time), Expiry: int64(l.said.Inner.Expiry),
	}
	r, ok := d.root(l.epoch.Root())
	if !ok {
		return m
	}
	if l.own {
		d.ownMessage(l)
	}
	if b, ok := r.Binding(l.maker); ok && !b.Heard() {
		if next, change, err := r.ReadFrom(l.maker, d.reads()); err == nil {
			d.meet(d.changed(next, change), l.maker.Index)
		}
		d.boxTaken(r, l.maker.Index)
	}
	d.takeIn(l)
	d.oweBind(l)
	r, _ = d.root(l.epoch.Root())
	switch r.Fate(l.maker, l.ctx.Epoch, d.st.forest.Below) {
	case members.Withheld:
		d.emit(Event{Kind: Withheld, Index: l.maker.Index})
		return m
	case members.AfterRemoval:
		m.AfterRemoval = true
	case members.Delivered: // in an older root: nobody can tell whether it was sent before the rekey
		if e, ok := d.st.forest.Preferred(); ok && e.Root() != r.ID() {
			p, ok := d.root(e.Root())
			b, _ := r.Binding(l.maker)
			m.AfterRemoval = ok && (p.Gone(l.maker.Index) || p.Shut(r, b, d.now))
		}
	}
	if !l.said.Inner.Statement {
		m.Plaintext = l.said.Inner.Plaintext
	}
	return m
}
