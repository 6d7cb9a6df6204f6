package orphans

import (
	"errors"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Result is what a search came to. The Index that was searched is as it was: Note or Keep take the result in.
type Result struct {
	// Found: the header opened in Epoch, which is the last of Path, or held if Path is empty. Path leads from an epoch held,
	// parents first. Nothing of it is entered yet.
	Found  bool
	Epoch  proto.EpochID
	Header proto.Header
	Path   []Candidate

	// Forged: a commit of the sender's own line is false and nothing opened the header: the frame is to be discarded (D50).
	Forged bool
	// Closed are the words about the tree in which a commit of the own line found its place used up. See Ticket.BeforeJoin.
	Closed []Words
	// Own are commits of the own index. Whoever does not know them was restored, or copied (§4).
	Own []OwnCommit
	// Misled are commits that their makers made from false nodes.
	Misled []proto.Shown

	note  Note
	fresh []Candidate
}

// OwnCommit is a commit of the own index, opened in Parent.
type OwnCommit struct {
	Parent proto.EpochID
	Shown  proto.Shown
}

// search is one search while it is made.
type search struct {
	index  Index
	known  Known
	budget *Budget
	lines  []proto.Way
	note   Note
	result Result

	sealed []proto.Sealed // all commits, by place
	last   []bool         // whether a place is the last of its line
	added  map[proto.EpochID]int
	trial  proto.Trial
}

// Search looks for the epoch of a frame, or goes on where an earlier search of it stopped (§7, Finding the epoch). If the
// header opens in an epoch that is known, the commits are not looked at.
func (x Index) Search(f Frame, k Known, b *Budget) Result {
	n, noted := x.retained(f.Name)
	if !noted {
		n = Note{
			Name: f.Name, Size: uint32(f.Size), Source: f.Source, Member: f.Member,
			header: f.Envelope.Header, commits: uint8(f.Envelope.Commits()),
		}
	}
	n.search, _ = n.search.change(func(at finding) (finding, bool) { // to say it once more: the reader judges by it (Result.Closed)
		if at.what == closed && int(at.place) < len(f.Envelope.Own) {
			at.what |= due
		}
		return at, true
	})
	s := newSearch(x, k, b, n, waysOf(f.Envelope.Ways))
	if !noted {
		s.headers()
	} else if n.Opened {
		s.reopen()
	}
	if !s.result.Found {
		s.sweep()
	}
	return s.done()
}

func newSearch(x Index, k Known, b *Budget, n Note, y ways) *search {
	s := &search{index: x, known: k, budget: b, lines: y.lines, note: n, trial: proto.NewTrial(k.Space(), proto.EpochID{})}
	for _, way := range s.lines {
		s.sealed = append(s.sealed, way...)
		for i := range way {
			s.last = append(s.last, i == len(way)-1)
		}
	}
	return s
}

func (s *search) done() Result {
	s.result.note = s.note
	s.result.Forged = s.result.Forged && !s.result.Found
	return s.result
}

// reopen takes up the header that was opened before. If its epoch is not known any more the note says so already.
func (s *search) reopen() {
	if e, ok := s.epoch(s.note.Epoch); ok {
		s.header(e)
	}
}

// epoch returns an epoch that is known.
func (s *search) epoch(id proto.EpochID) (Epoch, bool) {
	if c, ok := s.candidate(id); ok {
		return c.epoch(), true
	}
	return s.known.Epoch(id)
}

func (s *search) candidate(id proto.EpochID) (Candidate, bool) {
	if i, ok := s.added[id]; ok {
		return s.result.fresh[i], true
	}
	return s.index.Candidate(id)
}

// header tries the header with an epoch, and notes where it opened.
func (s *search) header(e Epoch) bool {
	if !e.Readable {
		return false
	}
	s.trial.Move(e.ID)
	h, err := s.trial.Header(e.Header, &s.note.header)
	if err != nil {
		return false
	}
	s.note.Opened, s.note.Epoch, s.note.Sender = true, e.ID, h.Index
	s.result.Found, s.result.Epoch, s.result.Header = true, e.ID, h
	for id := e.ID; ; {
		c, ok := s.candidate(id)
		if !ok {
			break
		}
		s.result.Path = append([]Candidate{c}, s.result.Path...)
		id = c.Parent
	}
	return true
}

// sweep tries the commits that nothing opened yet with the epochs that they were not tried with, held ones before candidates:
// those that came to be known since, then the others, the last first. It stops where the header opens or the budget ends.
func (s *search) sweep() {
	s.again()
	p := &s.note.search
	s.up(&p.held, s.known.Newest(), s.heldUp)
	s.down(&p.held, s.heldDown)
	s.up(&p.led, s.index.led, s.ledUp)
	s.down(&p.led, s.ledDown)
}

// stopped reports whether the sweep ends before another epoch: the budget is spent, or there is nothing left that it could open.
func (s *search) stopped() bool {
	return s.spent() || (s.note.Opened || s.note.rest()) && len(s.note.search.found) == len(s.sealed)
}

func (s *search) spent() bool {
	return s.result.Found || s.budget.Checks <= 0 || s.budget.Trials < 1+len(s.sealed)-len(s.note.search.found)
}

func (s *search) up(at *span, newest uint64, visit func(first uint64, try func(uint64, Epoch) bool)) {
	if at.last >= newest {
		return
	}
	visit(at.last+1, func(n uint64, e Epoch) bool {
		if s.stopped() {
			return false
		}
		if !s.note.Opened && !s.note.rest() && s.header(e) || !s.all(e) {
			return false
		}
		at.last = n
		return true
	})
	if !s.stopped() {
		at.last = newest
	}
}

func (s *search) down(at *span, visit func(last uint64, try func(uint64, Epoch) bool)) {
	if s.stopped() || at.first <= 1 {
		return
	}
	visit(at.first-1, func(n uint64, e Epoch) bool {
		if s.stopped() || !s.all(e) {
			return false
		}
		at.first = n
		return true
	})
	if !s.stopped() {
		at.first = 1
	}
}

func (s *search) heldUp(first uint64, try func(uint64, Epoch) bool) {
	for n, e := range s.known.Up(first) {
		if !try(n, e) {
			return
		}
	}
}

func (s *search) heldDown(last uint64, try func(uint64, Epoch) bool) {
	for n, e := range s.known.Down(last) {
		if !try(n, e) {
			return
		}
	}
}

func (s *search) ledUp(first uint64, try func(uint64, Epoch) bool) {
	for n, id := range s.index.lookup.numbers.from(number(first)) {
		c, _ := s.index.Candidate(id)
		if !try(uint64(n), c.epoch()) {
			return
		}
	}
}

func (s *search) ledDown(last uint64, try func(uint64, Epoch) bool) {
	for n, id := range s.index.lookup.numbers.below(number(last + 1)) {
		c, _ := s.index.Candidate(id)
		if !try(uint64(n), c.epoch()) {
			return
		}
	}
}

// all tries all commits that nothing opened yet with an epoch. It reports whether it came to the end.
func (s *search) all(e Epoch) bool {
	for place := range s.sealed {
		if !s.note.search.open(place) {
			continue
		}
		if s.budget.Checks <= 0 {
			return false
		}
		if s.line(place, e); s.result.Found {
			return false
		}
	}
	return true
}

// again tries the commits that wait and have a reason to be tried again.
func (s *search) again() {
	for _, f := range s.note.search.found {
		if !f.what.waits() || f.what&due == 0 || s.spent() {
			continue
		}
		if e, ok := s.epoch(f.epoch); ok {
			s.line(int(f.place), e)
		}
	}
}

// line tries the commit at a place with an epoch, and if it leads on, the header and the commits behind it with its children.
func (s *search) line(place int, e Epoch) {
	for {
		s.budget.Trials--
		s.trial.Move(e.ID)
		c, err := s.trial.Commit(e.Commit, s.sealed[place])
		if errors.Is(err, suite.ErrNotOpened) {
			return
		}
		child, ok := s.opened(place, e, c, err)
		if !ok || !s.note.Opened && !s.note.rest() && s.header(child) {
			return
		}
		if s.last[place] || !s.note.search.open(place+1) || s.budget.Checks <= 0 {
			return
		}
		place, e = place+1, child
	}
}

// opened takes in a commit that an epoch opened, and returns its child if that is known.
func (s *search) opened(place int, e Epoch, c proto.Opened, err error) (Epoch, bool) {
	own := place < len(s.lines[0])
	found := finding{place: uint8(place)}
	var child Epoch
	known := false
	if err == nil {
		id := c.Child(s.known.Space(), e.ID, e.Generation+1)
		if child, known = s.epoch(id); known {
			if _, candidate := s.candidate(id); candidate {
				found.what, found.epoch = led, id
			}
			s.note.search = s.note.search.with(found)
			return child, true
		}
	}
	var shown proto.Shown
	if err == nil {
		shown, err = c.Parse()
	}
	switch {
	case err != nil: // sealed by somebody in e, and no commit
		s.result.Forged = s.result.Forged || own
	case s.crowd(makerOf(shown)) >= maxLed:
		found.what, found.epoch, found.maker = crowded, e.ID, makerOf(shown).Index
	default:
		var c Candidate
		c, err = s.derive(e, shown)
		found.what, found.epoch = s.judge(err, own, e.ID, shown)
		if err == nil {
			child, known, found.epoch = c.epoch(), true, c.ID
		}
	}
	s.note.search = s.note.search.with(found)
	return child, known
}

// crowd returns how many candidates a maker has.
func (s *search) crowd(m maker) int {
	n, _ := s.index.lookup.makers.get(m)
	for _, c := range s.result.fresh {
		if makerOf(c.Shown).compare(m) == 0 {
			n++
		}
	}
	return n
}

func (s *search) derive(e Epoch, shown proto.Shown) (Candidate, error) {
	s.budget.Checks--
	var above *Candidate
	if c, ok := s.candidate(e.ID); ok {
		above = &c
	}
	c, err := s.known.Derive(e.ID, above, shown)
	if err != nil {
		return Candidate{}, err
	}
	c = c.ready()
	if s.added == nil {
		s.added = make(map[proto.EpochID]int)
	}
	s.added[c.ID] = len(s.result.fresh)
	s.result.fresh = append(s.result.fresh, c)
	return c, nil
}

// judge says what becomes of a commit after the checks of §4.
func (s *search) judge(err error, own bool, parent proto.EpochID, shown proto.Shown) (outcome, proto.EpochID) {
	var words ClosedError
	switch {
	case err == nil:
		return led, proto.EpochID{}
	case errors.Is(err, ErrWaits):
		return wordless, parent
	case errors.Is(err, ErrClosed):
		if errors.As(err, &words) && own {
			s.result.Closed = append(s.result.Closed, words.Words)
		}
		return closed, parent
	case errors.Is(err, ErrOwnCommit):
		s.result.Own = append(s.result.Own, OwnCommit{parent, shown})
	case errors.Is(err, ErrMisled):
		s.result.Misled = append(s.result.Misled, shown)
		s.result.Forged = s.result.Forged || own
	case errors.Is(err, ErrFalse):
		s.result.Forged = s.result.Forged || own
	}
	return ended, proto.EpochID{}
}
