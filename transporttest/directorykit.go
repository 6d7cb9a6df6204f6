package transporttest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

// Reach returns one directory as a device reaches it.
type Reach func(trefoil.Signer) trefoil.Directory

// RunDirectory checks a directory: what it says of people, that it hands out each one-time pre-key once, and that it refuses what
// does not fit. Of one that is a trefoil.Transport, too, it checks rule 9 of docs/RELAY.md: what is posted to a mailbox after its registration
// is stored. It calls start for a fresh directory, several times.
func RunDirectory(t *testing.T, start func(t *testing.T) Reach) {
	for _, c := range directoryChecks {
		t.Run(c.name, func(t *testing.T) { c.run(directoryKit{t, start(t)}) })
	}
}

type directoryCheck struct {
	name string
	run  func(directoryKit)
}

var directoryChecks = []directoryCheck{
	{"Nobody", directoryKit.nobody},
	{"Published", directoryKit.published},
	{"AllOrNothing", directoryKit.allOrNothing},
	{"NextVersion", directoryKit.nextVersion},
	{"ClaimedOnce", directoryKit.claimedOnce},
	{"LookupConsumesNothing", directoryKit.lookupConsumesNothing},
	{"NewBundle", directoryKit.newBundle},
	{"SecondDevice", directoryKit.secondDevice},
	{"Deleted", directoryKit.deleted},
	{"MailboxIsRead", directoryKit.mailboxIsRead},
	{"Context", directoryKit.endedContext},
}

// directoryKit is one check on one directory.
type directoryKit struct {
	testing.TB
	reach Reach
}

// member is a device with its person and its way to the directory.
type member struct {
	directoryKit
	person session.Person
	device session.Device
	d      trefoil.Directory
}

// member returns the first device of a new person, which has published nothing.
func (k directoryKit) member() *member {
	k.Helper()
	return k.deviceOf(session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()})
}

func (k directoryKit) deviceOf(p session.Person) *member {
	k.Helper()
	device, err := session.NewDevice(p.Address(), time.Now())
	require.NoError(k, err)
	m := &member{directoryKit: k, person: p, device: device}
	m.d = k.reach(signs{m})
	return m
}

// signs is the Signer of a member.
type signs struct{ m *member }

func (s signs) Device(context.Context) (key.Address, key.PublicKey[key.Identity], error) {
	return s.m.device.Person(), s.m.device.Name(), nil
}

func (s signs) Sign(_ context.Context, mailbox key.Address, statement []byte) (key.VerifyKey, []byte, error) {
	if !mailbox.IsZero() && mailbox != s.m.device.Mailbox() {
		return key.VerifyKey{}, nil, state.ErrNotFound
	}
	return s.m.device.Bundle().Mailbox(), s.m.device.Sign(statement), nil
}

// publication returns one that registers the person with some devices.
func (m *member) publication(version uint64, devices ...*member) trefoil.Publication {
	m.Helper()
	var entries []directory.Entry
	for _, d := range devices {
		entries = append(entries, d.device.Entry())
	}
	r, err := m.person.Register(entries...)
	require.NoError(m, err)
	return trefoil.Publication{
		Person: m.person.User.Public(), Sign: m.person.User.Sign, Registration: r.JSON(), Version: version, Bundle: m.device.Bundle(),
	}
}

// deletion returns one that deletes the person.
func (m *member) deletion(version uint64) trefoil.Publication {
	return trefoil.Publication{Person: m.person.User.Public(), Sign: m.person.User.Sign, Deleted: true, Version: version}
}

// issue returns the device's present bundle with new one-time pre-keys.
func (m *member) issue(n int) trefoil.Publication {
	m.Helper()
	next, keys, err := m.device.Issue(n)
	require.NoError(m, err)
	m.device = next
	return trefoil.Publication{Bundle: next.Bundle(), OneTime: keys}
}

// publish publishes something, and returns how many one-time pre-keys are left.
func (m *member) publish(p trefoil.Publication) int {
	m.Helper()
	left, err := m.d.Publish(m.Context(), p)
	require.NoError(m, err, "Publish")
	return left
}

// registered is a member that has published itself alone.
func (k directoryKit) registered() *member {
	k.Helper()
	m := k.member()
	m.publish(m.publication(1, m))
	return m
}

// lookup returns what a member finds of a person, verified, with the versions of the bundles.
func (m *member) lookup(who key.Address) (l trefoil.Listing, numbers []uint32) {
	m.Helper()
	l, err := m.d.Lookup(m.Context(), who)
	require.NoError(m, err, "Lookup")
	if len(l.Registration) == 0 {
		return l, nil
	}
	r, err := directory.ParseRegistration(l.Registration)
	require.NoError(m, err)
	verified, err := r.Verify(who)
	require.NoError(m, err)
	for _, b := range l.Bundles {
		_, err := verified.WithBundle(b)
		require.NoError(m, err, "a bundle of somebody else")
		numbers = append(numbers, b.Number())
	}
	slices.Sort(numbers)
	return l, numbers
}

// claim returns the ID of a one-time pre-key of another member, 0 if there is none left.
func (m *member) claim(of *member) uint32 {
	m.Helper()
	o, ok, err := m.d.Claim(m.Context(), of.person.Address(), of.device.Identity())
	require.NoError(m, err, "Claim")
	if !ok {
		return 0
	}
	require.True(m, o.Identity().Equal(of.device.Identity()), "a key of another device")
	return o.ID()
}

func (k directoryKit) nobody() {
	l, _ := k.registered().lookup(k.member().person.Address())
	require.Zero(k, l)
}

func (k directoryKit) published() {
	a, b := k.registered(), k.registered()
	p := a.issue(3)
	require.Equal(k, 3, a.publish(p))
	require.Equal(k, 3, a.publish(trefoil.Publication{Bundle: a.device.Bundle()}), "it says what is left")
	l, numbers := b.lookup(a.person.Address())
	require.EqualValues(k, 1, l.Version)
	require.Equal(k, []uint32{1}, numbers)
	again := a.publication(1, a)
	again.Registration = l.Registration
	require.Equal(k, 3, a.publish(again), "the same once more")
}

// What does not fit is refused whole.
func (k directoryKit) allOrNothing() {
	a, b := k.registered(), k.registered()
	before, _ := b.lookup(a.person.Address())
	forged := a.publication(2, a)
	forged.Person, forged.Sign = b.person.User.Public(), b.person.User.Sign
	strangers := trefoil.Publication{Bundle: a.device.Bundle(), OneTime: b.issue(2).OneTime}
	for _, p := range []trefoil.Publication{forged, strangers} {
		_, err := a.d.Publish(k.Context(), p)
		require.Error(k, err)
	}
	after, _ := b.lookup(a.person.Address())
	require.Equal(k, before, after)
	require.Zero(k, b.claim(a))
}

// A registration that does not know of the one before would end devices that it does not name.
func (k directoryKit) nextVersion() {
	a := k.registered()
	before, _ := a.lookup(a.person.Address())
	other := k.deviceOf(a.person)
	for _, version := range []uint64{0, 1, 3} {
		_, err := other.d.Publish(k.Context(), other.publication(version, other))
		require.Error(k, err, "version %d", version)
	}
	after, _ := a.lookup(a.person.Address())
	require.Equal(k, before, after)
}

func (k directoryKit) claimedOnce() {
	a, b, c := k.registered(), k.registered(), k.registered()
	a.publish(a.issue(3))
	got := []uint32{b.claim(a), c.claim(a), b.claim(a)}
	slices.Sort(got)
	require.Equal(k, []uint32{1, 2, 3}, got)
	require.Zero(k, c.claim(a), "none is left")
	require.Zero(k, a.publish(trefoil.Publication{Bundle: a.device.Bundle()}))
}

func (k directoryKit) lookupConsumesNothing() {
	a, b := k.registered(), k.registered()
	a.publish(a.issue(1))
	for range 3 {
		b.lookup(a.person.Address())
	}
	require.Equal(k, uint32(1), b.claim(a))
}

// A new bundle takes the place of the one before, and of the one-time pre-keys beside it.
func (k directoryKit) newBundle() {
	a, b := k.registered(), k.registered()
	a.publish(a.issue(2))
	next, changed := a.device.Rotate(time.Now().Add(30 * 24 * time.Hour))
	require.True(k, changed)
	a.device = next
	require.Equal(k, 1, a.publish(a.issue(1)))
	_, numbers := b.lookup(a.person.Address())
	require.Equal(k, []uint32{2}, numbers)
	require.Equal(k, uint32(3), b.claim(a))
	require.Zero(k, b.claim(a))
}

func (k directoryKit) secondDevice() {
	a, b := k.registered(), k.registered()
	second := k.deviceOf(a.person)
	second.publish(second.publication(2, a, second))
	second.publish(second.issue(1))
	l, numbers := b.lookup(a.person.Address())
	require.EqualValues(k, 2, l.Version)
	require.Equal(k, []uint32{1, 1}, numbers)
	require.Zero(k, b.claim(a))
	require.Equal(k, uint32(1), b.claim(second))
}

// A person that was deleted is nobody and stays it; a deletion that does not know of the registration before is refused.
func (k directoryKit) deleted() {
	a, b := k.registered(), k.registered()
	a.publish(a.issue(1))
	for _, version := range []uint64{1, 3} {
		_, err := a.d.Publish(k.Context(), a.deletion(version))
		require.Error(k, err, "version %d", version)
	}
	for range 2 {
		a.publish(a.deletion(2))
		l, _ := b.lookup(a.person.Address())
		require.Zero(k, l)
		require.Zero(k, b.claim(a))
	}
	for _, version := range []uint64{1, 3} {
		_, err := a.d.Publish(k.Context(), a.publication(version, a))
		require.Error(k, err, "version %d after the deletion", version)
	}
}

// Rule 9: a mailbox is read from its registration on, by who subscribed before, or was told that the registration does.
func (k directoryKit) mailboxIsRead() {
	a, b := k.member(), k.registered()
	line, ok := a.d.(trefoil.Transport)
	if !ok {
		return // it is at no relay
	}
	mailbox := a.device.Mailbox().String()
	if err := line.Subscribe(k.Context(), mailbox); !errors.Is(err, trefoil.ErrNotRegistered) {
		require.NoError(k, err, "Subscribe")
	}
	a.publish(a.publication(1, a))
	lines := map[string]trefoil.Transport{"a": line, "b": b.d.(trefoil.Transport)}
	relay := kit{k.TB, func(device string) trefoil.Transport { return lines[device] }}
	relay.post("b", mailbox, []byte("early"))
	require.Equal(k, []string{"early"}, relay.stored("a"))
}

func (k directoryKit) endedContext() {
	a := k.registered()
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	_, err := a.d.Lookup(ctx, a.person.Address())
	require.ErrorIs(k, err, context.Canceled)
	_, _, err = a.d.Claim(ctx, a.person.Address(), a.device.Identity())
	require.ErrorIs(k, err, context.Canceled)
	_, err = a.d.Publish(ctx, a.issue(1))
	require.ErrorIs(k, err, context.Canceled)
}
