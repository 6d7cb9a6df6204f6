package trefoil

import (
	"context"
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// This file, space.go and owners.go alone call packages ratchet and invite: what a client makes of the protocol of spaces. Others use their types,
// constants and errors, parse what is stored of them, and a backup calls ratchet.Restore.

// spaceTx is a transaction on a space.
type spaceTx = *state.Tx[ratchet.Space]

// spaceValue is what lies in the row of a space.
type spaceValue = ratchet.Space

// unsent is the destination of what waits in an outbox to be encrypted. No relay is asked for it.
const unsent = ""

// topicOf returns where what is meant for a whole space is posted.
func topicOf(space state.ID) string { return space.String() }

// group are the transactions on one space.
type group struct {
	id state.ID
	o  ratchet.Options
}

// groupOf returns the transactions on a space.
func groupOf(c *Client, id state.ID) group {
	return group{id, ratchet.Options{Topic: topicOf(id), MaxFrame: c.o.MaxFrame, Now: c.o.Now}}
}

// receive receives frames of a space.
func (c *Client) receive(ctx context.Context, id state.ID, frames []state.Frame) ([]state.Receipt, error) {
	return ratchet.Parallel(groupOf(c, id).o, func(o ratchet.Options) ([]state.Receipt, error) {
		return bodyOf(c).spaces.ReceiveAll(ctx, id, frames, group{id, o}.receive)
	})
}

// receive reads a frame, and says of one that can never be read that it cannot.
func (g group) receive(tx spaceTx, f state.Frame) error {
	err := ratchet.Opener(g.o)(tx, f)
	switch {
	case errors.Is(err, ratchet.ErrBeforeJoin): // who joins is owed nothing of it
	case errors.Is(err, ratchet.ErrLost) || errors.Is(err, ratchet.ErrForged):
		tx.Emit(event.Unread{Reason: err})
	}
	return err
}

// told returns the event for what packages state and ratchet tell, and nil for what a program has no use for.
func told(e state.Event) event.Event {
	switch e := e.(type) {
	case event.Event:
		return e
	case ratchet.Event:
		return toldBy(e)
	case state.SendRejected:
		return event.Rejected{Reason: e.Reason}
	}
	return nil
}

// toldBy returns the event for one of package ratchet.
func toldBy(e ratchet.Event) event.Event {
	switch e.Kind {
	case ratchet.Joined:
		return event.Joined{}
	case ratchet.StillWaiting:
		return event.StillWaiting{Since: time.UnixMilli(e.Since)}
	case ratchet.Hint:
		return event.Hint{Reason: e.Reason}
	case ratchet.Refused:
		return event.Refused{Reason: e.Reason}
	case ratchet.Arrived:
		return event.Arrived{Index: e.Index}
	case ratchet.Gone:
		if e.Own {
			return event.Removed{}
		}
		return event.Left{Index: e.Index}
	case ratchet.WasRemoved:
		return event.Removed{}
	case ratchet.Rekeyed:
		return event.Rekeyed{Members: e.Count}
	case ratchet.LetInGone:
		return event.LetInGone{Index: e.Index}
	case ratchet.InviteDead:
		return event.InviteDead{Index: e.Index}
	case ratchet.Conflict:
		return event.Conflict{Index: e.Index, Own: e.Own}
	case ratchet.KeyChanged:
		return event.KeyChanged{Index: e.Index}
	case ratchet.Resynced:
		return event.Resynced{Index: e.Index}
	case ratchet.Impersonated:
		return event.Impersonated{}
	case ratchet.TitleChanged:
		return event.TitleChanged{}
	case ratchet.OwnersChanged:
		return event.OwnersChanged{}
	case ratchet.RoleChanged:
		return event.RoleChanged{Index: e.Index}
	case ratchet.PolicyChanged:
		return event.PolicyChanged{}
	case ratchet.HandedOver:
		return event.HandedOver{Index: e.Index}
	case ratchet.ProfileChanged:
		return event.ProfileChanged{Index: e.Index}
	case ratchet.Unread:
		return event.Lost{Messages: int(e.End - e.First)}
	case ratchet.MailboxNotRead:
		return event.MailboxNotRead{Since: time.UnixMilli(e.Since)}
	case ratchet.LinkGiven:
		return event.LinkGiven{Link: e.Link}
	case ratchet.DeviceInvited, ratchet.DeviceNotInvited:
		return event.DeviceInvited{Reason: e.Reason}
	}
	return nil
}

// kept returns what is put into the inbox for an event.
func kept(_ state.ID, e state.Event) []byte {
	if e := told(e); e != nil {
		return encodeNotice(e)
	}
	return nil
}

// isKept reports whether kept returns something.
func isKept(e state.Event) bool { return told(e) != nil }

// maintain does what is due. With end all that was stored was read before.
func (g group) maintain(tx spaceTx, end bool) error {
	if end {
		if err := ratchet.CaughtUp(g.o)(tx); err != nil {
			return err
		}
	}
	return ratchet.Maintain(g.o)(tx)
}

// write sends a message, or lets it wait if it cannot be encrypted now: if others wait, this device is not let in yet, or
// has to wait for a ticket, or has not read its backlog. Its writer is told of it like everybody else.
func (g group) write(tx spaceTx, c content, mayEncrypt bool) (event.ID, error) {
	st := tx.Value().State()
	if err := maySend(st.Phase()); err != nil {
		return event.ID{}, err
	}
	plain := c.encode()
	err := ratchet.ErrPhase
	if mayEncrypt && st.Phase() == ratchet.Member && tx.Waiting(unsent) == 0 {
		err = ratchet.Send(g.o, plain)(tx)
	}
	if errors.Is(err, ratchet.ErrPhase) {
		tx.Send(unsent, plain)
	} else if err != nil {
		return event.ID{}, err
	}
	index, key := st.Self()
	own, err := ratchet.Message{Sender: index, SenderKey: key, Own: true, Plaintext: plain}.MarshalBinary()
	tx.Deliver(own)
	return c.id(g.id, key), err
}

// maySend returns why nothing can be sent any more.
func maySend(p ratchet.Phase) error {
	switch p {
	case ratchet.Removed:
		return ratchet.ErrRemoved
	case ratchet.Left:
		return ratchet.ErrPhase
	}
	return nil
}

// errNotNow is the error for a message that goes on waiting to be encrypted.
var errNotNow = errors.New("trefoil: it cannot be encrypted yet")

// encrypt replaces a message that waits by its frame, in one commit. One that can never be sent is NotSent.
func (g group) encrypt(tx spaceTx, out state.Outgoing) error {
	if !tx.Withdraw(out.Seq) {
		return nil // another process did
	}
	st := tx.Value().State()
	err := maySend(st.Phase())
	if err == nil {
		if err = ratchet.Send(g.o, out.Data)(tx); errors.Is(err, ratchet.ErrPhase) {
			return errNotNow
		}
	}
	if errors.Is(err, ratchet.ErrRemoved) || errors.Is(err, ratchet.ErrPhase) || errors.Is(err, ratchet.ErrTooLong) {
		c, _ := parseContent(out.Data) // it is ours
		_, key := st.Self()
		tx.Emit(event.NotSent{Message: c.id(g.id, key), Reason: err})
		return nil
	}
	return err
}

// join returns the space of a joiner and the request that asks to be let in.
func join(text string, now time.Time, profile []byte) (ratchet.Space, []byte, error) {
	l, err := invite.Find(text)
	if err != nil {
		return ratchet.Space{}, nil, err
	}
	return ratchet.Join(l, now, profile)
}

// joinAsDevice is join by an entrance that the first device of this device's person made.
func joinAsDevice(e ratchet.Entrance, now time.Time) (ratchet.Space, []byte, error) {
	return ratchet.JoinAsDevice(e, now)
}

// wish has a further device of this member's person come.
func (g group) wish(tx spaceTx, device [32]byte) error {
	return ratchet.Do(g.o, step.InviteDevice(device))(tx)
}

// bring has a further device come, and returns what that device is told now: the invite, if there is one already and room for it; else
// that it waits. Where this member cannot bring it nothing is said to that device, and this one is told why.
func (g group) bring(tx spaceTx, device [32]byte, room bool) (x entering, err error) {
	switch err := g.wish(tx, device); {
	case errors.Is(err, ratchet.ErrPhase) || errors.Is(err, ratchet.ErrRemoved):
		return x, nil // it is not in the space any more
	case errors.Is(err, ratchet.ErrPolicy) || errors.Is(err, dkg.ErrExhausted):
		tx.Emit(event.DeviceInvited{Reason: err})
		return x, nil
	case err != nil:
		return x, err
	case !room:
		return x, nil
	}
	for _, e := range ratchet.Entrances(tx.Value()) {
		if e.Device == device && e.Reason == nil {
			return entering{invited: []ratchet.Entrance{e}}, g.taken(tx, device)
		}
	}
	return entering{waits: []awaited{{space: g.id, title: ratchet.Info(tx.Value()).Title}}}, nil
}

// taken notes that what came of a wish was handed over.
func (g group) taken(tx spaceTx, device [32]byte) error {
	return ratchet.Do(g.o, step.TakeEntrance(device))(tx)
}

// entrancesOf returns what came of wishes and was not handed over.
func entrancesOf(v spaceValue) []ratchet.Entrance { return ratchet.Entrances(v) }

// devicesOf returns how many devices this member's person has in a space.
func devicesOf(v spaceValue) (n int) {
	_, own := v.State().Self()
	for _, m := range ratchet.Members(v) {
		if m.Person == own {
			n++
		}
	}
	return n
}
