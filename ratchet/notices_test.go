package ratchet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// relisted returns a space in which an owner was restored to before it removed x, was brought up to date by x, and made a rekey that lists
// x again, while the others were away: m, which followed the removal, and away more.
func relisted(t *testing.T, seed uint64, away int) (founder, m, x *node) {
	n := newNetwork(t, seed)
	founder = n.found(rules.Policy{})
	m, x = n.member(founder, "m"), n.member(founder, "x")
	others := []*node{m}
	for k := range away {
		others = append(others, n.member(founder, fmt.Sprint("a", k)))
	}
	n.settle()
	backup := founder.space
	thief := x.copyOf("thief") // reads nothing of its removal
	thief.mailbox, thief.offline, x.offline = nil, true, true
	founder.do(step.Remove(x.place()))
	n.settle()
	require.EqualValues(t, 1, m.gen())

	n.now = n.now.Add(2 * time.Hour)
	founder.restored(backup)
	for _, o := range others {
		o.offline = true
	}
	thief.offline, thief.mailbox = false, nil
	for range 3 {
		n.settle()
		n.now = n.now.Add(time.Minute)
	}
	founder.do(step.Rekey())
	n.settle()
	require.True(t, founder.shows(x.place()))
	for _, o := range others {
		o.offline = false
	}
	return founder, m, thief
}

// Whoever was removed reads nothing for long, although an owner that was restored to before the removal made a rekey that lists it: a member
// that followed both roots says the notice of the removal, and the owner makes another rekey.
func TestRestoredOwnerListsWhoItRemoved(t *testing.T) {
	for seed := range uint64(8) {
		for _, away := range []int{0, 3} {
			t.Run(fmt.Sprintf("%d away %d", seed, away), func(t *testing.T) {
				founder, m, x := relisted(t, 240+seed, away)
				n := founder.net
				for range 12 {
					n.settle()
					n.now = n.now.Add(6 * time.Hour)
				}
				m.send("from m")
				founder.send("from founder")
				n.settle()
				require.False(t, founder.shows(x.place()))
				require.Equal(t, founder.members(), m.members())
				require.Empty(t, x.texts())
				require.Contains(t, founder.texts(), fmt.Sprint(m.place(), ": from m"))
			})
		}
	}
}

// While the owner is away one member a day says the notice, whatever the number of members.
func TestNoticeIsSaidOnceADay(t *testing.T) {
	needed := 0
	for seed := range uint64(6) {
		founder, m, x := relisted(t, 260+seed, 3)
		n := founder.net
		n.settle()
		if _, missed := m.missed(); !missed { // the root of the removal is preferred
			continue
		}
		needed++
		founder.offline, x.offline = true, true
		said := map[string]bool{}
		n.posted = func(y *node, _ []byte) {
			if r, missed := y.missed(); missed && r.Said() == stateOf(y.space).clock.reading {
				said[fmt.Sprint(y.name, r.Said())] = true
			}
		}
		for range 5 * 24 {
			n.settle()
			n.now = n.now.Add(54 * time.Minute)
		}
		n.posted = nil
		require.LessOrEqual(t, len(said), 6, seed)
		require.GreaterOrEqual(t, len(said), 4, seed)
		founder.offline = false
		for range 12 {
			n.settle()
			n.now = n.now.Add(10 * time.Minute)
		}
		require.False(t, founder.shows(x.place()))
	}
	require.Positive(t, needed)
}

// Who is gone keeps nobody from saying so, whether it says something else under the id of the root, or the notice itself where owners do not
// read it.
func TestNoticeIsNotKeptBack(t *testing.T) {
	for name, alter := range map[string]func(proto.Notice) proto.Notice{
		"nobody gone": func(n proto.Notice) proto.Notice { n.Gone = nil; return n },
		"false":       func(n proto.Notice) proto.Notice { n.Gone = proto.NewBitmap(2, 3, 4); return n },
		"not read":    func(n proto.Notice) proto.Notice { return n },
	} {
		t.Run(name, func(t *testing.T) {
			needed := 0
			for seed := range uint64(4) {
				founder, m, x := relisted(t, 260+seed, 3)
				n := founder.net
				n.settle()
				root, missed := m.missed()
				if !missed { // the root of the removal is preferred
					continue
				}
				needed++
				for k := range 2 * 24 {
					if k%12 == 0 && x.phase() == Member && founder.shows(x.place()) {
						n.lose = func(o *node, _ []byte) bool { return o == founder && name == "not read" }
						x.saying(alter(m.noticeOf(root.ID())))
						n.lose = nil
					}
					n.settle()
					n.now = n.now.Add(time.Hour)
				}
				require.False(t, founder.shows(x.place()), seed)
			}
			require.Positive(t, needed)
		})
	}
}

// Whoever comes into the preferred root alone, where who is gone can let in many, does not put off those that hold the root of the removal.
func TestNoticeIsNotPutOffByJoiners(t *testing.T) {
	needed := 0
	for seed := range uint64(6) {
		founder, m, x := relisted(t, 270+seed, 0)
		n := founder.net
		l := founder.invite(invite.Public(16, 0))
		n.settle()
		if _, missed := m.missed(); !missed { // the root of the removal is preferred
			continue
		}
		needed++
		m.offline, founder.offline = true, true
		for k := range 8 {
			n.join(l, fmt.Sprint("j", k))
			n.settle()
		}
		m.offline = false
		for range 3 {
			n.settle()
			n.now = n.now.Add(time.Hour)
		}
		n.settle()
		root, missed := m.missed()
		require.True(t, missed)
		require.True(t, founder.shows(x.place()), "it is away")
		require.NotZero(t, root.Said(), seed)
	}
	require.Positive(t, needed)
}

// noticeOf returns the notice of a root held.
func (x *node) noticeOf(root proto.EpochID) proto.Notice {
	d, _, _ := x.standing()
	t, ok := d.tp.terms(root)
	require.True(x.net.t, ok)
	return t.notice
}

// missed returns a root by which somebody is gone whom the preferred one lists.
func (x *node) missed() (members.Root, bool) {
	d, _, r := x.standing()
	for row := range d.st.roots.All() {
		t, _ := d.tp.terms(row.id)
		if _, missed := r.Misses(t.notice); missed {
			return d.root(row.id)
		}
	}
	return members.Root{}, false
}

// shows reports whether a member shows an index.
func (x *node) shows(i dkg.Index) bool {
	return slices.ContainsFunc(Members(x.space), func(m MemberInfo) bool { return m.Index == i })
}
