package trefoil

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
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
		ids, err := bodyOf(c).directs.talks.List(ctx)
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
func (d Direct) Send(ctx context.Context, body []byte) (event.ID, error) {
	if len(body) > MaxBody {
		return event.ID{}, ratchet.ErrTooLong
	}
	self, err := d.client.Person(ctx)
	if err != nil {
		return event.ID{}, err
	}
	l := newLetter(d.with, d.client.o.Now(), body)
	err = bodyOf(d.client).directs.update(ctx, d.with, func(tx talkTx) error {
		l.write(tx, unsent, self)
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
// them. With keeps a relay is given them, too, if a session begins with one, or the message waits for that. It returns
// ErrNobody if there is no such person, or none of its devices can be written to.
func (d *directs) encrypt(ctx context.Context, id state.ID, out state.Outgoing, keeps bool) (slots []state.ID, err error) {
	with := key.Address(id)
	self, err := d.self(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.publish(ctx); err != nil { // who cannot look this device up takes the message for a stranger's
		return nil, err
	}
	person, devices, err := d.readers(ctx, with)
	if err != nil {
		return nil, err
	}
	o := newOpening(out.Data)
	steps, slots, err := d.endpoint.Sending(ctx, out.Data, o.add, devices...)
	if err != nil {
		return nil, err
	}
	step := d.talks.Updating(id, func(tx talkTx) error {
		if !tx.Withdraw(out.Seq) {
			return errSentAlready
		}
		writesTo(tx, person)
		if keeps && with != self && (o.begins() || out.To == unsentToKeep) {
			o.wait(tx)
		}
		return nil
	})
	err = state.Batch(ctx, append(steps, step)...)
	switch {
	case errors.Is(err, errSentAlready):
		return nil, nil
	case errors.Is(err, state.ErrFull) && keeps: // of what waits behind the message: it goes first, and is not kept
		return d.encrypt(ctx, id, out, false)
	}
	return slots, err
}

// writesTo notes which devices a person has for which a message is encrypted, and tells the writer if they are others than before.
func writesTo(tx talkTx, person directory.Person) {
	t, known := tx.Value().Part(), person.Fingerprint()
	if t.known != ([sha256.Size]byte{}) && t.known != known {
		tx.Emit(event.DevicesChanged{Devices: len(person.Entries())})
	}
	t.known = known
	tx.Set(tx.Value().With(t))
}

// readers returns a person, and the devices that a message to it is for: those of the person, and of this device's own. It returns
// ErrNobody if there is no such person, or none of its devices can be written to.
func (d *directs) readers(ctx context.Context, with key.Address) (person directory.Person, devices []directory.Peer, err error) {
	self, err := d.self(ctx)
	if err != nil {
		return person, nil, err
	}
	person, devices, err = d.devicesOf(ctx, with)
	if err != nil || with == self {
		return person, devices, err
	}
	if len(devices) == 0 {
		return person, nil, ErrNobody
	}
	own, err := d.peers(ctx, self)
	return person, append(slices.Clip(devices), own...), err
}

// errSentAlready ends a commit in which another process was faster.
var errSentAlready = errors.New("trefoil: sent already")

// collect moves what was read in a slot into the inboxes of the conversations that it belongs to, a page of it in one commit. It returns
// with whom they are.
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
		var letters []state.Incoming
		for _, in := range items {
			if from == self && len(in.Data()) > 0 && in.Data()[0] == enteringVersion {
				if taken, err := d.enter(ctx, slot, in); err != nil {
					return talked, err
				} else if taken {
					continue
				}
			}
			letters = append(letters, in)
		}
		if len(letters) == 0 {
			continue
		}
		with, err := d.move(ctx, slot, from, self, letters)
		if err != nil {
			return talked, err
		}
		talked = append(talked, with...)
	}
}

// move moves some items. One that is no letter, or one to somebody else, is Unread in the conversation with its writer.
func (d *directs) move(ctx context.Context, slot state.ID, from, self key.Address, items []state.Incoming) (talked []key.Address, err error) {
	taken := make(map[uint64]bool) // those that no other process has taken
	told := make(map[key.Address][]func(talkTx))
	for _, in := range items {
		l, err := parseLetter(in.Data())
		with, ok := l.talkWith(from, self)
		if err == nil && !ok {
			err = ratchet.ErrMalformed
		}
		if err != nil {
			with = from
		}
		if told[with] == nil {
			talked = append(talked, with)
		}
		told[with] = append(told[with], func(tx talkTx) {
			switch {
			case !taken[in.Seq]:
			case err != nil:
				tx.Emit(event.Unread{Reason: err})
			default:
				tx.Deliver(l.arrived(from))
			}
		})
	}
	err = again(func() error {
		steps := []state.Step{d.endpoint.Sessions.Updating(slot, func(tx *state.Tx[session.Session]) error {
			for _, in := range items {
				taken[in.Seq] = tx.Take(in.Seq)
			}
			return nil
		})}
		for _, with := range talked {
			step, err := d.talking(ctx, with, func(tx talkTx) error {
				for _, tell := range told[with] {
					tell(tx)
				}
				return nil
			})
			if err != nil {
				return err
			}
			steps = append(steps, step)
		}
		return state.Batch(ctx, steps...)
	})
	return talked, err
}

// notSent takes a message out that nobody can be sent, for a reason.
func (d *directs) notSent(ctx context.Context, id state.ID, out state.Outgoing, reason error) error {
	self, err := d.self(ctx)
	if err != nil {
		return err
	}
	return d.talks.Update(ctx, id, func(tx talkTx) error {
		if l, err := parseLetter(out.Data); err == nil && tx.Withdraw(out.Seq) {
			tx.Emit(event.NotSent{Message: l.id(self), Reason: reason})
		}
		return nil
	})
}
