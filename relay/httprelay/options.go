package httprelay

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/trefoil-im/trefoil/relay/api"
)

// Options are what differs from one handler to the next. The zero Options are good.
type Options struct {
	// Authenticate, if it is given, says which device makes a request, in place of the tokens that devices get by logging in. An
	// error of a class of package api is answered as it is, any other one as ErrUnauthenticated.
	Authenticate func(*http.Request) (api.DeviceID, error)
	// Admit, if it is given, says whether a person may publish what it has signed; by default everybody may. Its error is answered
	// as ErrForbidden.
	Admit func(*http.Request, api.Publication) error
	// Allow, if it is given, says whether a device may propose a session: which member may add or remove whom, the relay does not
	// decide. Its error is answered as ErrForbidden.
	Allow func(*http.Request, api.DeviceID, api.Proposal) error

	// Log gets a record for each request: its route, status, device, duration and counts, and no content and no token. By default
	// nothing is logged.
	Log *slog.Logger
	// Meter, if it is given, is told what the handler does.
	Meter Meter
	// Build names the program for /healthz: by default the version of the module, and the commit.
	Build string

	// Timeout is for how long the relay works at one request: 30 s by default. A slow line has longer, at 16 KiB/s.
	Timeout time.Duration
	// Requests is how many requests are under way at once at most, 1,024 by default. One device has a sixteenth of them.
	Requests int
	// Memory is how many bytes of bodies are under way at once at most, 256 MiB by default and 64 MiB at least. One device has a
	// quarter of it.
	Memory int64
	// Lines is how many WebSockets are open at once at most, 16,384 by default; none if it is negative. Without one a device looks
	// into its mailbox now and then.
	Lines int
	// Origins are the hosts of web pages that may open a WebSocket, beside the relay's own: patterns as of path.Match.
	Origins []string
}

// Meter counts what a handler does. Its methods are called by many goroutines at once, and must not wait.
type Meter interface {
	// Request tells of a request that was answered: the pattern of its route, the status and the duration.
	Request(route string, status int, took time.Duration)
	// Frame tells of a frame: in how many mailboxes it lies, and how many were full.
	Frame(stored, full int)
	// Line tells of a WebSocket that was opened (1) or ended (-1).
	Line(change int)
}

const (
	defaultTimeout  = 30 * time.Second
	defaultRequests = 1024
	defaultMemory   = 256 << 20
	defaultLines    = 16_384

	// slowest is how many bytes a line carries in a second that is slow and not dead.
	slowest = 16 << 10
)

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Meter == nil {
		o.Meter = deaf{}
	}
	if o.Build == "" {
		o.Build = build()
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Requests <= 0 {
		o.Requests = defaultRequests
	}
	if o.Memory <= 0 {
		o.Memory = defaultMemory
	}
	o.Memory = max(o.Memory, smallestMemory)
	if o.Lines == 0 {
		o.Lines = defaultLines
	}
	return o
}

// deaf is the Meter that counts nothing.
type deaf struct{}

func (deaf) Request(string, int, time.Duration) {}
func (deaf) Frame(int, int)                     {}
func (deaf) Line(int)                           {}
