package trefoil

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/linking"
	"github.com/trefoil-im/trefoil/state"
)

// LinkDevice begins to link a further device to this device's person, and returns a code of 111 letters and digits, as a QR code or to be
// typed: AcceptDevice on the other device takes it within 15 minutes. event.LinkDigits follows on both, and on both the person confirms that
// they are alike (ConfirmDevice). Then the further device belongs to the person: it gets what others write to the person from then on, and
// comes into every space that this device is in, as a member of its own, shown as the same person: where this device is no owner, when an
// owner was awake. event.Linked follows, and event.DeviceInvited for each space.
//
// It is durable when it returns and needs no network: if the relay cannot be told now that this device reads there, Run or Sync does it, and
// the other device says again what was lost. A code that was made before ends. It returns ErrNoPerson on a device that holds
// no keys of its person: the first device alone links others.
func (c *Client) LinkDevice(ctx context.Context) (code string, err error) {
	self, err := c.Person(ctx)
	if err != nil {
		return "", err
	}
	if _, held, err := bodyOf(c).directs.ownPerson(ctx); err != nil || !held {
		return "", errors.Join(ErrNoPerson, err)
	}
	l := linking.Offer(self, c.o.Now())
	if err := c.beginLink(ctx, l); err != nil {
		return "", err
	}
	c.listen(ctx, l.ID())
	return l.Code(), nil
}

// AcceptDevice has this device become a further one of the person whose device shows the code. It is durable when it returns and needs
// no network. It returns linking.ErrCode for what is no code, state.ErrTooNew for that of a later release, state.ErrExists on a
// device of a person, and ErrNoPerson without Options.Directory.
func (c *Client) AcceptDevice(ctx context.Context, code string) error {
	switch _, err := c.Person(ctx); {
	case bodyOf(c).directs.lookup == nil:
		return ErrNoPerson
	case err == nil:
		return state.ErrExists
	case !errors.Is(err, ErrNoPerson):
		return err
	}
	l, err := linking.Accept(code, c.o.Now())
	if err != nil {
		return err
	}
	return c.beginLink(ctx, l)
}

// beginLink stores a linking, and ends others.
func (c *Client) beginLink(ctx context.Context, l linking.Linking) error {
	ids, err := bodyOf(c).links.List(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := c.endLink(ctx, id); err != nil {
			return err
		}
	}
	first, err := state.NewOne(l.ID(), linkRow{Linking: l})
	if err != nil {
		return err
	}
	if err := bodyOf(c).links.Create(ctx, first, linkerOf(c).say); err != nil {
		return err
	}
	c.changed(aLinking, l.ID())
	return nil
}

// endLink deletes a linking.
func (c *Client) endLink(ctx context.Context, id state.ID) error {
	if err := bodyOf(c).links.Delete(ctx, id); err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	c.unsubscribe(ctx, id)
	return nil
}

// linker are the transactions on a linking.
type linker struct{ now func() time.Time }

func linkerOf(c *Client) linker { return linker{c.o.Now} }

// say puts what a device has to say into the outbox.
func (w linker) say(tx linkTx) error {
	l := tx.Value().Part()
	if l.Phase() == linking.Done && l.Payload() != nil {
		return nil // what was granted is not taken in yet
	}
	f, err := l.Frame()
	if err != nil || f == nil {
		return err
	}
	l.posted = w.now()
	tx.Set(tx.Value().With(l))
	tx.Send(topicOf(l.ID()), f)
	return nil
}

// ConfirmDevice says that the other device shows these digits: what the person read there, not what this device shows. It is called on
// both devices. With other digits the linking ends on this one, and the error is linking.ErrDigits: somebody may have seen the code. It
// returns linking.ErrPhase if nothing is to be confirmed.
func (c *Client) ConfirmDevice(ctx context.Context, digits string) error {
	ids, err := bodyOf(c).links.List(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		var result error
		err := bodyOf(c).links.Update(ctx, id, func(tx linkTx) (err error) {
			result, err = linkerOf(c).confirm(tx, digits)
			return err
		})
		if !errors.Is(err, linking.ErrPhase) {
			c.changed(aLinking, id)
			return errors.Join(err, result)
		}
	}
	return linking.ErrPhase
}

// confirm returns as result what the person is told although something is saved.
func (w linker) confirm(tx linkTx, digits string) (result, err error) {
	l := tx.Value().Part()
	var payload []byte
	if !l.First() && l.Phase() == linking.Comparing {
		if l.device, err = session.NewDevice(l.Person(), w.now()); err != nil {
			return nil, err
		}
		if payload, err = asksToBelong(l.device); err != nil {
			return nil, err
		}
	}
	l.Linking, err = l.Confirm(digits, payload)
	if errors.Is(err, linking.ErrDigits) {
		w.end(tx, l, err)
		return err, nil
	}
	if err != nil {
		return nil, err
	}
	tx.Set(tx.Value().With(l))
	return nil, w.say(tx)
}

// end saves a linking that has ended without success.
func (w linker) end(tx linkTx, l linkRow, reason error) {
	l.device = session.Device{}
	tx.Set(tx.Value().With(l))
	tx.Emit(event.LinkEnded{Reason: reason})
}

// receive reads a frame of a linking.
func (w linker) receive(tx linkTx, f state.Frame) error {
	l := tx.Value().Part()
	before := l.Phase()
	next, err := l.Receive(f.Data)
	l.Linking = next
	switch {
	case errors.Is(err, linking.ErrTwice):
		w.end(tx, l, err)
		return nil
	case err != nil:
		return errIgnored
	}
	tx.Set(tx.Value().With(l))
	switch {
	case before == linking.Waiting && l.Phase() == linking.Comparing:
		tx.Emit(event.LinkDigits{Digits: l.Digits()})
	case l.First() && l.Phase() == linking.Done:
		tx.Emit(event.Linked{})
	}
	return w.say(tx)
}

// errIgnored is the error for a frame that says nothing to a linking.
var errIgnored = state.NewOutcome(state.Discard, "trefoil: nothing for this linking")

// When what was said is said again: others may have lost it. The wait grows with the age of the linking.
const (
	sayAgain     = time.Minute
	sayAgainPart = 4 // of its age
	linkKept     = 24 * time.Hour
)

// maintainLink does what is due of a linking: it goes on with one that was confirmed, says again what it has to, and ends one that takes too
// long.
func (r *run) maintainLink(ch *chat) error {
	c := r.client
	v, err := bodyOf(c).links.Load(r.ctx, ch.id)
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.subscribe(r.ctx, topicOf(ch.id)); err != nil {
		return err
	}
	l := v.Part()
	switch {
	case l.First() && l.Phase() == linking.Confirmed && l.Payload() != nil && !l.Granted():
		return c.grant(r.ctx, ch.id, l)
	case !l.First() && l.Phase() == linking.Done && l.Payload() != nil:
		return r.belong(ch.id, l)
	}
	now := c.o.Now()
	if l.Phase() >= linking.Done && now.Sub(l.Begun()) > linkKept {
		if p, err := bodyOf(c).links.Pending(r.ctx, ch.id); err != nil || p.Inbox > 0 {
			return err
		}
		return c.endLink(r.ctx, ch.id)
	}
	return bodyOf(c).links.Update(r.ctx, ch.id, func(tx linkTx) error {
		l := tx.Value().Part()
		next, err := l.Tick(now)
		if l.Linking = next; err != nil {
			linkerOf(c).end(tx, l, err)
			return nil
		}
		if tx.Waiting(topicOf(ch.id)) > 0 || now.Sub(l.posted) < max(sayAgain, now.Sub(l.Begun())/sayAgainPart) {
			return nil
		}
		return linkerOf(c).say(tx)
	})
}

// grant registers the further device and brings it into the spaces of this one, in one commit: by invites that this device makes, and by
// wishes where others have to make them.
func (c *Client) grant(ctx context.Context, id state.ID, l linkRow) error {
	asks, err := parseAsks(l.Payload())
	if err != nil {
		return bodyOf(c).links.Update(ctx, id, func(tx linkTx) error {
			l := tx.Value().Part()
			l.Linking = l.End()
			linkerOf(c).end(tx, l, err)
			return nil
		})
	}
	if err := bodyOf(c).directs.admit(ctx, asks); err != nil {
		return err
	}
	ids, err := bodyOf(c).spaces.List(ctx)
	if err != nil {
		return err
	}
	said := make(map[state.ID]entering)
	room, device := c.roomForEntrances(), deviceTag(asks.entry.Name())
	all := func() (x entering) {
		for _, space := range ids {
			x.invited, x.waits = append(x.invited, said[space].invited...), append(x.waits, said[space].waits...)
		}
		return x
	}
	var steps []state.Step
	for _, space := range ids {
		if _, err := bodyOf(c).spaces.Load(ctx, space); err != nil { // a damaged one holds nothing up
			c.log.Warn("a space that a further device is not let into", "space", space.String(), "error", err)
			continue
		}
		steps = append(steps, bodyOf(c).spaces.Updating(space, func(tx spaceTx) (err error) {
			delete(said, space)
			said[space], err = groupOf(c, space).bring(tx, device, len(all().encode()) <= room)
			return err
		}))
	}
	steps = append(steps, bodyOf(c).links.Updating(id, func(tx linkTx) error {
		l := tx.Value().Part()
		var err error
		if l.Linking, err = l.Grant(all().encode()); err != nil {
			return err
		}
		tx.Set(tx.Value().With(l))
		return linkerOf(c).say(tx)
	}))
	if err := state.Batch(ctx, steps...); err != nil {
		return err
	}
	for _, space := range ids {
		c.changed(aSpace, space)
	}
	c.log.Info("a further device is let in", "invited", len(all().invited), "waits", len(all().waits))
	return nil
}

// admit publishes the registration of this device's person with a further device.
func (d *directs) admit(ctx context.Context, f further) error {
	if err := d.publish(ctx); err != nil {
		return err
	}
	if _, held, err := d.ownPerson(ctx); err != nil || !held {
		return cmp.Or(err, ErrNoPerson)
	}
	own, err := d.devices.Load(ctx, d.endpoint.Device)
	if err != nil {
		return err
	}
	p := Publication{Bundle: own.Part().Bundle(), Further: f.bundle, Consent: f.consent}
	if err := d.register(ctx, own.Part(), f.entry, &p); err != nil || p.Registration == nil {
		return err
	}
	_, err = d.lookup.Publish(ctx, p)
	return err
}

// belong makes this device one of the person that granted it, and has it join the spaces, in one commit.
func (r *run) belong(id state.ID, l linkRow) error {
	c, d := r.client, bodyOf(r.client).directs
	x, err := parseEntering(l.Payload())
	if err != nil {
		return err
	}
	own, err := state.NewOne(l.device.ID(), l.device)
	if err != nil {
		return err
	}
	steps, joined, err := c.entering(r.ctx, x)
	if err != nil {
		return err
	}
	steps = append(steps, d.devices.Creating(own, nil))
	steps = append(steps, bodyOf(c).links.Updating(id, func(tx linkTx) error {
		l := tx.Value().Part()
		l.Linking, l.device = l.Taken(), session.Device{}
		tx.Set(tx.Value().With(l))
		tx.Emit(event.Linked{})
		x.tell(tx.Emit)
		return linkerOf(c).say(tx)
	}))
	if err := state.Batch(r.ctx, steps...); err != nil {
		return err
	}
	for _, space := range joined {
		c.changed(aSpace, space)
	}
	if _, err := d.self(r.ctx); err != nil {
		return err
	}
	c.changed(aDevice, d.endpoint.Device) // it subscribes to the mailbox
	if !r.once {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.reconnect() // for what others wrote meanwhile; a Sync leaves it to the next one
	}
	return nil
}
