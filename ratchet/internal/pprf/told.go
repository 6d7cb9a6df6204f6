package pprf

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// MaxWords is how many words are held of one tree. Two members answer a request at once, so three that differ need two liars.
const MaxWords = 3

// Told is a tree as tickets told it: at most MaxWords frontiers that contradict each other (§6). Nothing proves one of them, so
// none is dropped because another one fitted. Told is immutable. The zero Told knows nothing.
type Told struct {
	words []word   // oldest first
	used  [][]byte // leaves that no word, told now or later, may give; ascending
	spent []Spent  // values that none may give; ascending
	next  uint32   // number of the next word
}

// word is what one or more members said of a tree.
type word struct {
	no      uint32      // names the word; older words have smaller numbers
	issuers []dkg.Index // ascending
	counter uint64      // of the latest request that was answered with it
	support []dkg.Index // makers of children that fitted, no issuers among them; ascending
	tree    Frontier
}

// Candidate is the value that words give for a leaf.
type Candidate struct {
	Value secret.Bytes // 32 bytes
	Words []uint32     // their names
	From  []Source     // who stands for them
}

// Source is a member that stands for a word, and the counter of the latest request that was answered with it.
type Source struct {
	Issuer  dkg.Index
	Counter uint64
}

// Tell returns what is known after a member answered the request of that counter with a frontier. An answer to a request
// before the one that the member answered last changes nothing.
func (t Told) Tell(issuer dkg.Index, counter uint64, f Frontier) Told {
	f, ok := t.UseUpIn(f)
	if !ok {
		return t
	}
	for _, w := range t.words {
		if _, later := slices.BinarySearch(w.issuers, issuer); later && w.counter > counter {
			return t
		}
	}
	t.words = slices.Clone(t.words)
	t.words = slices.DeleteFunc(t.words, func(w word) bool { return w.counter <= counter && w.only(issuer) })
	for i, w := range t.words {
		if w.counter <= counter {
			t.words[i].issuers = without(w.issuers, issuer)
		}
	}
	for i, w := range t.words {
		if u, agree := w.tree.Unite(f); agree {
			t.words[i].tree = u
			t.words[i].issuers = with(w.issuers, issuer)
			t.words[i].support = without(w.support, issuer)
			t.words[i].counter = max(w.counter, counter)
			return t
		}
	}
	if len(t.words) == MaxWords {
		i := t.weakest(counter)
		if i < 0 {
			return t
		}
		t.words = slices.Delete(t.words, i, i+1)
	}
	t.words = append(t.words, word{no: t.next, issuers: []dkg.Index{issuer}, counter: counter, tree: f})
	t.next++
	return t
}

// weakest returns the place of the word with least support, the oldest of these, among those of an earlier request than
// counter; -1 if there is none.
func (t Told) weakest(counter uint64) int {
	at := -1
	for i, w := range t.words {
		if w.counter < counter && (at < 0 || len(w.support) < len(t.words[at].support)) {
			at = i
		}
	}
	return at
}

// only reports whether nobody but one member stands for the word.
func (w word) only(issuer dkg.Index) bool { return len(w.issuers) == 1 && w.issuers[0] == issuer }

// ranked returns the words, most support first, then the oldest.
func (t Told) ranked() []word {
	words := slices.Clone(t.words)
	slices.SortStableFunc(words, func(a, b word) int { return cmp.Compare(len(b.support), len(a.support)) })
	return words
}

// Candidates returns the values that words give for a leaf, in the order in which they are to be tried. Words that give the
// same value are one candidate.
func (t Told) Candidates(leaf []byte) (out []Candidate) {
next:
	for _, w := range t.ranked() {
		value, err := w.tree.Value(leaf)
		if err != nil {
			continue
		}
		for i := range out {
			if out[i].Value.Equal(value) {
				out[i].Words = append(out[i].Words, w.no)
				out[i].From = append(out[i].From, w.sources()...)
				continue next
			}
		}
		out = append(out, Candidate{value, []uint32{w.no}, w.sources()})
	}
	return out
}

func (w word) sources() (out []Source) {
	for _, i := range w.issuers {
		out = append(out, Source{i, w.counter})
	}
	return out
}

// Fits returns the tree after the value of some words fitted a child of that maker: they have its support unless it issued
// them, and that value of the leaf is used up. What the other words give for it is not: one of them may be the true one.
func (t Told) Fits(words []uint32, maker dkg.Index, leaf []byte) Told {
	t.words = slices.Clone(t.words)
	var seeds []Spent
	for i, w := range t.words {
		if !slices.Contains(words, w.no) {
			continue
		}
		if _, issued := slices.BinarySearch(w.issuers, maker); !issued {
			t.words[i].support = with(w.support, maker)
		}
		if v, err := w.tree.Value(leaf); err == nil {
			seeds = append(seeds, Spent{leaf, SeedHash(leaf, v)})
		}
	}
	return t.Spend(seeds...)
}

// Spend uses up values of leaves in every word, and in those that will be told.
func (t Told) Spend(values ...Spent) Told {
	t.spent = slices.Clone(t.spent)
	for _, s := range values {
		if at, found := slices.BinarySearchFunc(t.spent, s, Spent.compare); !found {
			t.spent = slices.Insert(t.spent, at, Spent{bytes.Clone(s.Leaf), s.Seed})
		}
	}
	return t.usedUp(nil, values)
}

// Puncture uses leaves up in every word, and in those that will be told. A word that would become too long to be stored goes;
// no honest one does.
func (t Told) Puncture(leaves ...[]byte) Told {
	t.used = slices.Clone(t.used)
	for _, leaf := range leaves {
		if at, found := slices.BinarySearchFunc(t.used, leaf, bytes.Compare); !found {
			t.used = slices.Insert(t.used, at, bytes.Clone(leaf))
		}
	}
	return t.usedUp(leaves, nil)
}

// usedUp returns the tree after leaves and values were used up in its words.
func (t Told) usedUp(leaves [][]byte, values []Spent) Told {
	words := make([]word, 0, len(t.words))
	for _, w := range t.words {
		var ok bool
		if w.tree, ok = w.tree.UseUp(leaves, values); ok {
			words = append(words, w)
		}
	}
	t.words = words
	return t
}

// UseUpIn returns a frontier without all that was used up here. It is not ok if that could not be stored.
func (t Told) UseUpIn(f Frontier) (Frontier, bool) { return f.UseUp(t.used, t.spent) }

// Covers reports whether some word gives a value for a leaf.
func (t Told) Covers(leaf []byte) bool {
	return slices.ContainsFunc(t.words, func(w word) bool { return w.tree.Covers(leaf) })
}

// HasLeft reports whether some word covers anything.
func (t Told) HasLeft() bool {
	return slices.ContainsFunc(t.words, func(w word) bool { return !w.tree.IsZero() })
}

// Issuers returns the members that stand for words, ascending.
func (t Told) Issuers() (out []dkg.Index) {
	for _, w := range t.words {
		for _, i := range w.issuers {
			out = with(out, i)
		}
	}
	return out
}

// Supported returns what is told to others: the word with most support, united with those that agree with it. Where several
// have most and contradict each other, that is left out.
func (t Told) Supported() Frontier {
	words := t.ranked()
	if len(words) == 0 {
		return Frontier{}
	}
	first := len(words)
	for i, w := range words {
		if len(w.support) < len(words[0].support) {
			first = i
			break
		}
	}
	f, disputed := words[0].tree, false
	for i, w := range words[:first] {
		tree := w.tree
		for k, o := range words[:first] {
			if _, agree := tree.Unite(o.tree); k != i && !agree {
				tree, disputed = tree.Undisputed(o.tree), true
			}
		}
		if i == 0 {
			f = tree
		} else {
			f, _ = f.Unite(tree)
		}
	}
	for _, w := range words[first:] {
		if !disputed {
			f, _ = f.Unite(w.tree)
		}
	}
	return f
}

// Cut returns the words without what does not lie below the indices, which ascend.
func (t Told) Cut(keep []dkg.Index) Told {
	t.words = slices.Clone(t.words)
	for i := range t.words {
		t.words[i].tree = t.words[i].tree.Cut(keep)
	}
	return t
}

// Less returns the words without what lies below the indices, which ascend.
func (t Told) Less(gone []dkg.Index) Told {
	t.words = slices.Clone(t.words)
	for i := range t.words {
		t.words[i].tree = t.words[i].tree.Less(gone)
	}
	return t
}

// with and without return an ascending list with an index, or without it, and leave the one given as it is.
func with(list []dkg.Index, i dkg.Index) []dkg.Index {
	at, found := slices.BinarySearch(list, i)
	if found {
		return list
	}
	return slices.Insert(slices.Clone(list), at, i)
}

func without(list []dkg.Index, i dkg.Index) []dkg.Index {
	at, found := slices.BinarySearch(list, i)
	if !found {
		return list
	}
	return slices.Delete(slices.Clone(list), at, at+1)
}
