package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
	"github.com/trefoil-im/trefoil/state"
)

const (
	// pageSize is how many bytes of the mailbox are fetched at once.
	pageSize = 1 << 20
	// maxFailures is how often in a row Receive tries again before it says that the line is down: for about ten seconds.
	maxFailures = 5
	// rarely is how many times more rarely the device looks into its mailbox while a WebSocket is open.
	rarely = 20
	// pingEvery is how often a WebSocket is tried, and pingTimeout for how long it may take to answer.
	pingEvery   = time.Minute
	pingTimeout = 20 * time.Second
)

// Post implements trefoil.Transport. The same frame to the same topic has the same key, so that a relay that has it stores it once.
func (c *Client) Post(ctx context.Context, topic string, frame []byte) state.Delivery {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s", len(topic), topic)
	h.Write(frame)
	out, err := c.Mailboxes.Post(ctx, api.RequestKey(h.Sum(nil)[:len(api.RequestKey{})]), topic, frame)
	told := new(httpapi.RetryError)
	switch {
	case err == nil:
		if out.Full > 0 {
			c.o.Log.Warn("mailboxes are full", "topic", topic, "mailboxes", out.Full)
		}
		return state.Delivered()
	case errors.Is(err, api.ErrMalformed):
		return state.Rejected(err.Error())
	case errors.As(err, &told):
		return state.RetryAfter(told.After)
	}
	return state.RetryAfter(0)
}

// Subscribe implements trefoil.Transport. The relay subscribes a device to its mailbox when it is registered, so it returns
// trefoil.ErrNotRegistered for a mailbox of a device that the relay does not let in yet.
func (c *Client) Subscribe(ctx context.Context, topic string) error {
	mailbox, err := key.ParseAddress(topic)
	switch {
	case err != nil:
		return c.Mailboxes.Subscribe(ctx, topic)
	case c.reads(topic):
		return nil
	}
	p, err := c.prove(ctx, mailbox)
	if err == nil {
		err = c.subscribeMailboxes(ctx, p)
	}
	if isStranger(err) {
		return fmt.Errorf("%w: %w", trefoil.ErrNotRegistered, err)
	}
	return err
}

// isStranger reports whether a call failed since the relay does not know the device, or a guest's since it belongs to no person yet.
func isStranger(err error) bool {
	return errors.Is(err, api.ErrUnauthenticated) || errors.Is(err, trefoil.ErrNoPerson) ||
		errors.Is(err, api.ErrForbidden) && !errors.Is(err, api.ErrRevoked)
}

// reads reports whether this client has subscribed to a mailbox.
func (c *Client) reads(mailbox string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mailboxes[mailbox]
}

// prove shows that a mailbox is this device's.
func (c *Client) prove(ctx context.Context, mailbox key.Address) (p api.MailboxProof, err error) {
	if err := c.login.settle(ctx); err != nil {
		return p, err
	}
	device, err := c.login.device(ctx)
	if err != nil {
		return p, err
	}
	p.Mailbox, p.Signature, err = c.login.sign(ctx, mailbox, api.SubscribeProof(mailbox, device))
	return p, err
}

func (c *Client) subscribeMailboxes(ctx context.Context, proofs ...api.MailboxProof) error {
	if err := c.Mailboxes.SubscribeMailboxes(ctx, proofs...); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range proofs {
		c.mailboxes[p.Mailbox.Address().String()] = true
	}
	return nil
}

// Unsubscribe implements trefoil.Transport.
func (c *Client) Unsubscribe(ctx context.Context, topic string) error {
	c.mu.Lock()
	delete(c.mailboxes, topic)
	c.mu.Unlock()
	return c.Mailboxes.Unsubscribe(ctx, topic)
}

// Receive implements trefoil.Transport. When a request fails it goes on where it was, after a pause; only what goes on failing ends
// it.
func (c *Client) Receive(ctx context.Context, topics iter.Seq[string], handle func(trefoil.Frame)) error {
	if err := c.login.settle(ctx); err != nil {
		return err
	}
	g := c.login.guest.Load()
	if err := c.subscribeAll(ctx, topics); err != nil {
		return err
	}
	l := &line{c: c, guest: g, handle: handle, woken: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	if !c.o.NoPush {
		group.Go(func() { l.listen(ctx) })
	}
	if g != nil {
		group.Go(func() { // its mailbox goes with it
			select {
			case <-g.gone:
				cancel()
			case <-ctx.Done():
			}
		})
	}
	err := l.run(ctx)
	if g != nil && c.login.guest.Load() != g {
		return errBelongs // whatever it met at its end
	}
	return err
}

// run hands over what comes, until ctx ends or what fails goes on failing.
func (l *line) run(ctx context.Context) error {
	for failures := 0; ctx.Err() == nil; {
		page, err := l.c.Mailboxes.Page(ctx, l.after, pageSize)
		if err == nil {
			err = l.deliver(ctx, page)
		}
		if err == nil && page.End {
			err = l.atEnd(ctx)
		}
		if err != nil {
			if failures++; failures > maxFailures || !isTransient(err) {
				return err
			}
			l.c.o.Log.Info("the mailbox is not reached", "error", err, "failures", failures)
			backOff(ctx, failures, err)
			continue
		}
		failures = 0
		l.acknowledge() // what could not be before
		if page.End && l.kept.isEmpty() {
			sleep(ctx, l.pause(), l.woken)
		}
	}
	return ctx.Err()
}

// isTransient reports whether a call may succeed when it is made again.
func isTransient(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrSlowDown) || errors.Is(err, httpapi.ErrInternal)
}

// subscribeAll subscribes to topics, many at once: to mailboxes only once, since each takes a signature.
func (c *Client) subscribeAll(ctx context.Context, topics iter.Seq[string]) error {
	var some []string
	var proofs []api.MailboxProof
	for topic := range topics {
		mailbox, err := key.ParseAddress(topic)
		if err != nil {
			some = append(some, topic)
			continue
		}
		if c.reads(topic) {
			continue
		}
		p, err := c.prove(ctx, mailbox)
		if errors.Is(err, state.ErrNotFound) {
			continue // it is this device's no longer
		}
		if err != nil {
			return err
		}
		proofs = append(proofs, p)
	}
	for chunk := range slices.Chunk(some, api.MaxSubscribed) {
		if err := c.Mailboxes.Subscribe(ctx, chunk...); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(proofs, api.MaxMailboxProofs) {
		if err := c.subscribeMailboxes(ctx, chunk...); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// line is one Receive.
type line struct {
	c      *Client
	guest  *guest // whose mailbox it is; nil for the device's own
	handle func(trefoil.Frame)
	after  uint64 // the place in the mailbox up to which all was handed over
	ended  bool   // the backlog was
	kept   kept
	woken  chan struct{}
	pushed atomic.Bool // a WebSocket is open
}

// pause returns for how long the mailbox is not looked into unless something comes.
func (l *line) pause() time.Duration {
	if l.pushed.Load() {
		return spread(rarely * l.c.o.Poll)
	}
	return spread(l.c.o.Poll)
}

// deliver hands over a page.
func (l *line) deliver(ctx context.Context, page api.Page) error {
	for _, it := range page.Items {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.item(it)
		l.after = it.Seq
	}
	l.after = page.Next
	return nil
}

// atEnd reads what the mailbox says of conversations, some of it at once, and tells the end of the backlog the first time.
func (l *line) atEnd(ctx context.Context) error {
	err := l.kept.read(func(u *unread) (bool, error) { return l.read(ctx, u) })
	if err == nil && !l.ended {
		l.ended = true
		l.handle(trefoil.Frame{})
	}
	return err
}

// item hands over what an item of the mailbox stands for, or has it read.
func (l *line) item(it api.Item) {
	_, isConversation := conversationOf(it.Topic)
	ack := func() { l.acknowledge(it.Seq) }
	switch {
	case it.Reason != 0 && isConversation:
		l.kept.add(&unread{Item: it})
	case it.Reason != 0:
		l.handle(trefoil.Frame{Topic: it.Topic, Lost: int(it.Count), Ack: ack})
	case it.Kind == api.Frame:
		l.handle(trefoil.Frame{Topic: it.Topic, From: it.Person.String(), Data: it.Data, Ack: ack})
	default:
		n, err := api.ParseNotice(it.Data)
		if err != nil {
			l.c.o.Log.Warn("a notice is not understood", "error", err)
			return
		}
		u := &unread{Item: it, notice: n}
		if it.Kind == api.SessionBegan {
			u.next, u.last = n.Number, n.Number
		}
		l.kept.add(u)
	}
}

// listen keeps a WebSocket open that wakes the line.
func (l *line) listen(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; failures++ {
		err := l.push(ctx, func() { failures = 0 })
		if l.pushed.Swap(false) {
			l.wake() // it sleeps for as long as a WebSocket that is open lets it
		}
		if ctx.Err() == nil {
			l.c.o.Log.Info("no wakes", "error", err)
			backOff(ctx, failures, err)
		}
	}
}

// push opens a WebSocket, and returns when it is gone.
func (l *line) push(ctx context.Context, opened func()) error {
	token, err := l.c.login.authorized(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.c.base+httpapi.PushPath, nil)
	if err != nil {
		return err
	}
	if err := l.c.login.authorize(req, token); err != nil {
		return err
	}
	req.Header.Set(httpapi.VersionHeader, fmt.Sprint(httpapi.Version))
	soon, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	conn, resp, err := dial(soon, l.c.http, req)
	if err != nil {
		if resp != nil && resp.StatusCode == http.StatusUnauthorized {
			l.c.login.forget(token)
		}
		return err
	}
	defer conn.CloseNow()
	opened()
	l.pushed.Store(true)
	ctx, cancel = context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		defer cancel()
		for sleep(ctx, pingEvery, nil) {
			if within(ctx, conn.Ping) != nil {
				return
			}
		}
	})
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			return err
		}
		l.wake()
	}
}

// wake has the line look into the mailbox at once.
func (l *line) wake() {
	select {
	case l.woken <- struct{}{}:
	default:
	}
}

func within(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return step(ctx)
}
