package session

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// day0 is when the devices of tests draw their keys.
var day0 = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// human is a person with its devices and its registration, as a test needs them.
type human struct {
	user    keypair.SigningKey
	account keypair.PrivateKey[key.Account]
	devices []Device
}

func newHuman(t testing.TB, devices int) *human {
	h := &human{user: keypair.GenerateSigningKey(), account: keypair.GenerateKey[key.Account]()}
	for range devices {
		h.addDevice(t)
	}
	return h
}

func (h *human) person() Person { return Person{User: h.user, Account: h.account} }

func (h *human) address() key.Address { return h.user.Public().Address() }

func (h *human) addDevice(t testing.TB) Device {
	d, err := NewDevice(h.address(), day0)
	require.NoError(t, err)
	h.devices = append(h.devices, d)
	return d
}

// registration is what the person publishes, after its way through JSON.
func (h *human) registration(t testing.TB) directory.Registration {
	var entries []directory.Entry
	for _, d := range h.devices {
		entries = append(entries, d.Entry())
	}
	r, err := h.person().Register(entries...)
	require.NoError(t, err)
	r, err = directory.ParseRegistration(r.JSON())
	require.NoError(t, err)
	return r
}

func (h *human) verified(t testing.TB) directory.Person {
	p, err := h.registration(t).Verify(h.address())
	require.NoError(t, err)
	return p
}

// peer is device i as others know it, in the given suite.
func (h *human) peer(t testing.TB, i int, f suite) directory.Peer {
	person := h.verified(t)
	p, err := person.Peer(h.devices[i].Identity())
	require.NoError(t, err)
	if f == hybrid {
		p, err = person.WithBundle(h.devices[i].Bundle())
		require.NoError(t, err)
	}
	return p
}

// tester is what testing.TB and rapid.T have in common.
type tester interface {
	require.TestingT
	Helper()
}

// party is one device with its session with one other.
type party struct {
	t tester
	d Device
	s Session
	// other is the peer as this side knows it.
	other directory.Peer
}

// newPair returns two devices that know each other in the given suite, without a session.
func newPair(t testing.TB, f suite) (alice, bob *party) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	party := func(h, o *human) *party {
		p := &party{t: t, d: h.devices[0], other: o.peer(t, 0, f)}
		var err error
		p.s, err = New(p.d, p.other)
		require.NoError(t, err)
		return p
	}
	return party(a, b), party(b, a)
}

// started returns two devices of which the first has initiated.
func started(t testing.TB, f suite) (alice, bob *party) {
	alice, bob = newPair(t, f)
	alice.initiate()
	return alice, bob
}

// settled returns two devices with a session that each has answered the other in.
func settled(t testing.TB, f suite) (alice, bob *party) {
	alice, bob = started(t, f)
	bob.reads(alice.send("hello"), "hello")
	alice.reads(bob.send("hello yourself"), "hello yourself")
	bob.reads(alice.send("good"), "good")
	return alice, bob
}

func (p *party) initiate() {
	p.t.Helper()
	next, err := Initiate(p.s, p.d, p.other)
	require.NoError(p.t, err)
	p.s = next
}

// renew begins a session although the one before is unanswered, as with another one-time pre-key.
func (p *party) renew() {
	p.t.Helper()
	p.s = p.s.With(begun(p.t, p.s.Part(), p.d, p.other))
}

// begun returns the pair with one more session, whatever there is.
func begun(t tester, p Pair, d Device, peer directory.Peer) Pair {
	own, err := p.of(d)
	require.NoError(t, err)
	next, err := own.begin(peer)
	require.NoError(t, err)
	return next.Pair
}

func (p *party) send(text string) []byte { return p.sendTo(text).Frame }

func (p *party) sendTo(text string) Outgoing {
	p.t.Helper()
	next, out, err := Encrypt(p.s, day0, []byte(text))
	require.NoError(p.t, err)
	p.s = next
	return out
}

// lose sends messages that never arrive, without the frames around them.
func (p *party) lose(n int) {
	p.t.Helper()
	p.s = p.s.With(losing(p.t, p.s.Part(), n))
}

func losing(t tester, p Pair, n int) Pair {
	on := p.sessions.list[0]
	for range n {
		next, _, err := on.ratchet.Encrypt([]byte("lost"))
		require.NoError(t, err)
		on.ratchet = next
	}
	p.sessions = p.sessions.replace(0, on)
	p.moves++
	return p
}

func (p *party) reads(frame []byte, text string) Received {
	p.t.Helper()
	next, r, err := Decrypt(p.s, p.d, frame)
	require.NoError(p.t, err)
	require.Equal(p.t, text, string(r.Plaintext()))
	p.s = next
	return r
}

// refuses checks that a frame is refused, and that nothing changes.
func (p *party) refuses(frame []byte, want error) {
	p.t.Helper()
	before := p.s
	next, r, err := Decrypt(p.s, p.d, frame)
	require.ErrorIs(p.t, err, want)
	require.Equal(p.t, Received{}, r)
	require.True(p.t, next.Equal(before))
}

// suites runs a test for both suites.
func suites(t *testing.T, test func(t *testing.T, f suite)) {
	t.Run("classic", func(t *testing.T) { test(t, classic) })
	t.Run("hybrid", func(t *testing.T) { test(t, hybrid) })
}

func flip(b []byte, i int) []byte {
	b = append([]byte(nil), b...)
	b[i] ^= 0x20
	return b
}
