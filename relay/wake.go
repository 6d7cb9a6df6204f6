package relay

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// A wake says that there may be something new in a device's mailbox. It is told after the commit, it may be lost, and nothing
// depends on it but how soon a device looks.

// Watch returns a channel that gets a value at once, then after something new came into a device's mailbox, and when it is revoked.
// Stop ends it; it must be called.
func (r *Relay) Watch(device api.DeviceID) (woken <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	c <- struct{}{}
	return c, r.hub.add(device, c)
}

// Wake wakes devices that watch at this relay: some of which another relay tells, or all without any.
func (r *Relay) Wake(devices ...api.DeviceID) {
	if len(devices) == 0 {
		devices = r.hub.watching()
	}
	r.hub.wake(devices)
}

// Poll looks every so often for what other relays have stored for devices that watch at this one, and wakes those, until ctx
// ends. It is for stores that tell nobody of their commits, and costs one read for each 256 devices that watch. An error of the
// store it takes for the end of a wake: it looks again the next time.
func (r *Relay) Poll(ctx context.Context, every time.Duration) error {
	t := time.NewTicker(every)
	defer t.Stop()
	seen := make(map[api.DeviceID]uint64) // the number that was given last
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			seen = r.look(ctx, seen)
		}
	}
}

// look wakes the devices of which the last number is not the one that was seen before, and returns the numbers.
func (r *Relay) look(ctx context.Context, seen map[api.DeviceID]uint64) map[api.DeviceID]uint64 {
	now := make(map[api.DeviceID]uint64)
	for devices := range slices.Chunk(r.hub.watching(), batch) {
		keys := make([]store.Key, len(devices))
		for i, d := range devices {
			keys[i] = values([]any{d})
		}
		var rows []mailboxRow
		err := r.b.store.View(ctx, func(s store.Reader) (err error) {
			rows, err = mailboxes.all(s, keys)
			return err
		})
		if err != nil {
			continue
		}
		for _, row := range rows {
			now[row.Device] = row.Last
			if last, known := seen[row.Device]; !known || last != row.Last {
				r.Wake(row.Device)
			}
		}
	}
	return now
}

// hub is who watches at this relay. The zero hub is ready.
type hub struct {
	mu    sync.Mutex
	lines map[api.DeviceID][]chan struct{}
}

// add has a channel woken until the function is called that it returns.
func (h *hub) add(device api.DeviceID, c chan struct{}) (remove func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lines == nil {
		h.lines = make(map[api.DeviceID][]chan struct{})
	}
	h.lines[device] = append(h.lines[device], c)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.lines[device] = slices.DeleteFunc(h.lines[device], func(o chan struct{}) bool { return o == c })
		if len(h.lines[device]) == 0 {
			delete(h.lines, device)
		}
	}
}

// wake wakes whoever watches for one of the devices.
func (h *hub) wake(devices []api.DeviceID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range devices {
		for _, c := range h.lines[d] {
			select {
			case c <- struct{}{}:
			default: // it was woken and has not looked yet
			}
		}
	}
}

// watching returns the devices for which somebody watches.
func (h *hub) watching() []api.DeviceID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.lines))
}

// watched is a Store that tells after each commit for which devices something was written that they should know. It looks at the
// rows, so that no rule can forget to tell.
type watched struct {
	store.Store
	tell func([]api.DeviceID)
}

// Update implements store.Store.
func (w watched) Update(ctx context.Context, f func(store.Tx) error) error {
	var t watchedTx
	err := w.Store.Update(ctx, func(tx store.Tx) error {
		t = watchedTx{tx, make(map[api.DeviceID]bool)}
		return f(t)
	})
	if (err == nil || errors.Is(err, store.ErrUndecided)) && len(t.devices) > 0 {
		w.tell(slices.Collect(maps.Keys(t.devices)))
	}
	return err
}

type watchedTx struct {
	store.Tx
	devices map[api.DeviceID]bool
}

// note takes the device of each row of a table whose first column it is.
func (t watchedTx) note(tab *store.Table, rows []store.Row) {
	switch tab {
	case store.Items, store.Tombstones, store.Revocations:
		for _, r := range rows {
			t.devices[api.DeviceID(r[0].([]byte))] = true
		}
	}
}

// Insert implements store.Tx.
func (t watchedTx) Insert(tab *store.Table, rows ...store.Row) error {
	t.note(tab, rows)
	return t.Tx.Insert(tab, rows...)
}

// Put implements store.Tx.
func (t watchedTx) Put(tab *store.Table, rows ...store.Row) error {
	t.note(tab, rows)
	return t.Tx.Put(tab, rows...)
}
