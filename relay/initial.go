package relay

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Initial returns what a device needs to take part in a session, whoever else is online. It writes nothing. A device of a
// member that has no part in the session gets a *BeforeJoinedError with the first one in which it has; after that it may ask
// another device with Request. ErrForbidden is for everybody who has no part in the session and is not a member, whether
// there is such a conversation or not; ErrNotFound for a member that asks for a session that there is not yet.
//
// A device that was in a session may read its envelope also after its person was removed: it had the keys.
func (c *Conversations) Initial(ctx context.Context, device api.DeviceID, id api.ConversationID, number uint64) (out api.Initial, err error) {
	if number >= 1<<62 {
		return api.Initial{}, fmt.Errorf("%w: number of a session", api.ErrMalformed)
	}
	err = c.b.store.View(ctx, func(r store.Reader) error {
		by, err := caller(r, device)
		if err != nil {
			return err
		}
		out, err = initial(r, by, id, number)
		return err
	})
	if err != nil {
		return api.Initial{}, err
	}
	return out, nil
}

func initial(r store.Reader, by deviceRow, id api.ConversationID, number uint64) (api.Initial, error) {
	s, found, err := sessions.get(r, id, number)
	if err != nil {
		return api.Initial{}, err
	}
	if !found {
		if _, _, err := membership(r, id, by.Person); err != nil {
			return api.Initial{}, err
		}
		return api.Initial{}, fmt.Errorf("%w: session %d", api.ErrNotFound, number)
	}
	initiator, _, err := devices.get(r, s.Initiator)
	if err != nil {
		return api.Initial{}, err
	}
	out := api.Initial{Number: number, Initiator: s.Initiator, Person: initiator.Person, Identity: s.Identity[:]}
	if s.Initiator == by.ID {
		return out, nil
	}
	if e, found, err := envelopes.get(r, id, number, by.ID); err != nil {
		return api.Initial{}, err
	} else if found {
		envelope := api.Envelope{Device: by.ID, Ephemeral: e.Ephemeral[:], Sealed: e.Sealed}
		out.Envelopes = append(out.Envelopes, api.Received{By: s.Initiator, Person: initiator.Person, Envelope: envelope})
	}
	more, err := answersFor(r, id, number, by.ID)
	if err != nil {
		return api.Initial{}, err
	}
	if out.Envelopes = append(out.Envelopes, more...); len(out.Envelopes) > 0 {
		return out, nil
	}
	if _, _, err := membership(r, id, by.Person); err != nil {
		return api.Initial{}, err
	}
	first, err := firstSession(r, by.ID, id)
	if err != nil {
		return api.Initial{}, err
	}
	return api.Initial{}, &api.BeforeJoinedError{First: first}
}

// firstSession returns the number of the first session in which a device has part, 0 if there is none.
func firstSession(r store.Reader, device api.DeviceID, id api.ConversationID) (uint64, error) {
	got, err := envelopes.scan(r, 1, "device", device, id)
	if err != nil {
		return 0, err
	}
	made, err := sessions.scan(r, 1, "initiator", device, id)
	if err != nil {
		return 0, err
	}
	switch {
	case len(got) == 0 && len(made) == 0:
		return 0, nil
	case len(got) == 0:
		return made[0].Number, nil
	case len(made) == 0:
		return got[0].Number, nil
	}
	return min(got[0].Number, made[0].Number), nil
}
