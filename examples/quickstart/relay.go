package main

import (
	"math/rand/v2"
	"slices"

	"github.com/trefoil-im/trefoil/state"
)

// What the network does to frames under chaos.
const (
	window   = 16   // frames that may overtake each other
	repeated = 0.15 // share of frames that are delivered twice
	late     = 0.10 // share of frames that are held up
	lateness = 50   // lines that a late frame is held up at most
)

// relay is the server: it hands what somebody posts to everybody else. It sees envelopes only. With a source of chance it
// repeats, delays and reorders them.
type relay struct {
	chance  *rand.Rand // nil: everything arrives once, at once and in order
	now     int        // the line that is being sent
	members []string
	boxes   map[string]*mailbox
	frames  int // posted so far
	bytes   int
}

// mailbox holds what one member has yet to acknowledge.
type mailbox struct {
	waiting []parcel
	unread  []parcel // delivered, and not acknowledged: they come again when the member reconnects
}

type parcel struct {
	from string
	due  int // the line at which it arrives
	data []byte
	hash [32]byte
}

func newRelay(chaos uint64) *relay {
	r := &relay{boxes: make(map[string]*mailbox)}
	if chaos != 0 {
		r.chance = rand.New(rand.NewPCG(chaos, chaos))
	}
	return r
}

// open gives a member a mailbox. What was posted before does not come.
func (r *relay) open(name string) {
	r.members = append(r.members, name)
	r.boxes[name] = new(mailbox)
}

// post takes a frame for everybody but its sender.
func (r *relay) post(from string, data []byte) {
	r.frames++
	r.bytes += len(data)
	for _, name := range r.members {
		if name == from {
			continue
		}
		box := r.boxes[name]
		for range 1 + r.happens(repeated) {
			p := parcel{from: from, due: r.now, data: data, hash: state.Frame{Source: from, Data: data}.Hash()}
			if r.happens(late) == 1 {
				p.due += 1 + r.chance.IntN(lateness)
			}
			box.waiting = append(box.waiting, p)
		}
	}
}

// happens returns 1 with the given probability under chaos, and 0 otherwise.
func (r *relay) happens(share float64) int {
	if r.chance != nil && r.chance.Float64() < share {
		return 1
	}
	return 0
}

// next takes the frame out of a mailbox that arrives next. Under chaos it leaves a few behind, which others may overtake,
// unless all is set: then everything comes, however late.
func (r *relay) next(name string, all bool) (parcel, bool) {
	box := r.boxes[name]
	var due []int
	for i, p := range box.waiting {
		if len(due) < window && (all || p.due <= r.now) {
			due = append(due, i)
		}
	}
	if len(due) == 0 || r.chance != nil && !all && r.chance.IntN(window) >= len(due) {
		return parcel{}, false
	}
	at := due[0]
	if r.chance != nil {
		at = due[r.chance.IntN(len(due))]
	}
	p := box.waiting[at]
	box.waiting = slices.Delete(box.waiting, at, at+1)
	box.unread = append(box.unread, p)
	return p, true
}

// acknowledge forgets frames that a member is done with.
func (r *relay) acknowledge(name string, hashes ...[32]byte) {
	box := r.boxes[name]
	box.unread = slices.DeleteFunc(box.unread, func(p parcel) bool { return slices.Contains(hashes, p.hash) })
}

// reconnect makes what a member did not acknowledge come again.
func (r *relay) reconnect(name string) {
	box := r.boxes[name]
	box.waiting, box.unread = append(box.waiting, box.unread...), nil
}

// idle reports whether nothing is on its way.
func (r *relay) idle() bool {
	for _, box := range r.boxes {
		if len(box.waiting) > 0 {
			return false
		}
	}
	return true
}
