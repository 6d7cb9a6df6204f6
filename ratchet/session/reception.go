package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// Receive deals with a frame of any kind, from anybody. Its Source is the text of the mailbox that it came to: the device's own, or
// that of a slot (see Endpoint.Mailboxes). What was read is in the inbox of the slot that is returned.
//
// For a frame that came to the device's own mailbox it finds the slot by who its sender claims to be, and makes one if it is
// a device that Peers names and the frame proves it. So what anybody sends leaves nothing behind: its slot is zero, its verdict
// Discard. The verdict is Retain with no slot for what cannot be judged yet, for want of keys or of a newer release: leave it
// at the relay. A slot that was deleted is not made anew; the reason is state.ErrDeleted.
//
// An error comes from a vault or from Peers. With the verdict Stop nothing changed, and the frame must not be acknowledged; another
// verdict stands: what failed comes after it, and the next call of Receive or Maintain does it.
func (e *Endpoint) Receive(ctx context.Context, f state.Frame) (state.ID, state.Receipt, error) {
	slots, receipts, err := e.ReceiveAll(ctx, []state.Frame{f})
	if r := receipts[0]; err == nil && r.Verdict == state.Stop {
		err = r.Reason
	}
	return slots[0], receipts[0], err
}

// ReceiveAll is Receive for many frames, such as what waited at the relay: it returns a slot and a receipt for each, the same as one
// by one. Those for one slot are received in their order, up to 128 of them and 8 MiB in one commit, and the device's row is
// written once.
//
// A frame that a vault or Peers failed for has the verdict Stop, and the error as its reason. The others are dealt with all the same,
// except that Peers is not called again in this call. The error returned is the first of these.
func (e *Endpoint) ReceiveAll(ctx context.Context, frames []state.Frame) (slots []state.ID, receipts []state.Receipt, err error) {
	slots, receipts = make([]state.ID, len(frames)), make([]state.Receipt, len(frames))
	c, err := e.call(ctx)
	if err != nil {
		for i := range receipts {
			receipts[i] = state.Receipt{Verdict: state.Stop, Reason: err}
		}
		return slots, receipts, err
	}
	r := &reception{call: c, frames: frames, slots: slots, receipts: receipts, waiting: map[state.ID][]int{}}
	for i := range frames {
		r.place(ctx, i)
	}
	for _, id := range r.order {
		r.receive(ctx, id)
	}
	r.fail(r.end(ctx))
	return slots, receipts, r.failed
}

// reception is the receiving of frames for any slots.
type reception struct {
	*call
	frames   []state.Frame
	slots    []state.ID
	receipts []state.Receipt
	order    []state.ID         // slots, as frames for them came
	waiting  map[state.ID][]int // the places of those frames among all that are not received yet
	down     error              // what Peers returned
	failed   error              // what a vault or Peers returned first
}

// place finds the slot that a frame is for, where it waits for others. One from a stranger is received at once.
func (r *reception) place(ctx context.Context, i int) {
	f := r.frames[i]
	if f.Source != r.device.Mailbox().String() {
		id, ok, err := r.index.mailbox(ctx, r.Sessions, f.Source)
		switch {
		case err != nil:
			r.stop(i, err)
		case !ok:
			r.refuse(i, fmt.Errorf("%w: a mailbox of no slot", ErrUnverified))
		default:
			r.wait(i, id)
		}
		return
	}
	who, err := claimIn(f.Data, r.device)
	if err != nil {
		r.refuse(i, err)
		return
	}
	id, ok, err := r.index.peer(ctx, r.Sessions, who)
	switch {
	case err != nil:
		r.stop(i, err)
	case ok:
		r.wait(i, id)
	default:
		r.receiveFromStranger(ctx, i, who)
	}
}

func (r *reception) wait(i int, id state.ID) {
	r.order = append(r.order, id)
	r.waiting[id] = append(r.waiting[id], i)
}

// stop notes an error that says nothing of a frame.
func (r *reception) stop(i int, err error) {
	r.receipts[i] = state.Receipt{Verdict: state.Stop, Reason: err}
	r.fail(err)
}

func (r *reception) fail(err error) {
	if r.failed == nil {
		r.failed = err
	}
}

// refuse notes an error of a slot that did not take a frame in.
func (r *reception) refuse(i int, err error) {
	if verdict := verdictOf(err); verdict != state.Stop {
		r.receipts[i] = state.Receipt{Verdict: verdict, Reason: err}
		return
	}
	r.stop(i, err)
}

func verdictOf(err error) state.Verdict {
	if errors.Is(err, state.ErrDeleted) {
		return state.Discard
	}
	return state.VerdictOf(err)
}

// receiveFromStranger reads a frame whose sender has no slot under the keys that it claims.
func (r *reception) receiveFromStranger(ctx context.Context, i int, who claim) {
	var peers []directory.Peer
	if r.down == nil {
		peers, r.down = r.Peers(ctx, who.person)
	}
	if r.down != nil {
		r.stop(i, r.down)
		return
	}
	at := slices.IndexFunc(peers, func(p directory.Peer) bool { return p.Identity().Equal(who.identity) })
	if at < 0 {
		r.refuse(i, fmt.Errorf("%w: no device that its person has registered", ErrUnverified))
		return
	}
	first, err := New(r.device, peers[at])
	if err != nil { // the device itself
		r.refuse(i, fmt.Errorf("%w: %w", ErrUnverified, err))
		return
	}
	id := first.ID()
	var unread error
	err = r.Sessions.Create(ctx, first, func(tx *state.Tx[Session]) error {
		unread = r.open(tx, r.frames[i])
		if errors.Is(unread, ErrOneTimeUsed) {
			return nil // the sender has proved who it is, and has to be told
		}
		return unread
	})
	switch {
	case err == nil:
		r.slots[i], r.receipts[i] = id, state.Receipt{Verdict: state.VerdictOf(unread), Reason: unread}
		_, err := r.look(ctx, id)
		r.fail(err)
	case errors.Is(err, state.ErrExists): // the person has renewed the device since the slot was made
		r.receive(ctx, id) // what came before, with the keys before
		if err := r.refresh(ctx, id, peers[at]); err != nil {
			r.refuse(i, err)
			return
		}
		r.wait(i, id)
		r.receive(ctx, id)
	default:
		r.refuse(i, err)
	}
}

func (r *reception) refresh(ctx context.Context, id state.ID, peer directory.Peer) error {
	return r.Sessions.Update(ctx, id, func(tx *state.Tx[Session]) error {
		next, err := Refresh(tx.Value(), r.device, peer)
		if err == nil {
			tx.Set(next)
		}
		return err
	})
}

// receive reads the frames that wait for a slot.
func (r *reception) receive(ctx context.Context, id state.ID) {
	waiting := r.waiting[id]
	if len(waiting) == 0 {
		return
	}
	delete(r.waiting, id)
	frames := make([]state.Frame, len(waiting))
	for n, i := range waiting {
		frames[n] = r.frames[i]
	}
	receipts, err := r.Sessions.ReceiveAll(ctx, id, frames, r.open)
	if errors.Is(err, state.ErrDeleted) {
		r.index.forget(id)
		for _, i := range waiting {
			r.refuse(i, err)
		}
		return
	}
	for n, i := range waiting {
		r.slots[i], r.receipts[i] = id, receipts[n]
	}
	r.fail(err)
	_, err = r.look(ctx, id)
	r.fail(err)
}

// open is an Opener for the device without the one-time pre-keys that frames before have used.
func (r *reception) open(tx *state.Tx[Session], f state.Frame) error {
	d := r.device
	if used := d.oneTime.held(tx.Value().Part().UsedOneTime()); len(used) > 0 {
		d = d.EraseOneTime(used...)
	}
	return Opener(func() Device { return d })(tx, f)
}

// claim is who the sender of a frame to the device's own mailbox says it is. Nothing of it is verified.
type claim struct {
	person   key.Address
	identity key.PublicKey[key.Identity]
}

// claimIn returns the claimed sender of a frame that came to the device's own mailbox. It returns ErrBeforeDevice if the box does not
// open, and ErrMalformed if it holds neither an initiation nor a notice.
func claimIn(b []byte, d Device) (claim, error) {
	f, err := frame.Parse(b)
	if err != nil {
		return claim{}, classify(err)
	}
	if f.Kind == frame.Message {
		return claim{}, fmt.Errorf("%w: no initiation", ErrMalformed)
	}
	plain, err := openBox(f, d.inbox)
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
