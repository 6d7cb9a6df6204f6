package trefoil

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// deviceTag names a further device of a person to a space.
func deviceTag(name key.PublicKey[key.Identity]) [sha256.Size]byte {
	return sha256.Sum256(append([]byte("trefoil device "), name.Bytes()...))
}

// enteringVersion is the first byte of what the first device of a person says to a further one in their session, behind which an entering
// is. No letter begins so.
const enteringVersion = 2

// InviteDevices has the further devices of this person come into the space, as a member: LinkDevice does so for the spaces that the device
// is in then, InviteDevices for one that it joined since. Each comes as a member of its own, shown as the same person. event.DeviceInvited
// follows for each, at once for an owner, and otherwise when an owner was awake. It asks the directory for the devices, and does nothing if
// all of them are in the space. It returns ErrNoPerson on a device that holds no keys of its person, ratchet.ErrPolicy where members
// bring no devices, dkg.ErrExhausted for more than 8, ratchet.ErrPhase and ratchet.ErrRemoved.
func (s Space) InviteDevices(ctx context.Context) error {
	c := s.client
	self, err := c.Person(ctx)
	if err != nil {
		return err
	}
	if _, held, err := bodyOf(c).directs.ownPerson(ctx); err != nil || !held {
		return errors.Join(ErrNoPerson, err)
	}
	own, err := bodyOf(c).directs.devices.Load(ctx, bodyOf(c).directs.endpoint.Device)
	if err != nil {
		return err
	}
	devices, err := bodyOf(c).directs.peers(ctx, self)
	if err != nil {
		return err
	}
	v, err := bodyOf(c).spaces.Load(ctx, s.id)
	if err != nil || len(devices) <= devicesOf(v) {
		return err
	}
	return s.Update(ctx, func(tx spaceTx) error {
		for _, p := range devices {
			if p.Name().Equal(own.Part().Name()) {
				continue
			}
			if err := groupOf(c, s.id).wish(tx, deviceTag(p.Name())); err != nil {
				return err
			}
		}
		return nil
	})
}

// handEntrances hands what came of wishes for further devices of this person over to them, each by the session with it. One that the
// directory does not know waits.
func (r *run) handEntrances(id state.ID) error {
	c, d := r.client, bodyOf(r.client).directs
	v, err := bodyOf(c).spaces.Load(r.ctx, id)
	if err != nil {
		return err
	}
	all := entrancesOf(v)
	self, err := d.self(r.ctx)
	if len(all) == 0 || errors.Is(err, ErrNoPerson) {
		return nil
	}
	if err != nil {
		return err
	}
	devices, err := d.peers(r.ctx, self)
	if err != nil {
		return err
	}
	for _, e := range all {
		at := slices.IndexFunc(devices, func(p directory.Peer) bool { return deviceTag(p.Name()) == e.Device })
		if at < 0 {
			continue
		}
		if err := r.handEntrance(id, e, devices[at]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) handEntrance(id state.ID, e ratchet.Entrance, to directory.Peer) error {
	c := r.client
	x := entering{invited: []ratchet.Entrance{e}}
	if e.Reason != nil {
		x = entering{waits: []awaited{{space: id, reason: e.Reason}}}
	}
	text := append([]byte{enteringVersion}, x.encode()...)
	steps, slots, err := bodyOf(c).directs.endpoint.Sending(r.ctx, text, func(directory.Peer, session.Outgoing) {}, to)
	if err != nil {
		return err
	}
	err = state.Batch(r.ctx, append(steps, bodyOf(c).spaces.Updating(id, func(tx spaceTx) error {
		if !slices.ContainsFunc(entrancesOf(tx.Value()), func(o ratchet.Entrance) bool { return o.Device == e.Device }) {
			return errSentAlready
		}
		return groupOf(c, id).taken(tx, e.Device)
	}))...)
	if errors.Is(err, errSentAlready) {
		return nil
	}
	for _, slot := range slots {
		r.posts.wake(aDevice, slot)
	}
	return err
}

// enter takes in what the first device said in the session with it, in one commit. It is false for what says nothing to this device.
func (c *Client) enter(ctx context.Context, slot state.ID, in state.Incoming) (bool, error) {
	_, held, err := bodyOf(c).directs.ownPerson(ctx)
	if err != nil || held { // nobody brings the first device into a space
		return false, err
	}
	self, err := c.Person(ctx)
	if err != nil {
		return false, err
	}
	x, err := parseEntering(in.Data()[1:])
	if err != nil {
		return false, nil
	}
	var joined []state.ID
	err = again(func() error {
		steps, ids, err := c.entering(ctx, x)
		if err != nil {
			return err
		}
		joined = ids
		tell, err := bodyOf(c).directs.talking(ctx, self, func(tx talkTx) error {
			x.tell(tx.Emit)
			return nil
		})
		if err != nil {
			return err
		}
		return state.Batch(ctx, append(steps, tell, bodyOf(c).directs.endpoint.Sessions.Updating(slot, func(tx *state.Tx[session.Session]) error {
			if !tx.Take(in.Seq) {
				return errSentAlready
			}
			return nil
		}))...)
	})
	if errors.Is(err, errSentAlready) {
		return true, nil
	}
	for _, space := range joined {
		c.changed(aSpace, space)
	}
	c.changed(aTalk, talkID(self))
	return err == nil, err
}

// entering returns the steps with which this device asks to be let into the spaces that it was invited to, and those that it was not in.
func (c *Client) entering(ctx context.Context, x entering) (steps []state.Step, joined []state.ID, err error) {
	for _, e := range x.invited {
		s, request, err := joinAsDevice(e, c.o.Now())
		if err != nil {
			c.log.Warn("an entrance that cannot be used", "error", err)
			continue
		}
		ask := func(tx spaceTx) error {
			tx.Send(topicOf(s.ID()), request)
			return nil
		}
		switch _, err := bodyOf(c).spaces.Load(ctx, s.ID()); {
		case errors.Is(err, state.ErrDeleted): // it was forgotten here
			if err := bodyOf(c).spaces.Revive(ctx, s, ask); err != nil {
				return nil, nil, err
			}
		case errors.Is(err, state.ErrNotFound):
			steps = append(steps, bodyOf(c).spaces.Creating(s, ask))
		default:
			continue // this device is there already
		}
		joined = append(joined, s.ID())
	}
	return steps, joined, nil
}

// tell tells for which spaces this device waits, and for which no more.
func (x entering) tell(emit func(state.Event)) {
	for _, a := range x.waits {
		emit(event.SpaceAwaited{Space: a.space, Title: string(a.title), Reason: a.reason})
	}
}
