package relay_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/relay"
)

func TestPublishAndLookup(t *testing.T) {
	w := inMemory(t)
	p := w.person(2)
	found, err := w.r.Directory.Lookup(t.Context(), p.address(), 0)
	require.NoError(t, err)
	require.Equal(t, uint64(1), found.Version)
	require.Len(t, found.Devices, 2)
	require.Equal(t, p.devices[0].published().Bundle, p.deviceIn(found, 0).Bundle)
	_, err = w.r.Directory.Lookup(t.Context(), [32]byte{1}, 0)
	require.ErrorIs(t, err, relay.ErrNotFound)
}

// deviceIn returns what was found of a device.
func (p *person) deviceIn(found relay.Person, i int) relay.Device {
	for _, d := range found.Devices {
		if d.ID == p.devices[i].id {
			return d
		}
	}
	return relay.Device{}
}

// Everything that a publication may lack or have wrong makes the relay refuse all of it.
func TestPublicationIsCompleteOrRefused(t *testing.T) {
	w := inMemory(t)
	p, other := w.person(1), w.person(1)
	added := p.newDevice()
	alien := p.newDevice()
	resign := func(f func(*relay.Publication)) func(*relay.Publication) {
		return func(q *relay.Publication) {
			f(q)
			q.Signature = p.user.Sign(q.Message())
		}
	}
	for name, c := range map[string]struct {
		want  error
		spoil func(*relay.Publication)
	}{
		"no signature":             {relay.ErrUnverified, func(q *relay.Publication) { q.Signature = nil }},
		"somebody else signs":      {relay.ErrUnverified, func(q *relay.Publication) { q.Signature = other.user.Sign(q.Message()) }},
		"another person":           {relay.ErrUnverified, func(q *relay.Publication) { q.Person = other.user.Public() }},
		"no registration":          {relay.ErrMalformed, resign(func(q *relay.Publication) { q.Registration = nil })},
		"a registration that lies": {relay.ErrUnverified, resign(func(q *relay.Publication) { q.Registration = spoilSignature(q.Registration) })},
		"a registration cut":       {relay.ErrMalformed, resign(func(q *relay.Publication) { q.Registration = q.Registration[:99] })},
		"an old version":           {relay.ErrStale, resign(func(q *relay.Publication) { q.Version = 1 })},
		"a version left out":       {relay.ErrStale, resign(func(q *relay.Publication) { q.Version = 3 })},
		"a signature of another version": {relay.ErrUnverified, func(q *relay.Publication) {
			q.Version = 3
			q.Signature = p.user.Sign(q.Message())
			q.Version = 2
		}},
		"no bundle":              {relay.ErrMalformed, func(q *relay.Publication) { q.Devices[0].Bundle = nil }},
		"a bundle cut":           {relay.ErrMalformed, func(q *relay.Publication) { q.Devices[0].Bundle = q.Devices[0].Bundle[1:] }},
		"no proof":               {relay.ErrUnverified, func(q *relay.Publication) { q.Devices[0].Proof = nil }},
		"another's proof":        {relay.ErrUnverified, func(q *relay.Publication) { q.Devices[0].Proof = alien.published().Proof }},
		"no new device":          {relay.ErrDevices, func(q *relay.Publication) { q.Devices = nil }},
		"one twice":              {relay.ErrMalformed, func(q *relay.Publication) { q.Devices = append(q.Devices, q.Devices[0]) }},
		"a known one":            {relay.ErrDevices, func(q *relay.Publication) { q.Devices = append(q.Devices, p.devices[0].published()) }},
		"one not in it":          {relay.ErrUnverified, func(q *relay.Publication) { q.Devices = append(q.Devices, alien.published()) }},
		"another's one-time key": {relay.ErrUnverified, func(q *relay.Publication) { q.Devices[0].OneTime = other.devices[0].issue(1) }},
		"no one-time key":        {relay.ErrMalformed, func(q *relay.Publication) { q.Devices[0].OneTime = [][]byte{{}} }},
	} {
		t.Run(name, func(t *testing.T) {
			q := p.publication(added)
			c.spoil(&q)
			w.refused(c.want, func() error {
				_, err := w.r.Directory.Publish(t.Context(), q)
				return err
			})
		})
	}
	p.publish(added)
}

// spoilSignature changes a digit of a registration's signature.
func spoilSignature(registration []byte) []byte {
	b := bytes.Clone(registration)
	at := bytes.Index(b, []byte(`"signature":"`)) + len(`"signature":"`)
	if b[at] == '0' {
		b[at] = '1'
	} else {
		b[at] = '0'
	}
	return b
}

// Nobody registers the keys of somebody else as a device of their own: the device would have to agree.
func TestStolenKeysAreNotRegistered(t *testing.T) {
	w := inMemory(t)
	victim := w.person(1)
	thief := w.person(1)
	stolen := &device{p: thief, d: victim.devices[0].d, mailbox: thief.devices[0].mailbox}
	q := thief.publication(stolen)
	q.Devices[0].Proof = victim.devices[0].published().Proof
	w.refused(relay.ErrUnverified, func() error {
		_, err := w.r.Directory.Publish(t.Context(), q)
		return err
	})
}

func TestPublicationRepeats(t *testing.T) {
	w := inMemory(t)
	p := w.person(1)
	q := p.publication(p.newDevice())
	first, err := w.r.Directory.Publish(t.Context(), q)
	require.NoError(t, err)
	before := w.dump()
	again, err := w.r.Directory.Publish(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, first.Version, again.Version)
	require.Equal(t, first.Leaf, again.Leaf)
	require.ElementsMatch(t, first.Devices, again.Devices)
	require.Equal(t, before, w.dump())
}

// A changed device is an explicit answer to who knew it before.
func TestLookupSaysWhatChanged(t *testing.T) {
	w := inMemory(t)
	p := w.person(3)
	lost, renewed := p.devices[0], p.devices[1]
	gone := p.revoke(0)
	require.Equal(t, lost, gone)
	renewed.renew()
	q := p.publication()
	w.refused(relay.ErrDevices, func() error { // keys that are new come with a bundle
		_, err := w.r.Directory.Publish(t.Context(), q)
		return err
	})
	q.Devices = []relay.PublishedDevice{renewed.published()}
	_, err := w.r.Directory.Publish(t.Context(), q)
	require.NoError(t, err)
	p.version++
	added := p.newDevice()
	p.publish(added)
	changes := func(known uint64) (out []relay.Change) {
		found, err := w.r.Directory.Lookup(t.Context(), p.address(), known)
		require.NoError(t, err)
		return found.Changes
	}
	require.ElementsMatch(t, []relay.Change{{Device: lost.id, What: relay.Revoked, In: 2}, {Device: renewed.id, What: relay.Renewed, In: 3},
		{Device: added.id, What: relay.Added, In: 4}}, changes(1))
	require.Equal(t, []relay.Change{{Device: added.id, What: relay.Added, In: 4}}, changes(3))
	require.Empty(t, changes(4))
	w.refused(relay.ErrRevoked, func() error {
		_, err := w.r.Directory.Publish(t.Context(), p.publication(lost))
		return err
	})
	w.refused(relay.ErrRevoked, func() error {
		_, err := w.r.Mailboxes.Page(t.Context(), lost.id, 0, 1)
		return err
	})
}

func TestClaims(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(2)
	target := b.devices[0]
	n, err := w.r.Directory.Stock(t.Context(), target.id, nil, target.issue(3))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	before := w.dump()
	_, err = w.r.Directory.Lookup(t.Context(), b.address(), 0)
	require.NoError(t, err)
	require.Equal(t, before, w.dump(), "a lookup consumes nothing")

	claim := func(k relay.RequestKey) directory.OneTimePreKey {
		got, err := w.r.Directory.Claim(t.Context(), a.devices[0].id, k, b.address())
		require.NoError(t, err)
		require.Len(t, got, 2)
		for _, c := range got {
			if c.Device == target.id && c.OneTime != nil {
				o, err := directory.ParseOneTimePreKey(c.OneTime)
				require.NoError(t, err)
				_, err = a.devices[0].peer(b.address(), target.id).WithOneTime(o)
				require.NoError(t, err)
				return o
			}
		}
		return directory.OneTimePreKey{}
	}
	k1 := requestKey()
	require.Equal(t, uint32(1), claim(k1).ID())
	require.Equal(t, uint32(1), claim(k1).ID(), "the same key, the same answer")
	require.Equal(t, uint32(2), claim(requestKey()).ID())
	w.refused(relay.ErrReused, func() error {
		_, err := w.r.Directory.Claim(t.Context(), a.devices[0].id, k1, a.address())
		return err
	})

	// Rotation: the new bundle comes without the one-time pre-keys before; what was claimed is answered as before.
	old := target.published().Bundle
	w.now = w.now.Add(8 * 24 * time.Hour)
	next, changed := target.d.Rotate(w.now)
	require.True(t, changed)
	target.d = next
	n, err = w.r.Directory.Stock(t.Context(), target.id, target.published().Bundle, target.issue(1))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	got, err := w.r.Directory.Claim(t.Context(), a.devices[0].id, k1, b.address())
	require.NoError(t, err)
	require.Contains(t, [][]byte{got[0].Bundle, got[1].Bundle}, old)
	require.Equal(t, uint32(4), claim(requestKey()).ID())
	require.True(t, claim(requestKey()).MLKEM() == nil, "exhausted: the bundle comes alone")
	w.refused(relay.ErrReused, func() error {
		_, err := w.r.Directory.Stock(t.Context(), target.id, old, nil)
		return err
	})

	// After the grace period the older answers are gone, and the key serves a new claim.
	w.now = w.now.Add(relay.ClaimGrace + time.Hour)
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2*4+1, swept.Claims)
	require.True(t, claim(k1).MLKEM() == nil)
}

// One person cannot use up the one-time pre-keys of another one's device.
func TestClaimsAreBudgeted(t *testing.T) {
	w := inMemory(t)
	greedy, other, b := w.person(1), w.person(1), w.person(1)
	_, err := w.r.Directory.Stock(t.Context(), b.devices[0].id, nil, b.devices[0].issue(relay.MaxClaims+2))
	require.NoError(t, err)
	claim := func(p *person) []byte {
		got, err := w.r.Directory.Claim(t.Context(), p.devices[0].id, requestKey(), b.address())
		require.NoError(t, err)
		return got[0].OneTime
	}
	for range relay.MaxClaims {
		require.NotNil(t, claim(greedy))
	}
	require.Nil(t, claim(greedy))
	require.NotNil(t, claim(other))
}
