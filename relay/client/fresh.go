package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
)

// maxFresh is how often BeginFresh looks again. Each time another device was faster, which is then done.
const maxFresh = 16

// BeginFresh begins a session that is made of the directory as it is now: it looks up the members, has propose seal an envelope for
// each of their devices but this one, and begins. If a device was added or revoked meanwhile, or another session began, it looks
// again and has propose make the next one; the error that made it do so is given to propose, nil at first. A *api.StaleError
// says from which session to go on.
//
// What the relay says of people is not verified: propose does so, with directory.ParseRegistration.
func (v *Conversations) BeginFresh(ctx context.Context, members []key.Address,
	propose func(people []api.Person, because error) (api.Proposal, error)) (api.Begun, error) {
	var because error
	for range maxFresh {
		people := make([]api.Person, len(members))
		for i, m := range members {
			var err error
			if people[i], err = v.c.Directory.Lookup(ctx, m, 0); err != nil {
				return api.Begun{}, fmt.Errorf("member %v: %w", m, err)
			}
		}
		p, err := propose(people, because)
		if err != nil {
			return api.Begun{}, err
		}
		out, err := v.Begin(ctx, p)
		if !errors.Is(err, api.ErrDevices) && !errors.Is(err, api.ErrStale) {
			return out, err
		}
		because = err
	}
	return api.Begun{}, because
}
