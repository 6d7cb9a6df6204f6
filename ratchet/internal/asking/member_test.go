package asking_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// The key of the tickets stays until a member that told none of them was read, or for a day; what was sent before joining is known
// as that only afterwards.
func TestTicketKeyOfAJoiner(t *testing.T) {
	w := newWorld(t, dkg.Public)
	a, x := w.join()
	a = a.Entered(x.ID().Name(), 1, at(1))
	a = a.Entered(x.ID().Name(), 4, at(2))
	for _, i := range []dkg.Index{1, 4, x.Index} {
		var ch asking.Change
		a, ch = a.ReadFrom(i, x.Index, false, at(3))
		require.Equal(t, asking.Change{}, ch)
		require.True(t, a.Merged())
	}
	b, ch := reload(t, a).ReadFrom(5, x.Index, true, at(3))
	require.True(t, ch.KeyGone)
	since, gone := b.KeysGone()
	require.True(t, gone)
	require.Equal(t, int64(3), since)

	b, ch = w.tick(a, day)
	require.False(t, ch.KeyGone || ch.EraseSeed)
	b, ch = w.tick(b, day+1)
	require.True(t, ch.KeyGone && ch.EraseSeed, "the seed of a run goes a day after the first ticket (D63)")
	_, ch = w.tick(b, day+2)
	require.Equal(t, asking.Change{}, ch)

	one := newWorld(t, dkg.Private)
	c, y := one.join()
	c = c.Entered(y.ID().Name(), 1, at(1))
	c, ch = one.tick(c, 9*day)
	require.False(t, ch.EraseSeed, "of one index it stays until a notice lists the member")
	_, ch = c.Listed()
	require.True(t, ch.EraseSeed)
}

// member returns one that is in step, and where it stands.
func (w *world) member() (asking.Asking, asking.Position) {
	inbox := suite.NewKEMSecret(ofSuite.KEM())
	w.self.Binding = proto.NewBinding(w.link.Space, 21, w.self.Rest.Hash(), w.keys.Admission, w.self.Signing)
	return asking.Asking{}, asking.Position{Index: 21, Root: proto.EpochID{1}, Preferred: proto.EpochID{2}, K: secret.Random(suite.KeySize),
		Update: proto.NewUpdate(w.link.Space, 21, 5, inbox.Public, w.self.Signing)}
}

func (w *world) ask(a asking.Asking, p asking.Position, wall int64) (asking.Asking, proto.Asked) {
	a, ch, err := a.Ask(w.self, p, at(wall))
	require.NoError(w.t, err)
	q, err := proto.ParseRequest(ch.Post)
	require.NoError(w.t, err)
	key, tag := proto.ResyncKey(p.K, w.link.Space, p.Root)
	require.Equal(w.t, tag, q.Tag)
	x, err := q.Open(w.link.Space, suite.NewAEAD(key))
	require.NoError(w.t, err)
	require.NoError(w.t, x.VerifyResync(w.link.Space, ofSuite, w.self.Signing.Public))
	return a, x
}

// A member asks at most once an hour, then less often, each time under a new key and counter, and is told that it waits. Tickets to
// requests of the last day count.
func TestMemberAsks(t *testing.T) {
	w := newWorld(t, dkg.Private)
	a, p := w.member()
	require.True(t, a.MayAsk(at(0)))
	a, x := w.ask(a, p, 0)
	require.False(t, a.MayAsk(at(hour-1)))
	asked := []proto.Asked{x}
	hours, told := []int64{0}, 0
	for m := range int64(60) {
		b, ch := w.tick(a, m*hour)
		a = b
		if ch.StillWaiting != 0 {
			told++
		}
		if ch.Ask {
			a, x = w.ask(a, p, m*hour)
			require.Greater(t, x.Counter, asked[len(asked)-1].Counter)
			require.False(t, x.Ticket.Equal(asked[len(asked)-1].Ticket))
			asked, hours = append(asked, x), append(hours, m)
		}
		a = reloadSometimes(t, a, m)
	}
	require.Equal(t, []int64{0, 1, 3, 7, 15, 31, 55}, hours)
	require.Equal(t, 3, told)
	for k, x := range asked {
		_, ok := a.Find(w.link.Space, x.ID().Name())
		require.Equal(t, k >= len(asked)-2, ok, "request of hour %d", hours[k])
		require.Equal(t, asking.Mine, a.Whose(x.ID(), x.Counter))
	}
}

// A member knows its last 256 requests. Of another one it says that somebody else made it only if it would know its own.
func TestWhoseRequest(t *testing.T) {
	w := newWorld(t, dkg.Private)
	a, p := w.member()
	require.Equal(t, asking.Others, a.Whose(proto.RequestID{1}, 1), "one that never asked")
	var all []proto.Asked
	for k := range int64(258) {
		var x proto.Asked
		a, x = w.ask(a, p, k*hour)
		all = append(all, x)
	}
	a = reload(t, a)
	require.Equal(t, asking.Unknown, a.Whose(all[1].ID(), all[1].Counter))
	require.Equal(t, asking.Unknown, a.Whose(proto.RequestID{1}, all[1].Counter))
	require.Equal(t, asking.Mine, a.Whose(all[2].ID(), all[2].Counter))
	require.Equal(t, asking.Others, a.Whose(proto.RequestID{1}, all[2].Counter))
}

// A ticket that was merged does not end asking while what made the member ask still waits: another branch may answer, too (D53).
func TestTicketKeyStaysWhileSomethingWaits(t *testing.T) {
	w := newWorld(t, dkg.Private)
	a, p := w.member()
	a, x := w.ask(a, p, 0)
	a = a.Entered(x.ID().Name(), 3, at(1))
	a, ch := a.ReadFrom(4, 21, true, at(2))
	require.False(t, ch.KeyGone)
	_, ok := a.Find(w.link.Space, x.ID().Name())
	require.True(t, ok)
	_, ch, err := a.Tick(w.self, proto.Link{}, true, at(3))
	require.NoError(t, err)
	require.False(t, ch.KeyGone)
	_, ch, err = a.Tick(w.self, proto.Link{}, false, at(3))
	require.NoError(t, err)
	require.True(t, ch.KeyGone)
	_, ch, err = a.Tick(w.self, proto.Link{}, true, at(1+day))
	require.NoError(t, err)
	require.True(t, ch.KeyGone, "after a day in any case")
}

// Everybody with a public link can make a second binding, so "taken" drives no member off its index; an owner's word does (D65).
func TestTakenNeedsAnOwnerAgainstAMember(t *testing.T) {
	w := newWorld(t, dkg.Private)
	a, p := w.member()
	a, x := w.ask(a, p, 0)
	a, ch := w.refuse(a, x, w.taken(21, 0), 1)
	require.True(t, ch.Taken)
	require.NoError(t, ch.Refused)
	require.NoError(t, a.Over())
	a, ch = w.tick(a, 2*hour)
	require.True(t, ch.Ask, "it asks on, after twice the time")

	b, y := w.ask(a, p, 2*hour)
	word := proto.Sign(proto.Bind{Said: w.said(), Index: 21, Body: proto.BodyHash{1}}, w.link.Space, w.owner)
	_, ch = w.refuse(b, y, proto.Taken{Bind: word}, 1)
	require.Equal(t, asking.Change{Said: word}, ch, "it counts like one that was read, whatever binding stands beside it")

	answered := b.Entered(y.ID().Name(), 1, at(2*hour)) // by somebody that knows nothing of it
	s, err := proto.SealRefusal(w.link.Space, y.ID().Name(), y.Ticket, w.taken(21, 0))
	require.NoError(t, err)
	_, _, err = answered.Refused(w.self, w.link, s, at(2*hour))
	require.ErrorIs(t, err, asking.ErrStale)
	later, _ := w.ask(answered, p, 4*hour)
	for _, x := range []asking.Asking{answered, later} {
		x, ch = w.refuse(x, y, proto.Taken{Bind: word}, 1)
		require.Equal(t, asking.Change{Said: word, Late: true}, ch, "an owner's word counts for each request whose key is there")
		require.True(t, x.Merged())
	}

	a, ch, err = a.Displaced(w.self, w.link, at(3*hour))
	require.NoError(t, err)
	require.ErrorIs(t, ch.Refused, asking.ErrTaken)
	require.True(t, a.Lost())
	back := reload(t, a.Reinstated(at(4*hour)))
	require.False(t, back.Lost() || back.Joining())
	_, _ = w.ask(back, p, 9*hour)
	require.False(t, a.MayAsk(at(9*hour)))
	a, ch = w.tick(a, day-1)
	require.True(t, ch.IsZero())
	for k := range int64(3) { // once a day, and nobody is told again what it hears
		a, ch = w.tick(a, (k+1)*day)
		require.Equal(t, asking.Change{Ask: true}, ch)
		a, x = w.ask(a, p, (k+1)*day)
		for _, y := range []proto.Refusal{w.taken(21, 0), proto.Hint{Reason: proto.HintNotListed}} {
			b, ch := w.refuse(a, x, y, 1)
			require.Zero(t, ch)
			_, ch = w.tick(b, (k+2)*day-1)
			require.False(t, ch.Ask || ch.StillWaiting != 0)
		}
	}
	answered = a.Entered(x.ID().Name(), 1, at(4*day))
	require.True(t, answered.Merged() && answered.Lost())
	require.True(t, reload(t, answered.Reinstated(at(4*day))).Merged(), "further tickets count")
}

// The ticket of a direct link lets a joiner in by itself; the request stays, since that ticket is as old as the link.
func TestDirectTicketKeepsTheRequest(t *testing.T) {
	w := newWorld(t, dkg.Direct)
	a, x := w.join()
	own, err := a.OfDirect(w.link)
	require.NoError(t, err)
	require.Equal(t, proto.DirectRequest(w.link), own.Context.Request)
	require.True(t, own.Context.Direct && own.Joining)
	a = reload(t, a.EnteredDirect(1, at(1)))
	require.False(t, a.Joining())
	_, ok := a.Find(w.link.Space, x.ID().Name())
	require.True(t, ok)
	_, err = a.OfDirect(w.link)
	require.ErrorIs(t, err, asking.ErrStale)
}

// A member by a link of a run that an owner decided against takes another index by itself, while it has the seed.
func TestDisplacedMemberOfARun(t *testing.T) {
	w := newWorld(t, dkg.Public)
	a, x := w.join()
	a = a.Entered(x.ID().Name(), 1, at(1))
	b, ch, err := a.Displaced(w.self, w.link, at(2))
	require.NoError(t, err)
	require.NoError(t, ch.Refused)
	y := w.open(ch)
	require.NotEqual(t, x.Index, y.Index)
	require.True(t, b.Joining())
	back := reload(t, b.Reinstated(at(3)))
	require.False(t, back.Lost())
	require.Equal(t, back, back.Entered(y.ID().Name(), 1, at(4)), "nothing is asked any more")
	c, ch, err := reload(t, b).Tick(w.self, w.link, false, at(day))
	require.NoError(t, err)
	require.False(t, ch.EraseSeed)
	_, ch, err = c.Tick(w.self, w.link, false, at(1+day))
	require.NoError(t, err)
	require.True(t, ch.EraseSeed, "nobody answers: with the masked polynomial that a member holds the seed is every share (D63)")
	require.ErrorIs(t, ch.Refused, asking.ErrTaken)
	b = reload(t, b).Entered(y.ID().Name(), 1, at(3))
	require.False(t, b.Joining())
	b, ch, err = reload(t, b).Tick(w.self, w.link, false, at(day))
	require.NoError(t, err)
	require.False(t, ch.EraseSeed)
	_, ch, err = b.Tick(w.self, w.link, false, at(1+day))
	require.NoError(t, err)
	require.True(t, ch.EraseSeed, "24 hours after the first ticket of all (D63)")

	_, ch, err = a.Displaced(w.self, proto.Link{}, at(2))
	require.NoError(t, err)
	require.ErrorIs(t, ch.Refused, asking.ErrTaken, "the seed is gone")
}
