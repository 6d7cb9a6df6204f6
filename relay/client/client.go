package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
)

// Classes of errors beside those of package api, to be found with errors.Is.
var (
	// ErrUnavailable: the relay was not reached, or has no room now. Nobody knows whether the call was carried out; it may be made
	// again as it was.
	ErrUnavailable = httpapi.ErrUnavailable
	// ErrSlowDown: the device makes too many calls at once.
	ErrSlowDown = httpapi.ErrSlowDown
	// ErrTooOld: the relay needs a newer release of this package.
	ErrTooOld = httpapi.ErrTooOld
)

// Options say which device this is, and where the relay is.
type Options struct {
	// URL is where the relay is mounted, such as https://relay.example or https://example.com/relay. Over http whoever is on the way can
	// take the token, and act as the device for a day.
	URL string
	// Name is what the relay calls itself: by default the host of URL, with the port if it has one.
	Name string
	// Device is the ID of this device, and Sign returns the signature of a message by the device's mailbox key: it is asked to
	// sign api.LoginProof, when the device logs in. A trefoil.Client gives both by itself (see SignWith).
	Device api.DeviceID
	Sign   func(message []byte) []byte
	// Guest has a device that belongs to no person log in as that of a person which is made up for it, until it belongs to one: so it
	// can be linked (see trefoil.Client.AcceptDevice). The guest is in memory only, and is taken out of the directory afterwards; what
	// is sent to one of a program that ended is lost. So a program gives Guest to link a device, and for nothing else.
	Guest bool
	// Authorize, if it is given, prepares a request in place of logging in: for a program that authenticates its users itself. Like
	// Sign it may be called by several goroutines at once, and may wait.
	Authorize func(*http.Request) error
	// Notify, if it is given, gets the notices that the relay puts into the mailbox while Receive runs, in the goroutine of its
	// handle. Without it they stay there.
	Notify func(Notice)

	// HTTP makes the requests: by default http.DefaultClient. Redirections are not followed.
	HTTP *http.Client
	// NoPush has the device open no WebSocket.
	NoPush bool
	// Poll is how often the device looks into its mailbox while no WebSocket is open, on average: 30 s by default. While one is
	// open it does so twenty times more rarely.
	Poll time.Duration
	// Log gets what goes wrong and is tried again. By default nothing is logged.
	Log *slog.Logger
}

// Notice is what a relay says of a conversation.
type Notice struct {
	api.Notice
	Kind   api.MessageKind
	Sender api.DeviceID
	// Ack says that the notice is dealt with. It is like that of a trefoil.Frame.
	Ack func()
}

// Client is a device's line to a relay. It is safe for concurrent use.
type Client struct {
	Directory     *Directory
	Conversations *Conversations
	Mailboxes     *Mailboxes
	Blobs         *Blobs

	o    Options
	base string // URL without a slash at the end
	http *http.Client

	login     login
	mu        sync.Mutex
	mailboxes map[string]bool // addresses that are subscribed to, as far as this client knows
	acks      []uint64        // to be acknowledged, of the mailbox of guest, or the device's own
	acker     bool            // a goroutine does so
}

var (
	_ trefoil.Transport = (*Client)(nil)
	_ trefoil.Directory = (*Client)(nil)
)

// New returns a client. It makes no request. It returns api.ErrMalformed for a URL that is neither http nor https, has no host, or has a
// query or a fragment.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%w: the URL of a relay", api.ErrMalformed)
	}
	if o.Name == "" {
		o.Name = u.Host
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	if o.Poll <= 0 {
		o.Poll = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	own := *o.HTTP
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Client{o: o, base: strings.TrimRight(u.String(), "/"), http: &own, mailboxes: make(map[string]bool)}
	c.Directory, c.Conversations, c.Mailboxes, c.Blobs = &Directory{c}, &Conversations{c}, &Mailboxes{c}, &Blobs{c}
	c.login.c, c.login.busy = c, make(chan struct{}, 1)
	return c, nil
}

// Health returns the build of a relay that works, and the version of its tables.
func (c *Client) Health(ctx context.Context) (build string, schema int, err error) {
	out, err := call(ctx, c, httpapi.Health, struct{}{})
	return out.Build, out.Schema, err
}

// requestTimeout is for how long a request may take, with the longest body or answer on a slow line.
const requestTimeout = 5 * time.Minute

// call makes a request. If the token is not valid any longer, it logs in and makes it again.
func call[In, Out any](ctx context.Context, c *Client, route httpapi.Route[In, Out], in In) (out Out, err error) {
	return callIf(ctx, c, route, in, func() error { return nil })
}

// callIf is call if may allows it, which is asked once it is known as whom the device calls.
func callIf[In, Out any](ctx context.Context, c *Client, route httpapi.Route[In, Out], in In, may func() error) (out Out, err error) {
	for again := !route.Open; ; again = false {
		token := ""
		if !route.Open {
			if token, err = c.login.authorized(ctx); err != nil {
				return out, err
			}
			if err := may(); err != nil {
				return out, err
			}
		}
		out, err = once(ctx, c, route, in, token)
		if !again || !errors.Is(err, api.ErrUnauthenticated) {
			return out, err
		}
		c.login.forget(token)
	}
}

func once[In, Out any](ctx context.Context, c *Client, route httpapi.Route[In, Out], in In, token string) (out Out, err error) {
	timed, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := route.Request(timed, c.base, in)
	if err != nil {
		return out, err
	}
	if !route.Open {
		if err := c.login.authorize(req, token); err != nil {
			if timed.Err() != nil {
				err = c.failure(ctx, err)
			}
			return out, err
		}
	}
	resp, err := c.http.Do(req)
	if err == nil {
		defer resp.Body.Close()
		out, err = route.Answer(resp)
	}
	return out, c.failure(ctx, err)
}

// failure puts an error of the line into its class, for a caller with ctx: the end of a request's own time is none of the caller's.
func (c *Client) failure(ctx context.Context, err error) error {
	var line *url.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &line), !isTold(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// isTold reports whether an error is one of those that a relay tells.
func isTold(err error) bool { return httpapi.NewProblem(err).Code() != "unavailable" }

const (
	// firstPause is how long the first pause between two tries is on average; it doubles up to maxPause.
	firstPause = 250 * time.Millisecond
	maxPause   = 30 * time.Second
)

// backOff waits before the next try after some failures, for as long as the relay asks for at least. It reports whether ctx goes on.
func backOff(ctx context.Context, failures int, err error) bool {
	pause := spread(min(firstPause<<min(failures, 10), maxPause))
	if told := new(httpapi.RetryError); errors.As(err, &told) {
		pause = max(pause, spread(told.After))
	}
	return sleep(ctx, pause, nil)
}

// spread returns half to one and a half of a duration, so that many devices do not come at once.
func spread(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }

// sleep waits for a time, or until it is woken. It reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration, woken <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-woken:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
