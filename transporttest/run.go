package transporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
)

// Connect returns a line of the device of a name to one relay. Lines of one name are lines of one device.
type Connect func(device string) trefoil.Transport

// patience bounds how long a check waits for what must come. It is long, since only a broken transport takes it.
var patience = time.Minute

// Run checks a transport against the contract. It calls start for a fresh relay, several times.
func Run(t *testing.T, start func(t *testing.T) Connect) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(kit{t, start(t)}) })
	}
}

// check is one rule of the contract.
type check struct {
	name string
	run  func(kit)
}

var checks = []check{
	{"StoredBeforeAccepted", kit.storedBeforeAccepted},
	{"EverySubscriber", kit.everySubscriber},
	{"NotToTheSender", kit.notToTheSender},
	{"BytesAsTheyAre", kit.bytesAsTheyAre},
	{"EqualFrames", kit.equalFrames},
	{"AgainUntilAcknowledged", kit.againUntilAcknowledged},
	{"AcknowledgedOnce", kit.acknowledgedOnce},
	{"AcknowledgedSingly", kit.acknowledgedSingly},
	{"EndOfBacklog", kit.endOfBacklog},
	{"LiveAfterBacklog", kit.liveAfterBacklog},
	{"SubscribeBeforeAsk", kit.subscribeBeforeAsk},
	{"SubscriptionLasts", kit.subscriptionLasts},
	{"Unsubscribe", kit.unsubscribe},
	{"SilentDevice", kit.silentDevice},
	{"Context", kit.context},
}

// kit is one check on one relay.
type kit struct {
	testing.TB
	connect Connect
}

const topic = "a-topic"

// ctx returns a context that ends with the check's patience.
func (k kit) ctx() context.Context {
	ctx, cancel := context.WithTimeout(k.Context(), patience)
	k.Cleanup(cancel)
	return ctx
}

func (k kit) subscribe(device string, topics ...string) {
	k.Helper()
	for _, topic := range topics {
		require.NoError(k, k.connect(device).Subscribe(k.ctx(), topic), "Subscribe")
	}
}

// post posts a frame until it is delivered.
func (k kit) post(device, topic string, frame []byte) {
	k.Helper()
	require.NoError(k, k.tryPost(k.ctx(), device, topic, frame))
}

// tryPost is post for goroutines of a test.
func (k kit) tryPost(ctx context.Context, device, topic string, frame []byte) error {
	for {
		wait, again := k.connect(device).Post(ctx, topic, frame).Again()
		if !again {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.New("Post: the relay takes no frame")
		}
	}
}

// line is one call of Receive.
type line struct {
	kit
	cancel context.CancelFunc
	down   chan error
	mu     sync.Mutex
	came   chan struct{} // closed when something comes
	got    []trefoil.Frame
	ends   []int // how many frames had come at each end of a backlog
}

// open begins to receive. The line ends with the check, or with close.
func (k kit) open(device string, topics ...string) *line {
	l := &line{kit: k, down: make(chan error, 1), came: make(chan struct{})}
	ctx, cancel := context.WithCancel(k.Context())
	l.cancel = cancel
	go func() {
		l.down <- k.connect(device).Receive(ctx, slices.Values(topics), l.take)
	}()
	k.Cleanup(l.cancel)
	return l
}

func (l *line) take(f trefoil.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.Topic == "" {
		l.ends = append(l.ends, len(l.got))
	} else {
		f.Data = bytes.Clone(f.Data)
		l.got = append(l.got, f)
	}
	close(l.came)
	l.came = make(chan struct{})
}

// until waits until something holds of what came.
func (l *line) until(what string, holds func() bool) {
	l.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		ok, came := holds(), l.came
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-came:
		case err := <-l.down:
			require.FailNow(l, "Receive returned", "waiting for %s: %v", what, err)
		case <-deadline:
			require.FailNow(l, "missing", "%s did not come", what)
		}
	}
}

// backlog returns the frames that came before the end of the backlog.
func (l *line) backlog() []trefoil.Frame {
	l.Helper()
	l.until("the end of the backlog", func() bool { return len(l.ends) > 0 })
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got[:l.ends[0]])
}

// wait returns the frames, once some texts are among them.
func (l *line) wait(texts ...string) []trefoil.Frame {
	l.Helper()
	l.until(fmt.Sprintf("%.100q", texts), func() bool {
		for _, text := range texts {
			if !slices.ContainsFunc(l.got, func(f trefoil.Frame) bool { return string(f.Data) == text }) {
				return false
			}
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

// close ends the line.
func (l *line) close() {
	l.Helper()
	l.cancel()
	select {
	case <-l.down:
	case <-time.After(patience):
		require.FailNow(l, "Receive goes on although its context has ended")
	}
}

// ended returns how often the end of the backlog was said.
func (l *line) ended() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ends)
}

// stored returns the different texts that are stored for a device, in their order, without acknowledging them. A relay may
// deliver one twice.
func (k kit) stored(device string) []string {
	k.Helper()
	l := k.open(device)
	defer l.close()
	return slices.Compact(slices.Sorted(slices.Values(textsOf(l.backlog()))))
}

func textsOf(frames []trefoil.Frame) (texts []string) {
	for _, f := range frames {
		texts = append(texts, string(f.Data))
	}
	return texts
}
