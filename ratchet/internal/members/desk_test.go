package members_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// office is a member that answers.
type office struct {
	*world
	root members.Root
	desk members.Desk
	who  members.Answerer
	now  int64
}

func (w *world) office(r members.Root) *office {
	return &office{w, r, members.Desk{}, members.Answerer{Index: 1, Ready: true}, now}
}

func (o *office) clock() members.Clock { return members.Clock{Wall: o.now, Age: o.now} }

// see decides about a request of somebody.
func (o *office) see(q proto.Asked, p person) members.Decision {
	desk, d, err := o.desk.Request(q, p.keys.Tag, o.root, o.who, o.clock())
	require.NoError(o.t, err)
	o.desk = desk
	return d
}

// answer waits for the turn, and posts what is decided.
func (o *office) answer(q proto.Asked, p person) members.Decision {
	d := o.see(q, p)
	for d.Act == members.Defer && d.Until > o.now {
		o.now = d.Until
		require.Contains(o.t, o.desk.Due(o.now), q.ID().Name())
		d = o.see(q, p)
	}
	switch d.Act {
	case members.Answer:
		o.desk = o.desk.Answered(q.ID().Name(), o.clock())
	case members.Refuse:
		o.desk = o.desk.Refused(q.ID().Name(), o.clock())
	}
	return d
}

// A joiner is answered once a record is there, again after an hour, and not once it was read.
func TestRequestBeforeItsRecord(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	o := w.office(members.NewRoot(w.terms))
	q := w.ask(p, now)
	require.Equal(t, members.Hold, o.see(q, p).Act)
	o.root, _, _ = o.root.AddRecord(p.record, 1)
	d := o.answer(q, p)
	require.Equal(t, members.Answer, d.Act)
	require.False(t, d.Resynced)
	require.Equal(t, members.Stale, o.see(q, p).Act, "a copy")
	o.now += hour - 1
	require.Equal(t, members.Defer, o.see(q, p).Act, "it repeats an hour after it posted, and was answered a little later")
	o.now++
	require.Equal(t, members.Answer, o.answer(q, p).Act)
	o.root = w.member(o.root, p)
	o.desk = o.desk.Read(p.maker(), 0, o.clock())
	o.now += hour
	require.Equal(t, members.Stale, o.see(q, p).Act)
	q = w.ask(p, o.now) // a backup made while joining
	d = o.answer(q, p)
	require.Equal(t, proto.Hint{Reason: proto.HintOwnerNeeded}, d.Refusal)
	require.True(t, d.Resynced)
	o.who.CanBox, o.now = true, o.now+hour
	d = o.answer(w.ask(p, o.now), p)
	require.Equal(t, members.Answer, d.Act)
	require.True(t, d.Box)
}

// Two devices that ask for one index before either was read are both answered; then the other one is told (D27).
func TestBothAskersAreAnswered(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(2)
	r, _, err := members.NewRoot(w.terms).AddRecord(twins[0].record, 1)
	require.NoError(t, err)
	o := w.office(r)
	for _, p := range twins {
		require.Equal(t, members.Answer, o.answer(w.ask(p, o.now), p).Act)
		o.root = w.introduce(o.root, p)
	}
	o.root = w.read(o.root, twins[1])
	o.now += 2 * hour
	d := o.answer(w.ask(twins[0], o.now), twins[0])
	require.Equal(t, members.Refuse, d.Act)
	taken := d.Refusal.(proto.Taken)
	require.NoError(t, taken.Verify(w.space, ofSuite, twins[0].binding))
	require.Equal(t, members.Answer, func() members.Act { o.who.CanBox = true; return o.answer(w.ask(twins[1], o.now), twins[1]).Act }())
}

// Of 100 requests of one member in a backlog the last is answered (D26).
func TestOnlyTheLastRequestIsAnswered(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	o := w.office(w.member(members.NewRoot(w.terms), p))
	o.who.Ready = false // the backlog is not read yet
	var all []proto.Asked
	for k := range 100 {
		all = append(all, w.resync(p, w.terms.ID(), proto.Credential{}, now-int64(100-k)*hour))
	}
	for _, k := range []int{50, 0, 99, 98, 3} {
		o.see(all[k], p)
	}
	for _, q := range all {
		o.see(q, p)
	}
	o.who.Ready, o.now = true, o.now+hour
	answered := 0
	for k, q := range all {
		if d := o.answer(q, p); d.Act == members.Answer {
			answered++
			require.Equal(t, 99, k)
		}
	}
	require.Equal(t, 1, answered)
	o.desk = o.desk.Read(p.maker(), all[99].Counter, o.clock())
	o.now += hour
	require.Equal(t, members.Stale, o.see(all[99], p).Act)
}

// A hint tells the greater counter that is known; counters from the future end one request only and use none up (D28, D67).
func TestHugeCounterHint(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	o := w.office(w.member(members.NewRoot(w.terms), p))
	require.Equal(t, members.Answer, o.answer(w.resync(p, w.terms.ID(), proto.Credential{}, now), p).Act)
	o.now += 2 * hour
	d := o.answer(w.resync(p, w.terms.ID(), proto.Credential{}, now-24*hour), p)
	require.Equal(t, members.Refuse, d.Act)
	require.Equal(t, proto.Hint{Reason: proto.HintOldCounter, Value: uint64(now)}, d.Refusal)

	const year = 365 * 24
	ahead := w.resync(p, w.terms.ID(), proto.Credential{}, now+year*hour) // its clock runs ahead
	o.now += 2 * hour
	require.Equal(t, members.Answer, o.answer(ahead, p).Act)
	var err error
	o.root, err = o.root.Answered(p.maker(), ahead.Counter, o.now)
	require.NoError(t, err)
	o.desk = o.desk.Read(p.maker(), ahead.Counter, o.clock())
	o.now += 2 * hour
	require.Equal(t, members.Stale, o.see(ahead, p).Act, "that one is over")
	require.Equal(t, members.Answer, o.answer(w.resync(p, w.terms.ID(), proto.Credential{}, o.now), p).Act, "counters are not used up")

	due := w.resync(p, w.terms.ID(), proto.Credential{}, o.now+1) // a thief says that a huge counter was answered
	o.who.Ready = false
	require.Equal(t, members.Defer, o.see(due, p).Act)
	o.desk = o.desk.Read(p.maker(), uint64(o.now+year*hour), o.clock())
	o.who.Ready, o.now = true, o.now+2*hour
	require.Equal(t, members.Answer, o.answer(due, p).Act)

	require.EqualValues(t, now, members.NextCounter(uint64(now), 7, 0))
	require.EqualValues(t, now+6, members.NextCounter(uint64(now), 7, uint64(now)+5))
	require.EqualValues(t, now+10, members.NextCounter(uint64(now), uint64(now)+9, 0))
	require.EqualValues(t, now, members.NextCounter(uint64(now), 7, proto.MaxHintCounter+1), "a hint has no proof")
}

// A removed member binds itself anew by an old public link and asks under the old root: it is not answered under the new one.
// The listed member is, and so is one that holds a certificate of the new root (D64).
func TestFreshBindingUnderAnOldRoot(t *testing.T) {
	w := newWorld(t)
	listed, thief := w.join(5), w.twins(1)[0]
	r := members.NewRoot(w.root(1, w.owners, proto.Roster{
		{Index: 1, Signing: w.founder.signing.Public, Body: w.founder.binding.Hash()},
		{Index: 5, Signing: listed.signing.Public, Body: listed.binding.Hash()},
	}, nil))
	o := w.office(r)
	d := o.answer(w.resync(thief, w.terms.ID(), thief.credential(), now), thief)
	require.Equal(t, members.Refuse, d.Act)
	require.Equal(t, proto.Hint{Reason: proto.HintNotListed}, d.Refusal)
	require.Equal(t, members.Answer, o.answer(w.resync(listed, w.terms.ID(), listed.credential(), now), listed).Act)

	x, keys := w.invite(r.Terms, dkg.Private, 7)
	fresh := w.bind(x, keys, 7)
	require.Equal(t, members.Answer, o.answer(w.resync(fresh, r.ID(), fresh.credential(), now), fresh).Act)

	forged := w.resync(thief, w.terms.ID(), thief.credential(), now+1)
	forged.Counter++
	before := o.desk
	desk, _, err := o.desk.Request(forged, thief.keys.Tag, o.root, o.who, o.clock())
	require.ErrorIs(t, err, suite.ErrInvalid)
	require.True(t, stored(t, room{desk: before}).Equal(stored(t, room{desk: desk})))
}

// Whoever is not listed is hinted so once an hour, signed or not, although nothing of its request is remembered.
func TestUnlistedIsHintedOnceAnHour(t *testing.T) {
	w := newWorld(t)
	thief := w.twins(1)[0]
	r := members.NewRoot(w.root(1, w.owners, proto.Roster{{Index: 1, Signing: w.founder.signing.Public, Body: w.founder.binding.Hash()}}, nil))
	for _, c := range []proto.Credential{thief.credential(), {}} {
		o := w.office(r)
		require.Equal(t, members.Refuse, o.answer(w.resync(thief, w.terms.ID(), c, now), thief).Act)
		d := o.see(w.resync(thief, w.terms.ID(), c, now+1), thief)
		require.Equal(t, members.Defer, d.Act)
		require.Equal(t, o.now+hour, d.Until)
	}
}

// Refusals are proven where they can be: a statement, or another binding.
func TestRefusalsHaveTheirProof(t *testing.T) {
	w := newWorld(t)
	p, run := w.join(5), w.twins(1)[0]
	r, _, err := members.NewRoot(w.terms).AddRecord(p.record, 1)
	require.NoError(t, err)
	r, _, err = r.AddRecord(run.record, 1)
	require.NoError(t, err)
	end := proto.Sign(proto.Close{Said: proto.Said{Root: w.terms.ID(), By: place(w.terms, w.owners[0])}, Invite: run.record.Certificate.Name()}, w.space, w.owners[0])
	closed, _ := w.apply(r, end)
	revoked, _ := w.apply(r, w.revoke(w.terms, w.owners[0], 5))
	for _, c := range []struct {
		root members.Root
		who  person
	}{{closed, run}, {revoked, p}} {
		d := w.office(c.root).answer(w.ask(c.who, now), c.who)
		require.Equal(t, members.Refuse, d.Act)
		require.NoError(t, d.Refusal.(proto.Dead).Verify(w.space, 1, c.who.index, c.who.record.Certificate.Name()))
	}
	late := w.office(r)
	late.now += 25 * hour
	require.Equal(t, proto.Hint{Reason: proto.HintExpired}, late.answer(w.ask(p, late.now), p).Refusal)
	left, _ := w.apply(w.member(r, p), w.leave(p))
	require.Equal(t, proto.Hint{Reason: proto.HintClosed}, w.office(left).answer(w.ask(p, now), p).Refusal)
	// A refusal is posted once an hour for a key, and not by later places when two frames of the name were seen.
	o := w.office(closed)
	require.Equal(t, members.Refuse, o.answer(w.ask(run, now), run).Act)
	d := o.see(w.ask(run, now+1), run)
	require.Equal(t, members.Defer, d.Act)
	require.GreaterOrEqual(t, d.Until, now+hour)
}

// A request that the server shows to one member is shown to all by who answered it, once, and cannot be made up (D68).
func TestHiddenRequestIsShown(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	o := w.office(w.member(members.NewRoot(w.terms), p))
	q := w.resync(p, w.terms.ID(), proto.Credential{}, now)
	d := o.answer(q, p)
	require.Equal(t, members.Answer, d.Act)
	require.True(t, d.Resynced)
	other := w.office(o.root)
	desk, news := other.desk.Show(q.Shown(), other.root, other.clock())
	require.True(t, news)
	_, news = desk.Show(q.Shown(), other.root, other.clock())
	require.False(t, news)
	_, news = o.desk.Show(q.Shown(), o.root, o.clock())
	require.False(t, news, "it opened the request itself")
	other.desk = desk
	d = other.answer(q, p)
	require.Equal(t, members.Answer, d.Act, "that it was shown decides nothing")
	require.False(t, d.Resynced)
	made := q.Shown()
	made.Counter++
	_, news = o.desk.Show(made, o.root, o.clock())
	require.False(t, news)
}

// The first two answer at once, the others by turns of 5 seconds; tickets that were seen delay, and end nothing (D54).
func TestAnswersThinOut(t *testing.T) {
	w := newWorld(t)
	x, keys := w.invite(w.terms, dkg.Public, runFirst)
	r := members.NewRoot(w.terms)
	r, _, err := r.AddRecord(x, 1)
	require.NoError(t, err)
	var all []person
	for k := range dkg.Index(40) {
		all = append(all, w.bind(x, keys, runFirst+k))
		r = w.member(r, all[k])
	}
	asker := w.bind(x, keys, runFirst+50)
	q := w.ask(asker, now)
	count := func(tickets int) (at map[int64]int) {
		at = map[int64]int{}
		for _, p := range append(all, w.founder) {
			o := w.office(r)
			o.who.Index = p.index
			for range tickets {
				o.desk = o.desk.Ticket(q.ID().Name(), o.now)
			}
			require.Equal(t, members.Answer, o.answer(q, asker).Act)
			at[o.now-now]++
		}
		return at
	}
	at := count(0)
	require.Equal(t, 2, at[0])
	for k := range int64(39) {
		require.Equal(t, 1, at[5000*(k+1)])
	}
	at = count(6)
	require.Equal(t, 2, at[0])
	soon := 0
	for when, n := range at {
		if when <= 600_000+14*5000 {
			soon += n
		}
	}
	require.Equal(t, 16, soon)
	require.Equal(t, 1, at[40*60_000+39*5000])
}

// A share that only owners can box is boxed in the order of the owners, whatever others answered or pretend to have answered.
func TestOwnerBoxesAmongOwners(t *testing.T) {
	w := newWorld(t)
	x, keys := w.invite(w.terms, dkg.Public, runFirst)
	r := members.NewRoot(w.terms)
	r, _, err := r.AddRecord(x, 1)
	require.NoError(t, err)
	for k := range dkg.Index(40) {
		r = w.member(r, w.bind(x, keys, runFirst+k))
	}
	var p person
	for place := 0; place < 16; place, _ = r.Place(w.founder.index, p.index, p.signing.Public) {
		p = w.joinAs(5, suite.NewSigningKey(suite.Ed25519)) // the order is another one for each key
	}
	r = w.member(r, p)
	q := w.ask(p, now)
	for _, canBox := range []bool{false, true} {
		o := w.office(r)
		o.who.Index, o.who.CanBox = w.founder.index, canBox
		for range 20 {
			o.desk = o.desk.Ticket(q.ID().Name(), o.now)
		}
		d := o.see(q, p)
		require.Equal(t, canBox, d.Act == members.Answer, "%v", d)
		require.Equal(t, canBox, d.Box)
	}
}

// 20,000 requests are remembered; those of which only tickets were seen go first. After 7 days all is forgotten.
func TestDeskIsBounded(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	o := w.office(w.member(members.NewRoot(w.terms), p))
	q := w.resync(p, w.terms.ID(), proto.Credential{}, now)
	require.Equal(t, members.Answer, o.answer(q, p).Act)
	for k := range 20_500 {
		o.desk = o.desk.Ticket(proto.Name{byte(k), byte(k >> 8), byte(k >> 16), 1}, o.now)
	}
	require.Equal(t, members.Stale, o.see(q, p).Act, "what was answered is kept longest")
	require.Empty(t, o.desk.Due(o.now))
	empty := o.desk.Prune(o.now + 31*24*hour)
	require.True(t, stored(t, room{desk: empty}).Equal(stored(t, room{desk: empty.Prune(o.now + 40*24*hour)})))
	got := reload(t, room{root: o.root, desk: o.desk})
	require.True(t, stored(t, got).Equal(stored(t, room{o.root, o.desk})))
}

// Of several binds that name bindings of one index the one that decides lets its binding in, and no other (§9, Answering, step 9).
func TestOnlyTheDecidingBindLetsIn(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(2)
	first, second := w.owners[0], w.owners[1]
	if place(w.terms, second) == 0 {
		first, second = second, first
	}
	r, _, err := members.NewRoot(w.terms).AddRecord(twins[0].record, 1)
	require.NoError(t, err)
	r = w.read(w.introduce(w.introduce(r, twins[0]), twins[1]), twins[0])
	r, _ = w.apply(r, w.bound(w.terms, second, twins[1]))
	o := w.office(r)
	o.who.CanBox = true
	require.Equal(t, members.Answer, o.answer(w.ask(twins[1], o.now), twins[1]).Act)
	o.root, _ = w.apply(o.root, w.bound(w.terms, first, twins[0]))
	o.now += 2 * hour
	require.Equal(t, members.Refuse, o.answer(w.ask(twins[1], o.now), twins[1]).Act)
	o.now += 2 * hour
	require.Equal(t, members.Answer, o.answer(w.ask(twins[0], o.now), twins[0]).Act)
}
