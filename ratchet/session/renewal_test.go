package session

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/state"
)

// renewal is two devices with a session, of which the second has renewed its keys, and a thief with all that it had before.
type renewal struct {
	alice, bob, thief *party
	old, new          directory.Peer // Bob's device before and after
	toAlice           directory.Peer
}

func renewed(t *testing.T, f suite) renewal {
	a, b := newHuman(t, 1), newHuman(t, 1)
	r := renewal{old: b.peer(t, 0, f), toAlice: a.peer(t, 0, f)}
	side := func(d Device, other directory.Peer) *party {
		s, err := New(d, other)
		require.NoError(t, err)
		return &party{t: t, d: d, s: s, other: other}
	}
	r.alice, r.bob = side(a.devices[0], r.old), side(b.devices[0], r.toAlice)
	r.alice.initiate()
	r.bob.reads(r.alice.send("hello"), "hello")
	r.alice.reads(r.bob.send("hello yourself"), "hello yourself")
	stolen := *r.bob
	r.thief = &stolen
	b.devices[0] = r.bob.d.Renew(day0.Add(time.Hour))
	require.NoError(t, b.devices[0].Succeeds(r.bob.d))
	require.ErrorIs(t, r.bob.d.Succeeds(b.devices[0]), state.ErrStale)
	require.Equal(t, r.bob.d.ID(), b.devices[0].ID())
	r.bob.d, r.new = b.devices[0], b.peer(t, 0, f)
	require.True(t, r.new.Name().Equal(r.old.Identity()))
	require.Equal(t, uint32(1), r.new.Entry().Renewals())
	return r
}

// refreshes takes over what the registration of the peer says now.
func (p *party) refreshes(other directory.Peer) {
	p.t.Helper()
	next, err := Refresh(p.s, p.d, other)
	require.NoError(p.t, err)
	require.NoError(p.t, next.Part().Succeeds(p.s.Part()))
	require.Equal(p.t, p.s.ID(), next.ID())
	p.s, p.other = next, other
}

// A device whose keys were stolen renews them and stays what it is to others: the same slot, no session of before.
func TestRenewedDeviceBegins(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		r := renewed(t, f)
		r.bob.initiate()
		first := r.bob.send("with new keys")
		claim, err := claimIn(first, r.alice.d)
		require.NoError(t, err)
		require.True(t, claim.identity.Equal(r.new.Identity()))
		require.Equal(t, r.alice.s.ID(), r.alice.d.SlotID(claim.person, r.new.Name()))
		r.alice.refuses(first, ErrUnverified)
		r.alice.refreshes(r.new)
		r.alice.reads(first, "with new keys")
		r.bob.reads(r.alice.send("answer"), "answer")
		r.alice.reads(r.bob.send("on"), "on")
		require.Equal(t, 1, r.alice.s.Part().Sessions())
		r.alice.refreshes(r.new)
		require.Equal(t, 1, r.alice.s.Part().Sessions())
		back, err := parsePair(r.alice.s.Part().marshal())
		require.NoError(t, err)
		require.True(t, r.alice.s.With(back).Equal(r.alice.s))
	})
}

// A peer that looks the renewed device up begins anew with it.
func TestPeerOfRenewedDeviceBegins(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		r := renewed(t, f)
		r.alice.other = r.new
		r.alice.initiate()
		r.bob.reads(r.alice.send("to your new keys"), "to your new keys")
		r.alice.reads(r.bob.send("answer"), "answer")
		r.bob.reads(r.alice.send("on"), "on")
	})
}

// The thief of the keys and sessions from before reads nothing, says nothing and blocks nothing, once the peer has seen the
// registration.
func TestStolenKeysEnd(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		r := renewed(t, f)
		spoken := r.thief.send("as Bob, in the old session")
		// While the peer has not seen it, the thief uses up generations.
		if f == hybrid {
			for range 3 {
				p := r.thief.s.Part()
				p.sessions.generation += maxGenerationStep - 1
				r.thief.s = r.thief.s.With(p)
				r.thief.renew()
				r.alice.reads(r.thief.send("as Bob"), "as Bob")
			}
		}
		r.thief.renew()
		begun := r.thief.send("as Bob, in a new one")

		r.alice.other = r.new
		r.alice.initiate()
		r.alice.refuses(begun, ErrUnverified)
		r.alice.refuses(spoken, ErrNotYet)
		_, err := Refresh(r.alice.s, r.alice.d, r.old)
		require.ErrorIs(t, err, ErrUnverified)
		_, err = Initiate(r.alice.s, r.alice.d, r.old)
		require.ErrorIs(t, err, ErrUnverified)

		secret := r.alice.send("secret")
		_, _, err = Decrypt(r.thief.s, r.thief.d, secret)
		require.Error(t, err)
		fresh, err := New(r.thief.d, r.toAlice)
		require.NoError(t, err)
		_, _, err = Decrypt(fresh, r.thief.d, secret)
		require.Error(t, err)
		r.bob.reads(secret, "secret")
		r.alice.reads(r.bob.send("answer"), "answer")
		r.bob.initiate()
		r.alice.reads(r.bob.send("begins"), "begins")

		// Nor does what Alice had sent to the old keys begin anything with the new ones.
		_, _, err = Decrypt(r.bob.s, r.thief.d, secret)
		require.ErrorIs(t, err, ErrNotReady, "an older copy of the device")
	})
}

// In a vault the slot of a renewed device is emptied by whatever is done first.
func TestRenewalInAVault(t *testing.T) {
	alice, bob, atAlice, atBob, _ := stations(t)
	bob.device = bob.device.Renew(day0)
	require.NoError(t, bob.own.Update(t.Context(), bob.device.ID(), func(tx *state.Tx[StoredDevice]) error {
		tx.Set(tx.Value().With(bob.device))
		return nil
	}))
	bob.restart()
	require.Equal(t, state.Retain, bob.receive(atBob, alice.send(atAlice, "to the old keys")).Verdict)
	s, err := bob.sessions.Load(t.Context(), atBob)
	require.NoError(t, err)
	require.Zero(t, s.Part().Sessions())
}
