package pprf

import (
	"bytes"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Limits of what is stored of a told tree. There are fewer leaves than children and chains of one epoch, and fewer members
// than indices.
const (
	maxUsedLeaves = 1 << dkg.MaxDepth
	maxMembers    = 1 << dkg.MaxDepth
)

// Encode returns what DecodeTold reads, for storage.
func (t Told) Encode() []byte {
	return t.encode(func(w *wire.Writer, f Frontier) { w.Vec32(f.Encode()) })
}

// EncodeOutline returns what DecodeOutline reads: the told tree without the trees of its words, which are Trees.
func (t Told) EncodeOutline() []byte { return t.encode(func(*wire.Writer, Frontier) {}) }

// Trees calls yield with the number and the tree of each word, at most MaxWords, oldest first.
func (t Told) Trees(yield func(no uint32, tree Frontier)) {
	for _, w := range t.words {
		yield(w.no, w.tree)
	}
}

func (t Told) encode(tree func(*wire.Writer, Frontier)) []byte {
	var w wire.Writer
	w.U32(t.next)
	w.U8(uint8(len(t.words)))
	for _, word := range t.words {
		w.U32(word.no)
		w.U64(word.counter)
		writeMembers(&w, word.issuers)
		writeMembers(&w, word.support)
		tree(&w, word.tree)
	}
	w.U32(uint32(len(t.used)))
	for _, leaf := range t.used {
		w.Fixed(leaf)
	}
	w.U32(uint32(len(t.spent)))
	for _, s := range t.spent {
		w.Fixed(s.Leaf)
		w.Fixed(s.Seed[:])
	}
	return w.Bytes()
}

// DecodeTold reads a told tree of that many bits.
func DecodeTold(b []byte, bits int) (Told, error) {
	return decodeTold(b, bits, func(r *wire.Reader, _ uint32) (Frontier, error) {
		tree := r.Vec32(MaxSize)
		if r.Err() != nil {
			return Frontier{}, r.Err()
		}
		return Decode(tree, bits)
	})
}

// DecodeOutline reads what EncodeOutline wrote of a told tree of that many bits. It takes the tree of each word from a function.
func DecodeOutline(b []byte, bits int, tree func(no uint32) (Frontier, error)) (Told, error) {
	return decodeTold(b, bits, func(r *wire.Reader, no uint32) (Frontier, error) {
		f, err := tree(no)
		if err == nil && f.bits != bits {
			err = ErrPieces
		}
		return f, err
	})
}

func decodeTold(b []byte, bits int, tree func(r *wire.Reader, no uint32) (Frontier, error)) (t Told, err error) {
	r := wire.NewReader(b)
	t.next = r.U32()
	n := int(r.U8())
	if n > MaxWords {
		r.Fail("words of a told tree")
	}
	for range n {
		w := word{no: r.U32(), counter: r.U64(), issuers: readMembers(r), support: readMembers(r)}
		if r.Err() != nil {
			break
		}
		if w.tree, err = tree(r, w.no); err != nil {
			return Told{}, err
		}
		ordered := len(t.words) == 0 || t.words[len(t.words)-1].no < w.no
		if !ordered || w.no >= t.next || len(w.issuers) == 0 {
			r.Fail("order of the words of a told tree")
		}
		for _, i := range w.support {
			if _, issued := slices.BinarySearch(w.issuers, i); issued {
				r.Fail("support of a word by its issuer")
			}
		}
		t.words = append(t.words, w)
	}
	size := (bits + 7) / 8
	for range r.Count(maxUsedLeaves, size) {
		leaf := r.Fixed(size)
		if k := len(t.used); leaf == nil || k > 0 && bytes.Compare(t.used[k-1], leaf) >= 0 || !isLeaf(leaf, bits) || t.Covers(leaf) {
			r.Fail("used leaves of a told tree")
			break
		}
		t.used = append(t.used, leaf)
	}
	for range r.Count(maxUsedLeaves, size+32) {
		s := Spent{Leaf: r.Fixed(size)}
		copy(s.Seed[:], r.Fixed(32))
		if k := len(t.spent); s.Leaf == nil || k > 0 && t.spent[k-1].compare(s) >= 0 || !isLeaf(s.Leaf, bits) {
			r.Fail("values of a told tree that were used up")
			break
		}
		t.spent = append(t.spent, s)
	}
	if err := r.Done(); err != nil {
		return Told{}, err
	}
	return t, nil
}

// isLeaf reports whether nothing stands in a path behind its last bit.
func isLeaf(path []byte, bits int) bool {
	return bits%8 == 0 || path[len(path)-1]<<(bits%8) == 0
}

func writeMembers(w *wire.Writer, list []dkg.Index) {
	w.U32(uint32(len(list)))
	for _, i := range list {
		w.U32(uint32(i))
	}
}

// readMembers reads what writeMembers wrote: ascending indices.
func readMembers(r *wire.Reader) (list []dkg.Index) {
	for range r.Count(maxMembers, 4) {
		i := dkg.Index(r.U32())
		if len(list) > 0 && list[len(list)-1] >= i {
			r.Fail("order of members")
			return nil
		}
		list = append(list, i)
	}
	return list
}
