package epochs

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Near yields the preferred epoch and its nearest ancestors, nearest first.
func (f Forest) Near(yield func(Epoch) bool) {
	left := near
	for e := range f.Line(f.preferred) {
		if !yield(e) || left == 0 {
			return
		}
		left--
	}
}

// Keys returns the keys that may open message n of a member in an epoch, in the order in which they are to be tried. It returns
// ErrUnknown, ErrNone, ErrDuplicate, ErrRolledBack, ErrExpired, ErrSkips or ErrBelowStart.
func (f Forest) Keys(id proto.EpochID, i dkg.Index, n uint32, tag Tag) ([]MessageKey, error) {
	e, ok := f.Epoch(id)
	if !ok {
		return nil, ErrUnknown
	}
	return e.Keys(i, n, tag)
}

// Keys is Forest.Keys of an epoch at hand, which may be a candidate.
func (e Epoch) Keys(i dkg.Index, n uint32, tag Tag) ([]MessageKey, error) {
	at, err := e.senders.chain(i, e.depth)
	if err != nil {
		return nil, err
	}
	keys, err := at.chain.keys(n, tag)
	if at.began && len(keys) > 0 {
		began := &beginning{at, e.pieces.senders}
		for k := range keys {
			keys[k].began = began
		}
	}
	return keys, err
}

// Read returns the forest after a message was opened with one of the keys that Keys returned and was verified: its number is
// used up in every word, and its sender was heard in the epoch and above.
func (f Forest) Read(id proto.EpochID, i dkg.Index, n uint32, k MessageKey, tag Tag, now Millis) (Forest, Change) {
	e, ok := f.Epoch(id)
	if !ok {
		return f, Change{}
	}
	at, err := k.chain(e, i)
	if err != nil {
		return f, Change{}
	}
	kept := at.chain.keptKeys()
	if at.began {
		f = f.pass(e.parent, f.serial, func(m Maker) bool { return m.Index == i })
	}
	at.chain = at.chain.without(n, k, tag)
	f = f.use(e, at)
	if at.chain.keptKeys() > kept {
		f = f.trimKept(i)
	}
	if len(e.heard) == maxHeard || slices.Contains(e.heard, i) {
		return f, Change{}
	}
	return f.hear(id, i).settle(Change{}, now) // somebody new was heard, which may end that an epoch is alone
}

// use returns the forest with a chain that moved.
func (f Forest) use(e Epoch, at standing) Forest {
	e.senders = at.senders
	e.senders.chains = at.senders.chains.with(at.chain)
	if at.began {
		e = e.stowSenders()
	}
	e.seen++
	return f.put(e)
}

// hear notes that a member was read, or sent, in an epoch.
func (f Forest) hear(id proto.EpochID, i dkg.Index) Forest {
	for e := range f.Line(id) {
		next, changed := e.hear(i, f.own)
		if !changed {
			break
		}
		f = f.put(next)
	}
	return f
}

// Send returns the number and the key of the member's next message in an epoch, and the forest after it was sent. It returns
// ErrUnknown, or ErrNone if the own chain is not known.
func (f Forest) Send(id proto.EpochID, tagOf func(n uint32) Tag) (Forest, uint32, secret.Bytes, error) {
	e, ok := f.Epoch(id)
	if !ok {
		return f, 0, secret.Bytes{}, ErrUnknown
	}
	at, err := e.senders.chain(f.own, e.depth)
	c := at.chain
	if err != nil || len(c.words) == 0 {
		return f, 0, secret.Bytes{}, ErrNone
	}
	n := c.next()
	for _, w := range c.words {
		n = max(n, w.next)
	}
	tag := tagOf(n)
	keys, err := c.keys(n, tag)
	if err != nil {
		return f, 0, secret.Bytes{}, ErrNone
	}
	at.chain = c.without(n, keys[0], tag)
	return f.use(e, at).hear(id, f.own), n, keys[0].Key, nil
}

// Sent returns how many messages the member sent in an epoch.
func (f Forest) Sent(id proto.EpochID) uint32 {
	e, _ := f.Epoch(id)
	return e.sentBy(f.own)
}

// sentBy returns how many messages a member has sent in the epoch. Of the zero Epoch it returns 0.
func (e Epoch) sentBy(own dkg.Index) uint32 {
	if e.meta == nil {
		return 0
	}
	c, _ := e.senders.chains.get(own)
	if len(c.words) == 0 {
		return 0
	}
	return c.next()
}

// keptKeys returns how many keys of numbers passed over the chain keeps.
func (c chain) keptKeys() (n int) {
	for _, w := range c.words {
		n += w.kept.size
	}
	return n
}

// trimKept returns the forest with at most maxKeptOfSender keys of one sender: those of the oldest epochs go first, the smallest
// numbers of each first.
func (f Forest) trimKept(i dkg.Index) Forest {
	total := 0
	var holders []Epoch // the newest first
	for e := range f.All() {
		if c, ok := e.senders.chains.get(i); ok && c.keptKeys() > 0 {
			total += c.keptKeys()
			holders = append(holders, e)
		}
	}
	for k := len(holders) - 1; k >= 0 && total > maxKeptOfSender; k-- {
		e := holders[k]
		c, _ := e.senders.chains.get(i)
		before := c.keptKeys()
		c = c.giveUp(total - maxKeptOfSender)
		total -= before - c.keptKeys()
		e.senders.chains = e.senders.chains.with(c)
		f = f.put(e)
	}
	return f
}

// giveUp returns the chain with that many keys less, or with none.
func (c chain) giveUp(n int) chain {
	words := make([]chainWord, len(c.words))
	for i, w := range c.words {
		less := min(n, w.kept.size)
		n -= less
		var end uint32
		w.kept, end = w.kept.trim(w.kept.size - less)
		if c.derived {
			c.given = max(c.given, end)
		}
		words[i] = w
	}
	c.words = words
	return c
}

// HasPlace reports whether the place of a commit from an epoch is known in some word of it.
func (e Epoch) HasPlace(maker dkg.Index, place proto.Place) bool {
	return e.covers(e.path(maker, place))
}

// Words reports who told the words of an epoch's commit tree that were not dropped since, ascending; nobody of a derived one.
func (e Epoch) Words() []dkg.Index {
	if e.derived {
		return nil
	}
	return e.commits.told.Issuers()
}

// ChainWords reports who told the words of a member's chain, ascending, and whether the chain is derived.
func (e Epoch) ChainWords(i dkg.Index) (issuers []dkg.Index, derived bool) {
	if c, ok := e.senders.chains.get(i); ok {
		for _, w := range c.words {
			issuers = mergeIndices(issuers, w.issuers)
		}
		return issuers, c.derived
	}
	if e.derived {
		return nil, true
	}
	for _, v := range e.senders.told.Candidates(pprf.Path(i, e.depth, nil)) {
		for _, s := range v.From {
			issuers = mergeIndices(issuers, []dkg.Index{s.Issuer})
		}
	}
	return issuers, false
}
