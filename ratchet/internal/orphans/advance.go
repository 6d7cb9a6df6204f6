package orphans

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Progress is what became of epochs, as package epochs returns it.
type Progress struct {
	Entered []proto.EpochID // held now: derived or told
	Changed []proto.EpochID // held before: derived now, or told more of
	Dropped []proto.EpochID // not held any more
}

// Advance returns the index that took in what became of epochs, and the frames that are to be read now: those whose header
// opens in an epoch that was entered, and those that waited in one that changed. To try the header of each frame with each
// epoch that is entered takes a fraction of a microsecond; the commits are left to Maintain.
func (x Index) Advance(p Progress, k Known) (Index, []FrameName) {
	var retry []FrameName
	for _, id := range p.Dropped {
		x = x.unknown(id)
	}
	for _, id := range p.Entered {
		c, was := x.Candidate(id)
		if was {
			x = x.unlead(c).room(makerOf(c.Shown))
		}
		if e, ok := k.Epoch(id); ok && e.Readable {
			x, retry = x.entered(e, k, retry)
		}
	}
	for _, id := range slices.Concat(p.Entered, p.Changed) {
		for _, s := range x.lookup.users(id) {
			n, _ := x.pages.get(s)
			if n.Opened && n.Epoch == id && !slices.Contains(retry, n.Name) {
				retry = append(retry, n.Name)
			}
			if n, ok := n.again(id); ok {
				x = x.put(n)
			}
		}
	}
	return x, retry
}

// entered tries the headers of all frames with an epoch.
func (x Index) entered(e Epoch, k Known, retry []FrameName) (Index, []FrameName) {
	trial := proto.NewTrial(k.Space(), e.ID)
	for _, n := range x.pages.all() {
		if n.Opened || n.rest() || n.Form != Message {
			continue
		}
		h, err := trial.Header(e.Header, &n.header)
		if err != nil {
			continue
		}
		n.Opened, n.Epoch, n.Sender = true, e.ID, h.Index
		x = x.put(n)
		retry = append(retry, n.Name)
	}
	return x, retry
}

// TicketGone returns the index in which the frames that may be from before joining are looked at once more, since the key of
// the tickets is gone (§9). It is called then, and a week later. It returns those of them whose header opened.
func (x Index) TicketGone() (Index, []FrameName) {
	var retry []FrameName
	for _, n := range x.pages.all() {
		if n.Prior && n.Opened {
			retry = append(retry, n.Name)
		}
		var changed bool
		n.search, changed = n.search.change(func(f finding) (finding, bool) {
			if f.what == closed {
				f.what |= due
			}
			return f, true
		})
		if changed {
			x = x.put(n)
		}
	}
	return x, retry
}

// Maintain goes on with the searches that are not at their end, and returns what they came to: a frame that is found is to be
// read. Load returns a frame that the vault keeps; it does not exist if the vault lost it, or it is damaged there. The frames that are
// returned last are given up: because of a bound, or since they cannot be loaded.
func (x Index) Maintain(k Known, b *Budget, load func(FrameName) (Frame, bool)) (Index, []Result, []FrameName) {
	var results []Result
	var gone []FrameName
	stuck := make(map[FrameName]bool)
	for round := true; round; {
		round = false
		for _, n := range x.queue(k, stuck) {
			if b.Trials <= proto.MaxCommits || b.Checks <= 0 {
				return x, results, gone
			}
			n, ok := x.Get(n.Name) // as the turns before left it
			if !ok {
				continue // given up in this round
			}
			turn := b.Turn()
			y, r, out := x.turn(n, k, turn, load)
			b.Return(turn)
			gone = append(gone, out...)
			after, _ := y.Get(n.Name)
			stuck[n.Name] = r.Found || after.left(k.Newest(), y.led) >= n.left(k.Newest(), x.led)
			round = round || !stuck[n.Name]
			if x = y; r.Found || r.Forged || len(r.Closed)+len(r.Own)+len(r.Misled) > 0 {
				results = append(results, r)
			}
		}
	}
	return x, results, gone
}

// turn goes on with one search.
func (x Index) turn(n Note, k Known, b *Budget, load func(FrameName) (Frame, bool)) (Index, Result, []FrameName) {
	if n.rest() {
		y, r := newSearch(x, k, b, n, n.ways.Value()).goOn()
		return y, r, nil
	}
	f, ok := load(n.Name)
	if !ok { // damaged in the store: the relay has it yet
		return x.Forget(n.Name), Result{}, []FrameName{n.Name}
	}
	s := newSearch(x, k, b, n, waysOf(f.Envelope.Ways))
	s.sweep() // of a frame whose header opened, too: its commits may lead others on
	r := s.done()
	y, out := x.take(r.note, r.fresh)
	return y, r, out
}

// Strangers returns the frames whose header opened and names one of some indices, and whose signature no binding known of it fits:
// those to be read when another binding comes to be known.
func (x Index) Strangers(of ...dkg.Index) (out []FrameName) {
	for _, n := range x.pages.all() {
		if n.Stranger && slices.Contains(of, n.Sender) {
			out = append(out, n.Name)
		}
	}
	return out
}

// Bounded returns the frames whose header opened in a candidate: a bound kept it from being entered, and them from being read.
func (x Index) Bounded() (out []FrameName) {
	for _, n := range x.pages.all() {
		if _, led := x.Candidate(n.Epoch); led && n.Opened {
			out = append(out, n.Name)
		}
	}
	return out
}

// Unsaid returns the frames whose statement waits for room, or for the root that it names: those to be read when either came.
func (x Index) Unsaid() (out []FrameName) {
	for _, n := range x.pages.all() {
		if n.Unsaid {
			out = append(out, n.Name)
		}
	}
	return out
}

// Untagged returns the requests whose tag is unknown: those to be looked at when a record or a root comes.
func (x Index) Untagged() (out []FrameName) {
	for _, n := range x.pages.all() {
		if n.Form == Untagged {
			out = append(out, n.Name)
		}
	}
	return out
}

// queue returns the notes whose search is not at its end, sources by turns, of each the one with least left first. So an
// honest frame does not wait behind junk that came from the same mailbox, and no source holds up another one (D52).
func (x Index) queue(k Known, without map[FrameName]bool) []Note {
	type entry struct {
		note Note
		left uint64
		turn int
	}
	var all []entry
	for _, n := range x.pages.all() {
		if left := n.left(k.Newest(), x.led); left > 0 && !without[n.Name] {
			all = append(all, entry{n, left, 0})
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.left, b.left), cmp.Compare(a.note.serial, b.note.serial))
	})
	turns := make(map[Source]int)
	for i := range all {
		all[i].turn = turns[all[i].note.Source]
		turns[all[i].note.Source]++
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.turn, b.turn) })
	out := make([]Note, len(all))
	for i, e := range all {
		out[i] = e.note
	}
	return out
}

// Searching reports whether a search of a retained frame is not at its end.
func (x Index) Searching(k Known) bool {
	for _, n := range x.pages.all() {
		if n.left(k.Newest(), x.led) > 0 {
			return true
		}
	}
	return false
}

// Name returns the name of the frame that was searched.
func (r Result) Name() FrameName { return r.note.Name }
