package members

import (
	"bytes"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Times of answering (§9, Turns), by the wall clock.
const (
	second     Millis = 1000
	minute            = 60 * second
	hour              = 60 * minute
	day               = 24 * hour
	placeWait         = 5 * second
	laterWait         = 10 * minute
	fewPlaces         = 16 // wait no longer than that, so that forged tickets do not silence all
	fewTickets        = 2
	// copyWithin is for how long after the answer a request that comes again is a copy that a relay made. Whoever got no answer repeats
	// it an hour after it was posted, which is less than an hour after it was answered.
	copyWithin = 30 * minute
)

// Place returns the place of a member in the order in which those known answer an asker, from 0. The order is drawn from the
// asker's signing key, so that a new request has the same first two. It is false for who is not in it.
func (r Root) Place(self, asker dkg.Index, key suite.PublicKey) (int, bool) {
	return r.placeAmong(self, asker, key, func(dkg.Index) bool { return true })
}

// placeAmong is Place in the order of some of them.
func (r Root) placeAmong(self, asker dkg.Index, key suite.PublicKey, some func(dkg.Index) bool) (int, bool) {
	order := func(i dkg.Index) []byte {
		d := suite.HashLabel(suite.HashOrder, r.spaceBytes(), vec16(key.Bytes()), suite.U32(uint32(i)))
		return d[:]
	}
	own, place, in := order(self), 0, false
	for i := range r.All() {
		switch {
		case i == asker || r.Gone(i) || !some(i):
		case i == self:
			in = true
		case bytes.Compare(order(i), own) < 0:
			place++
		}
	}
	return place, in
}

func (r Root) spaceBytes() []byte {
	id := r.Space()
	return id[:]
}

func vec16(b []byte) []byte { return slices.Concat([]byte{byte(len(b) >> 8), byte(len(b))}, b) }

// wait returns how long a place waits after so many tickets of the name were seen. There is no cap but a day: a joiner that goes
// away for one would else get a ticket from everybody (D54).
func wait(place, tickets int) Millis {
	var w Millis
	if place > 1 {
		w = Millis(place-1) * placeWait
	}
	switch {
	case tickets < fewTickets || place < 2:
		return w
	case place < fewPlaces:
		return w + laterWait
	}
	return w + min(laterWait<<min(tickets/2-1, 20), day)
}

// over reports whether a wait since a time is over, also if the clock stands more than an hour before that time.
func over(now, since, wait Millis) bool { return now-since >= wait || now < since-hour }
