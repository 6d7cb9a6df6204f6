package epochs

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Limits of chains (§7). An honest sender commits after at most 1,000 messages in an epoch.
const (
	// maxSkip is how many numbers one message may pass over: two milliseconds of HMAC.
	maxSkip = 2_000
	// maxKept is how many keys of numbers passed over are kept of one chain, 32 bytes each.
	maxKept = 2_000
	// maxKeptOfSender is how many are kept of one sender in all epochs.
	maxKeptOfSender = 20_000
	// maxSteps is how far a chain is moved that starts far below what was read already: 80 ms of HMAC. The chain of a sender
	// that numbered on beyond is given up.
	maxSteps = 1 << 16
	// recentNumbers is for how many numbers a chain knows a duplicate from another message.
	recentNumbers = 8
	// maxIntervals bounds what a told chain remembers of the numbers read.
	maxIntervals = 1_024
)

// Tag is 8 bytes of the hash of a sealed header. It tells a duplicate from another message with its number; no secret rests
// on it.
type Tag [8]byte

// chain is the message ratchet of one sender in one epoch. It is immutable. A derived chain has one word, which starts at 0 and
// has no issuers; a told one has up to maxChainWords.
type chain struct {
	index   dkg.Index
	derived bool
	given   uint32      // keys of lower numbers were given up, or read
	recent  []recent    // what was read last, newest last
	read    []interval  // of a told chain the numbers read, ascending, with a gap between any two
	words   []chainWord // oldest first
}

type recent struct {
	n   uint32
	tag Tag
}

// interval holds the numbers from first up to and without end.
type interval struct{ first, end uint32 }

// MessageKey is a key that may open a message. Several words of a told chain give several.
type MessageKey struct {
	Key    secret.Bytes // 32 bytes
	word   int          // that gave it
	behind secret.Bytes // the chain key behind its number; empty if the key was kept
	began  *beginning   // nil if its chain had begun before
}

// standing is a chain, and the senders in which it has begun.
type standing struct {
	chain   chain
	senders senders
	began   bool // just now
}

// beginning is a chain that began when a key of it was asked for, so that it need not begin again when the key is used.
type beginning struct {
	standing
	in state.Segment[storedSenders] // the senders in which it had not begun, as they are stored
}

// chain returns the chain of a key in an epoch.
func (k MessageKey) chain(e Epoch, i dkg.Index) (standing, error) {
	if b := k.began; b != nil && b.chain.index == i && !b.in.IsZero() && b.in == e.pieces.senders {
		return b.standing, nil
	}
	return e.senders.chain(i, e.depth)
}

// next returns one more than the greatest number read.
func (c chain) next() uint32 {
	switch {
	case c.derived:
		return c.words[0].next
	case len(c.read) > 0:
		return c.read[len(c.read)-1].end
	}
	return 0
}

// wasUsed reports whether any message was read, or sent, in the chain.
func (c chain) wasUsed() bool {
	return len(c.read) > 0 || c.derived && len(c.words) > 0 && c.words[0].next > 0
}

// wasRead reports whether a number was read in a told chain.
func (c chain) wasRead(n uint32) bool {
	return slices.ContainsFunc(c.read, func(i interval) bool { return i.first <= n && n < i.end })
}

// keys returns the keys of a number, in the order in which they are to be tried.
func (c chain) keys(n uint32, tag Tag) (keys []MessageKey, err error) {
	if err := c.missing(n, tag); err != nil {
		return nil, err
	}
	err = ErrBelowStart
	for i, w := range c.words {
		if n < w.start {
			continue
		}
		k, stepErr := w.keyOf(n)
		if stepErr != nil {
			err = stepErr
			continue
		}
		k.word = i
		if w.last {
			keys = slices.Insert(keys, 0, k)
		} else {
			keys = append(keys, k)
		}
	}
	if len(keys) > 0 {
		return keys, nil
	}
	return nil, err
}

// missing says why a number has no key in any word.
func (c chain) missing(n uint32, tag Tag) error {
	for _, r := range c.recent {
		switch {
		case r.n == n && r.tag == tag:
			return ErrDuplicate
		case r.n == n:
			return ErrRolledBack
		}
	}
	switch {
	case n == ^uint32(0):
		return ErrSkips
	case c.derived && (n >= c.words[0].next || !c.words[0].kept.get(n).IsZero()), !c.derived && n >= c.given && !c.wasRead(n):
		return nil
	case n < c.given:
		return ErrExpired
	}
	return ErrDuplicate
}

// without returns the chain after a message was read, or sent, with a key of keys: its number is used up in all words (D75).
func (c chain) without(n uint32, k MessageKey, tag Tag) chain {
	words := make([]chainWord, 0, len(c.words))
	for i, w := range c.words {
		w.last = i == k.word
		w.opened = w.opened || w.last
		var behind secret.Bytes
		if w.last {
			behind = k.behind
		}
		var ok bool
		if w, ok = w.use(n, behind); ok {
			words = append(words, w)
		}
	}
	c.words = words
	if !c.derived {
		c = c.note(n)
	}
	c = c.trim()
	c.recent = append(slices.Clone(c.recent), recent{n, tag})
	if len(c.recent) > recentNumbers {
		c.recent = c.recent[1:]
	}
	return c
}

// trim returns the chain with at most maxKept keys in each word.
func (c chain) trim() chain {
	for i := range c.words {
		var end uint32
		c.words[i].kept, end = c.words[i].kept.trim(maxKept)
		if c.derived {
			c.given = max(c.given, end)
		}
	}
	return c
}

// note returns a told chain that remembers a number as read.
func (c chain) note(n uint32) chain {
	at := 0
	for at < len(c.read) && c.read[at].end < n {
		at++
	}
	read := slices.Clone(c.read)
	switch {
	case at == len(read) || n+1 < read[at].first:
		read = slices.Insert(read, at, interval{n, n + 1})
	case n+1 == read[at].first:
		read[at].first = n
	case n == read[at].end:
		read[at].end = n + 1
		if at+1 < len(read) && read[at+1].first == n+1 {
			read[at].end = read[at+1].end
			read = slices.Delete(read, at+1, at+2)
		}
	}
	if len(read) > maxIntervals { // what lies between the first two is given up
		c.given = read[1].first
		read[1].first = read[0].first
		read = read[1:]
		for i := range c.words {
			c.words[i] = c.words[i].forget(c.given)
		}
	}
	c.read = read
	return c
}

// derive returns the chain of the true key 0 in place of what was told of it: numbers that were read are used up in it. It is
// not ok if they lie beyond maxSteps.
func (c chain) derive(key secret.Bytes) (chain, bool) {
	w, ok := chainWord{key: key}.past(c)
	c.derived, c.words = true, []chainWord{w}
	c = c.trim()
	c.given = max(c.given, w.dropped)
	c.words[0].dropped = 0
	c.read = nil
	return c, ok
}

// step moves a chain by one number.
func step(key secret.Bytes) (next, message secret.Bytes) { return suite.StepChain(key) }
