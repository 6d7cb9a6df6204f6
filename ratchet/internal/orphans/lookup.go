package orphans

import (
	"bytes"
	"cmp"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// lookup finds notes and candidates in a time that does not grow with their number. It follows from them.
type lookup struct {
	names   sorted[FrameName, slot]
	order   sorted[number, slot] // by arrival
	free    sorted[slot, none]   // slots below end that hold nothing
	end     slot
	holders sorted[holder, tally]
	ranks   sorted[rank, none]
	sums    [kinds]sum
	uses    sorted[use, none]
	crowds  sorted[crowd, none]

	numbers  sorted[number, proto.EpochID] // of candidates
	children sorted[edge, none]            // of candidates, by parent
	makers   sorted[maker, int]            // how many candidates
}

type none = struct{}

// number is a serial number of frames or candidates.
type number uint64

func (n number) compare(o number) int { return cmp.Compare(n, o) }

// sum is what notes take together.
type sum struct{ frames, bytes, commits int }

func (s sum) plus(n Note, sign int) sum {
	return sum{s.frames + sign, s.bytes + sign*int(n.Size), s.commits + sign*int(n.commits)}
}

func (s sum) and(o sum) sum {
	return sum{s.frames + o.frames, s.bytes + o.bytes, s.commits + o.commits}
}

// weight is the greater of the parts of both bounds that a holder takes: frames, and bytes in units of a frame's part.
func (s sum) weight() int { return max(s.frames, s.bytes/(maxBytes/maxFrames)) }

// tally is what one holder has.
type tally struct {
	sum   sum
	order sorted[number, slot]
}

// rank orders the holders of a kind by what they take.
type rank struct {
	weight int
	holder holder
}

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.holder.kind, o.holder.kind), cmp.Compare(r.weight, o.weight), r.holder.compare(o.holder))
}

// use says that a note knows something through an epoch: its header opened there, or a commit of it waits there or made it.
type use struct {
	epoch proto.EpochID
	slot  slot
}

func (u use) compare(o use) int {
	return cmp.Or(bytes.Compare(u.epoch[:], o.epoch[:]), cmp.Compare(u.slot, o.slot))
}

// crowd says that a note has a commit that waits because its maker has too many candidates.
type crowd struct {
	maker dkg.Index
	slot  slot
}

func (c crowd) compare(o crowd) int {
	return cmp.Or(cmp.Compare(c.maker, o.maker), cmp.Compare(c.slot, o.slot))
}

// edge leads from an epoch to a candidate below it.
type edge struct{ parent, child proto.EpochID }

func (e edge) compare(o edge) int {
	return cmp.Or(bytes.Compare(e.parent[:], o.parent[:]), bytes.Compare(e.child[:], o.child[:]))
}

// vacant returns the lowest slot that holds nothing.
func (l lookup) vacant() slot {
	if s, _, ok := l.free.first(); ok {
		return s
	}
	return l.end
}

// with returns the lookup with the note in a slot.
func (l lookup) with(s slot, n Note) lookup {
	for ; l.end <= s; l.end++ {
		l.free = l.free.put(l.end, none{})
	}
	l.free = l.free.drop(s)
	l.names = l.names.put(n.Name, s)
	l.order = l.order.put(number(n.serial), s)
	l = l.tally(n, s, 1)
	for id := range n.epochs() {
		l.uses = l.uses.put(use{id, s}, none{})
	}
	for _, f := range n.search.found {
		if f.what == crowded {
			l.crowds = l.crowds.put(crowd{f.maker, s}, none{})
		}
	}
	return l
}

// without returns the lookup without the note in a slot.
func (l lookup) without(s slot, n Note) lookup {
	l.free = l.free.put(s, none{})
	l.names = l.names.drop(n.Name)
	l.order = l.order.drop(number(n.serial))
	l = l.tally(n, s, -1)
	for id := range n.epochs() {
		l.uses = l.uses.drop(use{id, s})
	}
	for _, f := range n.search.found {
		if f.what == crowded {
			l.crowds = l.crowds.drop(crowd{f.maker, s})
		}
	}
	return l
}

// tally counts a note for its holder, or takes it off with sign -1.
func (l lookup) tally(n Note, s slot, sign int) lookup {
	h := n.holder()
	t, _ := l.holders.get(h)
	l.ranks = l.ranks.drop(rank{t.sum.weight(), h})
	t.sum = t.sum.plus(n, sign)
	l.sums[h.kind] = l.sums[h.kind].plus(n, sign)
	if sign > 0 {
		t.order = t.order.put(number(n.serial), s)
	} else {
		t.order = t.order.drop(number(n.serial))
	}
	if t.sum.frames == 0 {
		l.holders = l.holders.drop(h)
		return l
	}
	l.holders = l.holders.put(h, t)
	l.ranks = l.ranks.put(rank{t.sum.weight(), h}, none{})
	return l
}

// largest returns the holder of a kind that takes most.
func (l lookup) largest(k kind) (holder, bool) {
	for r := range l.ranks.below(rank{holder: holder{kind: k + 1}}) {
		return r.holder, r.holder.kind == k
	}
	return holder{}, false
}

// leads returns the lookup with a candidate.
func (l lookup) leads(c Candidate) lookup {
	l.numbers = l.numbers.put(number(c.number), c.ID)
	l.children = l.children.put(edge{c.Parent, c.ID}, none{})
	m := makerOf(c.Shown)
	n, _ := l.makers.get(m)
	l.makers = l.makers.put(m, n+1)
	return l
}

// leadsNot returns the lookup without a candidate.
func (l lookup) leadsNot(c Candidate) lookup {
	l.numbers = l.numbers.drop(number(c.number))
	l.children = l.children.drop(edge{c.Parent, c.ID})
	m := makerOf(c.Shown)
	if n, _ := l.makers.get(m); n > 1 {
		l.makers = l.makers.put(m, n-1)
	} else {
		l.makers = l.makers.drop(m)
	}
	return l
}

// users yields the slots of the notes that know something through an epoch.
func (l lookup) users(id proto.EpochID) (out []slot) {
	for u := range l.uses.from(use{epoch: id}) {
		if u.epoch != id {
			break
		}
		out = append(out, u.slot)
	}
	return out
}

// below returns the candidates whose parent is an epoch.
func (l lookup) below(id proto.EpochID) (out []proto.EpochID) {
	for e := range l.children.from(edge{parent: id}) {
		if e.parent != id {
			break
		}
		out = append(out, e.child)
	}
	return out
}

// crowded returns a slot whose note waits for a maker of this index to have fewer candidates.
func (l lookup) crowded(m maker) (slot, bool) {
	for c := range l.crowds.from(crowd{maker: m.Index}) {
		return c.slot, c.maker == m.Index
	}
	return 0, false
}
