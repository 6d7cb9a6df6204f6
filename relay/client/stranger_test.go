package client_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/store"
	"github.com/trefoil-im/trefoil/state"
)

// signs is the Signer of a person's device; of nobody's for nil.
type signs struct{ p *person }

func (s signs) Device(context.Context) (key.Address, key.PublicKey[key.Identity], error) {
	if s.p == nil {
		return key.Address{}, key.PublicKey[key.Identity]{}, trefoil.ErrNoPerson
	}
	return s.p.device.Person(), s.p.device.Name(), nil
}

func (s signs) Sign(_ context.Context, mailbox key.Address, statement []byte) (key.VerifyKey, []byte, error) {
	switch {
	case s.p == nil:
		return key.VerifyKey{}, nil, trefoil.ErrNoPerson
	case !mailbox.IsZero() && mailbox != s.p.device.Mailbox():
		return key.VerifyKey{}, nil, state.ErrNotFound
	}
	return s.p.mailbox.Public(), s.p.device.Sign(statement), nil
}

// The relay cannot take the subscription of a device that it does not know, a guest or nobody, and says so. It subscribes the device to its
// mailbox with the registration: what is posted before the device comes waits for it.
func TestStranger(t *testing.T) {
	w := serve(t, store.NewMemory(), httprelay.Options{})
	bob, other := newPerson(t), newPerson(t)
	line := func(s signs, guest bool) *client.Client {
		c, err := client.New(client.Options{URL: w.url, Name: relayName, Guest: guest})
		require.NoError(t, err)
		c.SignWith(s)
		return c
	}
	mailbox := bob.device.Mailbox().String()
	ann := w.client(w.person("ann"), nil)
	require.ErrorIs(t, line(signs{}, false).Subscribe(t.Context(), mailbox), trefoil.ErrNotRegistered)
	require.ErrorIs(t, line(signs{}, true).Subscribe(t.Context(), mailbox), trefoil.ErrNotRegistered)
	later := line(signs{bob}, true)
	require.ErrorIs(t, later.Subscribe(t.Context(), mailbox), trefoil.ErrNotRegistered)

	_, err := w.relay.Directory.Publish(t.Context(), bob.first)
	require.NoError(t, err)
	require.Equal(t, state.Delivered(), ann.Post(t.Context(), mailbox, []byte("early")))
	require.NoError(t, later.Subscribe(t.Context(), mailbox))
	err = later.Subscribe(t.Context(), other.device.Mailbox().String())
	require.ErrorIs(t, err, state.ErrNotFound)
	require.NotErrorIs(t, err, trefoil.ErrNotRegistered)

	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	require.ErrorIs(t, later.Receive(ctx, slices.Values([]string{mailbox}), func(f trefoil.Frame) {
		if f.Topic == "" {
			cancel()
			return
		}
		got = append(got, string(f.Data))
	}), context.Canceled)
	require.Equal(t, []string{"early"}, got)

	w.front(nil)
	err = line(signs{bob}, false).Subscribe(t.Context(), mailbox)
	require.ErrorIs(t, err, client.ErrUnavailable)
	require.NotErrorIs(t, err, trefoil.ErrNotRegistered)
}
