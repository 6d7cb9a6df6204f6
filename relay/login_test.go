package relay_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
)

// login answers a new challenge.
func (d *device) login(r *service) (api.Login, error) {
	c, err := r.Logins.Challenge(d.p.w.ctx, d.id)
	return api.Login{Device: d.id, Challenge: c.Challenge, Signature: d.d.Sign(api.LoginProof(relayName, d.id, c.Challenge))}, err
}

func (d *device) logIn(r *service) error {
	in, err := d.login(r)
	if err == nil {
		_, err = r.Logins.Login(d.p.w.ctx, in)
	}
	return err
}

// token logs in.
func (d *device) token() string {
	d.p.w.t.Helper()
	in, err := d.login(d.p.w.r)
	require.NoError(d.p.w.t, err)
	out, err := d.p.w.r.Logins.Login(d.p.w.ctx, in)
	require.NoError(d.p.w.t, err)
	return out.Token
}

func (w *world) whose(token string) (api.DeviceID, error) {
	return w.r.Logins.Device(w.ctx, token)
}

// A device that signs a challenge gets a token that is its own, for a day, at every relay on the store. The store holds no token.
func TestLogin(t *testing.T) {
	w := inMemory(t)
	d := w.person(1).devices[0]
	in, err := d.login(w.r)
	require.NoError(t, err)
	w.r = w.on(w.store) // another one, or the same after a restart
	out, err := w.r.Logins.Login(t.Context(), in)
	require.NoError(t, err)
	got, err := w.whose(out.Token)
	require.NoError(t, err)
	require.Equal(t, d.id, got)
	require.NotContains(t, w.dump(), hex.EncodeToString([]byte(out.Token)))
	require.NotEqual(t, out.Token, d.token())

	w.now = w.now.Add(api.TokenKeep)
	_, err = w.whose(out.Token)
	require.NoError(t, err)
	w.now = w.now.Add(time.Millisecond)
	_, err = w.whose(out.Token)
	require.ErrorIs(t, err, api.ErrUnauthenticated)
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, swept.Tokens)
	require.NotContains(t, w.dump(), "tokens ")
}

// What is not the device's answer to a challenge of the relay, given now and for the first time, is refused.
func TestLoginIsRefused(t *testing.T) {
	w := inMemory(t)
	p := w.person(2)
	d, other := p.devices[0], p.devices[1]
	good, err := d.login(w.r)
	require.NoError(t, err)
	sign := func(by *device, name string, device api.DeviceID) api.Login {
		return api.Login{Device: device, Challenge: good.Challenge, Signature: by.d.Sign(api.LoginProof(name, device, good.Challenge))}
	}
	changed := good
	changed.Challenge = append([]byte{good.Challenge[0] ^ 1}, good.Challenge[1:]...)
	short := good
	short.Challenge = short.Challenge[1:]
	stranger := api.DeviceID{1}
	at, err := w.r.Logins.Challenge(t.Context(), stranger)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		in   api.Login
		want error
	}{
		"another device":             {sign(other, relayName, d.id), api.ErrUnverified},
		"another relay":              {sign(d, "evil.test", d.id), api.ErrUnverified},
		"another device's challenge": {sign(other, relayName, other.id), api.ErrUnauthenticated},
		"another challenge":          {changed, api.ErrUnauthenticated},
		"a short challenge":          {short, api.ErrMalformed},
		"no device":                  {api.Login{Device: stranger, Challenge: at.Challenge, Signature: good.Signature}, api.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			w.refused(c.want, func() error { _, err := w.r.Logins.Login(t.Context(), c.in); return err })
		})
	}
	late, err := d.login(w.r)
	require.NoError(t, err)
	_, err = w.r.Logins.Login(t.Context(), good)
	require.NoError(t, err)
	w.refused(api.ErrUnauthenticated, func() error { _, err := w.r.Logins.Login(t.Context(), good); return err })
	w.now = w.now.Add(api.ChallengeKeep + time.Millisecond)
	w.refused(api.ErrUnauthenticated, func() error { _, err := w.r.Logins.Login(t.Context(), late); return err })
	for _, token := range []string{"", "?", "AAAA", good.Device.String()} {
		_, err := w.whose(token)
		require.ErrorIs(t, err, api.ErrUnauthenticated)
	}
	nameless := direct(relay.New(w.store, relay.Options{}))
	w.refused(api.ErrForbidden, func() error { return d.logIn(nameless) })
}

// Tokens end with the keys with which they were gained, and the oldest of too many ends.
func TestTokensEnd(t *testing.T) {
	w := inMemory(t)
	p := w.person(2)
	kept, lost := p.devices[0], p.devices[1]
	first, gone := kept.token(), lost.token()
	for range api.MaxTokens - 1 {
		w.now = w.now.Add(api.ChallengeKeep / (api.MaxTokens - 1))
		kept.token()
	}
	_, err := w.whose(first)
	require.NoError(t, err)
	w.refused(api.ErrQuota, func() error { return kept.logIn(w.r) })
	w.now = w.now.Add(time.Second)
	last := kept.token()
	_, err = w.whose(first)
	require.ErrorIs(t, err, api.ErrUnauthenticated)
	p.revoke(1)
	_, err = w.whose(gone)
	require.ErrorIs(t, err, api.ErrUnauthenticated)
	require.ErrorIs(t, lost.logIn(w.r), api.ErrRevoked)

	stolen, err := kept.login(w.r)
	require.NoError(t, err)
	kept.renew()
	renewed := p.publication()
	renewed.Devices = []api.PublishedDevice{kept.published()}
	_, err = w.r.Directory.Publish(t.Context(), renewed)
	require.NoError(t, err)
	_, err = w.whose(last)
	require.ErrorIs(t, err, api.ErrUnauthenticated)
	_, err = w.r.Logins.Login(t.Context(), stolen)
	require.ErrorIs(t, err, api.ErrUnverified)
	_, err = w.whose(kept.token())
	require.NoError(t, err)
}
