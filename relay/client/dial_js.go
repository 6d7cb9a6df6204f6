package client

import (
	"context"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
)

// dial opens the WebSocket that a request asks for. A browser sends no headers with it: what they say it says in the names of
// subprotocols.
func dial(ctx context.Context, _ *http.Client, req *http.Request) (*websocket.Conn, *http.Response, error) {
	address := "ws" + strings.TrimPrefix(req.URL.String(), "http")
	return websocket.Dial(ctx, address, &websocket.DialOptions{Subprotocols: httpapi.Subprotocols(req.Header)})
}
