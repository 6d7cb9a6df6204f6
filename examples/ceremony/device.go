package main

import (
	"context"
	"errors"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/dkg/ceremony"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
)

// The first byte of a message of the space says what it is for.
const (
	ofCeremony byte = iota + 1
	proposal        // bytes that are to be signed
	commitment      // round 1 of signing
	part            // round 2
)

// heard is a message of the space that belongs to a signature. The space says who sent it.
type heard struct {
	from dkg.Index
	kind byte
	body []byte
}

// sync opens the person's program anew, as after a crash, and lets it read what there is and send what waits.
func (p *person) sync(ctx context.Context) error {
	o := trefoil.Options{Profile: []byte(p.name), Handle: p.handle, Policy: rules.Policy{RootScheme: rules.Ed448}}
	var err error
	if p.client, err = trefoil.Open(ctx, p.store, p.key, p.line, o); err != nil {
		return err
	}
	return p.client.Sync(ctx)
}

// handle is told of everything, at least once. What belongs to a ceremony is in the person's run when it returns.
func (p *person) handle(ctx context.Context, e event.Event) error {
	m, ok := e.(event.Message)
	switch {
	case !ok || m.Own || len(m.Body) == 0:
		return nil
	case m.Body[0] == ofCeremony:
		return p.receive(ctx, p.setup, m.Body[1:])
	}
	p.heard = append(p.heard, heard{m.Index, m.Body[0], m.Body[1:]})
	return nil
}

// say sends a message to the space.
func (p *person) say(ctx context.Context, kind byte, body []byte) error {
	if kind != ofCeremony {
		p.heard = append(p.heard, heard{p.place, kind, body})
	}
	_, err := p.client.Space(p.space).Send(ctx, append([]byte{kind}, body...))
	return err
}

// enter notes in which space the person is, and at which place.
func (p *person) enter(ctx context.Context, space state.ID) error {
	status, err := p.client.Space(space).Status(ctx)
	p.space, p.place = space, status.Index
	return err
}

// invites lets somebody into the space.
func (p *person) invites(ctx context.Context, other *person) error {
	made, err := p.client.Space(p.space).Invite(ctx, invite.Private(0))
	if err != nil {
		return err
	}
	url, err := made.Link.URL("https://chat.example/join")
	if err != nil {
		return err
	}
	if err := other.sync(ctx); err != nil {
		return err
	}
	_, err = other.client.Join(ctx, url)
	return err
}

// takeRootKey takes the root owner key out of the person's device and keeps it as a whole key.
func (p *person) takeRootKey(ctx context.Context) error {
	return p.client.Space(p.space).TakeRootKey(ctx, func(seed []byte) error {
		whole, err := threshold.Whole(seed)
		if err != nil {
			return err
		}
		return p.keep(ctx, whole)
	})
}

// rootShare returns the person's share of the root owner key, or the zero Share.
func (p *person) rootShare(ctx context.Context) (threshold.Share, error) {
	o, err := p.shares.Load(ctx, p.space)
	if errors.Is(err, state.ErrNotFound) {
		return threshold.Share{}, nil
	}
	return o.Part(), err
}

// keep stores a share of the root owner key in the place of the one before, which is gone then.
func (p *person) keep(ctx context.Context, s threshold.Share) error {
	o, err := state.NewOne(p.space, s)
	if err != nil {
		return err
	}
	if err := p.shares.Create(ctx, o, nil); !errors.Is(err, state.ErrExists) {
		return err
	}
	return p.shares.Update(ctx, p.space, func(tx *state.Tx[state.One[threshold.Share]]) error {
		tx.Set(tx.Value().With(s))
		return nil
	})
}

// trusts returns an error unless a ceremony is about the root owner key of the person's space.
func (p *person) trusts(ctx context.Context, s ceremony.Setup) error {
	status, err := p.client.Space(p.space).Status(ctx)
	if err == nil && string(s.Key().Public()) != string(status.RootKey.Bytes()) {
		err = errors.New(p.name + " is asked to hold another key")
	}
	return err
}
