package ratchet

import (
	"bytes"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Who answers a request (§9). A ticket is long, and two are enough: so for each request the members have an order of their
// own, in which the first two answer at once, and the others one after the other only if the joiner is not heard meanwhile.
// Every ticket that is seen doubles the time the others wait. Nobody can verify a ticket that is not his own, so what
// looks like one only delays, and only once for each mailbox.
const (
	// firstAnswers is the number of members that answer at once.
	firstAnswers = 2
	// answerStep is how much longer each of the others waits than the one before it: long enough for a ticket to be seen.
	answerStep = 5 * time.Second
	// answerWithin is when the last one's turn has come if no ticket is seen: in large spaces steps are shorter.
	answerWithin = 10 * time.Minute
	// maxWitnesses bounds the tickets that are counted: after so many the time is 16,000 times longer.
	maxWitnesses = 14
	// maxHeldRequests bounds the requests that are remembered.
	maxHeldRequests = 20_000
)

// turn is where this member stands with a request. The numbers are part of the stored format.
type turn uint8

const (
	turnNone  turn = 0 // the request was not seen yet, only tickets
	turnWaits turn = 1 // for others, first
	turnDue   turn = 2 // the next time that the request is looked at
	turnOver  turn = 3 // answered
)

// heldRequest is what a state remembers of a request for a ticket, to answer each once, and few that others answer.
type heldRequest struct {
	id        [16]byte // H(request)[:16]
	turn      turn
	arrived   int64      // ms; or when it was answered
	wait      int64      // ms from then until its turn, if it waits and no ticket is seen
	asker     dkg.Index  // 0 as long as the request was not seen
	joins     bool       // it is a joiner
	counter   uint64     // of the request
	witnesses [][16]byte // hashes of the mailboxes from which tickets came
}

func (h heldRequest) Key() segmap.Key {
	var id [32]byte
	copy(id[:], h.id[:])
	return segmap.ByID(id)
}

// due reports whether others had their time.
func (h heldRequest) due(now int64) bool {
	return h.turn == turnWaits && now-h.arrived >= h.wait<<len(h.witnesses)
}

// Encode implements state.Piece.
func (h heldRequest) Encode(e *state.Encoder) {
	e.Fixed(h.id[:])
	e.Uint8(uint8(h.turn))
	e.Int64(h.arrived)
	e.Int64(h.wait)
	e.Uint32(uint32(h.asker))
	e.Bool(h.joins)
	e.Uint64(h.counter)
	e.Uint32(uint32(len(h.witnesses)))
	for _, by := range h.witnesses {
		e.Fixed(by[:])
	}
}

// Decode implements state.Piece.
func (heldRequest) Decode(d *state.Decoder) (h heldRequest, err error) {
	d.Into(h.id[:])
	h.turn = turn(d.Uint8())
	h.arrived = d.Int64()
	h.wait = d.Int64()
	h.asker = dkg.Index(d.Uint32())
	h.joins = d.Bool()
	h.counter = d.Uint64()
	h.witnesses = make([][16]byte, d.Count(maxWitnesses, 16))
	for i := range h.witnesses {
		d.Into(h.witnesses[i][:])
	}
	if err := d.Err(); err != nil {
		return heldRequest{}, err
	}
	if h.turn > turnOver {
		return heldRequest{}, wire.ErrMalformed
	}
	return h, nil
}

// heldRequest returns what is remembered of a request: that it arrives now, if nothing is.
func (w *work) heldRequest(id suite.Digest) heldRequest {
	h := heldRequest{id: [16]byte(id[:16]), arrived: w.now}
	if held, ok := w.st.requests.Get(h.Key()); ok {
		return held
	}
	return h
}

// holdRequest remembers a request. Over the limit the oldest is forgotten, and first those of which only tickets were seen:
// anybody can make those up.
func (w *work) holdRequest(h heldRequest) {
	if !w.st.requests.Has(h.Key()) && w.st.requests.Size() >= maxHeldRequests {
		var worst heldRequest
		for r := range w.st.requests.All() {
			made, worse := r.turn == turnNone, worst.turn == turnNone
			if worst.arrived == 0 || made && !worse || made == worse && r.arrived < worst.arrived {
				worst = r
			}
		}
		w.st.requests = w.st.requests.Drop(worst.Key())
	}
	w.st.requests = w.st.requests.Put(h)
}

// retained says what becomes of a request that was verified before and waits for others: nothing, without another look
// into it, until it is this member's turn or the asker was heard.
func (w *work) retained(id suite.Digest) error {
	h := w.heldRequest(id)
	switch {
	case h.turn != turnWaits:
		return nil
	case w.heardSince(h):
		return outcome.ErrStale
	case h.due(w.now):
		return nil
	}
	return outcome.ErrDeferred
}

// heardSince reports whether whoever made a request has its ticket.
func (w *work) heardSince(h heldRequest) bool {
	_, r, _, _ := w.preferred()
	m, ok := r.members.Get(segmap.ByIndex(uint32(h.asker)))
	return ok && m.answered > h.counter
}

// takeTurn reports whether it is this member's turn to answer a request, and remembers it if it is not.
func (w *work) takeTurn(a asker) bool {
	h := w.heldRequest(a.request)
	if h.turn == turnNone {
		h.turn, h.arrived, h.wait = turnWaits, w.now, milliseconds(w.patience(a))
		h.asker, h.joins, h.counter = a.index, a.joins, a.counter
	}
	if h.turn == turnDue || h.due(w.now) {
		return true
	}
	w.holdRequest(h)
	return false
}

// patience is how long this member leaves a request to others. A joiner may repeat its own, so it gets one ticket an hour.
func (w *work) patience(a asker) time.Duration {
	_, r, _, _ := w.preferred()
	order := func(i dkg.Index) []byte {
		h := suite.Hash(a.request[:], suite.U32(uint32(i)))
		return h[:]
	}
	own, rank, members := order(w.self().index), 0, 0
	for m := range r.members.All() {
		if m.Index == a.index || m.left {
			continue
		}
		members++
		if bytes.Compare(order(m.Index), own) < 0 {
			rank++
		}
	}
	wait := time.Duration(max(0, rank+1-firstAnswers)) * min(answerStep, answerWithin/time.Duration(max(1, members)))
	for h := range w.st.requests.All() {
		if a.joins && h.joins && h.asker == a.index && h.turn == turnOver {
			wait = max(wait, askEvery-time.Duration(w.now-h.arrived)*time.Millisecond)
		}
	}
	return wait
}

// witness notes a ticket that answers somebody else's request and came from a mailbox. One that is no known member's
// counts for nothing.
func (w *work) witness(source string, t proto.Ticket) {
	if source == "" {
		return
	}
	var id suite.Digest
	copy(id[:], t.Answers[:])
	by := suite.Hash([]byte(source))
	h := w.heldRequest(id)
	if len(h.witnesses) < maxWitnesses && !slices.Contains(h.witnesses, [16]byte(by[:16])) {
		h.witnesses = append(slices.Clip(h.witnesses), [16]byte(by[:16]))
		w.holdRequest(h)
	}
}

// overdue returns the requests that others have let wait too long.
func (w *work) overdue() (out []heldRequest) {
	for h := range w.st.requests.All() {
		if h.due(w.now) && !w.heardSince(h) {
			out = append(out, h)
		}
	}
	return out
}
