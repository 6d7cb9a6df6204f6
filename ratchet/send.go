package ratchet

import (
	"encoding/binary"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// When a member commits (§5).
const (
	commitAfter  = 128                // messages seen in the preferred epoch, plus jitter
	commitEvery  = 24 * time.Hour     // age of the preferred epoch, plus jitter minutes
	commitOwn    = 7 * 24 * time.Hour // since the last own commit, plus jitter minutes
	commitRoster = 200                // members beyond which commitOwn grows with the roster
	maxJitter    = 872
	minJitter    = 64
	clockSlack   = time.Hour          // how far a clock may be set back without a commit
	updateEvery  = 7 * 24 * time.Hour // a fresh inbox key, at the next own commit
	updateSends  = 4                  // messages that carry it
	introduceFor = 7 * 24 * time.Hour // an introduction rides in the first message of every epoch
)

// Send returns an update that encrypts plaintext to all members and puts the frame into the outbox, so that state and frame
// are durable together:
//
//	err := vault.Update(ctx, id, ratchet.Send(options, plaintext))
//
// Errors are those of Encrypt.
func Send(o Options, plaintext []byte) func(*state.Tx[Space]) error {
	return func(tx *state.Tx[Space]) error {
		next, frame, err := seal(tx.Value(), o.now(), outgoing{plaintext: plaintext, signed: !o.Unsigned})
		if err != nil {
			return err
		}
		tx.Set(next)
		tx.Send(o.Topic, frame)
		return nil
	}
}

// Encrypt seals a message to all members, at most MaxPlaintext; an empty one keeps the space going. It makes a commit if one is
// due. Most programs call Send; the space that comes back here must be durable before the frame leaves. Encrypt returns
// ErrTooLong, ErrRemoved for a removed member, and ErrPhase for one that is still joining or left, or that has to wait for a
// ticket.
func Encrypt(s Space, now time.Time, plaintext []byte) (Space, []byte, error) {
	return seal(s, now, outgoing{plaintext: plaintext, signed: true})
}

// outgoing is a message to be sent.
type outgoing struct {
	plaintext []byte
	control   bool
	signed    bool
}

// seal makes the frame of a message.
func seal(s Space, now time.Time, out outgoing) (Space, []byte, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, nil, err
	}
	e, err := w.send(out)
	if err != nil {
		return s, nil, err
	}
	return w.space(), e.Bytes(), nil
}

func (w *work) send(out outgoing) (proto.Envelope, error) {
	e, r, t, err := w.sending()
	if err != nil {
		return proto.Envelope{}, err
	}
	if len(out.plaintext) > proto.MaxPlaintext {
		return proto.Envelope{}, outcome.ErrTooLong
	}
	if !out.signed && !t.template.Policy.Repudiable {
		return proto.Envelope{}, outcome.ErrPolicy
	}
	waited := w.waitOver()
	w.expireRequest()
	w.st.ask = w.st.ask || w.outran()
	w.st.restored = false
	if w.commitDue(e, r) {
		w.makeCommit(e, r, t)
		e, _ = w.st.epoch(w.st.preferred)
	}
	if !e.readable() {
		return proto.Envelope{}, outcome.ErrPhase // it came with a ticket, and nothing could be committed from it
	}
	d := w.self()
	c, e, err := e.chain(d.index)
	if err != nil {
		return proto.Envelope{}, outcome.ErrPhase
	}
	h := proto.Header{Index: d.index, Number: c.next}
	sealed := h.Seal(e.header, w.st.space, e.id)
	made := e.maker() == d.index
	env := proto.NewEnvelope(sealed, w.cargo(e, h.Number, made && h.Number == 0))
	next, key, err := c.take(h.Number, markOf(sealed[:]))
	if err != nil {
		return proto.Envelope{}, outcome.ErrPhase
	}
	body := d.say(e, h, out, w.now)
	if out.signed || made && h.Number < carryOwn || body.Introduction != nil || body.KeyUpdate != nil || body.Answers || body.Statement {
		body = body.Sign(d.signing, w.st.space, e.id, h, env.Bound)
	}
	if env, err = env.Seal(w.st.space, e.id, key, body); err != nil {
		return proto.Envelope{}, err
	}
	e = e.withChain(next)
	e.seen++
	w.put(e)
	if d.firstSent == 0 {
		d.firstSent = w.now
		w.setSelf(d)
	}
	if waited {
		w.st.wait.sends = min(w.st.wait.sends+1, maxWaitSends)
		w.st.wait.stage = min(w.st.wait.stage+1, maxWaitStage)
		w.st.wait.last = w.now
	}
	return env, nil
}

// sending returns where the next message goes, or why none can be sent.
func (w *work) sending() (epoch, root, terms, error) {
	switch w.st.phase {
	case Removed:
		return epoch{}, root{}, terms{}, outcome.ErrRemoved
	case Member:
		if e, r, t, ok := w.preferred(); ok {
			return e, r, t, nil
		}
	}
	return epoch{}, root{}, terms{}, outcome.ErrPhase
}

// say returns what message h in epoch e says.
func (d identity) say(e epoch, h proto.Header, out outgoing, now int64) proto.Content {
	c := proto.Content{Plaintext: out.plaintext, Statement: out.control}
	if len(d.introduction) > 0 && (e.id == d.introduceIn || h.Number == 0 && now < d.introduce) {
		c.Introduction = d.introduction
	}
	if len(d.update) > 0 && e.id == d.updateIn && h.Number < updateSends {
		c.KeyUpdate = d.update
	}
	if e.id == d.answeredIn && h.Number < updateSends {
		c.Answers, c.Answered = true, d.answered
	}
	return c
}

// jitter spreads what all members would do at once.
func (w *work) jitter(e epoch, members int) int64 {
	return int64(jitterOf(e, w.self().index) % uint32(min(maxJitter, max(minJitter, 4*members))))
}

// jitterOf is a number that members and epochs have in common with no other.
func jitterOf(e epoch, i dkg.Index) uint32 {
	h := suite.Hash(e.id[:], suite.U32(uint32(i)))
	return binary.BigEndian.Uint32(h[:4])
}

// elapsed reports whether d went by since a time, counting a clock that was set back as time gone by: it must not stop
// commits.
func (w *work) elapsed(since int64, d time.Duration) bool {
	return w.now-since >= milliseconds(d) || since-w.now > milliseconds(clockSlack)
}

// commitDue reports whether the next message makes a commit (§5).
func (w *work) commitDue(e epoch, r root) bool {
	members := r.members.Size()
	jitter := w.jitter(e, members)
	minutes := time.Duration(jitter) * time.Minute
	return w.st.commit || !e.readable() || // it came with a ticket
		int64(e.seen) >= commitAfter+jitter ||
		w.elapsed(e.entered, commitEvery+minutes) ||
		w.elapsed(w.self().committed, commitOwnEvery(members)+minutes)
}

// commitOwnEvery is commitOwn in a space of so many members.
func commitOwnEvery(members int) time.Duration {
	return commitOwn / commitRoster * time.Duration(max(commitRoster, members))
}

// proto.NewCommit makes a commit of the preferred epoch p and enters its child. If the place for it is gone from the epoch's
// tree, because the epoch was far behind in between, it cannot; a ticket helps.
func (w *work) makeCommit(p epoch, r root, t terms) {
	d := w.self()
	c, ss, err := proto.NewCommit(w.st.space, p.id, t.template.Public, r.share)
	if err != nil {
		w.st.ask = true
		return
	}
	id := p.child(w.st.space, c)
	seed, tree, err := p.commits.Eval(d.index, id)
	if err != nil {
		w.st.ask = true
		return
	}
	w.put(p.withCommits(tree))
	w.add(newEpoch(birth{
		id: id, parent: p.id, root: p.root, generation: p.generation + 1, commit: c,
		charged: d.index, entered: w.now, depth: p.depth,
	}, expandEpoch(suite.Extract(seed, ss), id)))
	w.st.commit = false
	d.committed = w.now
	if d.answerDue {
		d.answerDue, d.answeredIn = false, id
	}
	if d.introduceIn == (proto.EpochID{}) {
		d.introduceIn = id
	}
	if d.updateDue || w.elapsed(d.updatedAt, updateEvery) {
		d = d.withInbox(t.template.Policy.KEM)
		d.updateDue, d.updatedAt, d.updateIn = false, w.now, id
		key := d.newest()
		d.update = proto.NewKeyUpdate(w.st.space, id, r.share, key.counter, key.secret.Public).Encode()
		if self, ok := r.members.Get(segmap.ByIndex(uint32(d.index))); ok {
			self.inboxKey, self.inboxCounter = key.secret.Public.Bytes(), key.counter
			r.members = r.members.Put(self)
			w.setRoot(r)
		}
	}
	w.setSelf(d)
}
