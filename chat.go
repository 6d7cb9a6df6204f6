package trefoil

import (
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/state"
)

// chat is what a run does for one chat. Its fields are guarded by the run's mutex. At most one goroutine receives and maintains it,
// and one hands over.
type chat struct {
	chatKey

	frames  []Frame // to be received
	due     bool    // to be maintained, once they were received
	working bool
	stalled bool // nothing could be received at the last try: frames are parked
	missed  bool // frames were left to the relay
	leaving bool // the subscription is being ended
	ready   bool // the backlog was read: what is written may be encrypted
	waits   bool // something could not be encrypted although it was: a frame may change that

	retained bool      // a frame waits: it may be a request, which is answered once the end of what is stored was noted
	ended    time.Time // when that was noted last

	handing bool
	again   bool          // there may be more to hand over
	taken   chan struct{} // told when something was handed over

	cleared bool // of the device: nothing that was read lies in a session
}

// chat returns what is done for a chat. The mutex is held.
func (r *run) chat(kind chatKind, id state.ID) *chat {
	k := chatKey{kind, id}
	ch := r.chats[k]
	if ch == nil {
		ch = &chat{chatKey: k, taken: make(chan struct{}, 1)}
		r.chats[k] = ch
	}
	return ch
}

// look does what is due in a chat, if the backlog was delivered, and hands over what waits. The mutex is held.
func (r *run) look(ch *chat) {
	if r.line != nil && r.line.ended {
		ch.due = true
		r.work(ch)
	}
	r.handOver(ch)
}

// atEnd reports whether everything that is stored at the relay was read. The mutex is held.
func (r *run) atEnd(ch *chat) bool {
	return r.line != nil && r.line.ended && !ch.missed && !ch.stalled && len(ch.frames) == 0
}

// work begins to receive and maintain, unless that is going on. The mutex is held.
func (r *run) work(ch *chat) {
	if !ch.working && r.spawnLocked(func() { r.working(ch) }) {
		ch.working = true
	}
}

// handOver begins to hand over, unless that is going on. The mutex is held.
func (r *run) handOver(ch *chat) {
	if o := r.client.o; o.Handle == nil && o.InCommit == nil || ch.kind == aDevice {
		return
	}
	ch.again = true
	if !ch.handing && r.spawnLocked(func() { r.handing(ch) }) {
		ch.handing = true
	}
}

// notify has settle look again. The mutex is held.
func (r *run) notify() {
	close(r.told)
	r.told = make(chan struct{})
}

// errDown is the error of a line that was down before the end of the backlog.
var errDown = errors.New("trefoil: the line was down before the backlog was read")

// settle does all that there is to do, one thing after the other, and returns why if the backlog will not be delivered. It begins when
// the line has delivered all of it, or as much as there is room for, and takes in more when all of that is done: so the order of what
// is done does not depend on how fast a line is.
func (r *run) settle(down <-chan error) error {
	for {
		r.mu.Lock()
		told, ended := r.told, r.line != nil && r.line.ended
		if (ended || r.full) && len(r.tasks) > 0 {
			f := r.tasks[0]
			r.tasks = r.tasks[1:]
			r.mu.Unlock()
			r.guard(f)
			continue
		}
		if r.full {
			r.full = false
			r.moreRoom()
		}
		r.mu.Unlock()
		if ended {
			return r.ctx.Err()
		}
		select {
		case <-told:
		case err := <-down:
			return errors.Join(errDown, err, r.result())
		case <-r.ctx.Done():
			return r.result()
		}
	}
}

// forget drops what is done for a chat that is no more. The mutex is held.
func (r *run) forget(ch *chat) {
	if len(ch.frames) == 0 && !ch.working && !ch.handing && !ch.leaving {
		delete(r.chats, ch.chatKey)
	}
}
