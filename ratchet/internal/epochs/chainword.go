package epochs

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
)

// chainWord is what one or more members said of a chain, or what is known of a derived one.
type chainWord struct {
	issuers []dkg.Index // ascending; none of a derived chain
	counter uint64      // of the latest request that was answered with it
	start   uint32      // the first number that it could ever give
	next    uint32      // number at which key stands
	key     secret.Bytes
	kept    keptKeys // of lower numbers that were not read
	opened  bool     // a message
	last    bool     // the message that was read last
	dropped uint32   // while it is moved: keys below were given up
}

// keyOf returns the key of a number from start on.
func (w chainWord) keyOf(n uint32) (k MessageKey, err error) {
	if n < w.next {
		if k.Key = w.kept.get(n); k.Key.IsZero() {
			return MessageKey{}, ErrExpired
		}
		return k, nil
	}
	if n-w.next > maxSkip {
		return MessageKey{}, ErrSkips
	}
	key := w.key
	for range n - w.next {
		key, _ = step(key)
	}
	k.behind, k.Key = step(key)
	return k, nil
}

// use returns the word without the key of a number. Behind is the chain key behind it, if that is known already. It is not ok if the
// word would have to be moved by more than maxSteps.
func (w chainWord) use(n uint32, behind secret.Bytes) (chainWord, bool) {
	if n < w.next {
		w.kept = w.kept.without(n)
		return w, true
	}
	w, ok := w.moveTo(n, func(uint32) bool { return true })
	if !ok {
		return w, false
	}
	if behind.IsZero() {
		behind, _ = step(w.key)
	}
	w.key = behind
	w.next++
	return w, true
}

// moveTo returns the word whose key stands at n, with the keys of those numbers passed over that are wanted, the last maxKept.
func (w chainWord) moveTo(n uint32, wanted func(uint32) bool) (chainWord, bool) {
	if n <= w.next {
		return w, true
	}
	if n-w.next > maxSteps {
		return w, false
	}
	first := w.next
	keys := make([]secret.Bytes, 0, min(n-w.next, maxKept))
	for ; w.next < n; w.next++ {
		var message secret.Bytes
		w.key, message = step(w.key)
		if n-w.next > maxKept {
			first, w.dropped = w.next+1, w.next+1
			continue
		}
		if !wanted(w.next) {
			message = secret.Bytes{}
		}
		keys = append(keys, message)
	}
	w.kept = w.kept.with(first, keys)
	return w, true
}

// past returns the word after everything that was read in a chain was used up in it. It is not ok beyond maxSteps.
func (w chainWord) past(c chain) (chainWord, bool) {
	return w.moveTo(c.next(), func(n uint32) bool {
		return n >= c.given && (c.derived || !c.wasRead(n))
	})
}

// forget returns the word without kept keys of numbers below n.
func (w chainWord) forget(n uint32) chainWord {
	for k := range w.kept.all {
		if k >= n {
			break
		}
		w.kept = w.kept.without(k)
	}
	return w
}

// tell returns the chain after a member answered the request of that counter with a chain key at a number. Nothing changes
// in a derived chain, and by an answer to a request before the one that the member answered last.
func (c chain) tell(issuer dkg.Index, counter uint64, next uint32, key secret.Bytes) chain {
	if c.derived {
		return c
	}
	told := chainWord{issuers: []dkg.Index{issuer}, counter: counter, start: next, next: next, key: key}
	var words []chainWord
	for _, w := range c.words {
		if at, stands := slices.BinarySearch(w.issuers, issuer); stands {
			if w.counter > counter {
				return c
			}
			w.issuers = slices.Delete(slices.Clone(w.issuers), at, at+1)
		}
		if len(w.issuers) > 0 {
			words = append(words, w)
		}
	}
	c.words = words
	for i, w := range c.words {
		if w.derives(told) {
			c.words[i] = w.join(told, c)
			return c
		}
	}
	if len(c.words) == pprf.MaxWords {
		i := c.weakest(counter)
		if i < 0 {
			return c
		}
		c.words = slices.Delete(c.words, i, i+1)
	}
	if told, ok := told.past(c); ok {
		told.dropped = 0
		c.words = append(c.words, told)
	}
	return c
}

// weakest returns the place of the oldest word of an earlier request than counter that opened nothing, -1 if there is none.
func (c chain) weakest(counter uint64) int {
	return slices.IndexFunc(c.words, func(w chainWord) bool { return w.counter < counter && !w.opened })
}

// derives reports whether one of two words leads to the other within maxSkip steps.
func (w chainWord) derives(o chainWord) bool {
	if w.next > o.next {
		w, o = o, w
	}
	if o.next-w.next > maxSkip {
		return false
	}
	key := w.key
	for range o.next - w.next {
		key, _ = step(key)
	}
	return key.Equal(o.key)
}

// join returns one word of two that derive one another, with the lower start. Told is the newer one.
func (w chainWord) join(told chainWord, c chain) chainWord {
	w.counter = max(w.counter, told.counter)
	at, _ := slices.BinarySearchFunc(w.issuers, told.issuers[0], cmp.Compare)
	w.issuers = slices.Insert(slices.Clone(w.issuers), at, told.issuers[0])
	if told.start >= w.start {
		return w
	}
	lower, ok := chainWord{start: told.start, next: told.next, key: told.key}.moveTo(w.next, func(n uint32) bool {
		return n >= c.given && !c.wasRead(n)
	})
	if ok {
		w.start, w.kept = lower.start, lower.kept
	}
	return w
}
