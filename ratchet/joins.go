package ratchet

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/parts"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// openTicket opens a part of a ticket, or a refusal.
func openTicket(d *edit, f incoming) (Message, error) {
	if proto.IsRefusal(f.data) {
		s, err := proto.ParseSealedRefusal(f.data)
		if err != nil {
			return Message{}, d.unread(f, outcome.Malformed(err))
		}
		return Message{}, d.unread(f, d.refused(s))
	}
	p, err := proto.ParsePart(f.data)
	if err != nil {
		return Message{}, d.unread(f, outcome.Malformed(err))
	}
	if d.st.phase == Left || d.st.phase == Removed { // who answered did not know of it yet
		return Message{}, d.unread(f, outcome.ErrStale)
	}
	own, ok := d.ownRequest(p.Name)
	if !ok {
		if p.Place == 0 { // one of each ticket is counted
			d.setDesk(d.st.desk.Value().Ticket(p.Name, d.age()))
		}
		return Message{}, d.unread(f, outcome.ErrStale)
	}
	whole, err := d.collect(f, p)
	if whole == nil {
		return Message{}, err
	}
	try := *d
	if err := try.enterTicket(own, whole); err != nil {
		return Message{}, d.unread(f, err)
	}
	*d = try
	d.forget(f.name)
	if len(p.Hashes) > 1 {
		d.retry(d.st.orphans.Value().Others()...) // copies of its parts are of no use any more
	}
	return Message{}, nil
}

// collect takes in a part of a ticket or rekey. It returns the whole once all parts are there; before, nil and what becomes of the frame.
func (d *edit) collect(f incoming, p proto.Part) ([]byte, error) {
	sets, got, err := d.st.parts.Value().Add(f.name, p)
	d.setParts(sets)
	d.retry(got.Retry...)
	d.giveUp(got.Forget...)
	switch {
	case errors.Is(err, parts.ErrStale):
		return nil, d.unread(f, outcome.ErrStale)
	case err != nil:
		return nil, d.unread(f, outcome.Malformed(err))
	case got.Whole == nil && got.Taken:
		d.forget(f.name)
		return nil, nil
	case got.Whole == nil:
		return nil, d.unread(f, fmt.Errorf("%w: parts are missing", outcome.ErrNotYet))
	}
	return got.Whole, nil
}

// giveUp lets the vault forget retained frames because of a bound: they are not acknowledged, so they come again.
func (d *edit) giveUp(names ...parts.FrameName) {
	if len(names) == 0 {
		return
	}
	d.setOrphans(d.st.orphans.Value().Forget(names...))
	d.lost = append(d.lost, names...)
}

// lose takes in that the index of orphans gave frames up.
func (d *edit) lose(names ...parts.FrameName) {
	d.lost = append(d.lost, names...)
	sets, again := d.st.parts.Value().Forget(names...)
	if again {
		d.setParts(sets)
		d.retry(d.st.orphans.Value().Others()...) // a copy may be among them
	}
}

// refused takes in a refusal of an own request. Those of others are counted like tickets.
func (d *edit) refused(s proto.SealedRefusal) error {
	if _, ok := d.ownRequest(s.Name); !ok {
		d.setDesk(d.st.desk.Value().Ticket(s.Name, d.age()))
		return outcome.ErrStale
	}
	l, _ := d.opened()
	a, c, err := d.st.asking.Value().Refused(d.asker(), l, s, d.clockOf())
	switch {
	case errors.Is(err, asking.ErrStale):
		return outcome.ErrStale
	case errors.Is(err, asking.ErrForged):
		return outcome.ErrForged
	case err != nil:
		return err
	}
	d.asked(a, c)
	if c.Ask {
		d.askAgain()
	}
	return nil
}
