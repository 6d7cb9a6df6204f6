package trefoil

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// Space is a group chat of a Client. It holds no state of its own: every method works on what is stored. Its methods are
// safe for concurrent use, and may be called by handlers. Each returns state.ErrNotFound if this device is not in the space.
// After Import those but Send that say something to others return ratchet.ErrPhase until Run or Sync has read the backlog and
// another member has answered that this device is back, for a day at most.
type Space struct {
	client *Client
	id     state.ID
}

// Space returns the space of an ID. Whether there is one, its methods say.
func (c *Client) Space(id state.ID) Space { return Space{c, id} }

// Spaces returns the spaces that this device is in, or was and has not forgotten.
func (c *Client) Spaces(ctx context.Context) iter.Seq2[Space, error] {
	return func(yield func(Space, error) bool) {
		ids, err := bodyOf(c).spaces.List(ctx)
		for _, id := range ids {
			if !yield(Space{c, id}, nil) {
				return
			}
		}
		if err != nil {
			yield(Space{}, err)
		}
	}
}

// NewSpace makes a space with this device as its only member and owner. It is durable when it returns and needs no network: if the
// relay cannot be told now that this device reads there, Run or Sync does it, and who has asked to be let in meanwhile asks again. It
// returns ratchet.ErrPolicy if Options.Policy is none.
func (c *Client) NewSpace(ctx context.Context) (Space, error) {
	s, err := ratchet.NewSpace(c.o.Now(), c.o.Policy, c.o.Profile)
	if err != nil {
		return Space{}, err
	}
	if err := bodyOf(c).spaces.Create(ctx, s, nil); err != nil {
		return Space{}, err
	}
	c.listen(ctx, s.ID())
	c.changed(aSpace, s.ID())
	return Space{c, s.ID()}, nil
}

// Join asks to be let into the space that a link leads to: a text with the link in it, as it was pasted (invite.Find). It is durable
// when it returns and needs no network; event.Joined or event.Refused follows, and event.StillWaiting and event.Hint say meanwhile what it waits for.
// Messages may be written before: they are sent then. It returns an error of package invite for what is no link, ratchet.ErrMalformed
// for a link that says nothing, and state.ErrExists if this device is in the space already.
func (c *Client) Join(ctx context.Context, link string) (Space, error) {
	s, request, err := join(link, c.o.Now(), c.o.Profile)
	if err != nil {
		return Space{}, err
	}
	ask := func(tx spaceTx) error {
		tx.Send(topicOf(s.ID()), request)
		return nil
	}
	if err = bodyOf(c).spaces.Create(ctx, s, ask); errors.Is(err, state.ErrDeleted) {
		err = bodyOf(c).spaces.Revive(ctx, s, ask) // a new member, with nothing of the one that was forgotten
	}
	if err != nil {
		return Space{}, err
	}
	c.changed(aSpace, s.ID())
	return Space{c, s.ID()}, nil
}

// ID names the space: it is the Chat of its events.
func (s Space) ID() state.ID { return s.id }

// Send writes a message to all members, of at most MaxBody bytes. It is durable when Send returns, and needs no network:
// what cannot be encrypted yet waits, sealed in the vault, until Run or Sync has read the backlog. The writer is handed its own
// message like those of others, under the ID that Send returns. Errors are ratchet.ErrTooLong, ratchet.ErrRemoved,
// ratchet.ErrPhase after Leave, and state.ErrFull if too much waits. After state.ErrUncertain the message of the ID was written or not:
// all are handed it, or nobody is.
func (s Space) Send(ctx context.Context, body []byte) (id event.ID, err error) {
	if len(body) > MaxBody {
		return event.ID{}, ratchet.ErrTooLong
	}
	c := newContent(s.client.o.Now(), body)
	ready := s.client.isReady(s.id)
	err = s.Update(ctx, func(tx spaceTx) (err error) {
		id, err = groupOf(s.client, s.id).write(tx, c, ready)
		return err
	})
	return id, err
}

// Invite makes an invite, as an owner: Terms of package invite say for whom, how many and how long. Link.URL of what it returns is for
// who is to come. It needs no network. Errors are ratchet.ErrPhase for a member that is no owner, ratchet.ErrPolicy for terms of no
// invite, dkg.ErrExhausted if no place is left or as many invites are open as may be, and dkg.ErrReadOnly.
func (s Space) Invite(ctx context.Context, t invite.Terms) (invite.Made, error) {
	var made invite.Made
	if err := s.do(ctx, step.NewInvite(t, &made)); err != nil {
		return invite.Made{}, err
	}
	return made, nil
}

// InvitePerson makes an invite for one person, as Invite does, and writes its link to the person as a direct message, in one commit. The
// message is the link as Link.URL makes it of base, which Join takes. The first device of the person that joins by it is let in; a relay
// that keeps how sessions begin keeps the message, too. Errors are those of Invite, Link.URL and Direct.Send.
func (s Space) InvitePerson(ctx context.Context, who key.Address, lifetime time.Duration, base string) (invite.Made, error) {
	c := s.client
	self, err := c.Person(ctx)
	if err != nil {
		return invite.Made{}, err
	}
	var made invite.Made
	invites := bodyOf(c).spaces.Updating(s.id, ratchet.Do(groupOf(c, s.id).o, step.NewInvite(invite.Private(lifetime), &made)))
	err = again(func() error {
		writes, err := bodyOf(c).directs.talking(ctx, who, func(tx talkTx) error {
			link, err := made.Link.URL(base)
			if err == nil {
				newLetter(who, c.o.Now(), []byte(link)).write(tx, unsentToKeep, self)
			}
			return err
		})
		if err != nil {
			return err
		}
		return state.Batch(ctx, invites, writes)
	})
	c.changed(aSpace, s.id)
	c.changed(aTalk, talkID(who))
	if err != nil {
		return invite.Made{}, err
	}
	return made, nil
}

// Invites returns what became of the invites of the space, for an owner. Of those that ended before a rekey it tells for 30 days at least.
func (s Space) Invites(ctx context.Context) ([]invite.Invite, error) {
	v, err := bodyOf(s.client).spaces.Load(ctx, s.id)
	if err != nil {
		return nil, err
	}
	return ratchet.Invites(v, s.client.o.Now()), nil
}

// EndInvite takes an invite back for good, or only some of its places, by the name that Invite and Invites tell. Who came by it stays.
// Errors are ratchet.ErrPhase for a member that is no owner, and ratchet.ErrPolicy for an invite or place that there is not, and one
// that somebody came by.
func (s Space) EndInvite(ctx context.Context, name [16]byte, places ...dkg.Index) error {
	return s.do(ctx, step.EndInvite(name, places...))
}

// WantInvite asks an owner for a link to hand on; event.LinkGiven brings it when one was awake. It returns ratchet.ErrPolicy unless
// Options.Policy of the founder has MembersMayInvite.
func (s Space) WantInvite(ctx context.Context) error { return s.do(ctx, step.WantInvite()) }

// SetTitle names the space, as an owner or a member with that right: at most 1 KiB. All members, this one too, are told
// event.TitleChanged, and Status has it. Errors are ratchet.ErrTooLong, and ratchet.ErrPhase for another member.
func (s Space) SetTitle(ctx context.Context, title string) error {
	return s.do(ctx, step.SetTitle([]byte(title)))
}

// SetProfile changes what others see of this device in the space: at most ratchet.MaxApplicationData bytes. All members, this one
// too, are told event.ProfileChanged, and Members has it. Errors are ratchet.ErrTooLong, and ratchet.ErrPhase while joining.
func (s Space) SetProfile(ctx context.Context, profile []byte) error {
	return s.do(ctx, step.SetProfile(profile))
}

// Remove removes members, as an owner: the keys of the space are made anew for the others, and the removed are told and read nothing
// that is sent from then on. What they have read stays theirs, and what they had sent is read by all. Public invites are closed, since
// the removed may hold their links; private ones stay open. It is durable when it returns; Run and Sync prepare the keys and send
// them, and event.Rekeyed follows. A member with that right removes others than owners: nobody
// shows them any more, and they read on until an owner is awake, which makes the keys anew by itself. Errors are ratchet.ErrPhase for a
// member without the right, and ratchet.ErrPolicy for an index that is nobody's, the own one, and an owner's without the root owner key.
func (s Space) Remove(ctx context.Context, indices ...dkg.Index) error {
	return s.do(ctx, step.Remove(indices...))
}

// Replace removes a member whose device somebody else has or has copied, as an owner, and returns an invite for its person, in one commit.
// A lifetime of 0 has no end. The link must reach the person by another way than this space or a direct conversation with that device:
// whoever has the device reads both. Errors are those of Remove and Invite.
func (s Space) Replace(ctx context.Context, index dkg.Index, lifetime time.Duration) (invite.Made, error) {
	var made invite.Made
	if err := s.do(ctx, step.Replace(index, lifetime, &made)); err != nil {
		return invite.Made{}, err
	}
	return made, nil
}

// Rekey makes the keys of the space anew for the same members, as an owner: shares that were stolen before open nothing that is sent from
// then on. Open invites stay open, so end those whose link was stolen (EndInvite). A thief that has copied the state of a member since
// that member's last commit reads on, since it has the key to which the new share is boxed: the member's next commit shuts it out if it
// only listens, Replace if it acts. Errors are those of Remove.
func (s Space) Rekey(ctx context.Context) error { return s.do(ctx, step.Rekey()) }

// Leave tells all members that this one leaves, and ends sending. What was read stays until Forget. It returns ratchet.ErrOrphan for the only
// owner, and while the root owner key is here (HandOver, TakeRootKey), unless it is called with step.Orphan.
func (s Space) Leave(ctx context.Context, flags ...step.Flag) error {
	return s.do(ctx, step.Leave(flags...))
}

// do takes a step.
func (s Space) do(ctx context.Context, what step.Step) error {
	return s.Update(ctx, func(tx spaceTx) error { return ratchet.Do(groupOf(s.client, s.id).o, what)(tx) })
}

// Forget deletes all that this device holds of the space, what waits to be sent and to be handed over included, and ends
// the subscription. It tells nobody and needs no network. It returns ratchet.ErrOrphan like Leave.
func (s Space) Forget(ctx context.Context, flags ...step.Flag) error {
	if !slices.Contains(flags, step.Orphan) {
		if v, err := bodyOf(s.client).spaces.Load(ctx, s.id); err == nil && ratchet.Info(v).Sole {
			return ratchet.ErrOrphan
		}
	}
	if err := bodyOf(s.client).spaces.Delete(ctx, s.id); err != nil {
		return err
	}
	s.client.unsubscribe(ctx, s.id) // if that fails, the next frame does it
	return nil
}

// Members returns who belongs to the space, by ascending index; nobody while joining. A device that left or was removed is told
// who did when it last knew, and is not among them. A new member is among them when event.Arrived is told, which can be after its own event.Joined.
func (s Space) Members(ctx context.Context) ([]ratchet.MemberInfo, error) {
	v, err := bodyOf(s.client).spaces.Load(ctx, s.id)
	if err != nil {
		return nil, err
	}
	return ratchet.Members(v), nil
}

// Status says where this device stands in a space.
type Status struct {
	ratchet.Summary
	// Fingerprint is that of the members and their keys. It is zero while joining.
	Fingerprint Fingerprint
	// Ready says that the backlog was read on the present line, so that messages leave at once.
	Ready bool
	// Outbox is how many frames and messages wait to be sent, Inbox how many events to be handed over, and Retained how many
	// frames for something that they need to be read.
	Outbox, Inbox, Retained int
}

// Status returns where this device stands.
func (s Space) Status(ctx context.Context) (Status, error) {
	v, err := bodyOf(s.client).spaces.Load(ctx, s.id)
	if err != nil {
		return Status{}, err
	}
	p, err := bodyOf(s.client).spaces.Pending(ctx, s.id)
	if err != nil {
		return Status{}, err
	}
	info := ratchet.Info(v)
	return Status{info, info.Fingerprint, s.client.isReady(s.id), p.Outbox, p.Inbox, p.Retained}, nil
}

// Update is the way down: a transaction on the space itself, for what this package does not do. The function may run again
// and has no effects of its own. What it puts into the outbox for Topic is sent. Steps of package step have methods of a Space, but
// step.Expiring: what clients send has a form of its own (docs/STORAGE.md), so they read only what Send has sent.
func (s Space) Update(ctx context.Context, f func(*state.Tx[ratchet.Space]) error) error {
	err := bodyOf(s.client).spaces.Update(ctx, s.id, f)
	s.client.changed(aSpace, s.id) // even after state.ErrUncertain
	return err
}

// Topic is where what is meant for all members is sent, for Update.
func (s Space) Topic() string { return topicOf(s.id) }

// Load returns the space as it is stored, for what this package does not do.
func (s Space) Load(ctx context.Context) (ratchet.Space, error) {
	return bodyOf(s.client).spaces.Load(ctx, s.id)
}
