package trefoil_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// gate is a directory at a relay. With knows the relay lets in only whom its directory knows.
type gate struct {
	trefoil.Directory
	knows     bool
	published func(trefoil.Publication) // called once before a Publish with a registration returns, when it is there already

	mu        sync.Mutex
	down      error             // of subscriptions
	strangers map[string]*gated // that were not let in, by the mailbox that they asked for
}

func newGate(knows bool) *gate {
	return &gate{Directory: transporttest.NewDirectory(), knows: knows, strangers: make(map[string]*gated)}
}

// Publish implements trefoil.Directory. It subscribes each stranger to the mailbox in its registration.
func (g *gate) Publish(ctx context.Context, p trefoil.Publication) (int, error) {
	left, err := g.Directory.Publish(ctx, p)
	if err != nil || p.Registration == nil {
		return left, err
	}
	g.mu.Lock()
	for _, e := range must(must(directory.ParseRegistration(p.Registration)).Verify(p.Person.Address())).Entries() {
		if l := g.strangers[e.Mailbox().String()]; l != nil {
			l.known = true
			err = errors.Join(err, l.Transport.Subscribe(ctx, e.Mailbox().String()))
		}
	}
	told := g.published
	g.published = nil
	g.mu.Unlock()
	if told != nil {
		told(p)
	}
	return left, err
}

// fail has no subscription succeed from now on, or each for nil.
func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = err
}

// once sets published.
func (g *gate) once(published func(trefoil.Publication)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.published = published
}

// gated is the line of a device to such a relay.
type gated struct {
	trefoil.Transport
	g     *gate
	known bool // the directory knows the device
}

func (l *gated) Subscribe(ctx context.Context, topic string) error {
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	if l.g.down != nil {
		return l.g.down
	}
	if _, err := key.ParseAddress(topic); err == nil && l.g.knows && !l.known {
		l.g.strangers[topic] = l
		return trefoil.ErrNotRegistered
	}
	return l.Transport.Subscribe(ctx, topic)
}

func (l *gated) Receive(ctx context.Context, topics iter.Seq[string], handle func(trefoil.Frame)) error {
	for topic := range topics {
		if err := l.Subscribe(ctx, topic); err != nil && !errors.Is(err, trefoil.ErrNotRegistered) {
			return err
		}
	}
	return l.Transport.Receive(ctx, topics, handle)
}

// at opens a device at such a relay.
func (w world) at(g *gate, name string) *device {
	return w.open(name, store.NewMemory(), &gated{Transport: w.net.Device(name), g: g}, func(o *trefoil.Options) { o.Directory = g })
}

// gates calls a test with a relay that lets in everybody, and with one that lets in only whom its directory knows.
func gates(t *testing.T, test func(*testing.T, world, *gate)) {
	for name, knows := range map[string]bool{"everybody": false, "the registered": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w world) { test(t, w, newGate(knows)) })
		})
	}
}

// What is posted to a mailbox while the answer to its publication is under way is read: the relay stores it for the device.
func TestPublishedMailboxIsRead(t *testing.T) {
	gates(t, func(t *testing.T, w world, g *gate) {
		bob := w.at(g, "Bob")
		_, err := bob.client.NewPerson(t.Context())
		require.NoError(t, err)
		bob.run()
		w.pass(time.Minute)
		g.once(func(p trefoil.Publication) {
			bob.say(p.Person.Address(), "early")
			time.Sleep(introduced)
		})
		ann := w.at(g, "Ann")
		_, err = ann.client.NewPerson(t.Context())
		require.NoError(t, err)
		ann.run()
		w.pass(time.Minute)
		require.Nil(t, g.published)
		require.Equal(t, []string{"early"}, ann.read())
	})
}

// introduced is how long the answer to a publication takes: less than what a line waits for.
const introduced = 10 * time.Second

// What is posted to the mailbox of a further device is read, from when the first device registers it, and before the further one is told;
// also if that one is started again meanwhile.
func TestFurtherMailboxIsRead(t *testing.T) {
	gates(t, func(t *testing.T, w world, g *gate) {
		phone, bob := w.at(g, "Ann"), w.at(g, "Bob")
		for _, d := range []*device{phone, bob} {
			_, err := d.client.NewPerson(t.Context())
			require.NoError(t, err)
			d.run()
		}
		a, err := phone.client.Person(t.Context())
		require.NoError(t, err)
		laptop := w.at(g, "Ann's laptop").run()
		w.pass(time.Minute)
		again := func() {
			require.ErrorIs(t, laptop.stop(), context.Canceled)
			laptop = w.open(laptop.name, laptop.store, &gated{Transport: w.net.Device(laptop.name), g: g, known: true}, func(o *trefoil.Options) { o.Directory = g }).run()
		}
		g.once(func(p trefoil.Publication) {
			require.NotZero(t, p.Further.Number())
			bob.say(a, "early")
			time.Sleep(time.Minute)
			again()
			time.Sleep(time.Minute)
		})
		w.link(phone, laptop)
		w.pass(time.Minute)
		require.NoError(t, laptop.client.ConfirmDevice(t.Context(), phone.digits()))
		require.NoError(t, phone.client.ConfirmDevice(t.Context(), laptop.digits()))
		w.pass(10 * time.Minute)
		require.Nil(t, g.published)
		require.Len(t, told[event.Linked](laptop), 1)
		require.Equal(t, []string{"early"}, laptop.read())
		require.Equal(t, []string{"early"}, phone.read())
	})
}

// A device publishes nothing while it cannot subscribe to its mailbox, and then by itself.
func TestPublicationWaitsForMailbox(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		g := newGate(false)
		g.fail(errUnplugged)
		ann := w.at(g, "Ann")
		a, err := ann.client.NewPerson(t.Context())
		require.NoError(t, err)
		ann.run()
		bob, b := w.person(g.Directory, "Bob")
		ann.say(b, "waits")
		w.pass(10 * time.Minute)
		l, err := g.Lookup(t.Context(), a)
		require.NoError(t, err)
		require.Empty(t, l.Registration)
		require.Empty(t, bob.read())
		g.fail(nil)
		w.pass(20 * time.Minute)
		l, err = g.Lookup(t.Context(), a)
		require.NoError(t, err)
		require.NotEmpty(t, l.Registration)
		require.Equal(t, []string{"waits"}, bob.read())
	})
}
