package ratchet

import (
	"cmp"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Send returns an update that encrypts a plaintext of at most MaxPlaintext bytes and puts its frames into the outbox. Errors are
// those of Encrypt.
//
//go:noinline
func Send(o Options, plaintext []byte) func(*state.Tx[Space]) error {
	return func(tx *state.Tx[Space]) error {
		d, err := newEdit(tx.Value(), o.now(), o)
		if err != nil {
			return err
		}
		if err := d.say(proto.Inner{Plaintext: plaintext}); err != nil {
			return err
		}
		d.leave(tx, o)
		return nil
	}
}

// Encrypt returns the space after a message was sent (§7), and the frames to be sent: that of the message, after those of empty
// messages where several commits are due. Where one is due the message brings it. Most programs call Send. It returns ErrPhase for a
// member that cannot send now, ErrRemoved for one that is gone, and ErrTooLong. A member cannot send while it joins, after Restore until
// it was brought up to date, and while it needs a commit that it cannot make.
func Encrypt(s Space, now time.Time, plaintext []byte) (Space, [][]byte, error) {
	d, err := newEdit(s, now, Options{})
	if err != nil {
		return s, nil, err
	}
	if err := d.say(proto.Inner{Plaintext: plaintext}); err != nil {
		return s, nil, err
	}
	return d.space(), d.frames, nil
}

// say sends a message, after a commit if one is due.
func (d *edit) say(inner proto.Inner) error {
	if len(inner.Plaintext) > MaxPlaintext {
		return outcome.ErrTooLong
	}
	switch d.st.phase {
	case Removed:
		return outcome.ErrRemoved
	case Member:
	default:
		return outcome.ErrPhase
	}
	e, r, ok := d.preferred()
	if !ok || d.silent() {
		return outcome.ErrPhase
	}
	if r.Gone(d.st.me().index) {
		return outcome.ErrRemoved
	}
	if d.commitDue(e, r) {
		made, err := d.commit(e, r)
		for i, id := range made {
			if i == len(made)-1 {
				e, _ = d.st.forest.Epoch(id)
			} else if err := d.post(id, r, proto.Inner{}); err != nil {
				return err
			}
		}
		if err != nil && (!e.Readable() || d.usedUp(e)) { // there is no key, or others may have read another message with its number
			return outcome.ErrPhase
		}
	}
	return d.post(e.ID(), r, inner)
}

// post sends a message in an epoch held.
func (d *edit) post(id proto.EpochID, r members.Root, inner proto.Inner) error {
	e, ok := d.st.forest.Epoch(id)
	if !ok {
		return outcome.ErrPhase
	}
	l, err := d.newLetter(e, r, inner)
	if err != nil {
		return err
	}
	l.fill(d)
	frame, err := l.seal(d)
	if err != nil {
		return err
	}
	d.send(frame)
	if len(l.inner.Introduced)+len(l.inner.Shown) > 0 || l.inner.Answered > 0 {
		d.setNews(d.st.news.Value().said(l.inner))
	}
	if news := d.st.news.Value(); len(news.introduce) > 0 {
		news.introduce = slices.DeleteFunc(slices.Clone(news.introduce), func(m proto.Maker) bool { return !introducible(r, m) })
		d.setNews(news)
	}
	if len(l.whole)+len(l.begun) > 0 {
		d.setLines(d.st.lines.Value().sent(l.whole).begun(d.st.forest, l.begun))
	}
	d.st.forest = l.after
	d.heard(e, l.me.index)
	return nil
}

// letter is a message while it is put together (§7, What a frame carries).
type letter struct {
	ctx    proto.MessageContext
	epoch  epochs.Epoch
	root   members.Root
	key    secret.Bytes
	env    proto.Envelope
	inner  proto.Inner
	whole  []line        // the waiting ways that it carries to their end
	begun  map[line]int  // and how many commits of others it carries
	after  epochs.Forest // with the number used up
	me     identity
	signed int // length of the signature
	room   int // bytes that are left in the frame
	pad    bool
}

// newLetter returns a letter with what it must have: the text, the own introduction, and the commit of its epoch where it
// carries one. It returns ErrTooLong if that does not fit the frame.
func (d *edit) newLetter(e epochs.Epoch, r members.Root, inner proto.Inner) (l letter, err error) {
	me := d.st.me()
	l.epoch, l.root, l.inner, l.me = e, r, inner, me
	l.signed = me.signing.Public.Scheme().SignatureSize()
	l.pad = r.Policy().Padding == proto.Padme
	l.ctx = proto.MessageContext{Space: d.st.space, Epoch: e.ID(), Header: proto.Header{Index: me.index}}
	l.after, l.ctx.Header.Number, l.key, err = d.st.forest.Send(e.ID(), func(n uint32) epochs.Tag {
		l.ctx.Header.Number = n
		l.env.Header = e.SealHeader(d.st.space, l.ctx.Header)
		return l.env.Header.Tag()
	})
	if err != nil {
		return letter{}, outcome.ErrPhase
	}
	n := l.ctx.Header.Number
	l.inner.Time = uint64(max(d.now, 0))
	if c := me.credential(r); !c.IsZero() && d.st.news.Value().introduces(r.ID(), e.ID(), n) {
		l.inner.Introduction = proto.Introduction{Credential: c, Rest: me.rest, Inbox: me.inboxes[0].secret.Public}
	}
	l.inner = d.st.news.Value().addTo(l.inner, e.ID(), n)
	if d.answeredDue() {
		l.inner.Answered = d.st.news.Value().answered
	}
	if n < 4 || n%8 == 0 {
		l.env.Own = commits(d.st.forest, d.st.space, proto.EpochID{}, e.ID(), 1)
	}
	if l.room = d.max - l.size(); l.room < 0 {
		return letter{}, outcome.ErrTooLong
	}
	return l, nil
}

// size returns the length of the frame without padding.
func (l *letter) size() int { return l.env.Size(l.inner.Size(l.signed)) }

// fill adds what there is room for: the rest of the own line, introductions of others, requests to be shown, waiting ways.
func (l *letter) fill(d *edit) {
	l.fillOwn(d)
	l.introduce(d)
	if next := d.st.news.Value().addShown(l.inner); next.Size(l.signed)-l.inner.Size(l.signed) <= l.room {
		l.inner = next
	}
	l.fillOthers(d)
	l.room = d.max - l.size()
}

// fillOwn adds the ancestors of the own line, nearest first, which others lack most likely: with the first two messages of an
// epoch that of the parent, with the first one of an own epoch those of 3.
func (l *letter) fillOwn(d *edit) {
	n, want := l.ctx.Header.Number, 1
	switch {
	case n == 0 && l.epoch.Maker() == l.me.maker():
		want = 4
	case n < 2:
		want = 2
	}
	for ; len(l.env.Own) > 0 && want > 1; want-- {
		longer := commits(d.st.forest, d.st.space, proto.EpochID{}, l.epoch.ID(), want)
		grow := proto.Ways{Own: longer}.Size() - proto.Ways{Own: l.env.Own}.Size()
		if grow <= min(l.room, d.max/2) {
			l.env.Own = longer
			l.room -= grow
			return
		}
	}
}

// introduce adds the introductions of whom this member let in.
func (l *letter) introduce(d *edit) {
	for _, m := range d.st.news.Value().introduce {
		b, _ := l.root.Binding(m)
		at, twin := slices.BinarySearchFunc(l.inner.Introduced, m.Index, func(i proto.Introduction, x dkg.Index) int {
			return cmp.Compare(i.Index(), x)
		})
		if !introducible(l.root, m) || twin || len(l.inner.Introduced) == proto.MaxIntroduced {
			continue
		}
		next := l.inner
		next.Introduced = slices.Insert(slices.Clone(next.Introduced), at, proto.Introduction{
			Credential: b.Credential, Rest: b.Rest, Inbox: b.Inbox,
		})
		if grow := next.Size(l.signed) - l.inner.Size(l.signed); grow <= l.room {
			l.inner, l.room = next, l.room-grow
		}
	}
}

// fillOthers adds waiting ways, the oldest first, each cut at its end: 7 of them, 255 commits in all, in half of the frame.
func (l *letter) fillOthers(d *edit) {
	for _, x := range d.st.lines.Value().list {
		w := commits(d.st.forest, d.st.space, x.from, x.to, 0)
		if len(w) == 0 {
			l.whole = append(l.whole, x)
			continue
		}
		if len(l.env.Others) == proto.MaxWays-1 {
			return
		}
		length := len(w)
		for len(w) > 0 && !l.fits(d, w) {
			w = w[:len(w)-1]
		}
		if len(w) == 0 {
			return
		}
		l.env.Others = append(l.env.Others, w)
		if len(w) == length {
			l.whole = append(l.whole, x)
		} else {
			l.begun = map[line]int{x: len(w)}
			return
		}
	}
}

// fits reports whether one more way fits the frame.
func (l *letter) fits(d *edit, w proto.Way) bool {
	next := l.env.Ways
	next.Others = append(slices.Clip(next.Others), w)
	grow := next.Size() - l.env.Ways.Size()
	return next.Commits() <= proto.MaxCommits && next.Size() <= d.max/2 && l.size()+grow <= d.max
}

// seal signs, pads and seals the letter.
func (l *letter) seal(d *edit) ([]byte, error) {
	l.ctx.Bound = l.env.Bound()
	if l.pad {
		l.inner = l.inner.Pad(l.signed, l.inner.Size(l.signed)+l.room)
	}
	c, err := l.inner.Sign(l.me.signing, l.ctx)
	if err != nil {
		return nil, err
	}
	env, err := l.env.Seal(l.ctx, l.key, c)
	if err != nil {
		return nil, err
	}
	return env.Frame(), nil
}

// Expiring implements step.Taker.
func (d taker) Expiring(plaintext []byte, after time.Duration) error {
	if after < time.Millisecond {
		return ErrPolicy // it would stay for ever
	}
	return d.say(proto.Inner{Plaintext: plaintext, Expiry: uint64(after.Milliseconds())})
}
