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
// a leaf, and the lists of its group and of the groups.
type chains struct{ groups segmap.Map[chainGroup] }

// Binary logarithms of how many indices a leaf and a group span.
const (
	chainLeafBits  = 2
	chainGroupBits = 5
)

// groupBits is chainGroupBits where a root has as many indices.
func groupBits(depth int) int { return min(chainGroupBits, depth) }

// chainGroup holds leaves, and of a derived epoch the part of the sender tree below which its other leaves begin: the tree above it
// changes once for each group, and is short.
type chainGroup struct {
	no     uint32
	bits   uint8         // of the tree
	tree   pprf.Frontier // none in a told epoch
	leaves segmap.Map[chainLeaf]
}

// chainLeaf holds chains, and of a derived epoch the part of the sender tree below which the others of the leaf begin.
type chainLeaf struct {
	no     uint32
	tree   pprf.Frontier // of chainLeafBits; used up in a told epoch
	chains []chain       // ascending, none missing
}

func (g chainGroup) Key() segmap.Key { return segmap.Key{Block: g.no} }
func (l chainLeaf) Key() segmap.Key  { return segmap.Key{Block: l.no} }

func leafOf(i dkg.Index) uint32       { return uint32(i) >> chainLeafBits }
func chainGroupOf(i dkg.Index) uint32 { return uint32(i) >> chainGroupBits }

// groupPath is the path of the group of an index in the sender tree.
func groupPath(i dkg.Index, depth int) []byte {
	return pprf.Path(dkg.Index(chainGroupOf(i)), depth-groupBits(depth), nil)
}

// path is the path of the leaf of an index below the root of its group.
func (g chainGroup) path(i dkg.Index) []byte {
	return []byte{byte(leafOf(i)) << (8 - g.bits)}
}

// leafPath is the path of an index below the root of its leaf.
func leafPath(i dkg.Index) []byte { return []byte{byte(i << (8 - chainLeafBits))} }

func (c chains) group(i dkg.Index) (chainGroup, bool) {
	return c.groups.Get(segmap.Key{Block: chainGroupOf(i)})
}

func (g chainGroup) leaf(i dkg.Index) (chainLeaf, bool) {
	return g.leaves.Get(segmap.Key{Block: leafOf(i)})
}

// get returns the chain of an index that has begun.
func (c chains) get(i dkg.Index) (chain, bool) {
	g, _ := c.group(i)
	l, _ := g.leaf(i)
	at, ok := l.find(i)
	if !ok {
		return chain{}, false
	}
	return l.chains[at], true
}

// with returns the chains with some of them, in ascending order of indices. A leaf or group that was not there has no tree.
func (c chains) with(list ...chain) chains {
	for len(list) > 0 {
		no := chainGroupOf(list[0].index)
		g, _ := c.group(list[0].index)
		g.no = no
		for len(list) > 0 && chainGroupOf(list[0].index) == no {
			l, ok := g.leaf(list[0].index)
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

// senders are the chains of one epoch and the tree from which the others begin: derived down to the roots of groups, or told.
type senders struct {
	derived bool
	tree    pprf.Frontier // derived
	told    pprf.Told     // told; all of it
	chains  chains
}

// newSenders returns the senders of a derived epoch.
func newSenders(root secret.Bytes, depth int) senders {
	return senders{derived: true, tree: pprf.New(root, depth-groupBits(depth))}
}

// chain returns the chain of an index, which begins if it had not. It returns ErrNone if nothing is known of it.
func (s senders) chain(i dkg.Index, depth int) (standing, error) {
	if c, ok := s.chains.get(i); ok {
		return standing{c, s, false}, nil
	}
	begin := s.beginTold
	if s.derived {
		begin = s.begin
	}
	c, s, err := begin(i, depth)
	return standing{c, s, true}, err
}

// begin takes the chain of an index out of the derived tree.
func (s senders) begin(i dkg.Index, depth int) (chain, senders, error) {
	g, ok := s.chains.group(i)
	if !ok {
		root, tree, err := s.tree.Eval(groupPath(i, depth))
		if err != nil {
			return chain{}, s, ErrNone
		}
		s.tree = tree
		bits := groupBits(depth) - chainLeafBits
		g = chainGroup{no: chainGroupOf(i), bits: uint8(bits), tree: pprf.New(root, bits)}
	}
	l, ok := g.leaf(i)
	if !ok {
		root, tree, err := g.tree.Eval(g.path(i))
		if err != nil {
			return chain{}, s, ErrNone
		}
		g.tree = tree
		l = chainLeaf{no: leafOf(i), tree: pprf.New(root, chainLeafBits)}
	}
	key, tree, err := l.tree.Eval(leafPath(i))
	if err != nil {
		return chain{}, s, ErrNone
	}
	l.tree = tree
	c := chain{index: i, derived: true, words: []chainWord{{key: key}}}
	l.chains = slices.Clone(l.chains)
	g.leaves = g.leaves.Put(l.set(c))
	s.chains = chains{s.chains.groups.Put(g)}
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
	g, _ := c.group(i)
	l, _ := g.leaf(i)
	at, ok := l.find(i)
	if !ok {
		return c
	}
	l.chains = slices.Delete(slices.Clone(l.chains), at, at+1)
	g.leaves = g.leaves.Put(l)
	return chains{c.groups.Put(g)}
}

// cut returns the senders with only what concerns the indices, which ascend.
func (s senders) cut(keep []dkg.Index, depth int) senders {
	out := senders{derived: s.derived, told: s.told.Cut(keep)}
	var groups []dkg.Index
	for _, i := range keep {
		groups = append(groups, dkg.Index(chainGroupOf(i)))
	}
	out.tree = s.tree.Cut(slices.Compact(groups))
	for g := range s.chains.groups.All() {
		if g = g.cut(keep); !g.tree.IsZero() || g.leaves.Size() > 0 {
			out.chains.groups = out.chains.groups.Put(g)
		}
	}
	return out
}

// cut returns the group with only what concerns the indices, which ascend.
func (g chainGroup) cut(keep []dkg.Index) chainGroup {
	keep = within(keep, g.no, chainGroupBits)
	var leaves []dkg.Index
	for _, i := range keep {
		leaves = append(leaves, dkg.Index(leafOf(i))%(1<<g.bits))
	}
	g.tree = g.tree.Cut(slices.Compact(leaves))
	for l := range g.leaves.All() {
		var below []dkg.Index
		kept := within(keep, l.no, chainLeafBits)
		for _, i := range kept {
			below = append(below, i%(1<<chainLeafBits))
		}
		l.tree = l.tree.Cut(below)
		l.chains = slices.DeleteFunc(slices.Clone(l.chains), func(c chain) bool { return !slices.Contains(kept, c.index) })
		if l.tree.IsZero() && len(l.chains) == 0 {
			g.leaves = g.leaves.Drop(l.Key())
		} else {
			g.leaves = g.leaves.Put(l)
		}
	}
	return g
}

// within returns those of some ascending indices that lie in a block of 1 << bits.
func within(list []dkg.Index, no uint32, bits int) []dkg.Index {
	from, _ := slices.BinarySearch(list, dkg.Index(no<<bits))
	to, _ := slices.BinarySearch(list, dkg.Index((no+1)<<bits))
	return list[from:to]
}

// frontier returns the sender tree as a ticket gives it: whole leaves down to single indices.
func (s senders) frontier(depth int) pprf.Frontier {
	if !s.derived {
		return s.told.Supported()
	}
	tree := s.tree.Deepen(groupBits(depth))
	for g := range s.chains.groups.All() {
		tree = tree.Graft(groupPath(dkg.Index(g.no<<chainGroupBits), depth), g.tree.Deepen(chainLeafBits))
		for l := range g.leaves.All() {
			tree = tree.Graft(pprf.Path(dkg.Index(l.no), depth-chainLeafBits, nil), l.tree)
		}
	}
	return tree
}

// Encode implements state.Piece.
func (g chainGroup) Encode(e *state.Encoder) {
	e.Uint32(g.no)
	e.Uint8(g.bits)
	e.Bytes(g.tree.Encode())
	g.leaves.Encode(e, "l")
}

// Decode implements state.Piece.
func (chainGroup) Decode(d *state.Decoder) (g chainGroup, err error) {
	g.no, g.bits = d.Uint32(), d.Uint8()
	if g.bits > chainGroupBits-chainLeafBits {
		return chainGroup{}, segmap.ErrDisorder
	}
	if g.tree, err = pprf.Decode(d.Bytes(pprf.MaxSize), int(g.bits)); err != nil {
		return chainGroup{}, err
	}
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
	e.Uint8(uint8(len(l.chains)))
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
	for range d.Uint8() {
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
