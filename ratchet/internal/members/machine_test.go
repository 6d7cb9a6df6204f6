package members_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// event is something that members hear, in whatever order. It is heard again until it can be understood.
type event func(members.Root) (members.Root, error)

// Members that heard the same agree, whatever the order: on who is gone, on who is listed where an owner decided, on title, seats
// and invites. A call that fails changes nothing, and a vault gives back what it was given.
func TestMembersAgreeInAnyOrder(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(3)
	people := append([]person{w.join(5), w.join(6), w.join(7)}, twins...)
	introduce := func(p person) event {
		return func(r members.Root) (members.Root, error) {
			r, _, err := r.Introduce(p.introduction(), members.Via{})
			return r, err
		}
	}
	read := func(p person) event {
		return func(r members.Root) (members.Root, error) {
			r, _, err := r.ReadFrom(p.maker(), 0)
			return r, err
		}
	}
	record := func(p person) event {
		return func(r members.Root) (members.Root, error) {
			r, _, err := r.AddRecord(p.record, 1)
			return r, err
		}
	}
	say := func(s proto.Statement) event {
		return func(r members.Root) (members.Root, error) {
			r, _, err := r.Apply(s, members.Older, now)
			return r, err
		}
	}
	update := func(p person, n uint32) event {
		u := proto.NewUpdate(w.space, p.index, n, newPerson(p.index).inbox.Public, p.signing)
		return func(r members.Root) (members.Root, error) { return r.Update(u) }
	}
	moderator := w.role(w.terms, w.owners[0], people[2], proto.MayRemove)
	at := func(k int) proto.Said { return proto.Said{Root: w.terms.ID(), By: place(w.terms, w.owners[k])} }
	events := []event{
		say(w.revoke(w.terms, w.owners[0], 6, 8)), say(w.revoke(w.terms, w.owners[1], 8)),
		say(w.leave(people[0])), say(w.leave(twins[1])),
		say(w.bound(w.terms, w.owners[0], twins[2])), say(w.bound(w.terms, w.owners[1], twins[0])),
		say(proto.Sign(proto.Close{Said: at(1), Invite: twins[0].record.Certificate.Name()}, w.space, w.owners[1])),
		say(proto.Sign(proto.Title{Said: at(0), Counter: 4, Title: []byte("a")}, w.space, w.owners[0])),
		say(proto.Sign(proto.Title{Said: at(1), Counter: 4, Title: []byte("b")}, w.space, w.owners[1])),
		say(proto.Sign(proto.Title{Said: at(1), Counter: 2, Title: []byte("c")}, w.space, w.owners[1])),
		say(moderator), say(w.removal(moderator, people[2].signing, 1, 7, 9)), say(w.removal(moderator, people[2].signing, 99)),
		say(proto.Sign(proto.Profile{Index: 7, Counter: 1, App: []byte("old")}, w.space, people[2].signing)),
		say(proto.Sign(proto.Profile{Index: 7, Counter: 2, App: []byte("new")}, w.space, people[2].signing)),
		update(people[2], 3), update(people[2], 3), update(people[2], 9), update(twins[1], 1),
		record(people[0]), record(people[1]), record(people[2]), record(twins[0]),
	}
	for _, p := range people {
		events = append(events, introduce(p), read(p))
	}
	rapid.Check(t, func(rt *rapid.T) {
		var roots []members.Root
		for range 2 {
			r := members.NewRoot(w.terms)
			left := rapid.Permutation(events).Draw(rt, "order")
			for len(left) > 0 {
				e := left[0]
				left = left[1:]
				before := r
				next, err := e(r)
				if err != nil {
					require.True(rt, equal(rt, before, next), "a call that failed changed something")
				}
				if errors.Is(err, members.ErrUnknown) {
					left = append(left, e)
				} else if err != nil {
					require.ErrorIs(rt, err, members.ErrStale)
				}
				if r = next; rapid.IntRange(0, 9).Draw(rt, "load") == 0 {
					r = loaded(t, r)
				}
			}
			roots = append(roots, r)
		}
		a, b := roots[0], roots[1]
		require.Equal(rt, a.GoneSet(), b.GoneSet())
		require.Equal(rt, proto.NewBitmap(5, 6, 7, 8), a.GoneSet())
		for _, i := range []dkg.Index{1, 5, 6, 7, runFirst} {
			x, _ := a.ListedBinding(i)
			y, _ := b.ListedBinding(i)
			require.Equal(rt, x.Body, y.Body)
			p, _ := x.InboxKey()
			q, _ := y.InboxKey()
			require.True(rt, p.Equal(q))
			require.Equal(rt, x.Profile.App, y.Profile.App)
		}
		x, _ := a.Title()
		y, _ := b.Title()
		require.Equal(rt, x.Title, y.Title)
		require.Equal(rt, a.Seats(), b.Seats())
		require.Equal(rt, map[uint8]dkg.Index{place(w.terms, w.owners[0]): 1}, a.Seats())
		require.Empty(rt, a.Open())
		require.Empty(rt, b.Open())
		require.Equal(rt, digests(a), digests(b))
		require.Equal(rt, a.Roster(), b.Roster())
		require.True(rt, equal(rt, a, loaded(t, a)))
	})
}

// digests returns the hashes of the statements kept.
func digests(r members.Root) (out []string) {
	for _, s := range r.Statements() {
		h := proto.StatementHash(s)
		out = append(out, string(h[:]))
	}
	slices.Sort(out)
	return out
}
