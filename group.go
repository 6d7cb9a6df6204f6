package trefoil

import (
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// This file and space.go alone call packages ratchet and invite: what a client makes of the protocol of spaces.

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

func (c *Client) group(id state.ID) group {
	return group{id, ratchet.Options{Topic: topicOf(id), Now: c.o.Now}}
}

// receive reads a frame, and says what came of it that a program is told.
func (g group) receive(tx spaceTx, f state.Frame) error {
	before := ratchet.Info(tx.Value()).Phase
	err := ratchet.Opener(g.o)(tx, f)
	after := ratchet.Info(tx.Value()).Phase
	if before == ratchet.Joining && after == ratchet.Member {
		tx.Emit(Joined{})
	}
	if before != ratchet.Removed && after == ratchet.Removed {
		tx.Emit(Removed{})
	}
	switch {
	case before == ratchet.Joining && (errors.Is(err, ratchet.ErrInviteDead) || errors.Is(err, ratchet.ErrInviteTaken)):
		tx.Emit(Refused{Reason: err})
	case errors.Is(err, ratchet.ErrBeforeJoin): // who joins is owed nothing of it
	case errors.Is(err, ratchet.ErrLost) || errors.Is(err, ratchet.ErrForged):
		tx.Emit(Unread{Reason: err})
	}
	return err
}

// kept returns what is put into the inbox for what packages state and ratchet tell, and for the events of this package.
func kept(_ state.ID, e state.Event) []byte {
	switch e := e.(type) {
	case Event:
		return encodeNotice(e)
	case ratchet.Introduced:
		return encodeNotice(Arrived{Index: e.Index})
	case ratchet.LeavePending:
		return encodeNotice(Left{Index: e.Index})
	case ratchet.Conflict:
		return encodeNotice(Conflict{Index: e.Index, Own: e.Own})
	case state.SendRejected:
		return encodeNotice(Rejected{Reason: e.Reason})
	}
	return nil
}

// isKept reports whether kept returns something.
func isKept(e state.Event) bool { return kept(state.ID{}, e) != nil }

// maintain does what is due.
func (g group) maintain(tx spaceTx) error { return ratchet.Maintain(g.o)(tx) }

// write sends a message, or lets it wait if it cannot be encrypted now: if others wait, this device is not let in yet, or
// has to wait for a ticket, or has not read its backlog. Its writer is told of it like everybody else.
func (g group) write(tx spaceTx, c content, mayEncrypt bool) (EventID, error) {
	me := ratchet.Info(tx.Value())
	if err := maySend(me.Phase); err != nil {
		return EventID{}, err
	}
	plain := c.encode()
	err := ratchet.ErrPhase
	if mayEncrypt && me.Phase == ratchet.Member && tx.Waiting(unsent) == 0 {
		err = ratchet.Send(g.o, plain)(tx)
	}
	if errors.Is(err, ratchet.ErrPhase) {
		tx.Send(unsent, plain)
	} else if err != nil {
		return EventID{}, err
	}
	own, err := ratchet.Message{Sender: me.Index, SenderKey: me.Key, Verified: true, Own: true, Plaintext: plain}.MarshalBinary()
	tx.Deliver(own)
	return c.id(g.id, me.Key), err
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
	me := ratchet.Info(tx.Value())
	err := maySend(me.Phase)
	if err == nil {
		if err = ratchet.Send(g.o, out.Data)(tx); errors.Is(err, ratchet.ErrPhase) {
			return errNotNow
		}
	}
	if errors.Is(err, ratchet.ErrRemoved) || errors.Is(err, ratchet.ErrPhase) || errors.Is(err, ratchet.ErrTooLong) {
		c, _ := parseContent(out.Data) // it is ours
		tx.Emit(NotSent{Message: c.id(g.id, me.Key), Reason: err})
		return nil
	}
	return err
}

// join returns the space of a joiner and the request that asks to be let in.
func join(link string, now time.Time, profile []byte) (ratchet.Space, []byte, error) {
	l, err := invite.ParsePrivate(link)
	if err != nil {
		return ratchet.Space{}, nil, err
	}
	return ratchet.Join(l.Grant(), now, profile)
}

// invitation makes a link for one person.
func (g group) invitation(tx spaceTx, base string) (link string, err error) {
	next, l, err := invite.Private(tx.Value(), g.o.Now())
	if err != nil {
		return "", err
	}
	tx.Set(next)
	return l.URL(base)
}
