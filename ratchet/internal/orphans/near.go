package orphans

import "slices"

// headers tries the header with all epochs known, and before those that are far the commits with those that are near: where many
// commit at once, a message mostly brings a commit from the epoch that its reader was in just now. From then on the header is tried with
// each epoch that comes to be known.
func (s *search) headers() {
	s.note.search.held, s.note.search.led = begin(s.known.Newest()), begin(s.index.led)
	near := slices.Collect(s.known.Near)
	if slices.ContainsFunc(near, s.header) || s.nearby(near) {
		return
	}
	for _, e := range s.known.Down(s.known.Newest()) {
		if !slices.ContainsFunc(near, func(n Epoch) bool { return n.ID == e.ID }) && s.header(e) {
			return
		}
	}
	for _, id := range s.index.lookup.numbers.up() {
		c, _ := s.index.Candidate(id)
		if s.header(c.epoch()) {
			return
		}
	}
}

// carried is how many commits an honest message carries of its own line (§7).
const carried = 4

// nearby tries the last commits of the own line, and the first one of each other line, with epochs that are near. It reports whether
// that led to the epoch of the message.
func (s *search) nearby(near []Epoch) bool {
	try := func(place int) bool {
		for _, e := range near {
			if s.note.search.open(place) && !s.spent() {
				s.line(place, e)
			}
		}
		return s.result.Found
	}
	first := 0
	for i, way := range s.lines {
		if i > 0 && len(way) > 0 && try(first) {
			return true
		}
		for place := first + len(way) - 1; i == 0 && place >= max(first, first+len(way)-carried); place-- {
			if try(place) {
				return true
			}
		}
		first += len(way)
	}
	return false
}
