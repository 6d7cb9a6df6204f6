package relay_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"

	"github.com/trefoil-im/trefoil/relay/api"
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
	require.ErrorIs(t, err, api.ErrNotFound)
}

// deviceIn returns what was found of a device.
func (p *person) deviceIn(found api.Person, i int) api.Device {
	for _, d := range found.Devices {
		if d.ID == p.devices[i].id {
			return d
		}
	}
	return api.Device{}
}

// Everything that a publication may lack or have wrong makes the relay refuse all of it.
func TestPublicationIsCompleteOrRefused(t *testing.T) {
	w := inMemory(t)
	p, other := w.person(1), w.person(1)
	added := p.newDevice()
	alien := p.newDevice()
	resign := func(f func(*api.Publication)) func(*api.Publication) {
		return func(q *api.Publication) {
			f(q)
			q.Signature = p.user.Sign(q.Message())
		}
	}
	for name, c := range map[string]struct {
		want  error
		spoil func(*api.Publication)
	}{
		"no signature":             {api.ErrUnverified, func(q *api.Publication) { q.Signature = nil }},
		"somebody else signs":      {api.ErrUnverified, func(q *api.Publication) { q.Signature = other.user.Sign(q.Message()) }},
		"another person":           {api.ErrUnverified, func(q *api.Publication) { q.Person = other.user.Public() }},
		"no registration":          {api.ErrMalformed, resign(func(q *api.Publication) { q.Registration = nil })},
		"a registration that lies": {api.ErrUnverified, resign(func(q *api.Publication) { q.Registration = spoilSignature(q.Registration) })},
		"a registration cut":       {api.ErrMalformed, resign(func(q *api.Publication) { q.Registration = q.Registration[:99] })},
		"an old version":           {api.ErrStale, resign(func(q *api.Publication) { q.Version = 1 })},
		"a version left out":       {api.ErrStale, resign(func(q *api.Publication) { q.Version = 3 })},
		"a signature of another version": {api.ErrUnverified, func(q *api.Publication) {
			q.Version = 3
			q.Signature = p.user.Sign(q.Message())
			q.Version = 2
		}},
		"no bundle":              {api.ErrMalformed, func(q *api.Publication) { q.Devices[0].Bundle = nil }},
		"a bundle cut":           {api.ErrMalformed, func(q *api.Publication) { q.Devices[0].Bundle = q.Devices[0].Bundle[1:] }},
		"no proof":               {api.ErrUnverified, func(q *api.Publication) { q.Devices[0].Proof = nil }},
		"another's proof":        {api.ErrUnverified, func(q *api.Publication) { q.Devices[0].Proof = alien.published().Proof }},
		"no new device":          {api.ErrDevices, func(q *api.Publication) { q.Devices = nil }},
		"one twice":              {api.ErrMalformed, func(q *api.Publication) { q.Devices = append(q.Devices, q.Devices[0]) }},
		"a known one":            {api.ErrDevices, func(q *api.Publication) { q.Devices = append(q.Devices, p.devices[0].published()) }},
		"one not in it":          {api.ErrUnverified, func(q *api.Publication) { q.Devices = append(q.Devices, alien.published()) }},
		"another's one-time key": {api.ErrUnverified, func(q *api.Publication) { q.Devices[0].OneTime = other.devices[0].issue(1) }},
		"no one-time key":        {api.ErrMalformed, func(q *api.Publication) { q.Devices[0].OneTime = [][]byte{{}} }},
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
	stolen := &device{p: thief, d: victim.devices[0].d}
	q := thief.publication(stolen)
	q.Devices[0].Proof = victim.devices[0].published().Proof
	w.refused(api.ErrUnverified, func() error {
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
	w.refused(api.ErrDevices, func() error { // keys that are new come with a bundle
		_, err := w.r.Directory.Publish(t.Context(), q)
		return err
	})
	q.Devices = []api.PublishedDevice{renewed.published()}
	_, err := w.r.Directory.Publish(t.Context(), q)
	require.NoError(t, err)
	p.version++
	added := p.newDevice()
	p.publish(added)
	changes := func(known uint64) (out []api.Change) {
		found, err := w.r.Directory.Lookup(t.Context(), p.address(), known)
		require.NoError(t, err)
		return found.Changes
	}
	require.ElementsMatch(t, []api.Change{{Device: lost.id, What: api.Revoked, In: 2}, {Device: renewed.id, What: api.Renewed, In: 3},
		{Device: added.id, What: api.Added, In: 4}}, changes(1))
	require.Equal(t, []api.Change{{Device: added.id, What: api.Added, In: 4}}, changes(3))
	require.Empty(t, changes(4))
	w.refused(api.ErrRevoked, func() error {
		_, err := w.r.Directory.Publish(t.Context(), p.publication(lost))
		return err
	})
	w.refused(api.ErrRevoked, func() error {
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

	claim := func(k api.RequestKey) directory.OneTimePreKey {
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
	w.refused(api.ErrReused, func() error {
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
	w.refused(api.ErrReused, func() error {
		_, err := w.r.Directory.Stock(t.Context(), target.id, old, nil)
		return err
	})

	// After the grace period the older answers are gone, and the key serves a new claim.
	w.now = w.now.Add(api.ClaimGrace + time.Hour)
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3+1, swept.Claims) // three keys and a bundle
	require.True(t, claim(k1).MLKEM() == nil)
}

// One person cannot use up the one-time pre-keys of another one's device.
func TestClaimsAreBudgeted(t *testing.T) {
	w := inMemory(t)
	greedy, other, b := w.person(1), w.person(1), w.person(1)
	_, err := w.r.Directory.Stock(t.Context(), b.devices[0].id, nil, b.devices[0].issue(api.MaxClaims+2))
	require.NoError(t, err)
	claim := func(p *person) []byte {
		got, err := w.r.Directory.Claim(t.Context(), p.devices[0].id, requestKey(), b.address())
		require.NoError(t, err)
		return got[0].OneTime
	}
	for range api.MaxClaims {
		require.NotNil(t, claim(greedy))
	}
	require.Nil(t, claim(greedy))
	require.NotNil(t, claim(other))
}
