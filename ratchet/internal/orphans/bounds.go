package orphans

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Bounds of what is retained (§7). A frame that is given up at one of them is forgotten, and not discarded: it is not
// acknowledged, so that it comes again.
const (
	// maxHolderFrames and maxHolderBytes bound the frames of one sender whose header opened, or else of one source, so that
	// none pushes out what the others sent.
	maxHolderFrames = 2_000
	maxHolderBytes  = 16 << 20
	// maxFrames and maxBytes bound all frames. Neither those whose header opened nor the others take more than half if both
	// come to the bound: any member can name ten senders, and anybody can name a source.
	maxFrames = 20_000
	maxBytes  = 64 << 20
	// maxSourceUntagged and maxUntagged bound requests whose tag is unknown: anybody can make them.
	maxSourceUntagged = 64
	maxUntagged       = 1_024
	// maxSenderCommits and maxCommits bound the commits that are kept of frames that were read: an honest line has a few
	// hundred.
	maxSenderCommits = 512
	maxCommits       = 4_096
	// maxAge is how long a frame waits by the pruning clock. No epoch is kept longer, so nothing opens it any more.
	maxAge Millis = 30 * 24 * 3600 * 1000

	maxSlots = maxFrames + maxCommits + 2
)

// Reading says what is known of a retained frame besides what its search came to.
type Reading struct {
	Now      Millis // pruning clock
	Wall     Millis
	Stranger bool // no binding known fits its signature
	Prior    bool // it may be from before joining (§9)
	Unsaid   bool // its statement waits for room, or for the root that it names
}

// Note returns the index with what the search of a frame came to, for a frame that is retained, and the frames that are given
// up for it: the vault is to forget them in the same commit. The frame itself is among them if it is the one to go.
func (x Index) Note(r Result, at Reading) (Index, []FrameName) {
	n := r.note
	if n.serial == 0 {
		x.serial++
		n.serial, n.Since, n.Arrived = x.serial, at.Now, at.Wall
	}
	n.Stranger, n.Prior, n.Unsaid = at.Stranger && n.Opened, at.Prior, at.Unsaid
	return x.take(n, r.fresh)
}

// NoteOther returns the index with a retained frame that is no message, of which the Envelope is not there, and the frames that
// are given up for it. A frame that is noted already takes its new form.
func (x Index) NoteOther(f Frame, form Form, at Reading) (Index, []FrameName) {
	n, ok := x.retained(f.Name)
	if !ok {
		x.serial++
		n = Note{Name: f.Name, Size: uint32(f.Size), Source: f.Source, Member: f.Member, Since: at.Now, Arrived: at.Wall, serial: x.serial}
	}
	n.Form = form
	return x.take(n, nil)
}

// Keep returns the index with the commits of a frame that was read, except its own line, which the frame was read by. Nobody
// retains the frame any more, so they are kept without it, until the epochs that they make are known or too old. Others may
// need them to find the way.
func (x Index) Keep(f Frame, sender dkg.Index, k Known, b *Budget, at Reading) Index {
	x = x.Forget(f.Name)
	y := proto.Ways{Others: f.Envelope.Others}
	if y.Commits() == 0 {
		return x
	}
	x.serial++
	n := Note{
		Name: f.Name, Source: f.Source, Sender: sender, Since: at.Now, Arrived: at.Wall,
		serial: x.serial, commits: uint8(y.Commits()), ways: state.NewSegment(waysOf(y)),
	}
	n.search.held, n.search.led = begin(k.Newest()), begin(x.led)
	s := newSearch(x, k, b, n, n.ways.Value())
	s.nearby(slices.Collect(k.Near))
	x, _ = s.goOn()
	return x
}

// goOn returns the index in which the search of commits without a frame went on. What they came to besides is in the result.
func (s *search) goOn() (Index, Result) {
	s.sweep()
	r := s.done()
	if r.note.useless() {
		return s.index.Forget(r.note.Name), r
	}
	x, _ := s.index.take(r.note, r.fresh)
	return x, r
}

// useless reports whether nothing can come of commits that were kept any more: each one ended.
func (n Note) useless() bool {
	for _, f := range n.search.found {
		if f.what != ended {
			return false
		}
	}
	return n.rest() && len(n.search.found) == int(n.commits)
}

// take returns the index with a note and the candidates that its search found, within the bounds.
func (x Index) take(n Note, fresh []Candidate) (Index, []FrameName) {
	for _, c := range fresh {
		if _, ok := x.Candidate(c.ID); !ok {
			x = x.lead(c)
		}
	}
	if x.lookup.names.has(n.Name) || n.Opened || len(n.search.found) > 0 { // a candidate that it leads to, too, stays when the one before goes
		return x.put(n).trim(n.holder(), sum{})
	}
	x, gone := x.trim(n.holder(), sum{}.plus(n, 1)) // first, so that the note takes the slot of one that goes
	return x.put(n), gone
}

// trim gives frames up until the bounds are kept with what is to be added to a holder.
func (x Index) trim(h holder, add sum) (Index, []FrameName) {
	var out []FrameName
	for {
		n, over := x.excess(h, add)
		if !over {
			return x, out
		}
		x = x.Forget(n.Name)
		if !n.rest() {
			out = append(out, n.Name)
		}
	}
}

// excess returns the note that goes first, if there is one too many.
func (x Index) excess(h holder, add sum) (Note, bool) {
	t, _ := x.lookup.holders.get(h)
	own, sums := t.sum.and(add), x.lookup.sums
	sums[h.kind] = sums[h.kind].and(add)
	o, u := sums[opened], sums[unopened].and(sums[untagged])
	switch {
	case h.kind == untagged && own.frames > maxSourceUntagged:
		return x.oldest(h)
	case sums[untagged].frames > maxUntagged:
		return x.oldestOf(untagged)
	case h.kind == remains && own.commits > maxSenderCommits:
		return x.oldest(h)
	case sums[remains].commits > maxCommits:
		return x.oldestOf(remains)
	case h.kind != remains && (own.frames > maxHolderFrames || own.bytes > maxHolderBytes):
		return x.oldest(h)
	case o.frames+u.frames > maxFrames:
		return x.oldestOf(larger(o.frames, u.frames))
	case o.bytes+u.bytes > maxBytes:
		return x.oldestOf(larger(o.bytes, u.bytes))
	}
	return Note{}, false
}

// larger returns the kind that gives way: the opened frames if they take more than half.
func larger(o, u int) kind {
	if o > u {
		return opened
	}
	return unopened
}

// oldest returns the note of a holder that came first.
func (x Index) oldest(h holder) (Note, bool) {
	t, _ := x.lookup.holders.get(h)
	_, s, ok := t.order.first()
	if !ok {
		return Note{}, false
	}
	return x.pages.get(s)
}

// oldestOf returns the oldest note of the holder of a kind that takes most.
func (x Index) oldestOf(k kind) (Note, bool) {
	h, ok := x.lookup.largest(k)
	if !ok {
		return Note{}, false
	}
	return x.oldest(h)
}

// Forget returns the index without frames that were read or discarded, or that the vault gives up, and without what was known
// only through them.
func (x Index) Forget(names ...FrameName) Index {
	for _, name := range names {
		n, ok := x.Get(name)
		if !ok {
			continue
		}
		x = x.drop(name)
		for _, f := range n.search.found {
			if f.what == led {
				x = x.release(f.epoch)
			}
		}
	}
	return x
}

// release drops a candidate that no note leads to any more.
func (x Index) release(id proto.EpochID) Index {
	c, ok := x.Candidate(id)
	if !ok {
		return x
	}
	for _, s := range x.lookup.users(id) {
		if n, _ := x.pages.get(s); n.leads(id) {
			return x
		}
	}
	return x.unlead(c).room(makerOf(c.Shown)).unknown(id)
}

// unknown takes back what was found out through an epoch that is not known any more, and drops the candidates below it.
func (x Index) unknown(id proto.EpochID) Index {
	for _, s := range x.lookup.users(id) {
		n, _ := x.pages.get(s)
		x = x.put(n.without(id))
	}
	for _, child := range x.lookup.below(id) {
		c, _ := x.Candidate(child)
		x = x.unlead(c).room(makerOf(c.Shown)).unknown(child)
	}
	return x
}

// room has a commit tried again that waited because its maker had too many candidates, of which one went.
func (x Index) room(m maker) Index {
	s, ok := x.lookup.crowded(m)
	if !ok {
		return x
	}
	n, _ := x.pages.get(s)
	n.search, _ = n.search.change(func(f finding) (finding, bool) {
		if f.what == crowded && f.maker == m.Index {
			f.what |= due
		}
		return f, true
	})
	return x.put(n)
}

// Expire returns the index without the frames that are 30 days old by the pruning clock, and their names.
func (x Index) Expire(now Millis) (Index, []FrameName) {
	var out []FrameName
	for _, s := range x.lookup.order.up() {
		n, _ := x.pages.get(s)
		if now-n.Since < maxAge {
			break // the clock does not go back, so nor is any later one
		}
		if x = x.Forget(n.Name); !n.rest() {
			out = append(out, n.Name)
		}
	}
	return x, out
}
