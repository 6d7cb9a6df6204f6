package trefoil

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// Direct is the conversation of two persons, with all devices of both. It holds no state of its own. Its methods are safe for
// concurrent use, and may be called by handlers.
type Direct struct {
	client *Client
	with   key.Address
}

// Direct returns the conversation with a person. It needs no network; whether there is such a person shows when something is sent.
// The person of this device is somebody to talk to, too: its other devices get what is written.
func (c *Client) Direct(with key.Address) Direct { return Direct{c, with} }

// Directs returns the conversations in which something was written or read.
func (c *Client) Directs(ctx context.Context) iter.Seq2[Direct, error] {
	return func(yield func(Direct, error) bool) {
		ids, err := c.directs.talks.List(ctx)
		for _, id := range ids {
			if !yield(Direct{c, key.Address(id)}, nil) {
				return
			}
		}
		if err != nil {
			yield(Direct{}, err)
		}
	}
}

// With returns the person.
func (d Direct) With() key.Address { return d.with }

// ID names the conversation: it is the Chat of its events.
func (d Direct) ID() state.ID { return talkID(d.with) }

// Send writes a message of at most MaxBody bytes to all devices of the person, and to the other ones of the writer. It is durable when
// Send returns, and needs no network: it is encrypted once the devices were looked up, for all of them in one commit. The writer
// is handed its own message like those of others, under the ID that Send returns. Errors are ErrNoPerson, ratchet.ErrTooLong, and
// state.ErrFull if too much waits.
func (d Direct) Send(ctx context.Context, body []byte) (EventID, error) {
	if len(body) > MaxBody {
		return EventID{}, ratchet.ErrTooLong
	}
	self, err := d.client.Person(ctx)
	if err != nil {
		return EventID{}, err
	}
	l := newLetter(d.with, d.client.o.Now(), body)
	err = d.client.directs.update(ctx, d.with, func(tx talkTx) error {
		tx.Send(unsent, l.encode())
		tx.Deliver(l.arrived(self))
		return nil
	})
	d.client.changed(aTalk, d.ID())
	return l.id(self), err
}

// talkTx is a transaction on a direct conversation.
type talkTx = *state.Tx[storedTalk]

// talking returns the step that changes the row of a conversation, which is made if there is none.
func (d *directs) talking(ctx context.Context, with key.Address, f func(talkTx) error) (state.Step, error) {
	_, err := d.talks.Load(ctx, talkID(with))
	if !errors.Is(err, state.ErrNotFound) {
		return d.talks.Updating(talkID(with), f), err
	}
	first, err := state.NewOne(talkID(with), talk{with: with})
	return d.talks.Creating(first, f), err
}

// update changes the row of a conversation.
func (d *directs) update(ctx context.Context, with key.Address, f func(talkTx) error) error {
	return again(func() error {
		step, err := d.talking(ctx, with, f)
		if err != nil {
			return err
		}
		return state.Batch(ctx, step)
	})
}

// again runs a function again if a row was made by somebody else meanwhile.
func again(f func() error) error {
	err := f()
	if errors.Is(err, state.ErrExists) {
		err = f()
	}
	return err
}

// encrypt replaces a message that waits by its frames to all devices, in one commit, and returns the slots whose outboxes hold
// them. It returns session.ErrUnverified if there is no such person, or none of its devices can be written to.
func (d *directs) encrypt(ctx context.Context, id state.ID, out state.Outgoing) (slots []state.ID, err error) {
	with := key.Address(id)
	self, err := d.self(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.publish(ctx); err != nil { // who cannot look this device up takes the message for a stranger's
		return nil, err
	}
	peers, err := d.peers(ctx, with)
	if err != nil {
		return nil, err
	}
	var steps []state.Step
	for _, person := range slices.Compact([]key.Address{with, self}) {
		more, to, err := d.endpoint.Sending(ctx, out.Data, person)
		if err != nil && (person != self || !errors.Is(err, session.ErrUnverified)) {
			return nil, err
		}
		steps, slots = append(steps, more...), append(slots, to...)
	}
	names := namesOf(peers)
	step := d.talks.Updating(id, func(tx talkTx) error {
		if !tx.Withdraw(out.Seq) {
			return errSentAlready
		}
		t := tx.Value().Part()
		if len(t.devices) > 0 && !slices.EqualFunc(t.devices, names, slices.Equal[[]byte]) {
			tx.Emit(DevicesChanged{Devices: len(names)})
		}
		t.devices = names
		tx.Set(tx.Value().With(t))
		return nil
	})
	err = state.Batch(ctx, append(steps, step)...)
	if errors.Is(err, errSentAlready) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return slots, nil
}

// errSentAlready ends a commit in which another process was faster.
var errSentAlready = errors.New("trefoil: sent already")

// collect moves what was read in a slot into the inbox of its conversation, each message in one commit.
func (d *directs) collect(ctx context.Context, slot state.ID) (talked []key.Address, err error) {
	self, err := d.self(ctx)
	if err != nil {
		return nil, err
	}
	s, err := d.endpoint.Sessions.Load(ctx, slot)
	if err != nil {
		return nil, err
	}
	from, _ := s.Part().Peer()
	for {
		items, err := d.endpoint.Sessions.Inbox(ctx, slot, 0)
		if err != nil || len(items) == 0 {
			return talked, err
		}
		for _, in := range items {
			with, err := d.move(ctx, slot, from, self, in)
			if err != nil {
				return talked, err
			}
			talked = append(talked, with)
		}
	}
}

// move moves one item. One that is no letter, or one to somebody else, is Unread in the conversation with its writer.
func (d *directs) move(ctx context.Context, slot state.ID, from, self key.Address, in state.Incoming) (with key.Address, err error) {
	l, unread := parseLetter(in.Data())
	with, ok := l.talkWith(from, self)
	if unread != nil || !ok {
		with = from
	}
	err = again(func() error {
		taken := false
		take := d.endpoint.Sessions.Updating(slot, func(tx *state.Tx[session.Session]) error {
			taken = tx.Take(in.Seq)
			return nil
		})
		deliver, err := d.talking(ctx, with, func(tx talkTx) error {
			switch {
			case !taken: // by another process
			case unread != nil:
				tx.Emit(Unread{Reason: unread})
			case !ok:
				tx.Emit(Unread{Reason: ratchet.ErrMalformed})
			default:
				tx.Deliver(l.arrived(from))
			}
			return nil
		})
		if err != nil {
			return err
		}
		return state.Batch(ctx, take, deliver)
	})
	return with, err
}

// notSent takes a message out that nobody can be sent.
func (d *directs) notSent(ctx context.Context, id state.ID, out state.Outgoing) error {
	self, err := d.self(ctx)
	if err != nil {
		return err
	}
	return d.talks.Update(ctx, id, func(tx talkTx) error {
		if l, err := parseLetter(out.Data); err == nil && tx.Withdraw(out.Seq) {
			tx.Emit(NotSent{Message: l.id(self), Reason: session.ErrUnverified})
		}
		return nil
	})
}
