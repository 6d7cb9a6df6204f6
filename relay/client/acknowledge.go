package client

import (
	"context"
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
)

// acknowledge has items acknowledged soon: with others, in one request, while one is under way. Those of a guest that is gone are gone, and
// nothing is acknowledged by their numbers in the mailbox that the device has now.
func (l *line) acknowledge(seqs ...uint64) {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.guest != c.login.guest.Load() {
		return
	}
	if c.acks = append(c.acks, seqs...); len(c.acks) > 0 && !c.acker {
		c.acker = true
		go c.acknowledgeAll()
	}
}

// acknowledgeAll acknowledges what waits for it. What cannot be acknowledged now waits until the mailbox is reached again, or another item
// is to be acknowledged.
func (c *Client) acknowledgeAll() {
	for failures := 0; ; {
		c.mu.Lock()
		slices.Sort(c.acks) // what came again is acknowledged again
		c.acks = slices.Compact(c.acks)
		as, n := c.login.guest.Load(), min(len(c.acks), api.MaxAcknowledged)
		if n == 0 || failures > maxFailures {
			c.acker = false
			c.mu.Unlock()
			return
		}
		some := c.acks[:n:n]
		c.mu.Unlock()
		err := within(context.Background(), func(ctx context.Context) error { return c.acknowledgeAs(ctx, as, some) })
		if err != nil && !errors.Is(err, api.ErrMalformed) && !errors.Is(err, api.ErrForbidden) && !errors.Is(err, errBelongs) {
			c.o.Log.Info("not acknowledged yet", "error", err, "items", n)
			failures++
			backOff(context.Background(), failures, err)
			continue
		}
		failures = 0
		c.mu.Lock()
		if as == c.login.guest.Load() {
			c.acks = c.acks[n:]
		}
		c.mu.Unlock()
	}
}

// acknowledgeAs is Mailboxes.Acknowledge for the mailbox of a guest, or the device's own. It returns errBelongs if the device has another
// one now.
func (c *Client) acknowledgeAs(ctx context.Context, as *guest, seqs []uint64) error {
	_, err := callIf(ctx, c, httpapi.Acknowledge, httpapi.AcknowledgeRequest{Seqs: seqs}, func() error {
		if c.login.guest.Load() != as {
			return errBelongs
		}
		return nil
	})
	return err
}
