package relay_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/relaytest"
	"github.com/trefoil-im/trefoil/relay/store"
)

// world is a relay with people on it, whose devices have real keys and real sessions.
type world struct {
	t     testing.TB
	ctx   context.Context
	store store.Store
	r     *service
	now   time.Time
	share int64 // of a mailbox
	http  bool  // the relay is called through its handler
}

// relayName is what devices call the relay.
const relayName = "relay.test"

// smallShare is what a person may have in a mailbox, in tests that do not say otherwise.
const smallShare = 64 << 10

// newHTTPWorld is newWorld with a relay that is called through its handler.
func newHTTPWorld(t testing.TB, s store.Store) *world {
	w := newWorld(t, s)
	w.http = true
	w.r = w.on(s)
	return w
}

func newWorld(t testing.TB, s store.Store) *world {
	w := &world{t: t, ctx: t.Context(), store: s, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), share: smallShare}
	w.r = w.on(s)
	return w
}

// on returns a relay on another store, such as one that fails.
func (w *world) on(s store.Store) *service {
	r := relay.New(s, relay.Options{Name: relayName, Clock: func() time.Time { return w.now }, Share: w.share, Storage: 4 << 20})
	if w.http {
		return overHTTP(w.t, r)
	}
	return direct(r)
}

func inMemory(t testing.TB) *world { return newHTTPWorld(t, store.NewMemory()) }

func (w *world) dump() string {
	d, err := relaytest.Dump(w.ctx, w.store)
	require.NoError(w.t, err)
	return d
}

// refused runs what must fail with an error and change nothing.
func (w *world) refused(want error, f func() error) {
	w.t.Helper()
	before := w.dump()
	require.ErrorIs(w.t, f(), want)
	require.Equal(w.t, before, w.dump(), "what was refused changed something")
}

// person is a person with devices.
type person struct {
	w       *world
	user    keypair.SigningKey
	account keypair.PrivateKey[key.Account]
	version uint64
	devices []*device
}

type device struct {
	p       *person
	d       session.Device
	id      api.DeviceID
	renewed uint32                      // how often
	name    key.PublicKey[key.Identity] // if it was renewed
}

// entry is what the registration says of the device.
func (d *device) entry() directory.Entry {
	if d.renewed > 0 {
		return d.d.Entry().Renewed(d.name, d.renewed)
	}
	return d.d.Entry()
}

// renew gives the device the keys of a new one under its old name.
func (d *device) renew() {
	fresh := d.p.newDevice()
	if d.renewed == 0 {
		d.name = d.d.Name()
	}
	d.d, d.renewed = fresh.d, d.renewed+1
}

// person registers a person with some devices.
func (w *world) person(devices int) *person {
	p := &person{w: w, user: keypair.GenerateSigningKey(), account: keypair.GenerateKey[key.Account]()}
	var all []*device
	for range devices {
		all = append(all, p.newDevice())
	}
	p.publish(all...)
	return p
}

func (p *person) address() key.Address { return p.user.Public().Address() }

// newDevice draws a device that is not published yet.
func (p *person) newDevice() *device {
	d, err := session.NewDevice(p.address(), p.w.now)
	require.NoError(p.w.t, err)
	return &device{p: p, d: d, id: api.NewDeviceID(p.address(), d.Name())}
}

// publication returns the next one, with new devices.
func (p *person) publication(added ...*device) api.Publication {
	var entries []directory.Entry
	for _, d := range append(p.devices[:len(p.devices):len(p.devices)], added...) {
		entries = append(entries, d.entry())
	}
	r, err := directory.NewRegistration(p.user.Public(), p.account.Public(), p.user.Sign, entries...)
	require.NoError(p.w.t, err)
	out := api.Publication{Person: p.user.Public(), Version: p.version + 1, Registration: r.JSON()}
	for _, d := range added {
		out.Devices = append(out.Devices, d.published())
	}
	out.Signature = p.user.Sign(out.Message())
	return out
}

// published is what a device gives to the person that publishes it.
func (d *device) published() api.PublishedDevice {
	bundle, err := d.d.Bundle().MarshalBinary()
	require.NoError(d.p.w.t, err)
	return api.PublishedDevice{Bundle: bundle, Proof: d.d.Sign(d.entry().Consent(d.p.address()))}
}

func (p *person) publish(added ...*device) api.Published {
	p.w.t.Helper()
	out, err := p.w.r.Directory.Publish(p.w.ctx, p.publication(added...))
	require.NoError(p.w.t, err)
	p.version++
	p.devices = append(p.devices, added...)
	return out
}

// revoke publishes the person without a device.
func (p *person) revoke(i int) *device {
	p.w.t.Helper()
	d := p.devices[i]
	p.devices = append(p.devices[:i:i], p.devices[i+1:]...)
	p.publish()
	return d
}

// issue publishes one-time pre-keys of a device.
func (d *device) issue(n int) [][]byte {
	d.p.w.t.Helper()
	next, keys, err := d.d.Issue(n)
	require.NoError(d.p.w.t, err)
	d.d = next
	var raw [][]byte
	for _, k := range keys {
		b, err := k.MarshalBinary()
		require.NoError(d.p.w.t, err)
		raw = append(raw, b)
	}
	return raw
}

func requestKey() (k api.RequestKey) {
	rand.Read(k[:])
	return k
}

func newConversation() (c api.ConversationID) {
	rand.Read(c[:])
	return c
}

func addresses(people ...*person) []key.Address {
	var out []key.Address
	for _, p := range people {
		out = append(out, p.address())
	}
	return out
}

// ephemeral is a key for envelopes that nobody opens.
var ephemeral = sync.OnceValue(func() []byte { return keypair.GenerateKey[key.Ephemeral]().Public().Bytes() })

// junk returns a proposal whose envelopes nobody can open, for tests of what the relay does with them.
func (d *device) junk(c api.ConversationID, kind api.Kind, base uint64, people ...*person) api.Proposal {
	p := api.Proposal{Key: requestKey(), Conversation: c, Kind: kind, Base: base, Members: addresses(people...)}
	for _, o := range others(d, people...) {
		p.Envelopes = append(p.Envelopes, api.Envelope{Device: o.id, Ephemeral: ephemeral(), Sealed: fmt.Appendf(nil, "sealed %d", base+1)})
	}
	return p
}

// others returns the devices of some people without one.
func others(d *device, people ...*person) (out []*device) {
	for _, p := range people {
		for _, o := range p.devices {
			if o != d {
				out = append(out, o)
			}
		}
	}
	return out
}

// proposal returns one with an initiation of a session for each device, in which the text is said.
func (d *device) proposal(text string, c api.ConversationID, kind api.Kind, base uint64, people ...*person) api.Proposal {
	p := api.Proposal{Key: requestKey(), Conversation: c, Kind: kind, Base: base, Members: addresses(people...)}
	for _, o := range others(d, people...) {
		p.Envelopes = append(p.Envelopes, d.seal(text, o))
	}
	return p
}

// peer is a device as the directory shows it.
func (d *device) peer(who key.Address, id api.DeviceID) directory.Peer {
	t := d.p.w.t
	found, err := d.p.w.r.Directory.Lookup(d.p.w.ctx, who, 0)
	require.NoError(t, err)
	r, err := directory.ParseRegistration(found.Registration)
	require.NoError(t, err)
	verified, err := r.Verify(who)
	require.NoError(t, err)
	for _, f := range found.Devices {
		if f.ID == id {
			b, err := directory.ParseBundle(f.Bundle)
			require.NoError(t, err)
			peer, err := verified.WithBundle(b)
			require.NoError(t, err)
			return peer
		}
	}
	t.Fatalf("no device %v in the directory", id)
	return directory.Peer{}
}

// seal begins a session with a device and says a text in it.
func (d *device) seal(text string, to *device) api.Envelope {
	t := d.p.w.t
	peer := d.peer(to.p.address(), to.id)
	s, err := session.New(d.d, peer)
	require.NoError(t, err)
	s, err = session.Initiate(s, d.d, peer)
	require.NoError(t, err)
	_, out, err := session.Encrypt(s, d.p.w.now, []byte(text))
	require.NoError(t, err)
	return api.Envelope{Device: to.id, Ephemeral: ephemeral(), Sealed: out.Frame}
}

// opens reads the device's envelopes of a session with nothing but what the relay answers, and returns the text of the first one
// that opens.
func (d *device) opens(c api.ConversationID, number uint64) string {
	t := d.p.w.t
	t.Helper()
	in, err := d.p.w.r.Conversations.Initial(d.p.w.ctx, d.id, c, number)
	require.NoError(t, err)
	for _, e := range in.Envelopes {
		s, err := session.New(d.d, d.peer(e.Person, e.By))
		require.NoError(t, err)
		if _, got, err := session.Decrypt(s, d.d, e.Envelope.Sealed); err == nil {
			return string(got.Plaintext())
		}
	}
	t.Fatal("no envelope opens")
	return ""
}

// begin begins a session, which must be adopted, and returns its number.
func (d *device) begin(p api.Proposal) uint64 {
	d.p.w.t.Helper()
	out, err := d.p.w.r.Conversations.Begin(d.p.w.ctx, d.id, p)
	require.NoError(d.p.w.t, err)
	require.True(d.p.w.t, out.Adopted)
	require.Equal(d.p.w.t, p.Base+1, out.Number)
	return out.Number
}

// inbox returns all that is in the device's mailbox.
func (d *device) inbox() []api.Item {
	d.p.w.t.Helper()
	page, err := d.p.w.r.Mailboxes.Page(d.p.w.ctx, d.id, 0, api.MaxPage)
	require.NoError(d.p.w.t, err)
	require.True(d.p.w.t, page.End)
	return page.Items
}

// acknowledge empties the device's mailbox.
func (d *device) acknowledge() {
	d.p.w.t.Helper()
	var seqs []uint64
	for _, it := range d.inbox() {
		seqs = append(seqs, it.Seq)
	}
	require.NoError(d.p.w.t, d.p.w.r.Mailboxes.Acknowledge(d.p.w.ctx, d.id, seqs...))
}

// post posts a frame, which must be accepted.
func (d *device) post(topic, text string) int {
	d.p.w.t.Helper()
	n, err := d.p.w.r.Mailboxes.Post(d.p.w.ctx, d.id, requestKey(), topic, []byte(text))
	require.NoError(d.p.w.t, err)
	return n.Stored
}

func (d *device) subscribe(topic string) {
	d.p.w.t.Helper()
	require.NoError(d.p.w.t, d.p.w.r.Mailboxes.Subscribe(d.p.w.ctx, d.id, topic))
}
