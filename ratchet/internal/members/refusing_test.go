package members_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// decided is an older root with two bindings of an index, and a root whose notice lists the first one.
func (w *world) decided() (old, now members.Root, twins []person) {
	twins = w.twins(2)
	old = w.read(w.introduce(w.introduce(members.NewRoot(w.terms), twins[0]), twins[1]), twins[0])
	return old, members.NewRoot(w.root(1, w.owners, proto.Roster{
		{Index: 1, Signing: w.founder.signing.Public, Body: w.founder.binding.Hash()},
		{Index: runFirst, Signing: twins[0].signing.Public, Body: twins[0].binding.Hash()},
	}, nil)), twins
}

// signs lets an office sign what an owner decides, in a root that askers name. It returns the number of signatures.
func (o *office) signs(owner suite.SigningKey, root proto.EpochID) *int {
	n := new(int)
	o.who.Bind = func(i dkg.Index, body proto.BodyHash) proto.Bind {
		*n++
		return proto.Sign(proto.Bind{Said: proto.Said{Root: root, By: place(o.terms, owner)}, Index: i, Body: body}, o.space, owner)
	}
	return n
}

// A member that asks from an older root under a binding that lost by the notice is refused with the word of an owner that counts in its
// root: one that was said there, or that an owner signs; else another one; else with a hint. Nobody is refused whose request is false.
func TestWordOfAnOwner(t *testing.T) {
	w := newWorld(t)
	old, r, twins := w.decided()
	winner, loser := twins[0], twins[1]
	from := func(d members.Decision) proto.Bind {
		require.Equal(t, members.Refuse, d.Act)
		require.False(t, d.Resynced, "it is nothing that the listed member asked")
		taken := d.Refusal.(proto.Taken)
		require.True(t, taken.Binding.IsZero())
		require.Equal(t, winner.binding.Hash(), taken.Bind.Body)
		_, err := proto.VerifyOwner(taken.Bind, old.Terms)
		require.NoError(t, err)
		return taken.Bind
	}
	q := w.resync(loser, old.ID(), loser.credential(), now)

	o := w.office(r)
	require.Equal(t, proto.Hint{Reason: proto.HintNotListed}, o.answer(q, loser).Refusal, "no word is known")
	o = w.office(r)
	o.who.Named, _ = w.apply(old, w.bound(w.terms, w.owners[1], winner))
	require.Equal(t, w.bound(w.terms, w.owners[1], winner), from(o.answer(q, loser)))
	o = w.office(r)
	o.who.Named, _ = w.apply(old, w.bound(w.terms, w.owners[1], loser))
	require.Equal(t, proto.Hint{Reason: proto.HintNotListed}, o.answer(q, loser).Refusal, "that is for itself")
	o = w.office(r)
	o.root, _ = w.apply(r, w.bound(w.terms, w.owners[1], winner))
	require.Equal(t, w.bound(w.terms, w.owners[1], winner), from(o.answer(q, loser)))
	o = w.office(r)
	o.root, _ = w.apply(r, w.bound(r.Terms, w.owners[1], winner))
	require.Equal(t, r.ID(), from(o.answer(q, loser)).Root, "of another root: perhaps it holds that")
	o.signs(w.owners[0], old.ID())
	o.now += 2 * hour
	require.Equal(t, old.ID(), from(o.answer(w.resync(loser, old.ID(), loser.credential(), o.now), loser)).Root)
	o.now += 2 * hour
	require.Equal(t, proto.Hint{Reason: proto.HintNotListed}, w.office(r).answer(w.resync(loser, r.ID(), loser.credential(), o.now), loser).Refusal,
		"in this root the notice has decided")

	o = w.office(r) // the root that it comes from lists it
	o.who.Named = members.NewRoot(w.root(1, w.owners, proto.Roster{{Index: runFirst, Signing: loser.signing.Public, Body: loser.binding.Hash()}}, nil))
	o.signs(w.owners[0], o.who.Named.ID())
	from(o.answer(w.resync(loser, o.who.Named.ID(), proto.Credential{}, now), loser))
	for name, q := range map[string]proto.Asked{
		"of another key":     w.resync(winner, o.who.Named.ID(), proto.Credential{}, now+1),
		"changed":            {Kind: q.Kind, Ticket: q.Ticket, Counter: q.Counter + 1, Index: q.Index, Root: q.Root, Credential: q.Credential, Update: q.Update, Signature: q.Signature},
		"with another's key": w.resync(loser, old.ID(), winner.credential(), now+2),
	} {
		_, _, err := o.desk.Request(q, loser.keys.Tag, o.root, o.who, o.clock())
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
	o = w.office(r)
	require.Equal(t, members.Answer, o.answer(w.resync(winner, old.ID(), winner.credential(), now), winner).Act, "the listed one asks, too")
	require.Equal(t, proto.Hint{Reason: proto.HintNotListed}, w.office(r).answer(w.resync(w.join(9), old.ID(), proto.Credential{}, now), w.join(9)).Refusal,
		"nobody has that index")
}

// An owner of the preferred root that is none of the root that a member names signs a bind in its name: that is no word for the member.
func TestWordOfAnOwnerOfAnotherRoot(t *testing.T) {
	w := newWorld(t)
	old, _, twins := w.decided()
	winner, loser := twins[0], twins[1]
	stranger := suite.NewSigningKey(suite.Ed25519)
	r := members.NewRoot(w.root(1, append([]suite.SigningKey{stranger}, w.owners...), proto.Roster{
		{Index: 1, Signing: w.founder.signing.Public, Body: w.founder.binding.Hash()},
		{Index: runFirst, Signing: winner.signing.Public, Body: winner.binding.Hash()},
	}, nil))
	forged := proto.Sign(proto.Bind{Said: proto.Said{Root: old.ID(), By: place(r.Terms, stranger)}, Index: runFirst, Body: winner.binding.Hash()}, w.space, stranger)
	r, _ = w.apply(r, forged)
	q := w.resync(loser, old.ID(), loser.credential(), now)

	o := w.office(r)
	o.who.Named = old
	require.Equal(t, proto.Hint{Reason: proto.HintNotListed}, o.answer(q, loser).Refusal)
	o = w.office(r)
	o.who.Named = old
	o.signs(w.owners[0], old.ID())
	d := o.answer(q, loser)
	require.IsType(t, proto.Taken{}, d.Refusal)
	_, err := proto.VerifyOwner(d.Refusal.(proto.Taken).Bind, old.Terms)
	require.NoError(t, err)
	require.Equal(t, forged, w.office(r).answer(q, loser).Refusal.(proto.Taken).Bind, "a root that is given up: the asker judges")
}

// An owner signs for who asks under a binding of the root that it names, once for each refusal. Whoever has only K of that root, and
// certifies itself, hears a hint.
func TestOwnerSignsForBindingsOfTheRoot(t *testing.T) {
	w := newWorld(t)
	old, r, twins := w.decided()
	o := w.office(r)
	o.who.Named, o.who.Ready = old, false
	signed := o.signs(w.owners[0], old.ID())
	q := w.resync(twins[1], old.ID(), twins[1].credential(), now)
	for range 60 {
		o.now = o.see(q, twins[1]).Until
	}
	require.Zero(t, *signed, "its turn has not come")
	o.who.Ready = true
	require.IsType(t, proto.Taken{}, o.answer(q, twins[1]).Refusal)
	require.Equal(t, 1, *signed)

	thief := suite.NewSigningKey(suite.Ed25519)
	keys, err := proto.KeysOfInvite(secret.Random(suite.KeySize), w.space, ofSuite)
	require.NoError(t, err)
	c := proto.Certificate{Kind: dkg.Private, Root: old.ID(), First: runFirst, Count: 1, Step: 1, Expires: uint32(now/hour) + 24, Admission: keys.Admission.Public}.Sign(thief, w.space)
	p := w.bind(proto.Record{Certificate: c}, keys, runFirst)
	o.now += 2 * hour
	require.Equal(t, proto.Hint{Reason: proto.HintNotListed}, o.answer(w.resync(p, old.ID(), proto.Credential{Certificate: c, Binding: p.binding}, o.now), p).Refusal)
	o.now += 2 * hour
	o.who.Named = members.NewRoot(w.root(1, w.owners, proto.Roster{{Index: runFirst, Signing: twins[0].signing.Public, Body: twins[0].binding.Hash()}}, nil))
	require.Equal(t, proto.Hint{Reason: proto.HintNotListed}, o.answer(w.resync(twins[1], o.who.Named.ID(), twins[1].credential(), o.now), twins[1]).Refusal,
		"the root that it names lists another one")
	require.Equal(t, 1, *signed)
	o.now, o.who.Named = o.now+2*hour, members.Root{} // given up: nobody can tell any more
	require.IsType(t, proto.Taken{}, o.answer(w.resync(twins[1], old.ID(), twins[1].credential(), o.now), twins[1]).Refusal)
}

// Owners refuse although two others did: those may have had no proof. Others that are late in the order do not.
func TestOwnersRefuseAfterHints(t *testing.T) {
	w := newWorld(t)
	_, r, twins := w.decided()
	for k := range dkg.Index(40) {
		r = w.introduceIn(r, 200+k)
	}
	q := w.resync(twins[1], w.terms.ID(), twins[1].credential(), now)
	late := dkg.Index(0)
	for i := range r.All() {
		if place, in := r.Place(i, runFirst, twins[1].signing.Public); in && place >= 16 {
			late = i
		}
	}
	require.NotZero(t, late)
	for _, owner := range []bool{true, false} {
		o := w.office(r)
		if o.who.Index = late; owner {
			o.signs(w.owners[0], w.terms.ID())
		}
		for range 2 {
			o.desk = o.desk.Ticket(q.ID().Name(), o.now)
		}
		d := o.answer(q, twins[1])
		require.Equal(t, owner, d.Act == members.Refuse)
		if owner {
			require.IsType(t, proto.Taken{}, d.Refusal)
			require.LessOrEqual(t, o.now, now+2*hour/6+16*5000)
		}
	}
}

// introduceIn lets somebody into a root by an invite of that root.
func (w *world) introduceIn(r members.Root, i dkg.Index) members.Root {
	x, keys := w.invite(r.Terms, dkg.Private, i)
	return w.introduce(r, w.bind(x, keys, i))
}

// The notice decides whom it lists, whatever binds say.
func TestBindOfAListedIndex(t *testing.T) {
	w := newWorld(t)
	old, r, twins := w.decided()
	listed, other := twins[0].binding.Hash(), twins[1].binding.Hash()
	for _, terms := range []members.Terms{old.Terms, r.Terms} {
		r, _ := w.apply(r, w.bound(terms, w.owners[0], twins[1]))
		require.True(t, r.Displaces(runFirst, other))
		require.False(t, r.Displaces(runFirst, listed))
		b, _ := r.ListedBinding(runFirst)
		require.Equal(t, listed, b.Body)
	}
}
