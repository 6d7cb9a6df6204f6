package ratchet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
)

var day0 = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestSlice(t *testing.T) {
	alice, err := ratchet.NewSpace(day0, ratchet.Policy{})
	require.NoError(t, err)
	alice, grant, err := ratchet.DrawGrant(alice, day0, dkg.Private)
	require.NoError(t, err)
	bob, request, err := ratchet.Join(grant, day0, []byte("bob"))
	require.NoError(t, err)
	alice, ticket, err := ratchet.Admit(alice, day0, request)
	require.NoError(t, err)
	bob, err = ratchet.Enter(bob, day0, ticket)
	require.NoError(t, err)
	bob, e, err := ratchet.Encrypt(bob, day0, []byte("hello"))
	require.NoError(t, err)
	alice, m, err := ratchet.Decrypt(alice, day0, e)
	require.NoError(t, err)
	require.Equal(t, "hello", string(m.Plaintext))
	require.True(t, m.Verified)
	alice, e, err = ratchet.Encrypt(alice, day0, []byte("welcome"))
	require.NoError(t, err)
	bob, m, err = ratchet.Decrypt(bob, day0, e)
	require.NoError(t, err)
	require.Equal(t, "welcome", string(m.Plaintext))
	a, err := ratchet.Authenticator(alice)
	require.NoError(t, err)
	b, err := ratchet.Authenticator(bob)
	require.NoError(t, err)
	require.Equal(t, a, b)
	require.Len(t, ratchet.Members(bob), 2)
}
