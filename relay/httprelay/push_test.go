package httprelay

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
	"github.com/trefoil-im/trefoil/relay/store"
)

// dial opens a WebSocket for device n.
func dial(t *testing.T, server *httptest.Server, n byte, change ...func(http.Header)) (*websocket.Conn, *http.Response, error) {
	header := http.Header{"Device": {api.DeviceID{n}.String()}, httpapi.VersionHeader: {"1"}}
	for _, f := range change {
		f(header)
	}
	c, resp, err := websocket.Dial(t.Context(), server.URL+httpapi.PushPath, &websocket.DialOptions{HTTPHeader: header})
	if err == nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, resp, err
}

func serve(t *testing.T, o Options) (*Handler, *httptest.Server) {
	o.Authenticate = as
	h := handlerOn(store.NewMemory(), o)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, h.Shutdown(ctx))
	})
	return h, server
}

// woken reads a wake.
func woken(t *testing.T, c *websocket.Conn) {
	t.Helper()
	kind, text, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, websocket.MessageText, kind)
	require.Equal(t, httpapi.Wake, string(text))
}

// A line is woken when it is opened and when something comes, however many lines the device has, and no other is.
func TestPush(t *testing.T) {
	h, server := serve(t, Options{})
	one, _, err := dial(t, server, 1)
	require.NoError(t, err)
	woken(t, one)
	two, _, err := dial(t, server, 1)
	require.NoError(t, err)
	woken(t, two)
	other, _, err := dial(t, server, 2)
	require.NoError(t, err)
	woken(t, other)
	h.r.Wake(api.DeviceID{1})
	woken(t, one)
	woken(t, two)
	h.r.Wake(api.DeviceID{2})
	woken(t, other)
	require.NoError(t, one.Write(t.Context(), websocket.MessageText, []byte("a device says nothing")))
	_, _, err = one.Read(t.Context())
	require.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err))
	h.r.Wake(api.DeviceID{1})
	woken(t, two)
}

// Lines are bounded: those of a device, and all; and there are none where none are wanted.
func TestLinesAreBounded(t *testing.T) {
	_, server := serve(t, Options{Lines: deviceLines + 1})
	for range deviceLines {
		_, _, err := dial(t, server, 1)
		require.NoError(t, err)
	}
	_, resp, err := dial(t, server, 1)
	require.Error(t, err)
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	c, _, err := dial(t, server, 2)
	require.NoError(t, err)
	_, resp, err = dial(t, server, 3)
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
	require.Eventually(t, func() bool { _, _, err := dial(t, server, 3); return err == nil }, time.Minute, time.Millisecond)

	_, none := serve(t, Options{Lines: -1})
	_, resp, err = dial(t, none, 1)
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
}

// A browser names its version and its token as subprotocols, since it cannot send headers.
func TestPushForBrowsers(t *testing.T) {
	h, server := serve(t, Options{})
	h.o.Authenticate = func(req *http.Request) (id api.DeviceID, err error) {
		token, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
		return id, id.UnmarshalText([]byte(token))
	}
	header := http.Header{"Authorization": {"Bearer " + api.DeviceID{1}.String()}, httpapi.VersionHeader: {"1"}}
	names := httpapi.Subprotocols(header)
	c, _, err := websocket.Dial(t.Context(), server.URL+httpapi.PushPath, &websocket.DialOptions{Subprotocols: names})
	require.NoError(t, err)
	woken(t, c)
	require.Equal(t, names[0], c.Subprotocol())
	require.NoError(t, c.CloseNow())
	_, resp, err := websocket.Dial(t.Context(), server.URL+httpapi.PushPath, &websocket.DialOptions{Subprotocols: names[:1]})
	require.Error(t, err)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode, "which device?")
}

// A page of another host opens no line, unless it may.
func TestOrigins(t *testing.T) {
	for origin, ok := range map[string]bool{"https://evil.test": false, "https://app.example": true} {
		_, server := serve(t, Options{Origins: []string{"app.example"}})
		_, resp, err := dial(t, server, 1, func(h http.Header) { h.Set("Origin", origin) })
		require.Equal(t, ok, err == nil)
		if !ok {
			require.Equal(t, http.StatusForbidden, resp.StatusCode)
		}
	}
	_, server := serve(t, Options{})
	_, resp, err := dial(t, server, 1, func(h http.Header) { h.Set("Device", "") })
	require.Error(t, err)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
}

// A relay that shuts down says so to those who watch, and takes no more of them; requests go on.
func TestShutdown(t *testing.T) {
	h, server := serve(t, Options{})
	c, _, err := dial(t, server, 1)
	require.NoError(t, err)
	woken(t, c)
	done := make(chan error)
	go func() { done <- h.Shutdown(t.Context()) }()
	_, _, err = c.Read(t.Context())
	require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))
	require.NoError(t, <-done)
	_, resp, err := dial(t, server, 1)
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, 200, do(h, "GET", "/v1/log", "").Code)
}
