package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/client"
)

// lossy is the way to a relay, on which some requests are lost: they are not answered, and end when they are given up.
type lossy struct {
	relay http.Handler
	lost  func(*http.Request) bool
}

func (l lossy) RoundTrip(req *http.Request) (*http.Response, error) {
	if l.lost(req) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	out := httptest.NewRecorder()
	l.relay.ServeHTTP(out, req)
	return out.Result(), nil
}

// client returns a client of a device that calls the relay on this way.
func (l lossy) client(t *testing.T, p *person, change func(*client.Options)) *client.Client {
	t.Helper()
	o := client.Options{URL: "http://" + relayName, Device: p.id, Sign: p.device.Sign, HTTP: &http.Client{Transport: l}, NoPush: true}
	if change != nil {
		change(&o)
	}
	c, err := client.New(o)
	require.NoError(t, err)
	return c
}

// A call waits for another one that logs in, and no longer than its context lives.
func TestCallIsGivenUpWhileAnotherLogsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nothing := lossy{lost: func(*http.Request) bool { return true }}
		c := nothing.client(t, newPerson(t), nil)
		page := func() (give context.CancelFunc, ended chan error) {
			ctx, give := context.WithCancel(t.Context())
			ended = make(chan error, 1)
			go func() {
				_, err := c.Mailboxes.Page(ctx, 0, 0)
				ended <- err
			}()
			synctest.Wait()
			return give, ended
		}
		giveFirst, first := page()
		giveSecond, second := page()
		giveSecond()
		require.ErrorIs(t, <-second, context.Canceled)
		require.Empty(t, first, "it still logs in")
		giveFirst()
		require.ErrorIs(t, <-first, context.Canceled)
	})
}
