package asking_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// A request that is posted again is sealed anew: other bytes, the same name and ticket key. Nobody else can put a key into it.
func TestResealedRequestKeepsItsTicketKey(t *testing.T) {
	w := newWorld(t, dkg.Private)
	a, x := w.join()
	var last asking.Change
	posts := 0
	for m := range int64(72) {
		var ch asking.Change
		if a, ch = w.tick(a, m*hour+1); ch.Post == nil {
			continue
		}
		posts++
		y := w.open(ch)
		require.Equal(t, x.ID(), y.ID())
		require.True(t, x.Ticket.Equal(y.Ticket))
		require.NotEqual(t, last.Post, ch.Post)
		last = ch
	}
	require.Equal(t, 6, posts, "after 1, 3, 7, 15, 31 and 55 hours")
	own, ok := a.Find(w.link.Space, x.ID().Name())
	require.True(t, ok)
	require.True(t, own.Ticket.Public.Equal(x.Ticket))
}

// A joiner is told in each case in which it waits: that nobody answers, what members hint at, that the link may be over, and how it
// ended.
func TestJoinerNeverWaitsUntold(t *testing.T) {
	w := newWorld(t, dkg.Private)
	t.Run("nobody answers", func(t *testing.T) {
		a, _ := w.join()
		var told []int64
		for m := range int64(5 * 24) {
			var ch asking.Change
			if a, ch = w.tick(a, m*hour); ch.StillWaiting != 0 {
				require.Equal(t, start, ch.StillWaiting)
				told = append(told, m)
			}
			a = reloadSometimes(t, a, m)
		}
		require.Equal(t, []int64{1, 24, 48, 72, 96}, told)
	})
	for _, r := range []proto.HintReason{proto.HintExpired, proto.HintClosed, proto.HintNotListed, proto.HintOwnerNeeded} {
		a, x := w.join()
		a, ch := w.refuse(a, x, proto.Hint{Reason: r}, 1)
		require.Equal(t, r, ch.Hint)
		a, ch = w.refuse(a, x, proto.Hint{Reason: r}, 2)
		require.Equal(t, r, ch.Hint)
		_, ch = w.tick(a, hour+1)
		require.Nil(t, ch.Post, "the wait is doubled")
		_, ch = w.tick(a, 2*hour+1)
		require.NotNil(t, ch.Post, "and only once for a kind of hint")
	}
	t.Run("the link is past its time", func(t *testing.T) {
		w := newWorld(t, dkg.Private)
		w.link.Expires = uint32(start/hour) - 1
		a, ch, err := asking.Join(w.self, w.link, at(0))
		require.NoError(t, err)
		require.NotNil(t, ch.Post, "its own clock refuses nothing")
		require.Equal(t, proto.HintExpired, ch.Hint)
		a, ch = w.tick(a, 7*day-1)
		require.NoError(t, ch.Refused)
		a, ch = w.tick(reload(t, a), 7*day)
		require.ErrorIs(t, ch.Refused, asking.ErrDead)
		require.True(t, ch.EraseSeed && ch.KeyGone)
		require.ErrorIs(t, reload(t, a).Over(), asking.ErrDead)
		a, ch = w.tick(a, 9*day)
		require.Equal(t, asking.Change{}, ch)
		require.ErrorIs(t, a.Over(), asking.ErrDead)
	})
}

func reloadSometimes(t testing.TB, a asking.Asking, n int64) asking.Asking {
	if n%7 == 0 {
		return reload(t, a)
	}
	return a
}

// Only a proof ends asking. What was not proven is a hint, however it looks.
func TestRefusalsNeedTheirProof(t *testing.T) {
	w := newWorld(t, dkg.Private)
	other := newWorld(t, dkg.Private)
	old, err := proto.NewOwnerList(w.rootKey, w.origin, 2, 0, w.owner.Public)
	require.NoError(t, err)
	aged := w.revoke(21)
	aged.Owners = old
	a, x := w.join()
	own := proto.Taken{Binding: x.Binding}
	for name, y := range map[string]proto.Refusal{
		"taken under another admission key":   other.taken(21, 0),
		"taken at another index":              w.taken(22, 0),
		"taken by oneself":                    own,
		"revoked in another space":            other.revoke(21),
		"another index revoked":               w.revoke(22),
		"another invite closed":               w.dead(proto.Sign(proto.Close{Said: w.said(), Invite: proto.InviteName{1}}, w.link.Space, w.owner)),
		"under an older list than the link's": aged,
		"by nobody":                           w.dead(proto.Sign(proto.Revoke{Said: w.said(), Indices: []dkg.Index{21}}, w.link.Space, suite.NewSigningKey(suite.Ed25519))),
	} {
		b, ch := w.refuse(a, x, y, 1)
		require.NoError(t, ch.Refused, name)
		require.Equal(t, proto.HintClosed, ch.Hint, name)
		require.True(t, b.Joining())
		require.NoError(t, b.Over())
	}
	for name, y := range map[string]proto.Refusal{"revoked": w.revoke(21), "closed": w.close()} {
		_, ch := w.refuse(a, x, y, 1)
		require.ErrorIs(t, ch.Refused, asking.ErrDead, name)
		require.True(t, ch.EraseSeed && ch.KeyGone)
	}
	b, ch := w.refuse(a, x, w.taken(21, 0), 1)
	require.ErrorIs(t, ch.Refused, asking.ErrTaken)
	_, ok := b.Find(w.link.Space, x.ID().Name())
	require.False(t, ok, "the ticket keys are erased")

	s, err := proto.SealRefusal(w.link.Space, proto.Name{9}, x.Ticket, own)
	require.NoError(t, err)
	_, _, err = a.Refused(w.self, w.link, s, at(1))
	require.ErrorIs(t, err, asking.ErrStale)
	s.Name = x.ID().Name()
	s.Box[40] ^= 1
	_, _, err = a.Refused(w.self, w.link, s, at(1))
	require.ErrorIs(t, err, asking.ErrForged)
}

// A revoke of an index says nothing of the run that it is of: the joiner asks for another one (D66). Its close ends the run.
func TestRevokedIndexOfARun(t *testing.T) {
	w := newWorld(t, dkg.Public)
	a, x := w.join()
	b, ch := w.refuse(a, x, w.revoke(x.Index), 1)
	require.NoError(t, ch.Refused)
	y := w.open(ch)
	require.NotEqual(t, x.Index, y.Index)
	require.True(t, w.link.Covers(y.Index))
	require.Greater(t, y.Counter, x.Counter)
	require.True(t, b.Joining())

	_, ch = w.refuse(a, x, w.close(), 1)
	require.ErrorIs(t, ch.Refused, asking.ErrDead)

	free := dkg.Index(21 + 2*60)
	if x.Index == free {
		free -= 2
	}
	_, ch = w.refuse(a, x, w.taken(x.Index, free), 1)
	require.Equal(t, free, w.open(ch).Index, "the index that is named as free")
	_, ch = w.refuse(a, x, w.taken(x.Index, 22), 1)
	require.True(t, w.link.Covers(w.open(ch).Index), "22 is not of the run")
}

// An index of a run that a rekey lists is hinted at without a proof. The joiner asks for another one, 32 at most, and then goes on asking.
func TestListedIndexOfARun(t *testing.T) {
	w := newWorld(t, dkg.Public)
	a, x := w.join()
	free := dkg.Index(21 + 2*60)
	if x.Index == free {
		free -= 2
	}
	_, ch := w.refuse(a, x, proto.Hint{Reason: proto.HintNotListed, Value: uint64(free)}, 1)
	require.Equal(t, free, w.open(ch).Index)
	require.Zero(t, ch.Hint)
	seen, now := map[dkg.Index]bool{}, proto.Millis(1)
	for {
		require.False(t, seen[x.Index])
		seen[x.Index] = true
		a, ch = w.refuse(a, x, proto.Hint{Reason: proto.HintNotListed}, now)
		if ch.Hint != 0 {
			break
		}
		if len(seen) >= 8 { // who answers first may be one liar
			require.Nil(t, ch.Post)
			now += 24 * hour
			a, ch = w.tick(a, now)
		}
		x = w.open(ch)
	}
	require.Len(t, seen, 32)
	require.Equal(t, proto.HintNotListed, ch.Hint)
	require.NoError(t, a.Over(), "only a proof ends asking")
	_, ch = w.tick(a, now+24*hour)
	require.Equal(t, x.Index, w.open(ch).Index)
}

// After 32 indices that were taken a joiner gives up and is told. A ticket for one of its last 8 requests still lets it in, at the
// index of that request.
func TestJoinerTriesIndices(t *testing.T) {
	w := newWorld(t, dkg.Public)
	a, x := w.join()
	var asked []proto.Asked
	seen, now := map[dkg.Index]bool{}, proto.Millis(1)
	for {
		asked = append(asked, x)
		require.False(t, seen[x.Index])
		seen[x.Index] = true
		b, ch := w.refuse(a, x, w.taken(x.Index, 0), now)
		if ch.Refused != nil {
			require.ErrorIs(t, ch.Refused, asking.ErrTaken)
			break
		}
		if len(asked) >= 8 { // who answers first may be one liar: for the others it waits, and asks for the next one in its time
			require.Nil(t, ch.Post)
			now += 24 * hour
			var err error
			b, ch, err = reload(t, b).Tick(w.self, w.link, false, at(now))
			require.NoError(t, err)
		}
		a, x = b, w.open(ch)
	}
	require.Len(t, asked, 32)
	a = reload(t, a)
	for k, x := range asked {
		own, ok := a.Find(w.link.Space, x.ID().Name())
		require.Equal(t, k >= 32-8, ok)
		if ok {
			require.Equal(t, x.Index, own.Context.Index)
			require.Equal(t, x.Binding.Hash(), own.Binding.Hash())
		}
	}
	earlier := asked[27]
	a = a.Entered(earlier.ID().Name(), 1, at(now+1))
	require.False(t, a.Joining())
	for k, x := range asked {
		_, ok := a.Find(w.link.Space, x.ID().Name())
		require.Equal(t, k == 27, ok, "keys for other indices go")
	}
}

// A hint that the counter is old is followed once for each request, up to a value that nobody can use the counters up with (D67).
func TestHugeCounterHint(t *testing.T) {
	w := newWorld(t, dkg.Private)
	a, x := w.join()
	_, ch := w.refuse(a, x, proto.Hint{Reason: proto.HintOldCounter, Value: proto.MaxHintCounter + 1}, 1)
	require.Nil(t, ch.Post)
	require.Equal(t, proto.HintOldCounter, ch.Hint)
	_, ch = w.refuse(a, x, proto.Hint{Reason: proto.HintOldCounter, Value: x.Counter - 1}, 1)
	require.Nil(t, ch.Post, "that is no old counter")

	b, ch := w.refuse(a, x, proto.Hint{Reason: proto.HintOldCounter, Value: x.Counter + 7*uint64(day)}, 1)
	y := w.open(ch)
	require.Equal(t, x.Counter+7*uint64(day)+1, y.Counter)
	require.Equal(t, x.Index, y.Index)
	s, err := proto.SealRefusal(w.link.Space, x.ID().Name(), x.Ticket, proto.Hint{Reason: proto.HintOldCounter, Value: proto.MaxHintCounter})
	require.NoError(t, err)
	_, _, err = b.Refused(w.self, w.link, s, at(2))
	require.ErrorIs(t, err, asking.ErrStale, "the request before")
}

// Whoever answers first hints again and again that the counter is old. One such hint an hour makes a new request at once: each ends the one
// before, which others would answer. The next post has a counter above the one that was hinted.
func TestOldCounterIsFollowedOnceAnHour(t *testing.T) {
	w := newWorld(t, dkg.Private)
	a, x := w.join()
	old := func(x proto.Asked) proto.Hint { return proto.Hint{Reason: proto.HintOldCounter, Value: x.Counter + 5} }
	a, ch := w.refuse(a, x, old(x), 1)
	y := w.open(ch)
	a, ch = w.refuse(a, y, old(y), 2)
	require.Nil(t, ch.Post)
	a, ch, err := reload(t, a).Tick(w.self, w.link, false, at(5*hour))
	require.NoError(t, err)
	z := w.open(ch)
	require.Greater(t, z.Counter, y.Counter+5)
	_, ch = w.refuse(a, z, old(z), 5*hour+1)
	require.NotNil(t, ch.Post)
}

// A joiner whose clock is behind, or that was restored from a backup, comes to a counter above the one that members know.
func TestJoinerClockBehind(t *testing.T) {
	w := newWorld(t, dkg.Private)
	a, x := w.join()
	a = reload(t, a.Restored())
	back := at(hour)
	back.Wall -= 365 * day
	a, ch, err := a.Tick(w.self, w.link, false, back)
	require.NoError(t, err)
	y := w.open(ch)
	require.Greater(t, y.Counter, x.Counter)
	require.NotEqual(t, x.ID(), y.ID())
	require.False(t, x.Ticket.Equal(y.Ticket), "a key of its own")
	require.Equal(t, asking.Mine, a.Whose(y.ID(), y.Counter))
	require.Equal(t, asking.Unknown, a.Whose(x.ID(), x.Counter), "a copy does not know what it asked since")
	require.Equal(t, asking.Unknown, a.Whose(proto.RequestID{1}, y.Counter+1), "others may know of a greater one")
	b := a.Entered(x.ID().Name(), 1, back)
	require.Equal(t, asking.Unknown, b.Whose(proto.RequestID{1}, y.Counter+1), "a ticket for a request from before")
	a = a.Entered(y.ID().Name(), 1, back)
	a = reload(t, a)
	require.Equal(t, asking.Others, a.Whose(proto.RequestID{1}, y.Counter+1))
	require.Equal(t, asking.Unknown, a.Whose(x.ID(), x.Counter))
}
