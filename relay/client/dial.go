//go:build !js

package client

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
)

// dial opens the WebSocket that a request asks for.
func dial(ctx context.Context, h *http.Client, req *http.Request) (*websocket.Conn, *http.Response, error) {
	return websocket.Dial(ctx, req.URL.String(), &websocket.DialOptions{HTTPClient: h, HTTPHeader: req.Header})
}
