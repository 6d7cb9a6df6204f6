package ratchet

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Limits of sender chains (§7). A sender can make others derive and keep this much, per epoch, and no more.
const (
	// maxSkip is how many messages of a chain one message may leave out: two steps of HMAC each, about a millisecond.
	maxSkip = 2_000
	// maxSkipped is how many keys of messages left out are held per chain, 36 bytes each.
	maxSkipped = 2_000
	// recentWindow is for how many numbers read last a chain remembers what was read.
	recentWindow = 8
)

// chain is the message ratchet of one sender in one epoch. It is immutable.
type chain struct {
	index     dkg.Index
	next      uint32         // number of the next message
	key       secret.Bytes   // chain key at next
	firstKept uint32         // below it no key is held; it was read or dropped
	skipped   []skippedKey   // ascending, all from floor up and below next
	recent    []recentNumber // what was read last, newest last
}

type skippedKey struct {
	n   uint32
	key secret.Bytes
}

// tag is a short hash of a headerCT. It tells a duplicate from another message of the same number; nothing rests on it.
type tag [8]byte

func tagOf(headerCT []byte) tag {
	h := suite.Hash(headerCT)
	return tag(h[:8])
}

type recentNumber struct {
	n   uint32
	tag tag
}

// take returns the key of message n and the chain after it was read. Skipped numbers in between get a key of their own,
// found only by their own header.
func (c chain) take(n uint32, m tag) (next chain, key secret.Bytes, err error) {
	switch {
	case n < c.next:
		i, ok := slices.BinarySearchFunc(c.skipped, n, func(s skippedKey, n uint32) int { return cmp.Compare(s.n, n) })
		if !ok {
			return c, secret.Bytes{}, c.missing(n, m)
		}
		key = c.skipped[i].key
		c.skipped = slices.Delete(slices.Clone(c.skipped), i, i+1)
	case n-c.next > maxSkip || n == ^uint32(0):
		return c, secret.Bytes{}, outcome.ErrLimit
	default:
		if n > c.next {
			c.skipped = append(make([]skippedKey, 0, len(c.skipped)+int(n-c.next)), c.skipped...)
		}
		for ; c.next < n; c.next++ {
			c.key, key = suite.StepChain(c.key)
			c.skipped = append(c.skipped, skippedKey{c.next, key})
		}
		c.key, key = suite.StepChain(c.key)
		c.next = n + 1
		if over := len(c.skipped) - maxSkipped; over > 0 {
			c.firstKept = c.skipped[over-1].n + 1
			c.skipped = slices.Clone(c.skipped[over:])
		}
	}
	c.recent = append(make([]recentNumber, 0, recentWindow+1), c.recent...)
	c.recent = append(c.recent, recentNumber{n, m})
	if len(c.recent) > recentWindow {
		c.recent = c.recent[1:]
	}
	return c, key, nil
}

// missing says why there is no key for a number below next.
func (c chain) missing(n uint32, m tag) error {
	for _, s := range c.recent {
		if s.n != n {
			continue
		}
		if s.tag == m {
			return outcome.ErrDuplicate
		}
		return outcome.ErrSenderRolledBack
	}
	if n < c.firstKept {
		return outcome.ErrExpired
	}
	return outcome.ErrDuplicate
}

// encode writes the chain.
func (c chain) encode(e *state.Encoder) {
	e.Uint32(uint32(c.index))
	e.Uint32(c.next)
	e.Fixed(c.key.Expose())
	e.Uint32(c.firstKept)
	e.Uint32(uint32(len(c.skipped)))
	for _, s := range c.skipped {
		e.Uint32(s.n)
		e.Fixed(s.key.Expose())
	}
	e.Uint8(uint8(len(c.recent)))
	for _, s := range c.recent {
		e.Uint32(s.n)
		e.Fixed(s.tag[:])
	}
}

// decodeChain reads what encode wrote.
func decodeChain(d *state.Decoder) (c chain, err error) {
	c.index = dkg.Index(d.Uint32())
	c.next = d.Uint32()
	c.key = secret.Own(d.Fixed(suite.KeySize))
	c.firstKept = d.Uint32()
	c.skipped = make([]skippedKey, d.Count(maxSkipped, 4+suite.KeySize))
	last := int64(c.firstKept) - 1
	for i := range c.skipped {
		s := skippedKey{d.Uint32(), secret.Own(d.Fixed(suite.KeySize))}
		if int64(s.n) <= last || s.n >= c.next {
			return chain{}, segmap.ErrDisorder
		}
		last = int64(s.n)
		c.skipped[i] = s
	}
	n := d.Uint8()
	if n > recentWindow {
		return chain{}, segmap.ErrDisorder
	}
	for range n {
		s := recentNumber{n: d.Uint32()}
		d.Into(s.tag[:])
		c.recent = append(c.recent, s)
	}
	return c, d.Err()
}

// chainBlock holds the chains of 16 neighbouring members, and the part of the sender tree below which the others of them
// begin. Because a leaf of the whole tree is a leaf of that part, the tree itself changes only once per block.
type chainBlock struct {
	no     uint32
	tree   pprf.Frontier
	chains []chain // ascending
}

// blockPath is the path of member i below the root of its block's tree.
func blockPath(i dkg.Index) []byte { return []byte{byte(i << (8 - segmap.IndexBits))} }

func blockOf(i dkg.Index) uint32 { return uint32(i) >> segmap.IndexBits }

func (b chainBlock) find(i dkg.Index) (int, bool) {
	return slices.BinarySearchFunc(b.chains, i, func(c chain, i dkg.Index) int { return cmp.Compare(c.index, i) })
}

// chain returns the chain of member i and the block that holds it. It begins with the first message.
func (b chainBlock) chain(i dkg.Index) (chain, chainBlock, error) {
	at, ok := b.find(i)
	if ok {
		return b.chains[at], b, nil
	}
	key, tree, err := b.tree.Eval(blockPath(i))
	if err != nil {
		return chain{}, b, outcome.ErrExpired
	}
	c := chain{index: i, key: key}
	b.tree, b.chains = tree, slices.Insert(slices.Clone(b.chains), at, c)
	return c, b, nil
}

// with returns the block with c in place of the chain of the same member.
func (b chainBlock) with(c chain) chainBlock {
	at, _ := b.find(c.index)
	b.chains = slices.Clone(b.chains)
	b.chains[at] = c
	return b
}

func (b chainBlock) Key() segmap.Key { return segmap.Key{Block: b.no} }

// Encode implements state.Piece.
func (b chainBlock) Encode(e *state.Encoder) {
	e.Uint32(b.no)
	e.Bytes(b.tree.Encode())
	e.Uint32(uint32(len(b.chains)))
	for _, c := range b.chains {
		c.encode(e)
	}
}

// Decode implements state.Piece.
func (chainBlock) Decode(d *state.Decoder) (b chainBlock, err error) {
	b.no = d.Uint32()
	if b.tree, err = pprf.Decode(d.Bytes(pprf.MaxSize), segmap.IndexBits); err != nil {
		return chainBlock{}, err
	}
	for range d.Count(1<<segmap.IndexBits, 1) {
		c, err := decodeChain(d)
		if err != nil {
			return chainBlock{}, err
		}
		if n := len(b.chains); n > 0 && b.chains[n-1].index >= c.index || blockOf(c.index) != b.no {
			return chainBlock{}, segmap.ErrDisorder
		}
		b.chains = append(b.chains, c)
	}
	if len(b.chains) == 0 {
		return chainBlock{}, wire.ErrMalformed
	}
	return b, d.Err()
}
