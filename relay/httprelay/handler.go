package httprelay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
)

// Handler is a relay over HTTP. It is safe for concurrent use.
type Handler struct {
	r      *relay.Relay
	o      Options
	mux    *http.ServeMux
	routes []route // all that mux has
	gate   *gate

	stopped context.Context // ends with Shutdown
	stop    context.CancelFunc
	mu      sync.Mutex
	lines   map[api.DeviceID]int // WebSockets that are open
	open    int                  // all of them
	ended   sync.WaitGroup       // of lines
}

// New returns a handler of a relay. It needs no store of its own: several may serve one database.
func New(r *relay.Relay, o Options) *Handler {
	h := &Handler{r: r, o: o.withDefaults(), mux: http.NewServeMux(), lines: make(map[api.DeviceID]int)}
	h.gate = newGate(h.o.Requests, h.o.Memory)
	h.stopped, h.stop = context.WithCancel(context.Background())
	h.serveOpen()
	h.serveDevices()
	h.mux.HandleFunc("GET "+httpapi.PushPath, func(w http.ResponseWriter, req *http.Request) {
		h.serve(w, req, "GET "+httpapi.PushPath, h.push)
	})
	h.routes = append(h.routes, route{pattern: "GET " + httpapi.PushPath})
	return h
}

// route is what a route takes and answers.
type route struct {
	pattern string
	isOpen  bool
	in, out reflect.Type // nil for the WebSocket
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if _, pattern := h.mux.Handler(req); pattern != "" {
		h.mux.ServeHTTP(w, req)
		return
	}
	h.serve(w, req, "none", func(ctx context.Context, c *call) error { return h.noRoute(c) })
}

// Shutdown tells the devices on WebSockets to come again, and waits until they are gone or ctx ends. Requests go on; the server
// waits for them in its own Shutdown.
func (h *Handler) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.stop()
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		h.ended.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call is one request while it is served.
type call struct {
	h      *Handler
	w      *answer
	req    *http.Request
	device api.DeviceID // zero for one that is open
	attrs  []slog.Attr  // for the log
}

// note adds to the record of the request.
func (c *call) note(key string, value any) { c.attrs = append(c.attrs, slog.Any(key, value)) }

// answer notes the status of an answer.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController and the WebSocket find the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// handle serves a route.
func handle[In, Out any](h *Handler, route httpapi.Route[In, Out], do func(context.Context, *call, In) (Out, error)) {
	h.routes = append(h.routes, describe(route))
	h.mux.HandleFunc(route.Pattern(), func(w http.ResponseWriter, req *http.Request) {
		h.serve(w, req, route.Pattern(), func(ctx context.Context, c *call) error {
			leave, err := c.enter(ctx, route.Open, route.Body)
			if err != nil {
				return err
			}
			defer leave()
			c.deadlines(route.Body)
			in, err := route.Read(c.w, req)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, h.o.Timeout)
			defer cancel()
			out, err := do(ctx, c, in)
			if err != nil {
				return err
			}
			return route.Write(c.w, out)
		})
	})
}

func describe[In, Out any](r httpapi.Route[In, Out]) route {
	return route{r.Pattern(), r.Open, reflect.TypeFor[In](), reflect.TypeFor[Out]()}
}

// serve runs a request, answers its error, and tells of it.
func (h *Handler) serve(w http.ResponseWriter, req *http.Request, route string, do func(context.Context, *call) error) {
	c := &call{h: h, w: &answer{ResponseWriter: w}, req: req}
	begun := time.Now()
	defer func() {
		fault := recover()
		if fault == http.ErrAbortHandler {
			panic(fault)
		}
		if fault != nil {
			h.o.Log.Error("panic", "route", route, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			c.fail(httpapi.ErrInternal)
		}
		h.told(c, route, time.Since(begun))
	}()
	w.Header().Set(httpapi.VersionHeader, strconv.Itoa(httpapi.Version))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if err := do(req.Context(), c); err != nil {
		c.fail(err)
	}
}

// told notes a request that was served.
func (h *Handler) told(c *call, route string, took time.Duration) {
	level := slog.LevelInfo
	if c.w.status >= 500 {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("route", route), slog.Int("status", c.w.status), slog.Duration("took", took)}
	if !c.device.IsZero() {
		attrs = append(attrs, slog.String("device", c.device.String()))
	}
	h.o.Log.LogAttrs(c.req.Context(), level, "request", append(attrs, c.attrs...)...)
	h.o.Meter.Request(route, c.w.status, took)
}

// fail answers an error, unless the answer has begun.
func (c *call) fail(err error) {
	p := httpapi.NewProblem(err)
	c.note("problem", p.Code())
	if p.Status >= 500 {
		c.note("error", err.Error())
	}
	if c.w.status != 0 {
		return
	}
	if err := p.Write(c.w); err != nil {
		c.note("unanswered", err.Error())
	}
}

// enter lets a request in: it has a version that the relay understands, its device is known, and there is room for it.
func (c *call) enter(ctx context.Context, isOpen bool, body int64) (leave func(), err error) {
	if err := c.checkVersion(isOpen); err != nil {
		return nil, err
	}
	if !isOpen {
		if c.device, err = c.authenticate(ctx); err != nil {
			return nil, err
		}
	}
	return c.h.gate.enter(c.device, c.bodySize(body))
}

// checkVersion refuses devices that are too old. What is open may be asked without a version: by browsers, and those who look
// after the server.
func (c *call) checkVersion(isOpen bool) error {
	text := c.req.Header.Get(httpapi.VersionHeader)
	if text == "" && isOpen {
		return nil
	}
	version, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("%w: header %s", api.ErrMalformed, httpapi.VersionHeader)
	}
	if version < httpapi.Oldest {
		return fmt.Errorf("%w: version %d and later are understood", httpapi.ErrTooOld, httpapi.Oldest)
	}
	return nil
}

// authenticate returns the device that makes the request.
func (c *call) authenticate(ctx context.Context) (api.DeviceID, error) {
	if own := c.h.o.Authenticate; own != nil {
		device, err := own(c.req)
		if err == nil && device.IsZero() {
			err = errors.New("no device")
		}
		if err != nil && httpapi.NewProblem(err).Code() == "unavailable" {
			c.note("unknown", err.Error()) // what the program knows of it, the device need not
			err = api.ErrUnauthenticated
		}
		return device, err
	}
	scheme, token, _ := strings.Cut(c.req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return api.DeviceID{}, fmt.Errorf("%w: no token", api.ErrUnauthenticated)
	}
	return c.h.r.Logins.Device(ctx, token)
}

// deadlines bounds how long a line may take for a body of up to some bytes, and for the answer. A server that has no deadlines
// goes on without.
func (c *call) deadlines(body int64) {
	rc := http.NewResponseController(c.w)
	read := time.Now().Add(c.h.o.Timeout + time.Duration(c.bodySize(body)/slowest)*time.Second)
	_ = rc.SetReadDeadline(read)
	_ = rc.SetWriteDeadline(read.Add(c.h.o.Timeout + api.MaxPage/slowest*time.Second))
}

// bodySize returns how long the body is at most, as far as that is known: limit or less.
func (c *call) bodySize(limit int64) int64 {
	if c.req.ContentLength >= 0 {
		limit = min(limit, c.req.ContentLength)
	}
	return limit
}

// noRoute answers what the mux has no route for.
func (h *Handler) noRoute(c *call) error {
	var others []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := c.req.Clone(c.req.Context())
		other.Method = method
		if _, pattern := h.mux.Handler(other); pattern != "" {
			others = append(others, method)
		}
	}
	if len(others) == 0 {
		return httpapi.ErrRoute
	}
	c.w.Header().Set("Allow", strings.Join(others, ", "))
	return httpapi.ErrMethod
}
