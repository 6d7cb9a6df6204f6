package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// Endpoint is a device with the vaults that hold its keys and sessions, and with the directory where it looks others up: one call
// for what comes, one for what is said, one for what is due. It is safe for concurrent use, and must not be copied.
//
// It holds no session in memory, only which mailbox belongs to which slot.
type Endpoint struct {
	Devices  *state.Vault[StoredDevice]
	Sessions *state.Vault[Session] // on the same store
	Device   state.ID              // the device's row
	// Peers returns the devices of a person as a verified registration names them (see directory.Person.Peers), or none if
	// there is no registration. An error means that nobody knows now, and the frame or message has to wait.
	Peers func(ctx context.Context, person key.Address) ([]directory.Peer, error)
	// Claim returns the peer with a one-time pre-key, or as it is if there is none. It is called for a session that is begun,
	// and may be nil.
	Claim func(ctx context.Context, peer directory.Peer) (directory.Peer, error)
	// Now is the clock, time.Now if nil.
	Now func() time.Time

	index index
}

func (e *Endpoint) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

// call is one call of an endpoint: its device as it was loaded, less the one-time pre-keys that slots turn out to have used.
type call struct {
	*Endpoint
	device Device
	used   []uint32
}

func (e *Endpoint) call(ctx context.Context) (*call, error) {
	own, err := e.Devices.Load(ctx, e.Device)
	return &call{Endpoint: e, device: own.Part()}, err
}

// look notes where a slot reads now, and which one-time pre-keys it has used.
func (c *call) look(ctx context.Context, id state.ID) (Session, error) {
	s, err := c.Sessions.Load(ctx, id)
	if err != nil {
		return s, err
	}
	c.index.note(s)
	if used := c.device.oneTime.held(s.Part().UsedOneTime()); len(used) > 0 {
		c.device, c.used = c.device.EraseOneTime(used...), append(c.used, used...)
	}
	return s, nil
}

// end erases the one-time pre-keys that were used, now that the sessions that used them are durable.
func (c *call) end(ctx context.Context) error {
	if len(c.used) == 0 {
		return nil
	}
	return c.Devices.Update(ctx, c.Endpoint.Device, func(tx *state.Tx[StoredDevice]) error {
		tx.Set(tx.Value().With(tx.Value().Part().EraseOneTime(c.used...)))
		return nil
	})
}

// SendAll says something to all devices of the persons, except this one, in one commit: all outboxes have it or none. It makes the
// slots that there are not, and begins the sessions that there are not. It returns the slots, whose outboxes are to be flushed.
//
// It returns ErrUnverified if there is no such device, state.ErrDeleted if a slot was deleted, and the errors of Send for one
// device, as a state.BatchError if there are several: then nothing is sent to any.
func (e *Endpoint) SendAll(ctx context.Context, plaintext []byte, persons ...key.Address) (slots []state.ID, err error) {
	var devices []directory.Peer
	for _, person := range persons {
		peers, err := e.Peers(ctx, person)
		if err != nil {
			return nil, err
		}
		devices = append(devices, peers...)
	}
	steps, slots, err := e.Sending(ctx, plaintext, func(directory.Peer, Outgoing) {}, devices...)
	if err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("%w: no device to send to", ErrUnverified)
	}
	if err := state.Batch(ctx, steps...); err != nil {
		return nil, err
	}
	for _, id := range slots {
		if s, err := e.Sessions.Load(ctx, id); err == nil { // it is sent in any case; the index looks again for what it does not find
			e.index.note(s)
		}
	}
	return slots, nil
}

// Sending returns the steps with which SendAll sends to devices, except this one, and the slots that they are about, for a commit that
// says something else besides. There are none for no other device. Each step calls sent with what it puts into an outbox, for the steps
// after it; a step that runs again calls it again.
func (e *Endpoint) Sending(ctx context.Context, plaintext []byte, sent func(directory.Peer, Outgoing),
	devices ...directory.Peer) (steps []state.Step, slots []state.ID, err error) {
	c, err := e.call(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range devices {
		if p.Name().Equal(c.device.Name()) {
			continue
		}
		step, id, err := e.sending(ctx, c.device, p, plaintext, sent)
		if err != nil {
			return nil, nil, err
		}
		steps, slots = append(steps, step), append(slots, id)
	}
	return steps, slots, nil
}

// sending returns the step that sends to one peer.
func (e *Endpoint) sending(ctx context.Context, d Device, p directory.Peer, plaintext []byte,
	sent func(directory.Peer, Outgoing)) (state.Step, state.ID, error) {
	id := d.SlotID(p.Person(), p.Name())
	s, err := e.Sessions.Load(ctx, id)
	isNew := errors.Is(err, state.ErrNotFound) && !errors.Is(err, state.ErrDeleted)
	if err != nil && !isNew {
		return state.Step{}, id, err
	}
	if (isNew || !s.Part().IsReady()) && e.Claim != nil {
		if p, err = e.Claim(ctx, p); err != nil {
			return state.Step{}, id, err
		}
	}
	send := send(d, p, e.now(), plaintext, func(out Outgoing) { sent(p, out) })
	if !isNew {
		return e.Sessions.Updating(id, send), id, nil
	}
	first, err := New(d, p)
	return e.Sessions.Creating(first, send), id, err
}

// Maintain does what is due in all slots (see Pair.Due), and looks up the peers that this concerns. It returns the slots in which
// something was done, whose outboxes are to be flushed; one that fails does not keep the others from it.
func (e *Endpoint) Maintain(ctx context.Context) (slots []state.ID, err error) {
	c, err := e.call(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := e.Sessions.List(ctx)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, id := range ids {
		did, err := c.maintain(ctx, id)
		if did {
			slots = append(slots, id)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("slot %v: %w", id, err))
		}
	}
	return slots, errors.Join(failed, c.end(ctx))
}

func (c *call) maintain(ctx context.Context, id state.ID) (did bool, err error) {
	s, err := c.look(ctx, id)
	now := c.now()
	if err != nil || s.Part().Due(now) == (Tasks{}) {
		return false, err
	}
	var peer directory.Peer
	if s.Part().Due(now).Heal {
		person, name := s.Part().Peer()
		peers, err := c.Peers(ctx, person)
		if err != nil {
			return false, err
		}
		if i := slices.IndexFunc(peers, func(p directory.Peer) bool { return p.Name().Equal(name) }); i >= 0 {
			peer = peers[i]
		}
	}
	if err := c.Sessions.Update(ctx, id, Maintain(c.device, peer, now)); err != nil {
		return false, err
	}
	_, err = c.look(ctx, id)
	return true, err
}

// Sign signs a statement to a server (see Device.Sign) with the key of one of Mailboxes, and returns the key: a server that hands over
// what comes to a mailbox wants to know that it is the asker's. The zero address is the device's own mailbox. It returns
// state.ErrNotFound for a mailbox that is not one of them.
func (e *Endpoint) Sign(ctx context.Context, mailbox key.Address, statement []byte) (key.VerifyKey, []byte, error) {
	own, err := e.Devices.Load(ctx, e.Device)
	if err != nil {
		return key.VerifyKey{}, nil, err
	}
	if d := own.Part(); mailbox.IsZero() || mailbox == d.Mailbox() {
		return d.mailbox.Public(), d.Sign(statement), nil
	}
	id, found, err := e.index.mailbox(ctx, e.Sessions, mailbox.String())
	if err != nil {
		return key.VerifyKey{}, nil, err
	}
	if !found {
		return key.VerifyKey{}, nil, state.ErrNotFound
	}
	s, err := e.Sessions.Load(ctx, id)
	if err != nil {
		return key.VerifyKey{}, nil, err
	}
	if s.Part().Mailbox() != mailbox {
		return key.VerifyKey{}, nil, state.ErrNotFound
	}
	return s.Part().MailboxKey(), s.Part().Sign(statement), nil
}

// Mailboxes returns where the device reads: its own mailbox, and one of each slot.
func (e *Endpoint) Mailboxes(ctx context.Context) ([]key.Address, error) {
	c, err := e.call(ctx)
	if err != nil {
		return nil, err
	}
	all, err := e.index.mailboxes(ctx, e.Sessions)
	return append([]key.Address{c.device.Mailbox()}, all...), err
}
