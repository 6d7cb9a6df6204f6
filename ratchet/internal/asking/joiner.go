package asking

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Join returns what a device asks that opened a link, with the request to be posted. Its own clock refuses nothing: of a link
// whose lifetime seems to be over it is told, and asks (D34).
func Join(me Self, l proto.Link, c Clock) (Asking, Change, error) {
	a := Asking{joining: true, since: c.Wall}
	i, ok := a.choose(l, 0)
	if !ok {
		return Asking{}, Change{}, fmt.Errorf("%w: link without an index", suite.ErrInvalid)
	}
	a, out, err := a.ask(me, l, i, c)
	if err != nil {
		return Asking{}, Change{}, err
	}
	a, over := a.expire(l, c)
	out.Hint = over.Hint
	return a, out, nil
}

// choose returns an index of a link that was not tried: the one named, if it is one, or a random one, since all that open a
// public link at once would else take the same.
func (a Asking) choose(l proto.Link, named dkg.Index) (dkg.Index, bool) {
	if len(a.tried) >= maxTried || l.Seed.IsZero() {
		return 0, false
	}
	free := func(i dkg.Index) bool { return l.Covers(i) && !slices.Contains(a.tried, i) }
	if free(named) {
		return named, true
	}
	left := int64(l.Count)
	for _, i := range a.tried {
		if l.Covers(i) {
			left--
		}
	}
	if left <= 0 {
		return 0, false
	}
	n, err := rand.Int(rand.Reader, big.NewInt(left))
	if err != nil {
		return 0, false
	}
	skip := n.Int64()
	for i := l.First; ; i += dkg.Index(l.Step) {
		if !free(i) {
			continue
		}
		if skip == 0 {
			return i, true
		}
		skip--
	}
}

// ask makes a joiner's request for an index and posts it.
func (a Asking) ask(me Self, l proto.Link, i dkg.Index, c Clock) (Asking, Change, error) {
	keys, err := l.Keys()
	if err != nil {
		return a, Change{}, err
	}
	if !slices.Contains(a.tried, i) {
		a.tried = append(slices.Clone(a.tried), i)
	}
	q := request{kind: proto.Join, counter: a.next(c), index: i, ticket: suite.NewKEMSecret(me.Suite.KEM()), made: c.Age}
	q.binding = proto.NewBinding(me.Space, i, me.Rest.Hash(), keys.Admission, me.Signing)
	x := q.asked(me).Sign(me.Signing, me.Space)
	q.id, q.signature = x.ID(), x.Signature
	a = a.remember(q)
	if n := len(a.requests); n > maxKeys {
		a.requests = a.requests[n-maxKeys:]
	}
	return a.post(me, keys, c)
}

// post seals the newest request anew: the same bytes would be a duplicate to those who know it.
func (a Asking) post(me Self, keys proto.InviteKeys, c Clock) (Asking, Change, error) {
	q := a.requests[len(a.requests)-1]
	frame := q.asked(me).Seal(me.Space, suite.NewAEAD(keys.RequestKey), keys.Tag).Frame()
	a.posted, a.wait = c.Wall, min(max(firstWait, 2*a.wait), longestWait)
	return a, Change{Post: frame}, nil
}

// expire notes that the lifetime of a link is over, and ends asking 7 days later.
func (a Asking) expire(l proto.Link, c Clock) (Asking, Change) {
	if l.Expires == 0 || uint64(c.Wall) < uint64(l.Expires)*uint64(hour) {
		return a, Change{}
	}
	if !a.over {
		a.over, a.overAt = true, c.Age
		return a.hint(proto.HintExpired)
	}
	if c.Age-a.overAt >= afterEnd {
		return a.end(dead, c)
	}
	return a, Change{}
}

// hint tells of a hint, and doubles the wait once for each kind.
func (a Asking) hint(r proto.HintReason) (Asking, Change) {
	if bit := uint8(1) << r; a.hints&bit == 0 {
		a.hints |= bit
		a.wait = min(2*a.wait, longestWait)
	}
	return a, Change{Hint: r}
}

// end ends asking without a ticket. Seed and keys go. Who was a member before asks on as one.
func (a Asking) end(how outcome, c Clock) (Asking, Change) {
	a.ended, a.requests, a.goneAt, a.seedGone = how, nil, c.Age, true
	a.joining = a.joining && a.firstAt == 0
	return a, Change{Refused: a.Over(), EraseSeed: true, KeyGone: true}
}

// due reports whether a wait since a time of the wall clock is over, also if the clock stands more than an hour before it.
func due(c Clock, since, wait Millis) bool { return c.Wall-since >= wait || c.Wall < since-hour }

// waiting tells after an hour, a day, and then each day that nobody has answered.
func (a Asking) waiting(c Clock) (Asking, Millis) {
	next := firstWait
	if a.told > 0 {
		next = Millis(a.told) * day
	}
	if c.Wall < a.since-hour {
		a.since, a.told = c.Wall, 0 // the clock was set back: count anew
		return a, 0
	}
	if c.Wall-a.since < next {
		return a, 0
	}
	a.told++
	if passed := (c.Wall - a.since) / day; passed > Millis(a.told) {
		a.told = uint32(passed) + 1 // once for a long absence
	}
	return a, a.since
}
