package httprelay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
	"github.com/trefoil-im/trefoil/relay/store"
)

// as has every request be one of the device that it names.
func as(req *http.Request) (id api.DeviceID, err error) {
	if id.UnmarshalText([]byte(req.Header.Get("Device"))) != nil {
		err = errors.New("which device?")
	}
	return id, err
}

func handlerOn(s store.Store, o Options) *Handler {
	return New(relay.New(s, relay.Options{Name: "relay.test"}), o)
}

// ask makes a request of device 1 and returns the status and the code of the problem.
func ask(h http.Handler, method, path, body string, change ...func(*http.Request)) (int, string) {
	w := do(h, method, path, body, change...)
	var p httpapi.Problem
	_ = json.Unmarshal(w.Body.Bytes(), &p) // what is no problem has no code
	return w.Code, p.Code()
}

func do(h http.Handler, method, path, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Device", api.DeviceID{1}.String())
	req.Header.Set(httpapi.VersionHeader, "1")
	for _, f := range change {
		f(req)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func header(name, value string) func(*http.Request) {
	return func(req *http.Request) { req.Header.Set(name, value) }
}

// What is wrong with a request is said by the code.
func TestCodes(t *testing.T) {
	h := handlerOn(store.NewMemory(), Options{Authenticate: as})
	const frame = `{"key":"00000000000000000000000000000001","topic":"t"}`
	for _, c := range []struct {
		method, path, body string
		change             func(*http.Request)
		status             int
		code               string
	}{
		{"POST", "/v1/frames", frame, nil, 403, "forbidden"}, // there is no such device
		{"POST", "/v1/frames", frame, header("Device", "?"), 401, "unauthenticated"},
		{"POST", "/v1/frames", frame, header(httpapi.VersionHeader, "0"), 426, "too-old"},
		{"POST", "/v1/frames", frame, header(httpapi.VersionHeader, ""), 400, "malformed"},
		{"POST", "/v1/frames", frame, header(httpapi.VersionHeader, "two"), 400, "malformed"},
		{"POST", "/v1/frames", frame, header(httpapi.VersionHeader, "2"), 403, "forbidden"}, // a newer device says what this one reads
		{"POST", "/v1/frames", frame, header("Content-Type", "text/plain"), 415, "media-type"},
		{"POST", "/v1/frames", strings.Repeat(" ", 3<<20+1), nil, 413, "too-long"},
		{"POST", "/v1/frames?x=1", frame, nil, 400, "malformed"},
		{"GET", "/v1/mailbox?after=1&after=2", "", nil, 400, "malformed"},
		{"GET", "/v1/mailbox?after=4611686018427387904", "", nil, 400, "malformed"},
		{"GET", "/v1/mailbox?after=%zz", "", nil, 400, "malformed"},
		{"GET", "/v1/people/Qm", "", nil, 400, "malformed"},
		{"GET", "/v1/people/" + (keyAddress).String(), "", nil, 404, "not-found"},
		{"GET", "/v1/nothing", "", nil, 404, "no-route"},
		{"GET", "/", "", nil, 404, "no-route"},
		{"DELETE", "/v1/frames", "", nil, 405, "no-method"},
		{"GET", "/v1/push", "", nil, 400, "malformed"},
	} {
		change := c.change
		if change == nil {
			change = func(*http.Request) {}
		}
		status, code := ask(h, c.method, c.path, c.body, change)
		require.Equal(t, c.code, code, "%s %s", c.method, c.path)
		require.Equal(t, c.status, status, "%s %s", c.method, c.path)
	}
	require.Equal(t, "POST, DELETE", do(h, "PUT", "/v1/subscriptions", "").Header().Get("Allow"))
	status, _ := ask(h, "GET", "/v1/log", "", header(httpapi.VersionHeader, ""))
	require.Equal(t, 200, status, "what is open may be asked by a browser")
}

var keyAddress = httpapi.LookupRequest{}.Address

// The tokens of package relay are what a device shows, unless the program has its own way.
func TestTokens(t *testing.T) {
	h := handlerOn(store.NewMemory(), Options{})
	for _, bad := range []string{"", "Bearer", "Bearer ", "Basic abc", "Bearer AAAA", "Bearer " + strings.Repeat("A", 43)} {
		w := do(h, "GET", "/v1/mailbox", "", header("Authorization", bad))
		require.Equal(t, 401, w.Code, bad)
		require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
	}
	for _, c := range []struct {
		err  error
		code string
	}{{errors.New("no cookie"), "unauthenticated"}, {api.ErrRevoked, "revoked"}, {nil, "unauthenticated"}} {
		h := handlerOn(store.NewMemory(), Options{Authenticate: func(*http.Request) (api.DeviceID, error) { return api.DeviceID{}, c.err }})
		w := do(h, "GET", "/v1/mailbox", "")
		require.Contains(t, w.Body.String(), "relay/"+c.code)
		require.NotContains(t, w.Body.String(), "cookie")
	}
}

// The program says who may register, and who may propose what.
func TestProgramDecides(t *testing.T) {
	no := errors.New("not on the list")
	h := handlerOn(store.NewMemory(), Options{Authenticate: as,
		Admit: func(*http.Request, api.Publication) error { return no },
		Allow: func(_ *http.Request, device api.DeviceID, p api.Proposal) error {
			if device == (api.DeviceID{1}) && p.Kind == api.Group {
				return no
			}
			return nil
		}})
	_, code := ask(h, "POST", "/v1/publications", `{}`)
	require.Equal(t, "forbidden", code)
	_, code = ask(h, "POST", "/v1/sessions", `{"kind":"group"}`)
	require.Equal(t, "forbidden", code)
	_, code = ask(h, "POST", "/v1/sessions", `{"kind":"direct"}`)
	require.Equal(t, "malformed", code)
}

// Health names the build and the version of the tables, and says when the store is gone.
func TestHealth(t *testing.T) {
	s := &blocked{Store: store.NewMemory()}
	h := handlerOn(s, Options{Build: "trefoil test"})
	w := do(h, "GET", "/healthz", "")
	require.JSONEq(t, `{"build":"trefoil test","schema":1,"protocol":1,"oldest":1}`, w.Body.String())
	s.err = store.ErrClosed
	status, code := ask(h, "GET", "/healthz", "")
	require.Equal(t, 503, status)
	require.Equal(t, "unavailable", code)
	require.Contains(t, handlerOn(s, Options{}).o.Build, "trefoil")
}

// blocked is a store that waits, fails or panics.
type blocked struct {
	store.Store
	err   error
	fault any
	wait  chan struct{}
	busy  chan struct{}
}

func (s *blocked) View(ctx context.Context, f func(store.Reader) error) error {
	if s.fault != nil {
		panic(s.fault)
	}
	if s.wait != nil {
		s.busy <- struct{}{}
		select {
		case <-s.wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.err != nil {
		return s.err
	}
	return s.Store.View(ctx, f)
}

// A fault of the relay is an answer, and no secret of it; the next request is served.
func TestPanics(t *testing.T) {
	var log bytes.Buffer
	s := &blocked{Store: store.NewMemory(), fault: "a fault"}
	h := handlerOn(s, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	w := do(h, "GET", "/v1/log", "")
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "a fault")
	require.Contains(t, log.String(), "a fault")
	s.fault = nil
	require.Equal(t, 200, do(h, "GET", "/v1/log", "").Code)
}

// A device with too much under way is refused, and no other; all together are, too. What ends makes room.
func TestGate(t *testing.T) {
	s := &blocked{Store: store.NewMemory(), wait: make(chan struct{}), busy: make(chan struct{})}
	h := handlerOn(s, Options{Authenticate: as, Requests: 2 * deviceRequests})
	var all sync.WaitGroup
	begin := func(device api.DeviceID) {
		all.Go(func() { do(h, "GET", "/v1/mailbox", "", header("Device", device.String())) })
		<-s.busy
	}
	begin(api.DeviceID{1})
	begin(api.DeviceID{1})
	w := do(h, "GET", "/v1/mailbox", "")
	require.Equal(t, 429, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	for n := range byte(2*deviceRequests - 2) {
		begin(api.DeviceID{2, n})
	}
	status, code := ask(h, "GET", "/v1/mailbox", "", header("Device", api.DeviceID{3}.String()))
	require.Equal(t, 503, status)
	require.Equal(t, "unavailable", code)
	close(s.wait)
	all.Wait()
	s.wait = nil
	_, code = ask(h, "GET", "/v1/mailbox", "")
	require.Equal(t, "forbidden", code, "it is let in")
	require.Empty(t, h.gate.by)
	require.Equal(t, load{}, h.gate.all)
}

// Bodies count before they are read. One that is alone always gets in.
func TestGateOfMemory(t *testing.T) {
	g := newGate(100, smallestMemory)
	part := int64(smallestMemory / deviceMemory)
	alone, err := g.enter(api.DeviceID{1}, smallestMemory)
	require.NoError(t, err)
	_, err = g.enter(api.DeviceID{1}, 1)
	require.ErrorIs(t, err, httpapi.ErrSlowDown)
	_, err = g.enter(api.DeviceID{2}, 1)
	require.ErrorIs(t, err, httpapi.ErrUnavailable)
	alone()
	alone()
	for n := range byte(deviceMemory) {
		_, err := g.enter(api.DeviceID{n + 1}, part)
		require.NoError(t, err)
	}
	_, err = g.enter(api.DeviceID{9}, 1)
	require.ErrorIs(t, err, httpapi.ErrUnavailable)
}

// A request that takes too long is given up.
func TestTimeout(t *testing.T) {
	s := &blocked{Store: store.NewMemory(), wait: make(chan struct{}), busy: make(chan struct{}, 1)}
	h := handlerOn(s, Options{Timeout: time.Millisecond})
	status, code := ask(h, "GET", "/v1/log", "")
	require.Equal(t, 503, status)
	require.Equal(t, "unavailable", code)
}

// The log has counts and names, and nothing that a message or a token says.
func TestLogTellsNoSecrets(t *testing.T) {
	var log bytes.Buffer
	m := &meter{}
	h := handlerOn(store.NewMemory(), Options{Log: slog.New(slog.NewJSONHandler(&log, nil)), Meter: m})
	do(h, "POST", "/v1/frames", `{"key":"00000000000000000000000000000001","topic":"the topic","data":"`+"c2VjcmV0"+`"}`,
		header("Authorization", "Bearer "+strings.Repeat("T", 43)))
	h.o.Authenticate = as
	do(h, "POST", "/v1/frames", `{"key":"00000000000000000000000000000001","topic":"the topic","data":"c2VjcmV0"}`)
	do(h, "DELETE", "/v1/subscriptions?topic=the+topic", "")
	for _, secret := range []string{strings.Repeat("T", 43), "the topic", "the+topic", "c2VjcmV0", "secret"} {
		require.NotContains(t, log.String(), secret)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 3)
	var record map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &record))
	require.Equal(t, "POST /v1/frames", record["route"])
	require.Equal(t, float64(403), record["status"])
	require.Equal(t, "forbidden", record["problem"])
	require.Equal(t, float64(6), record["bytes"])
	require.Equal(t, float64(0), record["stored"])
	require.Equal(t, api.DeviceID{1}.String(), record["device"])
	require.Equal(t, []string{"POST /v1/frames 401", "POST /v1/frames 403", "DELETE /v1/subscriptions 403"}, m.requests)
}

type meter struct {
	mu       sync.Mutex
	requests []string
}

func (m *meter) Request(route string, status int, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, fmt.Sprint(route, " ", status))
}
func (m *meter) Frame(int, int) {}
func (m *meter) Line(int)       {}

// A body that does not come is not waited for longer than a slow line takes.
func TestBodiesEnd(t *testing.T) {
	server := httptest.NewServer(handlerOn(store.NewMemory(), Options{Timeout: time.Millisecond}))
	defer server.Close()
	line, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer line.Close()
	_, err = io.WriteString(line, "POST /v1/challenges HTTP/1.1\r\nHost: relay.test\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(line), nil)
	require.NoError(t, err)
	require.Equal(t, 400, resp.StatusCode)
}
