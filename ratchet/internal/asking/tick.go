package asking

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Tick does what is due: it posts the request of a joiner anew, says that nobody has answered, ends what is over, and erases keys
// whose time is over. Link is the joiner's, with its seed; the zero Link once that is erased. Unread says that something waits to
// be read from before the last request, so that another branch may answer it yet (D53).
func (a Asking) Tick(me Self, l proto.Link, unread bool, c Clock) (Asking, Change, error) {
	switch {
	case a.joining && a.ended != open:
		return a, Change{}, nil
	case a.joining:
		return a.tickJoiner(me, l, c)
	}
	var out Change
	a, out.KeyGone = a.erase(unread, c)
	if !a.seedGone && a.entered && l.Kind == dkg.Public && c.Age-a.firstAt >= seedOfRun {
		a.seedGone, out.EraseSeed = true, true
	}
	if n := len(a.requests); n > 0 && a.requests[n-1].kind == proto.Resync && !a.requests[n-1].answered {
		if a.ended == open {
			a, out.StillWaiting = a.waiting(c)
		}
		out.Ask = due(c, a.posted, a.wait)
		if c.Age-a.requests[n-1].made >= keyUnheard {
			a.requests = slices.Delete(slices.Clone(a.requests), n-1, n)
			if out.Ask = true; len(a.requests) == 0 {
				a.goneAt, out.KeyGone = c.Age, true
			}
		}
	} else if a.ended != open {
		out.Ask = due(c, a.posted, longestWait)
	}
	return a, out, nil
}

func (a Asking) tickJoiner(me Self, l proto.Link, c Clock) (Asking, Change, error) {
	if a.firstAt > 0 && l.Kind == dkg.Public && c.Age-a.firstAt >= seedOfRun { // displaced: what it holds and the seed are the polynomial
		a, out := a.end(taken, c)
		return a, out, nil
	}
	a, out := a.expire(l, c)
	if out.Refused != nil {
		return a, out, nil
	}
	a, out.StillWaiting = a.waiting(c)
	if !due(c, a.posted, a.wait) {
		return a, out, nil
	}
	var post Change
	var err error
	if q := a.requests[len(a.requests)-1]; len(q.signature) == 0 || a.moveTo != 0 || a.hinted >= q.counter {
		index := cmp.Or(a.moveTo, q.index)
		a.moveTo = 0
		a, post, err = a.ask(me, l, index, c)
	} else {
		var keys proto.InviteKeys
		if keys, err = l.Keys(); err == nil {
			a, post, err = a.post(me, keys, c)
		}
	}
	out.Post = post.Post
	return a, out, err
}

// erase lets go of ticket keys whose time is over. It reports whether the last one went.
func (a Asking) erase(unread bool, c Clock) (Asking, bool) {
	if len(a.requests) == 0 {
		return a, false
	}
	last := len(a.requests) - 1
	kept := make([]request, 0, len(a.requests))
	for k, q := range a.requests {
		var over bool
		switch {
		case q.kind == proto.Join:
			over = c.Age-a.enterAt >= keyAfter || slices.ContainsFunc(a.requests, func(o request) bool { return o.kind == proto.Join && o.third })
		case q.answered:
			over = c.Age-q.first >= keyAfter || q.third && !unread
		default:
			over = k < last && c.Age-a.requests[k+1].made >= keyOfOlder
		}
		if !over {
			kept = append(kept, q)
		}
	}
	a.requests = kept
	if len(kept) == 0 {
		a.goneAt = c.Age
	}
	return a, len(kept) == 0
}

// Entered notes that a ticket for a request was entered: a joiner is let in, and keys for other indices go.
func (a Asking) Entered(n proto.Name, issuer dkg.Index, c Clock) Asking {
	at := a.find(n)
	if at < 0 {
		return a
	}
	index := a.requests[at].index
	a.requests = slices.Clone(a.requests)
	a.requests[at] = a.requests[at].withIssuer(issuer, c.Age)
	if q := a.requests[at]; a.Whose(q.id, q.counter) == Mine { // else a restored state asked it before
		a.floor = min(a.floor, q.counter)
	}
	if a.joining {
		a = a.letIn(index, c)
	}
	return a
}

// EnteredDirect notes that the ticket of a direct link was entered. The request stays: that ticket is as old as the link.
func (a Asking) EnteredDirect(issuer dkg.Index, c Clock) Asking {
	if !a.joining || len(a.requests) == 0 {
		return a
	}
	last := len(a.requests) - 1
	index := a.requests[last].index
	a.requests = slices.Clone(a.requests)
	a.requests[last] = a.requests[last].withIssuer(issuer, c.Age)
	return a.letIn(index, c)
}

func (a Asking) letIn(index dkg.Index, c Clock) Asking {
	a.joining, a.entered, a.enterAt, a.moveTo = false, true, c.Age, 0
	if a.firstAt == 0 {
		a.firstAt = c.Age
	}
	a.requests = slices.DeleteFunc(a.requests, func(q request) bool { return q.index != index })
	return a
}

// ReadFrom notes that a message of a member was read. One of a third member, neither oneself nor the issuer of a ticket, shows that
// the tickets have done their work: their keys go.
func (a Asking) ReadFrom(i, self dkg.Index, unread bool, c Clock) (Asking, Change) {
	if a.joining || i == self || !a.Merged() {
		return a, Change{}
	}
	third := func(q request) bool {
		_, issued := slices.BinarySearch(q.issuers, i)
		return q.answered && !q.third && !issued
	}
	if !slices.ContainsFunc(a.requests, third) {
		return a, Change{}
	}
	a.requests = slices.Clone(a.requests)
	for k, q := range a.requests {
		a.requests[k].third = q.third || third(q)
	}
	a, gone := a.erase(unread, c)
	return a, Change{KeyGone: gone}
}

// Listed notes that a notice lists the member, or that the seed is of no use for another reason: it is erased.
func (a Asking) Listed() (Asking, Change) {
	if a.seedGone || a.joining {
		return a, Change{}
	}
	a.seedGone = true
	return a, Change{EraseSeed: true}
}
