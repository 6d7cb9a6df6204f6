package httprelay

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
)

const (
	// deviceLines is how many WebSockets one device has at most: one, and those of which the end was not noticed yet.
	deviceLines = 8
	// pingEvery is after how long a line is tried on which nothing was sent, and whether its device is still known. Home routers
	// forget a connection that is silent for a few minutes.
	pingEvery = 45 * time.Second
	// lineTimeout is for how long a device may take to read a few bytes, or answer a ping.
	lineTimeout = 15 * time.Second
)

// push serves a WebSocket: it sends httpapi.Wake at once, and whenever something comes into the device's mailbox. What is in the
// mailbox travels by requests, so nothing is lost with a line.
func (h *Handler) push(ctx context.Context, c *call) error {
	httpapi.FromSubprotocols(c.req.Header)
	leave, err := c.enter(ctx, false, 0)
	if err != nil {
		return err
	}
	leave() // a line is no request under way; it has a limit of its own
	done, err := h.addLine(c)
	if err != nil {
		return err
	}
	defer done()
	if !strings.EqualFold(c.req.Header.Get("Upgrade"), "websocket") {
		return fmt.Errorf("%w: a WebSocket is expected", api.ErrMalformed)
	}
	conn, err := websocket.Accept(c.w, c.req, &websocket.AcceptOptions{
		OriginPatterns: h.o.Origins, Subprotocols: []string{httpapi.Subprotocol()}})
	if err != nil {
		c.note("refused", err.Error()) // Accept has answered
		return nil
	}
	defer conn.CloseNow()
	h.o.Meter.Line(1)
	defer h.o.Meter.Line(-1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	spoke := make(chan struct{})
	go func() { // reading answers pings, and sees the end of the line
		defer cancel()
		if _, _, err := conn.Read(ctx); err == nil {
			close(spoke)
			<-ctx.Done()
		}
	}()
	if code, reason := h.watch(ctx, c, conn, spoke); code != 0 {
		_ = conn.Close(code, reason)
	}
	return nil
}

// watch sends wakes until the line ends, and returns what to tell the device: nothing if it is gone.
func (h *Handler) watch(ctx context.Context, c *call, conn *websocket.Conn, spoke <-chan struct{}) (websocket.StatusCode, string) {
	woken, stop := h.r.Watch(c.device)
	defer stop()
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return 0, ""
		case <-h.stopped.Done():
			return websocket.StatusGoingAway, "the relay is shutting down"
		case <-spoke:
			return websocket.StatusPolicyViolation, "devices say nothing here"
		case <-woken:
			err = within(ctx, func(ctx context.Context) error {
				return conn.Write(ctx, websocket.MessageText, []byte(httpapi.Wake))
			})
		case <-ticker.C:
			if _, err := c.authenticate(ctx); err != nil {
				return websocket.StatusPolicyViolation, httpapi.NewProblem(err).Code()
			}
			err = within(ctx, conn.Ping)
		}
		if err != nil {
			return 0, ""
		}
	}
}

// within runs a step of a line, which must not take long.
func within(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, lineTimeout)
	defer cancel()
	return step(ctx)
}

// addLine counts a line, or refuses it.
func (h *Handler) addLine(c *call) (remove func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopped.Err() != nil || h.open >= h.o.Lines:
		return nil, httpapi.ErrUnavailable
	case h.lines[c.device] >= deviceLines:
		return nil, httpapi.ErrSlowDown
	}
	h.open++
	h.lines[c.device]++
	h.ended.Add(1)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.open--
		if h.lines[c.device]--; h.lines[c.device] == 0 {
			delete(h.lines, c.device)
		}
		h.ended.Done()
	}, nil
}
