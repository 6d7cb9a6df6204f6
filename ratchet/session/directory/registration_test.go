package directory

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/internal/strictjson"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// G15: an identity counts only if a signed registration of the right person vouches for it.
func TestG15RegistrationIsVerified(t *testing.T) {
	h, other := newHuman(t, 2), newHuman(t, 1)
	r := h.registration(t)
	person, err := r.Verify(h.address())
	require.NoError(t, err)
	requirePeers(t, person, 2)

	_, err = r.Verify(other.address())
	require.ErrorIs(t, err, key.ErrUnverified)
	_, err = r.Verify(key.Address{})
	require.ErrorIs(t, err, key.ErrUnverified)
	_, err = (Registration{}).Verify(key.Address{})
	require.ErrorIs(t, err, key.ErrUnverified)
	_, err = person.Peer(other.devices[0].identity.Public())
	require.ErrorIs(t, err, key.ErrUnverified)

	// Every key in it is covered by the signature, and so is the order.
	d, e := h.devices[0], other.devices[0]
	text := string(r.JSON())
	for name, swap := range map[string][2]string{
		"identity":  {hex.EncodeToString(d.identity.Public().Bytes()), hex.EncodeToString(e.identity.Public().Bytes())},
		"pre-key":   {hex.EncodeToString(d.preKey.Public().Bytes()), hex.EncodeToString(e.preKey.Public().Bytes())},
		"inbox":     {hex.EncodeToString(d.inbox.Public().Bytes()), hex.EncodeToString(e.inbox.Public().Bytes())},
		"mailbox":   {d.mailbox.Public().Address().String(), e.mailbox.Public().Address().String()},
		"account":   {hex.EncodeToString(h.account.Public().Bytes()), hex.EncodeToString(other.account.Public().Bytes())},
		"signature": {hex.EncodeToString(r.signature[:]), hex.EncodeToString(other.user.Sign(r.body()))},
	} {
		forged, err := ParseRegistration([]byte(strings.Replace(text, swap[0], swap[1], 1)))
		require.NoError(t, err, name)
		_, err = forged.Verify(h.address())
		require.ErrorIs(t, err, key.ErrUnverified, name)
	}
	swapped := r
	swapped.entries = []Entry{r.entries[1], r.entries[0]}
	_, err = swapped.Verify(h.address())
	require.ErrorIs(t, err, key.ErrUnverified)
	swapped.entries = r.entries[:1]
	_, err = swapped.Verify(h.address())
	require.ErrorIs(t, err, key.ErrUnverified)

	// Somebody else's key under this person's address does not even parse.
	_, err = ParseRegistration([]byte(strings.Replace(text, hex.EncodeToString(h.user.Public().Bytes()),
		hex.EncodeToString(other.user.Public().Bytes()), 1)))
	require.ErrorIs(t, err, key.ErrMalformed)
}

// requirePeers checks how many peers a person has, all in the classic suite.
func requirePeers(t *testing.T, p Person, n int) {
	t.Helper()
	peers, err := p.Peers()
	require.NoError(t, err)
	require.Len(t, peers, n)
	for _, peer := range peers {
		require.False(t, peer.IsHybrid())
	}
}

func TestRegistrationGrows(t *testing.T) {
	h := newHuman(t, 1)
	person := h.verified(t)
	d := newDevice(t)
	h.devices = append(h.devices, d)
	r, err := h.register(append(person.Entries(), d.entry())...)
	require.NoError(t, err)
	require.Equal(t, h.registration(t).signature, r.signature)
	person, err = r.Verify(h.address())
	require.NoError(t, err)
	requirePeers(t, person, 2)
}

func TestRegistrationLimits(t *testing.T) {
	h := newHuman(t, 1)
	entry := h.devices[0].entry()
	for name, entries := range map[string][]Entry{
		"none": nil, "twice": {entry, entry}, "zero": {{}}, "too many": make([]Entry, MaxDevices+1),
	} {
		_, err := h.register(entries...)
		require.ErrorIs(t, err, key.ErrMalformed, name)
	}
	_, err := NewRegistration(key.VerifyKey{}, h.account.Public(), h.user.Sign, entry)
	require.ErrorIs(t, err, key.ErrArgument)
	r := h.registration(t)
	for name, in := range map[string]string{
		"nothing": "", "null": "null", "empty": "{}", "array": "[]", "twice": string(r.JSON()) + "{}", "cut": string(r.JSON()[:200]),
		"no devices": strings.Replace(string(r.JSON()), `"device_registrations":[{`, `"other":[{`, 1),
		"bad hex":    strings.Replace(string(r.JSON()), `"signature":"`, `"signature":"x`, 1),
		"long":       `{"user_address":"` + strings.Repeat("Q", strictjson.MaxSize) + `"}`,
	} {
		_, err := ParseRegistration([]byte(in))
		require.ErrorIs(t, err, key.ErrMalformed, name)
	}
}

// What a registration says of renewed devices is signed together with all else. One without any is as the deployed client
// writes it.
func TestRenewedDevices(t *testing.T) {
	h := newHuman(t, 2)
	require.NotContains(t, string(h.registration(t).JSON()), "renewal")
	name := h.devices[1].identity.Public()
	entry := h.renew(t, 1)
	r, err := h.register(h.devices[0].entry(), entry)
	require.NoError(t, err)
	r, err = ParseRegistration(r.JSON())
	require.NoError(t, err)
	person, err := r.Verify(h.address())
	require.NoError(t, err)
	peer, err := person.WithBundle(h.devices[1].bundle())
	require.NoError(t, err)
	require.True(t, peer.Name().Equal(name))
	require.True(t, peer.Identity().Equal(h.devices[1].identity.Public()))
	require.Equal(t, uint32(1), peer.Entry().Renewals())
	require.True(t, person.Entries()[1].Equal(entry))
	require.False(t, entry.Equal(h.devices[1].entry()))
	_, err = person.Peer(name)
	require.ErrorIs(t, err, key.ErrUnverified, "the old key is nobody's")

	for what, change := range map[string]func(*Registration){
		"name":      func(r *Registration) { r.entries[1].name = newDevice(t).identity.Public() },
		"number":    func(r *Registration) { r.entries[1].renewals++ },
		"another":   func(r *Registration) { r.entries[0] = r.entries[0].Renewed(newDevice(t).identity.Public(), 1) },
		"signature": func(r *Registration) { r.renewals[5] ^= 1 },
		"first":     func(r *Registration) { r.renewals = r.signature },
	} {
		forged := r
		forged.entries = slices.Clone(r.entries)
		change(&forged)
		_, err = forged.Verify(h.address())
		require.ErrorIs(t, err, key.ErrUnverified, what)
	}

	raw := string(r.JSON())
	for what, other := range map[string]string{
		"no signature": strings.Replace(raw, `"renewals_signature"`, `"x"`, 1),
		"no number":    strings.Replace(raw, `"count":1`, `"count":0`, 1),
		"no name":      strings.Replace(raw, `"first_identity_public_key"`, `"x"`, 1),
	} {
		require.NotEqual(t, raw, other)
		_, err = ParseRegistration([]byte(other))
		require.ErrorIs(t, err, key.ErrMalformed, what)
	}
	for what, e := range map[string]Entry{
		"its own name":           h.devices[0].entry().Renewed(h.devices[0].identity.Public(), 1),
		"the name of the other":  h.devices[1].entry().Renewed(h.devices[0].identity.Public(), 1),
		"the same name as other": h.devices[0].entry().Renewed(name, 1),
	} {
		other := entry
		if e.identity.Equal(entry.identity) {
			other = h.devices[0].entry()
		}
		_, err = h.register(e, other)
		require.ErrorIs(t, err, key.ErrMalformed, what)
	}
}
