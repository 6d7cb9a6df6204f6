package ratchet

import (
	"encoding/binary"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
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

// jitter spreads what all members would do at once.
func (s State) jitter(e epoch, members int) int64 {
	return int64(jitterOf(e, s.identity().index) % uint32(min(maxJitter, max(minJitter, 4*members))))
}

// jitterOf is a number that members and epochs have in common with no other.
func jitterOf(e epoch, i dkg.Index) uint32 {
	h := suite.Hash(e.id[:], suite.U32(uint32(i)))
	return binary.BigEndian.Uint32(h[:4])
}

// elapsed reports whether a span went by since a time, counting a clock that was set back as time gone by: it must not stop
// commits.
func (d *edit) elapsed(since int64, span time.Duration) bool {
	return d.now-since >= milliseconds(span) || since-d.now > milliseconds(clockSlack)
}

// commitDue reports whether the next message makes a commit (§5).
func (d *edit) commitDue(e epoch, r root) bool {
	members := r.members.Size()
	jitter := d.st.jitter(e, members)
	minutes := time.Duration(jitter) * time.Minute
	return d.st.commit || !e.derived() || // it came with a ticket
		int64(e.received) >= commitAfter+jitter ||
		d.elapsed(e.entered, commitEvery+minutes) ||
		d.elapsed(d.st.identity().committed, commitOwnEvery(members)+minutes)
}

// commitOwnEvery is commitOwn in a space of so many members.
func commitOwnEvery(members int) time.Duration {
	return commitOwn / commitRoster * time.Duration(max(commitRoster, members))
}

// makeCommit makes a commit of the preferred epoch p and enters its child. If the place for it is gone from the epoch's
// tree, because the epoch was far behind in between, it cannot; a ticket helps.
func (d *edit) makeCommit(p epoch, r root, t rootTerms) {
	me := d.st.identity()
	c, ss, err := proto.NewCommit(d.st.space, p.id, t.template.Public, r.share)
	if err != nil {
		d.st.ask = true
		return
	}
	id := p.child(d.st.space, c)
	seed, tree, err := p.commits.Eval(me.index, id)
	if err != nil {
		d.st.ask = true
		return
	}
	d.putEpoch(p.withCommits(tree))
	d.enterEpoch(newEpoch(epochMeta{
		id: id, parent: p.id, root: p.root, generation: p.generation + 1, commit: c,
		attributed: me.index, entered: d.now, depth: p.depth,
	}, expandEpoch(suite.Extract(seed, ss), id)))
	d.st.commit = false
	me.committed = d.now
	if me.answerDue {
		me.answerDue, me.answeredIn = false, id
	}
	if me.introduceIn == (proto.EpochID{}) {
		me.introduceIn = id
	}
	if me.updateDue || d.elapsed(me.updatedAt, updateEvery) {
		me = me.withInbox(t.template.Policy.KEM)
		me.updateDue, me.updatedAt, me.updateIn = false, d.now, id
		key := me.newest()
		me.update = proto.NewKeyUpdate(d.st.space, id, r.share, key.counter, key.secret.Public).Encode()
		if self, ok := r.members.Get(segmap.ByIndex(uint32(me.index))); ok {
			self.inboxKey, self.inboxCounter = key.secret.Public.Bytes(), key.counter
			r.members = r.members.Put(self)
			d.setRoot(r)
		}
	}
	d.setIdentity(me)
}
