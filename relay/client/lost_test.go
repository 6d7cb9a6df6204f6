package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/store"
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

// A request that is lost is unavailable once its time is over, while the context of its caller lives: so what may be made again is. The
// same holds for one whose Options.Authorize waits too long.
func TestLostRequestIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &server{TB: t, store: store.NewMemory(), people: make(map[string]*person)}
		w.start(httprelay.Options{})
		data := []byte("a file")
		address := api.BlobAddress(sha256.Sum256(data))
		from, to := w.person("from"), w.person("to")
		lost := make(map[string]int) // how many requests of each path are
		way := lossy{relay: w.h, lost: func(req *http.Request) bool {
			lost[req.URL.Path]--
			return lost[req.URL.Path] >= 0
		}}
		c := way.client(t, to, nil)
		lost["/healthz"] = 1
		_, _, err := c.Health(t.Context())
		require.ErrorIs(t, err, client.ErrUnavailable)
		_, _, err = c.Health(t.Context())
		require.NoError(t, err)

		lost["/v1/blobs/"+address.String()] = 2
		_, err = c.Blobs.Upload(t.Context(), bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err)
		require.NoError(t, c.Subscribe(t.Context(), "topic"))
		_, err = w.relay.Mailboxes.Post(t.Context(), from.id, requestKey(), "topic", []byte("frame"))
		require.NoError(t, err)
		lost["/v1/mailbox"] = 2
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var came []string
		require.ErrorIs(t, c.Receive(ctx, slices.Values([]string{"topic"}), func(f trefoil.Frame) {
			if came = append(came, string(f.Data)); f.Topic == "" {
				cancel()
			}
		}), context.Canceled)
		require.Equal(t, []string{"frame", ""}, came, "up to the end of the backlog")

		waits := way.client(t, to, func(o *client.Options) {
			o.Authorize = func(req *http.Request) error {
				<-req.Context().Done()
				return req.Context().Err()
			}
		})
		_, err = waits.Mailboxes.Page(t.Context(), 0, 0)
		require.ErrorIs(t, err, client.ErrUnavailable)

		lost["/healthz"] = 1
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err = c.Health(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, client.ErrUnavailable, "the time of the caller is over")
	})
}
