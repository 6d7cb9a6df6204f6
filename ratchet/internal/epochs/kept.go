package epochs

import (
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// keptKeys are message keys of numbers that were passed over. A late message writes one block of keys and the lists of
// blocks above it, less than 2 KB whatever is kept.
type keptKeys struct {
	groups segmap.Map[keptGroup]
	size   int
}

// Binary logarithms of how many numbers a block and a group span.
const (
	keptBlockBits = 4
	keptGroupBits = 7
)

// keptGroup is a list of blocks.
type keptGroup struct {
	no     uint32
	blocks segmap.Map[keptBlock]
}

// keptBlock holds keys of neighbouring numbers.
type keptBlock struct {
	no   uint32
	keys [1 << keptBlockBits]secret.Bytes
}

func (g keptGroup) Key() segmap.Key { return segmap.Key{Block: g.no} }
func (b keptBlock) Key() segmap.Key { return segmap.Key{Block: b.no} }

func (k keptKeys) block(n uint32) (g keptGroup, b keptBlock) {
	g, ok := k.groups.Get(segmap.Key{Block: n >> keptGroupBits})
	if !ok {
		g.no = n >> keptGroupBits
	}
	b, ok = g.blocks.Get(segmap.Key{Block: n >> keptBlockBits})
	if !ok {
		b.no = n >> keptBlockBits
	}
	return g, b
}

// get returns the key of a number, the empty one if none is kept.
func (k keptKeys) get(n uint32) secret.Bytes {
	_, b := k.block(n)
	return b.keys[n%uint32(len(b.keys))]
}

// with returns the keys with those of the numbers from first on; none of them is kept yet. An empty key is no key.
func (k keptKeys) with(first uint32, keys []secret.Bytes) keptKeys {
	for len(keys) > 0 {
		g, b := k.block(first)
		for n := first % uint32(len(b.keys)); n < uint32(len(b.keys)) && len(keys) > 0; n++ {
			if b.keys[n] = keys[0]; !keys[0].IsZero() {
				k.size++
			}
			keys = keys[1:]
			first++
		}
		if b.count() > 0 {
			g.blocks = g.blocks.Put(b)
			k.groups = k.groups.Put(g)
		}
	}
	return k
}

// without returns the keys without that of a number.
func (k keptKeys) without(n uint32) keptKeys {
	g, b := k.block(n)
	if b.keys[n%uint32(len(b.keys))].IsZero() {
		return k
	}
	b.keys[n%uint32(len(b.keys))] = secret.Bytes{}
	k.size--
	return k.put(g, b)
}

// put returns the keys with a block of them, or without it if it is empty.
func (k keptKeys) put(g keptGroup, b keptBlock) keptKeys {
	if b.count() > 0 {
		g.blocks = g.blocks.Put(b)
	} else {
		g.blocks = g.blocks.Drop(b.Key())
	}
	if g.blocks.Size() > 0 {
		k.groups = k.groups.Put(g)
	} else {
		k.groups = k.groups.Drop(g.Key())
	}
	return k
}

// trim returns at most max keys, those of the greatest numbers, and one more than the greatest number that went (0 if none).
func (k keptKeys) trim(max int) (keptKeys, uint32) {
	var end uint32
	for k.size > max {
		g, b := k.first()
		for n := range b.keys {
			if k.size > max && !b.keys[n].IsZero() {
				b.keys[n] = secret.Bytes{}
				k.size--
				end = b.no<<keptBlockBits + uint32(n) + 1
			}
		}
		k = k.put(g, b)
	}
	return k, end
}

// first returns the block of the smallest numbers.
func (k keptKeys) first() (keptGroup, keptBlock) {
	for g := range k.groups.All() {
		for b := range g.blocks.All() {
			return g, b
		}
	}
	return keptGroup{}, keptBlock{}
}

// all calls yield with each number and its key, ascending.
func (k keptKeys) all(yield func(uint32, secret.Bytes) bool) {
	for g := range k.groups.All() {
		for b := range g.blocks.All() {
			for n, key := range b.keys {
				if !key.IsZero() && !yield(b.no<<keptBlockBits+uint32(n), key) {
					return
				}
			}
		}
	}
}

func (b keptBlock) count() (n int) {
	for _, k := range b.keys {
		if !k.IsZero() {
			n++
		}
	}
	return n
}

// Encode implements state.Piece.
func (g keptGroup) Encode(e *state.Encoder) {
	e.Uint32(g.no)
	g.blocks.Encode(e, "k")
}

// Decode implements state.Piece.
func (keptGroup) Decode(d *state.Decoder) (g keptGroup, err error) {
	g.no = d.Uint32()
	if g.blocks, err = segmap.Decode[keptBlock](d, "k"); err != nil {
		return keptGroup{}, err
	}
	for b := range g.blocks.All() {
		if b.no>>(keptGroupBits-keptBlockBits) != g.no {
			return keptGroup{}, segmap.ErrDisorder
		}
	}
	if g.blocks.Size() == 0 {
		return keptGroup{}, segmap.ErrDisorder
	}
	return g, nil
}

// Encode implements state.Piece: the number of the block, a bit for each key that is there, the keys.
func (b keptBlock) Encode(e *state.Encoder) {
	e.Uint32(b.no)
	var there uint16
	for n, k := range b.keys {
		if !k.IsZero() {
			there |= 1 << n
		}
	}
	e.Uint16(there)
	for _, k := range b.keys {
		e.Fixed(k.Expose())
	}
}

// Decode implements state.Piece.
func (keptBlock) Decode(d *state.Decoder) (b keptBlock, err error) {
	b.no = d.Uint32()
	there := d.Uint16()
	for n := range b.keys {
		if there>>n&1 == 1 {
			b.keys[n] = secret.Own(d.Fixed(suite.KeySize))
		}
	}
	if there == 0 {
		return keptBlock{}, segmap.ErrDisorder
	}
	return b, d.Err()
}

// encode and decodeKept write and read the keys as segments whose names begin with name.
func (k keptKeys) encode(e *state.Encoder, name string) { k.groups.Encode(e, name) }

func decodeKept(d *state.Decoder, name string) (k keptKeys, err error) {
	if k.groups, err = segmap.Decode[keptGroup](d, name); err != nil {
		return keptKeys{}, err
	}
	for g := range k.groups.All() {
		for b := range g.blocks.All() {
			k.size += b.count()
		}
	}
	return k, nil
}
