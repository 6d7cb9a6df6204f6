package orphans

// Others returns the retained frames that are no messages: parts of sets, and requests.
func (x Index) Others() (out []FrameName) {
	for _, n := range x.pages.all() {
		if n.Form == Other {
			out = append(out, n.Name)
		}
	}
	return out
}

// UnreadSince reports whether a message came up to a time of the wall clock, from wherever, that nothing opened since.
func (x Index) UnreadSince(wall Millis) bool {
	for _, n := range x.pages.all() {
		if !n.rest() && n.Form == Message && !n.Prior && n.Arrived <= wall {
			return true
		}
	}
	return false
}

// WaitsSince reports whether a frame that counts for Waits came up to a time of the wall clock, and was not read since.
func (x Index) WaitsSince(wall Millis) bool {
	for _, n := range x.pages.all() {
		if !n.rest() && n.Form == Message && !n.Prior && !n.Unsaid && !n.away() && n.Arrived <= wall {
			return true
		}
	}
	return false
}
