package session

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/quorumtest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

func TestDevice(t *testing.T) {
	d, err := NewDevice(newHuman(t, 0).address(), day0)
	require.NoError(t, err)
	d, _, err = d.Issue(2)
	require.NoError(t, err)
	back, err := parseDevice(d.marshal())
	require.NoError(t, err)
	require.True(t, back.Equal(d))
	require.NotEqual(t, d.ID(), d.SlotID(d.Person(), d.Identity()))
	require.NoError(t, d.EraseOneTime(1).Succeeds(d))
	more, _, err := d.Issue(1)
	require.NoError(t, err)
	require.NoError(t, more.Succeeds(d))
	require.Error(t, d.Succeeds(more), "G5: a stale copy would number keys anew")
	other, err := NewDevice(d.Person(), day0)
	require.NoError(t, err)
	require.Error(t, other.Succeeds(d))

	_, err = NewDevice(key.Address{}, day0)
	require.ErrorIs(t, err, ErrNotReady)
	_, err = ImportDevice(d.Person(), keypair.DeviceKeys{}, day0)
	require.ErrorIs(t, err, ErrNotReady)
}

func TestQuorumRegistration(t *testing.T) {
	v := quorumtest.Load[struct {
		Registration json.RawMessage
		User         quorumtest.Pair `json:"user_key"`
		Peer         quorumtest.Pair `json:"peer_key"`
		Identity     quorumtest.Pair `json:"identity_key"`
		PreKey       quorumtest.Pair `json:"pre_key"`
		InboxAddress string          `json:"inbox_address"`
		Mailbox      quorumtest.Pair `json:"inbox_key"`
		Inbox        quorumtest.Pair `json:"inbox_encryption_key"`
	}](t, "registration.json")
	require.NotEmpty(t, v.Registration, "no vectors")
	user := quorumtest.Signing(t, v.User)
	d, err := ImportDevice(user.Public().Address(), keypair.DeviceKeys{
		Identity: quorumtest.Private[key.Identity](t, v.Identity), PreKey: quorumtest.Private[key.PreKey](t, v.PreKey),
		Mailbox: quorumtest.Signing(t, v.Mailbox), Inbox: quorumtest.Private[key.Inbox](t, v.Inbox)}, day0)
	require.NoError(t, err)
	require.Equal(t, v.InboxAddress, d.Mailbox().String())

	recorded, err := directory.ParseRegistration(v.Registration)
	require.NoError(t, err)
	person, err := recorded.Verify(user.Public().Address())
	require.NoError(t, err)
	peer, err := person.Peer(d.Identity())
	require.NoError(t, err)
	require.Equal(t, d.Mailbox(), peer.Mailbox())

	ours, err := directory.NewRegistration(user.Public(), quorumtest.Private[key.Account](t, v.Peer).Public(), user.Sign, d.Entry())
	require.NoError(t, err)
	if len(person.Entries()) == 1 {
		require.JSONEq(t, string(v.Registration), string(ours.JSON()))
	}
	require.JSONEq(t, string(v.Registration), string(recorded.JSON()))
}

// A device gives no number to two one-time pre-keys, whatever was used.
func TestIssue(t *testing.T) {
	h := newHuman(t, 1)
	d, _, err := h.devices[0].Issue(5)
	require.NoError(t, err)
	d = d.EraseOneTime(1, 2, 3).EraseOneTime().EraseOneTime(4, 5).EraseOneTime(5)
	require.Empty(t, d.oneTime)
	_, again, err := d.Issue(1)
	require.NoError(t, err)
	require.Equal(t, uint32(6), again[0].ID())
	for _, n := range []int{-1, 0, directory.MaxOneTime + 1} {
		_, _, err = d.Issue(n)
		require.ErrorIs(t, err, ErrNotReady)
	}
	d.issued = ^uint32(0) - 1
	_, _, err = d.Issue(2)
	require.ErrorIs(t, err, ErrNotReady, "numbers are never begun anew")

	// G25: keys that were claimed and are never used do not keep the device from issuing others.
	full := h.devices[0]
	for range directory.MaxOneTime {
		full.issued++
		full.oneTime = append(full.oneTime, ownOneTime{id: full.issued})
	}
	renewed, _, err := full.Issue(2)
	require.NoError(t, err)
	require.Len(t, renewed.oneTime, directory.MaxOneTime)
	require.Equal(t, uint32(3), renewed.oneTime[0].id)
	require.Equal(t, uint32(directory.MaxOneTime+2), renewed.issued)
	require.Len(t, full.oneTime, directory.MaxOneTime)
	require.Equal(t, uint32(1), full.oneTime[0].id)
}
