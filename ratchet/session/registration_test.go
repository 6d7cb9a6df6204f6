package session

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// G15: an identity counts only if a signed registration of the right person vouches for it.
func TestG15RegistrationIsVerified(t *testing.T) {
	h, other := newHuman(t, 2), newHuman(t, 1)
	r := h.registration(t)
	person, err := r.Verify(h.address())
	require.NoError(t, err)
	require.Len(t, person.Peers(), 2)

	_, err = r.Verify(other.address())
	require.ErrorIs(t, err, ErrUnverified)
	_, err = r.Verify(Address{})
	require.ErrorIs(t, err, ErrUnverified)
	_, err = (Registration{}).Verify(Address{})
	require.ErrorIs(t, err, ErrUnverified)
	_, err = person.Peer(other.devices[0].Identity())
	require.ErrorIs(t, err, ErrUnverified)

	// Every key in it is covered by the signature, and so is the order.
	d, e := h.devices[0], other.devices[0]
	text := string(r.JSON())
	for name, swap := range map[string][2]string{
		"identity":  {hex.EncodeToString(d.identity.public.Bytes()), hex.EncodeToString(e.identity.public.Bytes())},
		"pre-key":   {hex.EncodeToString(d.preKey.public.Bytes()), hex.EncodeToString(e.preKey.public.Bytes())},
		"inbox":     {hex.EncodeToString(d.inbox.public.Bytes()), hex.EncodeToString(e.inbox.public.Bytes())},
		"mailbox":   {d.Mailbox().String(), e.Mailbox().String()},
		"account":   {hex.EncodeToString(h.account.public.Bytes()), hex.EncodeToString(other.account.public.Bytes())},
		"signature": {hex.EncodeToString(r.signature[:]), hex.EncodeToString(other.user.Sign(r.body()))},
	} {
		forged, err := ParseRegistration([]byte(strings.Replace(text, swap[0], swap[1], 1)))
		require.NoError(t, err, name)
		_, err = forged.Verify(h.address())
		require.ErrorIs(t, err, ErrUnverified, name)
	}
	swapped := r
	swapped.entries = []Entry{r.entries[1], r.entries[0]}
	_, err = swapped.Verify(h.address())
	require.ErrorIs(t, err, ErrUnverified)
	swapped.entries = r.entries[:1]
	_, err = swapped.Verify(h.address())
	require.ErrorIs(t, err, ErrUnverified)

	// Somebody else's key under this person's address does not even parse.
	_, err = ParseRegistration([]byte(strings.Replace(text, hex.EncodeToString(h.user.public.Bytes()),
		hex.EncodeToString(other.user.public.Bytes()), 1)))
	require.ErrorIs(t, err, ErrMalformed)
}

func TestRegistrationGrows(t *testing.T) {
	h := newHuman(t, 1)
	person := h.verified(t)
	d := h.addDevice(t)
	r, err := NewRegistration(h.user, h.account.Public(), append(person.Entries(), d.Entry())...)
	require.NoError(t, err)
	require.Equal(t, h.registration(t).signature, r.signature)
	person, err = r.Verify(h.address())
	require.NoError(t, err)
	require.Len(t, person.Peers(), 2)
}

func TestRegistrationLimits(t *testing.T) {
	h := newHuman(t, 1)
	entry := h.devices[0].Entry()
	for name, entries := range map[string][]Entry{
		"none": nil, "twice": {entry, entry}, "zero": {{}}, "too many": make([]Entry, MaxDevices+1),
	} {
		_, err := NewRegistration(h.user, h.account.Public(), entries...)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
	_, err := NewRegistration(SigningKey{}, h.account.Public(), entry)
	require.ErrorIs(t, err, ErrNotReady)
	r := h.registration(t)
	for name, in := range map[string]string{
		"nothing": "", "null": "null", "empty": "{}", "array": "[]", "twice": string(r.JSON()) + "{}", "cut": string(r.JSON()[:200]),
		"no devices": strings.Replace(string(r.JSON()), `"device_registrations":[{`, `"other":[{`, 1),
		"bad hex":    strings.Replace(string(r.JSON()), `"signature":"`, `"signature":"x`, 1),
		"long":       `{"user_address":"` + strings.Repeat("Q", maxJSON) + `"}`,
	} {
		_, err := ParseRegistration([]byte(in))
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

func TestBundleIsVerified(t *testing.T) {
	h, other := newHuman(t, 1), newHuman(t, 1)
	person, d := h.verified(t), h.devices[0]
	raw, err := d.Bundle().MarshalBinary()
	require.NoError(t, err)
	require.Len(t, raw, bundleSize)
	b, err := ParseBundle(raw)
	require.NoError(t, err)
	peer, err := person.Trefoil(b)
	require.NoError(t, err)
	require.True(t, peer.IsTrefoil())
	_, err = peer.KEM()
	require.NoError(t, err)
	_, err = h.peer(t, 0, deployed).KEM()
	require.ErrorIs(t, err, ErrNotReady)

	_, err = other.verified(t).Trefoil(b)
	require.ErrorIs(t, err, ErrUnverified, "the device of somebody else")
	_, err = person.Trefoil(Bundle{})
	require.ErrorIs(t, err, ErrUnverified)
	forged := b
	forged.kem = other.devices[0].kem.public
	_, err = person.Trefoil(forged)
	require.ErrorIs(t, err, ErrUnverified, "another KEM pre-key")
	forged = b
	forged.mlkem = other.devices[0].Bundle().mlkem
	_, err = person.Trefoil(forged)
	require.ErrorIs(t, err, ErrUnverified, "another ML-KEM key")
	forged = b
	forged.mailbox = other.devices[0].mailbox.public
	copy(forged.signature[:], other.devices[0].mailbox.Sign(labelled(labelBundle, forged.body())))
	_, err = person.Trefoil(forged)
	require.ErrorIs(t, err, ErrUnverified, "another mailbox")
	for i := 0; i < len(raw); i++ {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		if b, err := ParseBundle(changed); err == nil {
			_, err = person.Trefoil(b)
			require.ErrorIs(t, err, ErrUnverified, "byte %d", i)
		}
		if i > 1+2*PublicKeySize && i < len(raw)-SignatureSize {
			i += 97 // the keys for KEMs are long
		}
	}
}

// Looking a bundle up uses nothing up, claiming does, and no ID comes twice.
func TestOneTimePreKeys(t *testing.T) {
	h, other := newHuman(t, 1), newHuman(t, 1)
	d, keys, err := h.devices[0].Issue(3)
	require.NoError(t, err)
	shelf, err := NewShelf(d.Bundle()).Stock(keys...)
	require.NoError(t, err)
	for range 10 {
		require.True(t, shelf.Bundle().identity.Equal(d.Identity()))
	}
	require.Equal(t, 3, shelf.Len())

	seen := map[uint32]bool{}
	for range 3 {
		var k OneTimePreKey
		before := shelf
		shelf, k, err = shelf.Claim()
		require.NoError(t, err)
		require.False(t, seen[k.ID()])
		seen[k.ID()] = true
		require.Equal(t, shelf.Len()+1, before.Len(), "values are immutable")
	}
	same, _, err := shelf.Claim()
	require.ErrorIs(t, err, ErrNotReady)
	require.Zero(t, same.Len())

	// What is stored of it remembers that they were claimed.
	raw, err := shelf.MarshalBinary()
	require.NoError(t, err)
	shelf, err = ParseShelf(raw)
	require.NoError(t, err)
	_, err = Shelf{}.MarshalBinary()
	require.ErrorIs(t, err, ErrNotReady)

	// An ID that was on the shelf once is refused for ever, and so are keys of others.
	_, err = shelf.Stock(keys[2])
	require.ErrorIs(t, err, ErrReplayed)
	d, more, err := d.Issue(2)
	require.NoError(t, err)
	require.Equal(t, uint32(4), more[0].ID())
	_, err = shelf.Stock(more[1], more[0])
	require.ErrorIs(t, err, ErrReplayed)
	shelf, err = shelf.Stock(more...)
	require.NoError(t, err)
	_, foreign, err := other.devices[0].Issue(9)
	require.NoError(t, err)
	_, err = shelf.Stock(foreign[8])
	require.ErrorIs(t, err, ErrUnverified)
	forged := foreign[8]
	forged.identity = d.Identity()
	_, err = shelf.Stock(forged)
	require.ErrorIs(t, err, ErrUnverified)
	_, err = shelf.Stock(OneTimePreKey{})
	require.ErrorIs(t, err, ErrUnverified)

	// Nor does the device give a number twice, whatever was used up.
	d = d.Spend(1, 2, 3).Spend().Spend(4, 5).Spend(5)
	require.Empty(t, d.oneTime)
	_, again, err := d.Issue(1)
	require.NoError(t, err)
	require.Equal(t, uint32(6), again[0].ID())
	for _, n := range []int{-1, 0, maxOneTime + 1} {
		_, _, err = d.Issue(n)
		require.ErrorIs(t, err, ErrNotReady)
	}
	d.issued = ^uint32(0) - 1
	_, _, err = d.Issue(2)
	require.ErrorIs(t, err, ErrNotReady, "numbers are never begun anew")

	// G25: keys that were claimed and are never used do not keep the device from issuing others.
	full := h.devices[0]
	for range maxOneTime {
		full.issued++
		full.oneTime = append(full.oneTime, ownOneTime{id: full.issued})
	}
	renewed, _, err := full.Issue(2)
	require.NoError(t, err)
	require.Len(t, renewed.oneTime, maxOneTime)
	require.Equal(t, uint32(3), renewed.oneTime[0].id)
	require.Equal(t, uint32(maxOneTime+2), renewed.issued)
	require.Len(t, full.oneTime, maxOneTime)
	require.Equal(t, uint32(1), full.oneTime[0].id)

	peer := h.peer(t, 0, hybrid)
	_, err = peer.With(forged)
	require.ErrorIs(t, err, ErrUnverified)
	_, err = peer.With(foreign[0])
	require.ErrorIs(t, err, ErrUnverified)
	_, err = peer.With(OneTimePreKey{})
	require.ErrorIs(t, err, ErrUnverified)
	_, err = h.peer(t, 0, deployed).With(more[0])
	require.ErrorIs(t, err, ErrUnverified)
}

func TestDevice(t *testing.T) {
	d, err := NewDevice(newHuman(t, 0).address())
	require.NoError(t, err)
	d, _, err = d.Issue(2)
	require.NoError(t, err)
	back, err := parseDevice(d.marshal())
	require.NoError(t, err)
	require.True(t, back.Equal(d))
	require.NotEqual(t, d.ID(), SlotID(d, d.Person(), d.Identity()))
	require.NoError(t, d.Spend(1).Succeeds(d))
	more, _, err := d.Issue(1)
	require.NoError(t, err)
	require.NoError(t, more.Succeeds(d))
	require.Error(t, d.Succeeds(more), "G5: a stale copy would number keys anew")
	other, err := NewDevice(d.Person())
	require.NoError(t, err)
	require.Error(t, other.Succeeds(d))

	_, err = NewDevice(Address{})
	require.ErrorIs(t, err, ErrNotReady)
	_, err = ImportDevice(d.Person(), DeviceKeys{})
	require.ErrorIs(t, err, ErrNotReady)
}
