package double

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
)

// skipped holds the keys of messages that were passed over, by the header key of their chain, oldest first. It is
// immutable. A key is found by its own header key only (G13), and erased by the message that uses it (G16).
type skipped struct {
	buckets []bucket
	count   int
}

// bucket holds the skipped keys of one chain, in ascending order of number; it is never empty.
type bucket struct {
	header aead.Key
	keys   []skippedKey
}

type skippedKey struct {
	n    uint32
	keys messageKeys
}

func (k skippedKey) compare(o skippedKey) int { return cmp.Compare(k.n, o.n) }

// find returns the place of message n under a header key.
func (s skipped) find(header aead.Key, n uint32) (b, i int, ok bool) {
	for b := range s.buckets {
		if !s.buckets[b].header.Equal(header) {
			continue
		}
		if i, ok := s.buckets[b].search(n); ok {
			return b, i, true
		}
	}
	return 0, 0, false
}

func (b bucket) search(n uint32) (int, bool) {
	return slices.BinarySearchFunc(b.keys, n, func(k skippedKey, n uint32) int { return cmp.Compare(k.n, n) })
}

// without returns what is left when the key at a place is erased.
func (s skipped) without(b, i int) skipped {
	next := skipped{slices.Clone(s.buckets), s.count - 1}
	next.buckets[b].keys = slices.Delete(slices.Clone(s.buckets[b].keys), i, i+1)
	if len(next.buckets[b].keys) == 0 {
		next.buckets = slices.Delete(next.buckets, b, b+1)
	}
	return next
}

// with returns the keys and, as the newest, those of messages of the chain under a header key that were passed over now.
// Beyond the limit the oldest are dropped.
func (s skipped) with(header aead.Key, keys []skippedKey) skipped {
	if len(keys) == 0 {
		return s
	}
	next := skipped{slices.Clone(s.buckets), s.count + len(keys)}
	for b := range next.buckets {
		if at := &next.buckets[b]; at.header.Equal(header) {
			merged := at.merge(keys)
			next.count += len(merged) - len(at.keys) - len(keys)
			at.keys = merged
			return next.bounded()
		}
	}
	next.buckets = append(next.buckets, bucket{header, keys})
	return next.bounded()
}

// merge returns the keys of a chain together with those passed over now, which replace what a peer that keeps used keys may
// have left under the same number.
func (b bucket) merge(keys []skippedKey) []skippedKey {
	i, _ := b.search(keys[0].n)
	out := slices.Concat(b.keys[:i], keys)
	for _, k := range b.keys[i:] {
		if k.n > keys[len(keys)-1].n {
			out = append(out, k)
		}
	}
	return out
}

// newest moves the keys of the chain under a header key to the end. It may write to the slice of buckets.
func (s skipped) newest(header aead.Key) skipped {
	for i, b := range s.buckets {
		if b.header.Equal(header) {
			s.buckets = append(slices.Delete(s.buckets, i, i+1), b)
			break
		}
	}
	return s
}

// bounded drops the oldest keys beyond the limit. It may write to the slice of buckets, not to what is in them.
func (s skipped) bounded() skipped {
	for s.count > MaxSkip {
		first := &s.buckets[0]
		n := min(s.count-MaxSkip, len(first.keys))
		s.count -= n
		if n == len(first.keys) {
			s.buckets = s.buckets[1:]
		} else {
			first.keys = slices.Clone(first.keys[n:])
		}
	}
	return s
}
