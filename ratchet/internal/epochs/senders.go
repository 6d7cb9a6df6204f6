package epochs

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// chains are those begun in one epoch, in leaves of 4 neighbouring indices and groups of 8 leaves, so that a message writes
// about 1.5 KB for 100 senders and 3 KB for 1,000.
type chains struct{ groups segmap.Map[chainGroup] }

// Binary logarithms of how many indices a leaf and a group span.
const (
	chainLeafBits  = 2
	chainGroupBits = 5
)

type chainGroup struct {
	no     uint32
	leaves segmap.Map[chainLeaf]
}

// chainLeaf holds chains, and of a derived epoch the part of the sender tree below which the others of the leaf begin: the
// tree above it changes once for each leaf.
type chainLeaf struct {
	no     uint32
	tree   pprf.Frontier // of chainLeafBits; used up in a told epoch
	chains []chain       // ascending, none missing
}

func (g chainGroup) Key() segmap.Key { return segmap.Key{Block: g.no} }
func (l chainLeaf) Key() segmap.Key  { return segmap.Key{Block: l.no} }

func leafOf(i dkg.Index) uint32 { return uint32(i) >> chainLeafBits }

// leafPath is the path of an index below the root of its leaf.
func leafPath(i dkg.Index) []byte { return []byte{byte(i << (8 - chainLeafBits))} }

func (c chains) leaf(no uint32) (chainLeaf, bool) {
	g, ok := c.groups.Get(segmap.Key{Block: no >> (chainGroupBits - chainLeafBits)})
	if !ok {
		return chainLeaf{}, false
	}
	return g.leaves.Get(segmap.Key{Block: no})
}

func (c chains) withLeaf(l chainLeaf) chains {
	no := l.no >> (chainGroupBits - chainLeafBits)
	g, _ := c.groups.Get(segmap.Key{Block: no})
	g.no = no
	g.leaves = g.leaves.Put(l)
	return chains{c.groups.Put(g)}
}

// get returns the chain of an index that has begun.
func (c chains) get(i dkg.Index) (chain, bool) {
	l, ok := c.leaf(leafOf(i))
	if !ok {
		return chain{}, false
	}
	at, ok := l.find(i)
	if !ok {
		return chain{}, false
	}
	return l.chains[at], true
}

// with returns the chains with some of them, in ascending order of indices. A leaf that was not there has no tree.
func (c chains) with(list ...chain) chains {
	for len(list) > 0 {
		no := uint32(list[0].index) >> chainGroupBits
		g, _ := c.groups.Get(segmap.Key{Block: no})
		g.no = no
		for len(list) > 0 && uint32(list[0].index)>>chainGroupBits == no {
			l, ok := g.leaves.Get(segmap.Key{Block: leafOf(list[0].index)})
			if !ok {
				l = chainLeaf{no: leafOf(list[0].index), tree: pprf.UsedUp(chainLeafBits)}
			}
			l.chains = append(make([]chain, 0, 1<<chainLeafBits), l.chains...)
			for len(list) > 0 && leafOf(list[0].index) == l.no {
				l = l.set(list[0])
				list = list[1:]
			}
			g.leaves = g.leaves.Put(l)
		}
		c = chains{c.groups.Put(g)}
	}
	return c
}

// all calls yield with each chain, in ascending order of indices.
func (c chains) all(yield func(chain) bool) {
	for g := range c.groups.All() {
		for l := range g.leaves.All() {
			for _, ch := range l.chains {
				if !yield(ch) {
					return
				}
			}
		}
	}
}

func (l chainLeaf) find(i dkg.Index) (int, bool) {
	return slices.BinarySearchFunc(l.chains, i, func(c chain, i dkg.Index) int { return cmp.Compare(c.index, i) })
}

// set puts a chain into a leaf whose list is its own.
func (l chainLeaf) set(c chain) chainLeaf {
	at, ok := l.find(c.index)
	if ok {
		l.chains[at] = c
	} else {
		l.chains = slices.Insert(l.chains, at, c)
	}
	return l
}

// senders are the chains of one epoch and the tree from which the others begin: derived down to the roots of leaves, or told.
type senders struct {
	derived bool
	tree    pprf.Frontier // derived
	told    pprf.Told     // told; all of it
	chains  chains
}

// newSenders returns the senders of a derived epoch.
func newSenders(root secret.Bytes, depth int) senders {
	return senders{derived: true, tree: pprf.New(root, depth-chainLeafBits)}
}

// chain returns the chain of an index, which begins if it had not. It returns ErrNone if nothing is known of it.
func (s senders) chain(i dkg.Index, depth int) (chain, senders, error) {
	if c, ok := s.chains.get(i); ok {
		return c, s, nil
	}
	if s.derived {
		return s.begin(i, depth)
	}
	return s.beginTold(i, depth)
}

// begin takes the leaf of an index out of the derived tree.
func (s senders) begin(i dkg.Index, depth int) (chain, senders, error) {
	l, ok := s.chains.leaf(leafOf(i))
	if !ok {
		root, tree, err := s.tree.Eval(pprf.Path(dkg.Index(leafOf(i)), depth-chainLeafBits, nil))
		if err != nil {
			return chain{}, s, ErrNone
		}
		s.tree = tree
		l = chainLeaf{no: leafOf(i), tree: pprf.New(root, chainLeafBits)}
	}
	key, tree, err := l.tree.Eval(leafPath(i))
	if err != nil {
		return chain{}, s, ErrNone
	}
	l.tree = tree
	c := chain{index: i, derived: true, words: []chainWord{{key: key}}}
	l.chains = slices.Clone(l.chains)
	s.chains = s.chains.withLeaf(l.set(c))
	return c, s, nil
}

// beginTold takes the leaf of an index out of the told tree.
func (s senders) beginTold(i dkg.Index, depth int) (chain, senders, error) {
	path := pprf.Path(i, depth, nil)
	if !s.told.Covers(path) {
		return chain{}, s, ErrNone
	}
	c := s.toldChain(i, path)
	s.told = s.told.Puncture(path)
	s.chains = s.chains.with(c)
	return c, s, nil
}

// toldChain returns the chain of which each value of a leaf is a word.
func (s senders) toldChain(i dkg.Index, path []byte) chain {
	c := chain{index: i}
	for _, v := range s.told.Candidates(path) {
		for _, from := range v.From {
			c = c.tell(from.Issuer, from.Counter, 0, v.Value)
		}
	}
	return c
}

// tell returns the senders of a told epoch after a member answered a request with a sender tree and chains, in ascending order
// of indices. What a tree says of a chain that has begun goes to the chain (D75).
func (s senders) tell(issuer dkg.Index, counter uint64, tree pprf.Frontier, told []proto.TicketChain, depth int) senders {
	var changed []chain
	for c := range s.chains.all {
		if key, rest, err := tree.Eval(pprf.Path(c.index, depth, nil)); err == nil {
			tree = rest
			changed = append(changed, c.tell(issuer, counter, 0, key))
		}
	}
	s.chains = s.chains.with(changed...)
	s.told = s.told.Tell(issuer, counter, tree)
	var begun [][]byte
	changed = nil
	for _, t := range told {
		c, ok := s.chains.get(t.Index)
		if !ok {
			path := pprf.Path(t.Index, depth, nil)
			c.index = t.Index
			if s.told.Covers(path) {
				c = s.toldChain(t.Index, path)
			}
			begun = append(begun, path)
		}
		changed = append(changed, c.tell(issuer, counter, t.Next, t.Key))
	}
	s.told = s.told.Puncture(begun...)
	s.chains = s.chains.with(changed...)
	return s
}

// derive returns the true senders, in which everything that was read in these told ones is used up.
func (s senders) derive(out senders, depth int) senders {
	for told := range s.chains.all {
		c, next, err := out.begin(told.index, depth)
		if err != nil {
			continue
		}
		out = next
		if c, ok := told.derive(c.words[0].key); ok {
			out.chains = out.chains.with(c)
		} else {
			out.chains = out.chains.drop(told.index)
		}
	}
	return out
}

// drop returns the chains without one of them, which does not begin again: its leaf is used up.
func (c chains) drop(i dkg.Index) chains {
	l, _ := c.leaf(leafOf(i))
	if at, ok := l.find(i); ok {
		l.chains = slices.Delete(slices.Clone(l.chains), at, at+1)
	}
	return c.withLeaf(l)
}

// cut returns the senders with only what concerns the indices, which ascend.
func (s senders) cut(keep []dkg.Index, depth int) senders {
	out := senders{derived: s.derived, told: s.told.Cut(keep)}
	leaves := make([]dkg.Index, 0, len(keep))
	for _, i := range keep {
		leaves = append(leaves, dkg.Index(leafOf(i)))
	}
	out.tree = s.tree.Cut(slices.Compact(leaves))
	for g := range s.chains.groups.All() {
		for l := range g.leaves.All() {
			below := make([]dkg.Index, 0, 1<<chainLeafBits)
			for _, i := range keep {
				if leafOf(i) == l.no {
					below = append(below, i%(1<<chainLeafBits))
				}
			}
			l.tree = l.tree.Cut(below)
			l.chains = slices.DeleteFunc(slices.Clone(l.chains), func(c chain) bool {
				_, kept := slices.BinarySearch(keep, c.index)
				return !kept
			})
			if !l.tree.IsZero() || len(l.chains) > 0 {
				out.chains = out.chains.withLeaf(l)
			}
		}
	}
	return out
}

// frontier returns the sender tree as a ticket gives it: whole leaves down to single indices.
func (s senders) frontier(depth int) pprf.Frontier {
	if !s.derived {
		return s.told.Supported()
	}
	tree := s.tree.Deepen(chainLeafBits)
	for g := range s.chains.groups.All() {
		for l := range g.leaves.All() {
			tree = tree.Graft(pprf.Path(dkg.Index(l.no), depth-chainLeafBits, nil), l.tree)
		}
	}
	return tree
}

// Encode implements state.Piece.
func (g chainGroup) Encode(e *state.Encoder) {
	e.Uint32(g.no)
	g.leaves.Encode(e, "l")
}

// Decode implements state.Piece.
func (chainGroup) Decode(d *state.Decoder) (g chainGroup, err error) {
	g.no = d.Uint32()
	if g.leaves, err = segmap.Decode[chainLeaf](d, "l"); err != nil {
		return chainGroup{}, err
	}
	for l := range g.leaves.All() {
		if l.no>>(chainGroupBits-chainLeafBits) != g.no {
			return chainGroup{}, segmap.ErrDisorder
		}
	}
	return g, nil
}

// Encode implements state.Piece.
func (l chainLeaf) Encode(e *state.Encoder) {
	e.Uint32(l.no)
	e.Bytes(l.tree.Encode())
	e.Uint32(uint32(len(l.chains)))
	for _, c := range l.chains {
		c.encode(e)
	}
}

// Decode implements state.Piece.
func (chainLeaf) Decode(d *state.Decoder) (l chainLeaf, err error) {
	l.no = d.Uint32()
	if l.tree, err = pprf.Decode(d.Bytes(pprf.MaxSize), chainLeafBits); err != nil {
		return chainLeaf{}, err
	}
	for range d.Count(1<<chainLeafBits, 1) {
		c, err := decodeChain(d)
		if err != nil {
			return chainLeaf{}, err
		}
		if n := len(l.chains); n > 0 && l.chains[n-1].index >= c.index || leafOf(c.index) != l.no {
			return chainLeaf{}, segmap.ErrDisorder
		}
		l.chains = append(l.chains, c)
	}
	return l, d.Err()
}
