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
	// maxTickets bounds the tickets that are counted: after so many the time is 16,000 times longer.
	maxTickets = 14
	// maxRequests bounds the requests that are remembered.
	maxRequests = 20_000
)

// answerState is where this member stands with a request. The numbers are part of the stored format.
type answerState uint8

const (
	answerNone     answerState = 0 // the request was not seen yet, only tickets
	answerDeferred answerState = 1 // for others, first
	answerDue      answerState = 2 // the next time that the request is looked at
	answerDone     answerState = 3 // answered
)

// requestRecord is what a state remembers of a request for a ticket, to answer each once, and few that others answer.
type requestRecord struct {
	id      [16]byte // H(request)[:16]
	state   answerState
	arrived int64      // ms; or when it was answered
	wait    int64      // ms from then until its turn, if it waits and no ticket is seen
	index   dkg.Index  // 0 as long as the request was not seen
	joins   bool       // it is a joiner
	counter uint64     // of the request
	tickets [][16]byte // hashes of the mailboxes from which tickets came
}

func (h requestRecord) Key() segmap.Key {
	var id [32]byte
	copy(id[:], h.id[:])
	return segmap.ByID(id)
}

// expired reports whether others had their time.
func (h requestRecord) expired(now int64) bool {
	return h.state == answerDeferred && now-h.arrived >= h.wait<<len(h.tickets)
}

// Encode implements state.Piece.
func (h requestRecord) Encode(e *state.Encoder) {
	e.Fixed(h.id[:])
	e.Uint8(uint8(h.state))
	e.Int64(h.arrived)
	e.Int64(h.wait)
	e.Uint32(uint32(h.index))
	e.Bool(h.joins)
	e.Uint64(h.counter)
	e.Uint32(uint32(len(h.tickets)))
	for _, by := range h.tickets {
		e.Fixed(by[:])
	}
}

// Decode implements state.Piece.
func (requestRecord) Decode(d *state.Decoder) (h requestRecord, err error) {
	d.Into(h.id[:])
	h.state = answerState(d.Uint8())
	h.arrived = d.Int64()
	h.wait = d.Int64()
	h.index = dkg.Index(d.Uint32())
	h.joins = d.Bool()
	h.counter = d.Uint64()
	h.tickets = make([][16]byte, d.Count(maxTickets, 16))
	for i := range h.tickets {
		d.Into(h.tickets[i][:])
	}
	if err := d.Err(); err != nil {
		return requestRecord{}, err
	}
	if h.state > answerDone {
		return requestRecord{}, wire.ErrMalformed
	}
	return h, nil
}

// requestRecord returns what is remembered of a request: that it arrives now, if nothing is.
func (d *edit) requestRecord(id suite.Digest) requestRecord {
	h := requestRecord{id: [16]byte(id[:16]), arrived: d.now}
	if held, ok := d.st.requests.Get(h.Key()); ok {
		return held
	}
	return h
}

// putRequest remembers a request. Over the limit the oldest is forgotten, and first those of which only tickets were seen:
// anybody can make those up.
func (d *edit) putRequest(h requestRecord) {
	if !d.st.requests.Has(h.Key()) && d.st.requests.Size() >= maxRequests {
		var worst requestRecord
		for r := range d.st.requests.All() {
			made, worse := r.state == answerNone, worst.state == answerNone
			if worst.arrived == 0 || made && !worse || made == worse && r.arrived < worst.arrived {
				worst = r
			}
		}
		d.st.requests = d.st.requests.Drop(worst.Key())
	}
	d.st.requests = d.st.requests.Put(h)
}

// checkDeferred says what becomes of a request that was verified before and waits for others: nothing, without another look
// into it, until it is this member's turn or the asker was heard.
func (d *edit) checkDeferred(id suite.Digest) error {
	h := d.requestRecord(id)
	switch {
	case h.state != answerDeferred:
		return nil
	case d.heardSince(h):
		return outcome.ErrStale
	case h.expired(d.now):
		return nil
	}
	return outcome.ErrDeferred
}

// heardSince reports whether whoever made a request has its ticket.
func (d *edit) heardSince(h requestRecord) bool {
	_, r, _, _ := d.preferred()
	m, ok := r.members.Get(segmap.ByIndex(uint32(h.index)))
	return ok && m.answered > h.counter
}

// mayAnswer reports whether it is this member's turn to answer a request, and remembers it if it is not.
func (d *edit) mayAnswer(a verifiedRequest) bool {
	h := d.requestRecord(a.request)
	if h.state == answerNone {
		h.state, h.arrived, h.wait = answerDeferred, d.now, milliseconds(d.answerDelay(a))
		h.index, h.joins, h.counter = a.index, a.joins, a.counter
	}
	if h.state == answerDue || h.expired(d.now) {
		return true
	}
	d.putRequest(h)
	return false
}

// answerDelay is how long this member leaves a request to others. A joiner may repeat its own, so it gets one ticket an hour.
func (d *edit) answerDelay(a verifiedRequest) time.Duration {
	_, r, _, _ := d.preferred()
	order := func(i dkg.Index) []byte {
		h := suite.Hash(a.request[:], suite.U32(uint32(i)))
		return h[:]
	}
	own, rank, members := order(d.st.identity().index), 0, 0
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
	for h := range d.st.requests.All() {
		if a.joins && h.joins && h.index == a.index && h.state == answerDone {
			wait = max(wait, askEvery-time.Duration(d.now-h.arrived)*time.Millisecond)
		}
	}
	return wait
}

// noteTicket notes a ticket that answers somebody else's request and came from a mailbox. One that is no known member's
// counts for nothing.
func (d *edit) noteTicket(source string, t proto.Ticket) {
	if source == "" {
		return
	}
	var id suite.Digest
	copy(id[:], t.Answers[:])
	by := suite.Hash([]byte(source))
	h := d.requestRecord(id)
	if len(h.tickets) < maxTickets && !slices.Contains(h.tickets, [16]byte(by[:16])) {
		h.tickets = append(slices.Clip(h.tickets), [16]byte(by[:16]))
		d.putRequest(h)
	}
}

// expired returns the requests that others have deferred too long.
func (d *edit) expired() (out []requestRecord) {
	for h := range d.st.requests.All() {
		if h.expired(d.now) && !d.heardSince(h) {
			out = append(out, h)
		}
	}
	return out
}
