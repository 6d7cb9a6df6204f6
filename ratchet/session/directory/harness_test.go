package directory

import (
	"crypto/mlkem"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// device holds the private keys behind what a device publishes.
type device struct {
	identity keypair.PrivateKey[key.Identity]
	preKey   keypair.PrivateKey[key.PreKey]
	mailbox  keypair.SigningKey
	inbox    keypair.PrivateKey[key.Inbox]
	kem      keypair.KEMKey
	mlkem    *mlkem.DecapsulationKey768
}

func newDevice(t testing.TB) device {
	private, err := mlkem.GenerateKey768()
	require.NoError(t, err)
	return device{keypair.GenerateKey[key.Identity](), keypair.GenerateKey[key.PreKey](), keypair.GenerateSigningKey(),
		keypair.GenerateKey[key.Inbox](), keypair.GenerateKEMKey(), private}
}

func (d device) entry() Entry {
	return NewEntry(d.identity.Public(), d.preKey.Public(), d.mailbox.Public().Address(), d.inbox.Public())
}

func (d device) bundle() Bundle {
	return d.bundleNumber(1)
}

// bundleNumber returns the bundle of a number, always with the same keys.
func (d device) bundleNumber(n uint32) Bundle {
	return NewBundle(d.identity.Public(), d.mailbox.Public(), BundleKeys{n, d.preKey.Public(), d.mlkem.EncapsulationKey(), d.kem.Public()},
		d.mailbox.Sign)
}

// oneTime returns one-time pre-keys with the given IDs. All have the same encapsulation key.
func (d device) oneTime(ids ...uint32) (keys []OneTimePreKey) {
	for _, id := range ids {
		keys = append(keys, NewOneTimePreKey(d.identity.Public(), id, keypair.GenerateKey[key.OneTime]().Public(),
			d.mlkem.EncapsulationKey(), d.mailbox.Sign))
	}
	return keys
}

// human is a person with its devices.
type human struct {
	user    keypair.SigningKey
	account keypair.PrivateKey[key.Account]
	devices []device
}

func newHuman(t testing.TB, devices int) *human {
	h := &human{user: keypair.GenerateSigningKey(), account: keypair.GenerateKey[key.Account]()}
	for range devices {
		h.devices = append(h.devices, newDevice(t))
	}
	return h
}

func (h *human) address() key.Address { return h.user.Public().Address() }

func (h *human) register(entries ...Entry) (Registration, error) {
	return NewRegistration(h.user.Public(), h.account.Public(), h.user.Sign, entries...)
}

// registration is what the person publishes, after its way through JSON.
func (h *human) registration(t testing.TB) Registration {
	var entries []Entry
	for _, d := range h.devices {
		entries = append(entries, d.entry())
	}
	r, err := h.register(entries...)
	require.NoError(t, err)
	r, err = ParseRegistration(r.JSON())
	require.NoError(t, err)
	return r
}

func (h *human) verified(t testing.TB) Person {
	p, err := h.registration(t).Verify(h.address())
	require.NoError(t, err)
	return p
}

// renew draws a device's keys anew and returns its entry.
func (h *human) renew(t testing.TB, i int) Entry {
	name := h.devices[i].identity.Public()
	h.devices[i] = newDevice(t)
	return h.devices[i].entry().Renewed(name, 1)
}
