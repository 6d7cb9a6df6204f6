package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
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

func (e *Endpoint) loadDevice(ctx context.Context) (Device, error) {
	own, err := e.Devices.Load(ctx, e.Device)
	return own.Part(), err
}

// Receive deals with a frame of any kind, from anybody. Its Source is the text of the mailbox that it came to: the device's own, or
// that of a slot (see Endpoint.Mailboxes). What was read is in the inbox of the slot that is returned.
//
// For a frame that came to the device's own mailbox it finds the slot by who its sender claims to be, and makes one if it is
// a device that Peers names and the frame proves it. So what anybody sends leaves nothing behind: its slot is zero, its verdict
// Discard. The verdict is Retain with no slot for what cannot be judged yet, for want of keys or of a newer release: leave it
// at the relay. A slot that was deleted is not made anew; the reason is state.ErrDeleted.
//
// An error comes from a vault or from Peers, and then the frame must not be acknowledged.
func (e *Endpoint) Receive(ctx context.Context, f state.Frame) (state.ID, state.Receipt, error) {
	d, err := e.loadDevice(ctx)
	if err != nil {
		return state.ID{}, state.Receipt{}, err
	}
	if f.Source != d.Mailbox().String() {
		id, ok, err := e.index.mailbox(ctx, e.Sessions, f.Source)
		if err == nil && !ok {
			return state.ID{}, refused(fmt.Errorf("%w: a mailbox of no slot", ErrUnverified)), nil
		}
		if err != nil {
			return state.ID{}, state.Receipt{}, err
		}
		return e.receive(ctx, d, id, f)
	}
	c, err := d.claim(f.Data)
	if err != nil {
		return state.ID{}, refused(err), nil
	}
	id, ok, err := e.index.peer(ctx, e.Sessions, c)
	switch {
	case err != nil:
		return state.ID{}, state.Receipt{}, err
	case ok:
		return e.receive(ctx, d, id, f)
	}
	return e.receiveFromStranger(ctx, d, c, f)
}

func refused(err error) state.Receipt {
	if errors.Is(err, state.ErrDeleted) {
		return state.Receipt{Verdict: state.Discard, Reason: err}
	}
	return state.Receipt{Verdict: state.VerdictOf(err), Reason: err}
}

// receiveFromStranger reads a frame whose sender has no slot under the keys that it claims.
func (e *Endpoint) receiveFromStranger(ctx context.Context, d Device, c claim, f state.Frame) (state.ID, state.Receipt, error) {
	peers, err := e.Peers(ctx, c.person)
	if err != nil {
		return state.ID{}, state.Receipt{}, err
	}
	i := slices.IndexFunc(peers, func(p directory.Peer) bool { return p.Person() == c.person && p.Identity().Equal(c.identity) })
	if i < 0 {
		return state.ID{}, refused(fmt.Errorf("%w: no device that its person has registered", ErrUnverified)), nil
	}
	first, err := New(d, peers[i])
	if err != nil { // the device itself
		return state.ID{}, refused(fmt.Errorf("%w: %w", ErrUnverified, err)), nil
	}
	open := Opener(func() Device { return d })
	var unread error
	err = e.Sessions.Create(ctx, first, func(tx *state.Tx[Session]) error {
		unread = open(tx, f)
		if errors.Is(unread, ErrOneTimeUsed) {
			return nil // the sender has proved who it is, and has to be told
		}
		return unread
	})
	switch {
	case err == nil:
		return first.ID(), refused(unread), e.took(ctx, d, first.ID())
	case errors.Is(err, state.ErrExists): // the person has renewed the device since the slot was made
		err := e.Sessions.Update(ctx, first.ID(), func(tx *state.Tx[Session]) error {
			next, err := Refresh(tx.Value(), d, peers[i])
			if err == nil {
				tx.Set(next)
			}
			return err
		})
		if err != nil {
			return state.ID{}, refused(err), stopped(err)
		}
		return e.receive(ctx, d, first.ID(), f)
	}
	return state.ID{}, refused(err), stopped(err)
}

// stopped returns an error that says nothing of the frame.
func stopped(err error) error {
	if refused(err).Verdict == state.Stop {
		return err
	}
	return nil
}

// receive reads a frame in a slot.
func (e *Endpoint) receive(ctx context.Context, d Device, id state.ID, f state.Frame) (state.ID, state.Receipt, error) {
	r, err := e.Sessions.Receive(ctx, id, f, Opener(func() Device { return d }))
	if errors.Is(err, state.ErrDeleted) {
		e.index.forget(id)
		return state.ID{}, refused(err), nil
	}
	if err != nil {
		return id, r, err
	}
	return id, r, e.took(ctx, d, id)
}

// took notes where a slot reads now, and erases the one-time pre-keys that it has used.
func (e *Endpoint) took(ctx context.Context, d Device, id state.ID) error {
	s, err := e.Sessions.Load(ctx, id)
	if err != nil {
		return err
	}
	e.index.note(s)
	used := slices.DeleteFunc(s.Part().UsedOneTime(), func(id uint32) bool {
		_, held := d.findOneTime(id)
		return !held
	})
	if len(used) == 0 {
		return nil
	}
	return e.Devices.Update(ctx, e.Device, func(tx *state.Tx[StoredDevice]) error {
		tx.Set(tx.Value().With(tx.Value().Part().EraseOneTime(used...)))
		return nil
	})
}

// SendAll says something to all devices of the persons, except this one, in one commit: all outboxes have it or none. It makes the
// slots that there are not, and begins the sessions that there are not. It returns the slots, whose outboxes are to be flushed.
//
// It returns ErrUnverified if there is no such device, state.ErrDeleted if a slot was deleted, and the errors of Send for one
// device, as a state.BatchError if there are several: then nothing is sent to any.
func (e *Endpoint) SendAll(ctx context.Context, plaintext []byte, persons ...key.Address) (slots []state.ID, err error) {
	steps, slots, err := e.Sending(ctx, plaintext, persons...)
	if err != nil {
		return nil, err
	}
	if err := state.Batch(ctx, steps...); err != nil {
		return nil, err
	}
	return slots, e.Sent(ctx, slots...)
}

// Sending returns the steps that SendAll commits, and the slots that they are about, for a commit that says something else besides.
// Call Sent when it is made.
func (e *Endpoint) Sending(ctx context.Context, plaintext []byte, persons ...key.Address) (steps []state.Step, slots []state.ID, err error) {
	d, err := e.loadDevice(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, person := range persons {
		peers, err := e.Peers(ctx, person)
		if err != nil {
			return nil, nil, err
		}
		for _, p := range peers {
			if p.Name().Equal(d.Name()) {
				continue
			}
			step, id, err := e.sending(ctx, d, p, plaintext)
			if err != nil {
				return nil, nil, err
			}
			steps, slots = append(steps, step), append(slots, id)
		}
	}
	if len(steps) == 0 {
		return nil, nil, fmt.Errorf("%w: no device to send to", ErrUnverified)
	}
	return steps, slots, nil
}

// Sent notes where slots read that the steps of Sending may have made.
func (e *Endpoint) Sent(ctx context.Context, slots ...state.ID) error {
	for _, id := range slots {
		s, err := e.Sessions.Load(ctx, id)
		if err != nil {
			return err
		}
		e.index.note(s)
	}
	return nil
}

// sending returns the step that sends to one peer.
func (e *Endpoint) sending(ctx context.Context, d Device, p directory.Peer, plaintext []byte) (state.Step, state.ID, error) {
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
	send := Send(d, p, e.now(), plaintext)
	if !isNew {
		return e.Sessions.Updating(id, send), id, nil
	}
	first, err := New(d, p)
	return e.Sessions.Creating(first, send), id, err
}

// Maintain does what is due in all slots (see Pair.Due), and looks up the peers that this concerns. It returns the slots in which
// something was done, whose outboxes are to be flushed; one that fails does not keep the others from it.
func (e *Endpoint) Maintain(ctx context.Context) (slots []state.ID, err error) {
	d, err := e.loadDevice(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := e.Sessions.List(ctx)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, id := range ids {
		did, err := e.maintain(ctx, d, id)
		if did {
			slots = append(slots, id)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("slot %v: %w", id, err))
		}
	}
	return slots, failed
}

func (e *Endpoint) maintain(ctx context.Context, d Device, id state.ID) (did bool, err error) {
	s, err := e.Sessions.Load(ctx, id)
	if err != nil {
		return false, err
	}
	now := e.now()
	due := s.Part().Due(now)
	if due == (Tasks{}) {
		return false, e.took(ctx, d, id)
	}
	var peer directory.Peer
	if due.Heal {
		person, name := s.Part().Peer()
		peers, err := e.Peers(ctx, person)
		if err != nil {
			return false, err
		}
		if i := slices.IndexFunc(peers, func(p directory.Peer) bool { return p.Name().Equal(name) }); i >= 0 {
			peer = peers[i]
		}
	}
	err = e.Sessions.Update(ctx, id, Maintain(d, peer, now))
	return err == nil, err
}

// Mailboxes returns where the device reads: its own mailbox, and one of each slot.
func (e *Endpoint) Mailboxes(ctx context.Context) ([]key.Address, error) {
	d, err := e.loadDevice(ctx)
	if err != nil {
		return nil, err
	}
	all, err := e.index.mailboxes(ctx, e.Sessions)
	return append([]key.Address{d.Mailbox()}, all...), err
}

// claim is who the sender of a frame to the device's own mailbox says it is. Nothing of it is verified.
type claim struct {
	person   key.Address
	identity key.PublicKey[key.Identity]
}

// claim returns the claimed sender of a frame that came to the device's own mailbox. It returns ErrBeforeDevice if the box does not
// open, and ErrMalformed if it holds neither an initialization nor a notice.
func (d Device) claim(b []byte) (claim, error) {
	f, err := frame.Parse(b)
	if err != nil {
		return claim{}, classify(err)
	}
	if f.Kind == frame.Message {
		return claim{}, fmt.Errorf("%w: no initialization", ErrMalformed)
	}
	plain, err := d.open(f)
	if err != nil {
		return claim{}, classify(err)
	}
	if f.Kind == frame.Notice {
		n, err := parseNotice(plain)
		return claim{n.person, n.identity}, classify(err)
	}
	i, err := readInitiation(f, plain)
	if err == errNoInitiation {
		err = fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return claim{i.person, i.identity}, classify(err)
}
