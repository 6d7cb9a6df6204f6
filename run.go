package trefoil

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/state"
)

// Run does all that a device owes its chats until ctx ends, and returns the error of ctx: it keeps a line up, receives and
// acknowledges, does what is due, sends what waits, and hands events over. What fails is tried again, later each time.
//
// No goroutine outlives Run: it returns when every function of the program and of the transport has. If one of them panics, Run
// ends everything else and panics in the goroutine of its caller; nothing is lost by that, since what was not handled stays in
// the vault.
func (c *Client) Run(ctx context.Context) error {
	r, err := begin(ctx, c, false)
	if err != nil {
		return err
	}
	defer r.end()
	r.posts = r.newPosts()
	r.posts.run(r)
	r.spawn(r.tick)
	r.lines()
	return r.result()
}

// Sync does one round, for programs that are woken for a moment, such as push extensions: it reads all that is stored at the
// relay, does what is due, hands over what was read, and sends what waits. It returns when that is done, with the errors of
// what could not be. What the relay did not take stays for the next Run or Sync.
//
// It does one thing after the other, in the goroutine of its caller and in an order that follows from what is stored and from what
// the relay delivers: of Handle and the methods of Transport but Receive, one call at a time.
func (c *Client) Sync(ctx context.Context) error {
	r, err := begin(ctx, c, true)
	if err != nil {
		return err
	}
	defer r.end()
	down := make(chan error, 1)
	r.group.Go(func() { r.guard(func() { down <- r.receive() }) })
	if err := r.settle(down); err != nil {
		return err
	}
	r.flushAll()
	if err := r.settle(down); err != nil {
		return err
	}
	return r.result()
}

// run is one Run or Sync.
type run struct {
	client *Client
	once   bool // it is a Sync
	ctx    context.Context
	cancel context.CancelFunc
	posts  posts         // nothing in a Sync
	slots  chan struct{} // for work on the vault
	group  sync.WaitGroup

	mu       sync.Mutex
	over     bool // nothing begins any more
	chats    map[chatKey]*chat
	topics   map[string]bool // that are subscribed to, as far as this run knows
	line     *line
	tasks    []func()      // of a Sync: what it does next
	full     bool          // of a Sync: the line waits for room
	buffered size          // of frames to be received
	parked   size          // of frames of chats that cannot receive now
	room     chan struct{} // closed when there may be room again
	told     chan struct{} // closed when there may be something to do for settle
	acks     map[[32]byte]func()
	errs     []error
	panicked error // what a function of the program ended with

	hurried chan struct{} // told when a line that is down is to be tried now
}

// size is of frames.
type size struct{ frames, bytes int }

func sizeOf(frames ...Frame) (s size) {
	for _, f := range frames {
		s = size{s.frames + 1, s.bytes + len(f.Data)}
	}
	return s
}

func (s size) plus(o size) size  { return size{s.frames + o.frames, s.bytes + o.bytes} }
func (s size) minus(o size) size { return size{s.frames - o.frames, s.bytes - o.bytes} }

// hasRoom reports whether there may be another frame. There may always be one.
func (s size) hasRoom() bool {
	return s.frames == 0 || s.frames < maxBuffered && s.bytes < maxBufferedBytes
}

// begin begins a run, which is the only one.
func begin(ctx context.Context, c *Client, once bool) (*run, error) {
	r := &run{
		client: c, once: once, slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		chats: make(map[chatKey]*chat), topics: make(map[string]bool), room: make(chan struct{}), told: make(chan struct{}), acks: make(map[[32]byte]func()), hurried: make(chan struct{}, 1),
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	if !bodyOf(c).current.CompareAndSwap(nil, r) {
		r.cancel()
		return nil, ErrRunning
	}
	return r, nil
}

// end returns when everything that the run began has ended.
func (r *run) end() {
	r.cancel()
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.group.Wait()
	bodyOf(r.client).current.Store(nil)
	if r.panicked != nil {
		panic(r.panicked)
	}
}

// result returns why the run ended.
func (r *run) result() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) == 0 {
		return r.ctx.Err()
	}
	return errors.Join(append(r.errs, r.ctx.Err())...)
}

// spawn begins something that ends before the run does, and reports whether it could: in a Run a goroutine, and in a Sync what is
// done after what began before.
func (r *run) spawn(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spawnLocked(f)
}

func (r *run) spawnLocked(f func()) bool {
	switch {
	case r.over:
		return false
	case r.once:
		r.tasks = append(r.tasks, f)
		r.notify()
	default:
		r.group.Go(func() { r.guard(f) })
	}
	return true
}

// guard runs a function that calls the program or the transport. If it panics, or ends its goroutine, the run ends and panics.
func (r *run) guard(f func()) {
	returned := false
	defer func() {
		p := recover()
		if p == nil && returned {
			return
		}
		r.mu.Lock()
		if r.panicked == nil {
			r.panicked = fmt.Errorf("trefoil: a function of the program panicked, or ended its goroutine: %v\n\n%s", p, debug.Stack())
		}
		r.mu.Unlock()
		r.cancel()
	}()
	f()
	returned = true
}

// fail notes what could not be done. A Sync returns it, a Run logs it and tries again.
func (r *run) fail(what string, id state.ID, err error) {
	if err == nil || r.ctx.Err() != nil {
		return
	}
	r.client.log.Warn(what, "chat", id.String(), "error", err)
	if r.once {
		r.mu.Lock()
		r.errs = append(r.errs, fmt.Errorf("trefoil: %s: chat %.8s: %w", what, id, err))
		r.mu.Unlock()
	}
}

// sleep waits, and reports whether the run goes on.
func (r *run) sleep(d time.Duration, earlier <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-earlier:
	case <-r.ctx.Done():
	}
	return r.ctx.Err() == nil
}

// tick looks at all chats now and then.
func (r *run) tick() {
	for ok := true; ok; ok = r.sleep(r.client.o.Every, nil) {
		all, err := r.client.chats(r.ctx)
		r.fail("listing the chats", state.ID{}, err)
		for _, k := range all {
			r.mu.Lock()
			r.look(r.chat(k.kind, k.id))
			r.mu.Unlock()
		}
	}
}

// changed looks at a chat after a commit.
func (r *run) changed(k chatKind, id state.ID) {
	r.mu.Lock()
	ch := r.chat(k, id)
	if !ch.ready {
		r.look(ch)
	}
	r.handOver(ch)
	r.mu.Unlock()
	r.posts.wake(k, id)
}

// isReady reports whether a chat's backlog was read on the present line.
func (r *run) isReady(id state.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := r.chats[chatKey{aSpace, id}]
	return ch != nil && ch.ready
}

func (r *run) online() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.line != nil && r.line.ended
}
