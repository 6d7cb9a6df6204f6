package client_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// A session is made again when another one began meanwhile, from that one on; what the program refuses ends it.
func TestBeginFresh(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	a, b := w.person("a"), w.person("b")
	first := w.proposal(a, b)
	members := []key.Address{a.user.Public().Address(), b.user.Public().Address()}
	_, err := w.client(b, nil).Conversations.Begin(t.Context(), func() api.Proposal {
		p := first
		p.Key, p.Envelopes = requestKey(), []api.Envelope{envelope(a)}
		return p
	}())
	require.NoError(t, err)

	c := w.client(a, nil)
	tries := 0
	begun, err := c.Conversations.BeginFresh(t.Context(), members, func(people []api.Person, because error) (api.Proposal, error) {
		tries++
		require.Len(t, people, 2)
		p := first
		p.Key = requestKey()
		switch stale := new(api.StaleError); {
		case tries == 1: // the one that was begun is not known yet
			require.NoError(t, because)
			p.Base = 7
		case tries == 2:
			require.ErrorAs(t, because, &stale)
			p.Base = stale.Current
			p.Envelopes = nil // a device that this one does not know
		default:
			wrong := new(api.DevicesError)
			require.ErrorAs(t, because, &wrong)
			require.Equal(t, []api.DeviceID{people[1].Devices[0].ID}, wrong.Missing)
			p.Base = 1
		}
		return p, nil
	})
	require.NoError(t, err)
	require.Equal(t, api.Begun{Conversation: first.Conversation, Number: 2, Adopted: true}, begun)
	require.Equal(t, 3, tries)

	no := errors.New("an identity has changed")
	_, err = c.Conversations.BeginFresh(t.Context(), members, func([]api.Person, error) (api.Proposal, error) { return api.Proposal{}, no })
	require.ErrorIs(t, err, no)
	_, err = c.Conversations.BeginFresh(t.Context(), []key.Address{{1}}, nil)
	require.ErrorIs(t, err, api.ErrNotFound)
	tries = 0
	_, err = c.Conversations.BeginFresh(t.Context(), members, func([]api.Person, error) (api.Proposal, error) {
		tries++
		p := first
		p.Key, p.Base = requestKey(), 99
		return p, nil
	})
	require.ErrorIs(t, err, api.ErrStale, "it does not try for ever")
	require.Equal(t, 16, tries)
}
