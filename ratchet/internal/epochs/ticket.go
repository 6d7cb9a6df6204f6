package epochs

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// TicketQuery says for whom a ticket is made.
type TicketQuery struct {
	Joiner   bool   // else a member that asks
	Since    uint64 // serial number of the epoch entered last when the asker came to be known; 0 for one that is listed
	LastRead LastRead
	Room     int // bytes that the trees may take
}

// maxOthers is how many epochs a ticket tells besides the preferred one and its nearest ancestors.
const maxOthers = 64

// ForTicket returns the epochs that a ticket tells, the preferred one first, then in the order of §5, each once; and how many of them
// are cut down or left out for lack of room.
func (f Forest) ForTicket(q TicketQuery) (out []TicketEpoch, cut int) {
	p, ok := f.Preferred()
	if !ok {
		return nil, 0
	}
	var whole, others []Epoch
	for e := range f.Line(p.id) {
		if len(whole) == near+1 || e.root != p.root {
			break
		}
		whole = append(whole, e)
	}
	misled := f.misled()
	for e := range f.All() {
		if e.root == p.root && !misled[e.id] && !slices.ContainsFunc(whole, func(w Epoch) bool { return w.id == e.id }) {
			others = append(others, e)
		}
	}
	slices.SortFunc(others, func(a, b Epoch) int { return f.compare(a.Position(), b.Position()) })
	r := f.readers(q.LastRead)
	for _, e := range whole {
		out = append(out, e.tell(q, e.id == p.id, f.own))
	}
	first := f.firstSeen()
	for _, e := range others {
		if len(out) == len(whole)+maxOthers {
			break
		}
		if keep := f.notPast(e, r); len(keep) > 0 {
			out = append(out, e.leftBy(f.past(e, r, first), keep).tell(q, false, f.own))
		}
	}
	return f.fit(out, whole, q, r)
}

// fit returns the epochs of a ticket whose trees fit the room: those of the oldest epochs are cut, then left out. It returns how many
// that were, too.
func (f Forest) fit(out []TicketEpoch, whole []Epoch, q TicketQuery, r readers) (_ []TicketEpoch, cut int) {
	size := 0
	for _, t := range out {
		size += t.treeSize()
	}
	for i := len(whole) - 1; i > 0 && q.Room > 0 && size > q.Room; i-- {
		size -= out[i].treeSize()
		keep := f.notPast(whole[i], r)
		out[i] = whole[i].cutTo(keep, keep).tell(q, false, f.own)
		size += out[i].treeSize()
		cut++
	}
	for len(out) > 1 && q.Room > 0 && size > q.Room {
		size -= out[len(out)-1].treeSize()
		out = out[:len(out)-1]
		if len(out) >= len(whole) { // else it was cut before
			cut++
		}
	}
	return out, cut
}

func (t TicketEpoch) treeSize() int {
	return len(t.CommitTree.Encode()) + len(t.SenderTree.Encode()) + len(t.Chains)*(4+4+suite.KeySize)
}

// LastRead is where every other member was read furthest on in the order of §5; the zero Position if nowhere.
type LastRead map[dkg.Index]Position

// LastRead returns where members were read: the first, in the order of §5, of the epochs held in which a message of theirs was
// read. Who was read in none of them is not there.
func (f Forest) LastRead() LastRead {
	out := LastRead{}
	for e := range f.All() {
		for c := range e.senders.chains.all {
			if last, ok := out[c.index]; c.wasUsed() && (!ok || f.Before(e.position(), last)) {
				out[c.index] = e.position()
			}
		}
	}
	return out
}

// readers are members in the order of where they were read furthest on, those that were read nowhere last.
type readers struct {
	members   []dkg.Index
	positions []Position
}

func (f Forest) readers(last LastRead) (r readers) {
	for i := range last {
		if i != f.own {
			r.members = append(r.members, i)
		}
	}
	slices.SortFunc(r.members, func(a, b dkg.Index) int { return f.further(last[a], last[b]) })
	for _, i := range r.members {
		r.positions = append(r.positions, last[i])
	}
	return r
}

// further compares where two members were read.
func (f Forest) further(a, b Position) int {
	switch {
	case a.ID.IsZero() && b.ID.IsZero():
		return 0
	case a.ID.IsZero():
		return 1
	case b.ID.IsZero():
		return -1
	}
	return f.compare(a, b)
}

// notPast returns the members, ascending, of whom nothing is known to have been read in an epoch that comes before one (D49).
func (f Forest) notPast(e Epoch, r readers) []dkg.Index {
	at, _ := slices.BinarySearchFunc(r.positions, e.Position(), f.further)
	keep := slices.Clone(r.members[at:])
	slices.Sort(keep)
	return keep
}

// cutTo returns the epoch with the chains of some members, and in the commit tree the places of others and of rekeys.
func (e Epoch) cutTo(senders, makers []dkg.Index) Epoch {
	e.cut = true
	places := append([]dkg.Index{0}, makers...)
	e.commits = commitTree{e.commits.tree.Cut(places), e.commits.told.Cut(places)}
	e.senders = e.senders.cut(senders, e.depth)
	return e
}

// firstSeen returns the serial number of the first epoch held in which a member was read or sent, or which it made.
func (f Forest) firstSeen() map[dkg.Index]uint64 {
	out := map[dkg.Index]uint64{}
	for e := range f.All() { // the newest first
		if !e.isRoot() {
			out[e.maker.Index] = e.serial
		}
		for c := range e.senders.chains.all {
			if c.wasUsed() {
				out[c.index] = e.serial
			}
		}
	}
	return out
}

// past returns the members, ascending, that left an epoch: something of them is known from when it was entered or before, and
// something was read in an epoch that comes before it. Who was let in elsewhere is not among them, and may commit from it yet (D121).
func (f Forest) past(e Epoch, r readers, first map[dkg.Index]uint64) (out []dkg.Index) {
	at, _ := slices.BinarySearchFunc(r.positions, e.Position(), f.further)
	for _, i := range r.members[:at] {
		if seen, ok := first[i]; ok && seen <= e.serial {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

// leftBy returns the epoch with the chains of some members, and without the places of those that left it.
func (e Epoch) leftBy(past, senders []dkg.Index) Epoch {
	e.cut = true
	e.commits = commitTree{e.commits.tree.Less(past), e.commits.told.Less(past)}
	e.senders = e.senders.cut(senders, e.depth)
	return e
}

// tell returns the epoch as a ticket tells it.
func (e Epoch) tell(q TicketQuery, preferred bool, own dkg.Index) TicketEpoch {
	t := TicketEpoch{ID: e.id, Root: e.root, Place: e.place, Check: e.check, Credential: e.shown.Credential, Maker: e.maker.Key}
	t.Cut = e.cut
	t.Parent, t.Generation, t.Commit = e.parent, e.generation, e.shown.Commit
	t.HeaderCheck, t.CommitKey, t.Authenticator = e.hh, e.commitKey, e.auth
	t.CommitTree = e.commits.frontier()
	t.Readable = e.Readable() && (preferred || e.serial > q.Since)
	if !t.Readable {
		return t
	}
	t.Header, t.SenderTree = e.headerKey, e.senders.frontier(e.depth)
	for c := range e.senders.chains.all {
		if w, ok := c.supported(); ok {
			t.Chains = append(t.Chains, proto.TicketChain{Index: c.index, Next: w.next, Key: w.key})
		}
	}
	if !e.own0.IsZero() && !q.Joiner {
		t.Chains = slices.DeleteFunc(t.Chains, func(c proto.TicketChain) bool { return c.Index == own })
		at, _ := slices.BinarySearchFunc(t.Chains, own, func(c proto.TicketChain, i dkg.Index) int { return cmp.Compare(c.Index, i) })
		t.Chains = slices.Insert(t.Chains, at, proto.TicketChain{Index: own, Key: e.own0})
	}
	return t
}

func (c commitTree) frontier() pprf.Frontier {
	if c.told.HasLeft() {
		return c.told.Supported()
	}
	return c.tree
}

// supported returns the word of a chain that is told to others: the one that opened a message last, else the oldest.
func (c chain) supported() (chainWord, bool) {
	for _, w := range c.words {
		if w.last {
			return w, true
		}
	}
	if len(c.words) == 0 {
		return chainWord{}, false
	}
	return c.words[0], true
}
