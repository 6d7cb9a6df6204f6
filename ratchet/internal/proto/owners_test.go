package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// sharedList returns a root owner key that several people could hold, its origin, and a list that is to be signed with it.
func sharedList(t testing.TB, owners int) (suite.SigningKey, Origin, OwnerList) {
	t.Helper()
	root, err := suite.ParseSigningKey(suite.Ed448, secret.New(make([]byte, suite.Ed448.SeedSize())))
	require.NoError(t, err)
	var keys []suite.PublicKey
	for i := range owners {
		seed := make([]byte, suite.Ed25519.SeedSize())
		seed[0] = byte(i)
		k, err := suite.ParseSigningKey(suite.Ed25519, secret.New(seed))
		require.NoError(t, err)
		keys = append(keys, k.Public)
	}
	l, err := UnsignedOwnerList(2, 1, keys...)
	require.NoError(t, err)
	return root, Origin{RootOwner: root.Public}, l
}

// What is signed outside of an owner list has the size that SPEC §10 gives, reads back, and is of one space. A signature of it is that of
// the list.
func TestOwnerMessage(t *testing.T) {
	for _, n := range []int{1, 3, MaxOwners} {
		root, origin, l := sharedList(t, n)
		m := l.Message(origin)
		require.Len(t, m, 71+34*n)
		back, err := ParseOwnerMessage(m, origin)
		require.NoError(t, err)
		require.Equal(t, l, back)
		signed, err := NewOwnerList(root, origin, l.Counter, l.Since, l.Keys...)
		require.NoError(t, err)
		back.Signature = signed.Signature
		require.NoError(t, back.Verify(origin))
		_, err = ParseOwnerMessage(m, NewOrigin(root.Public))
		require.ErrorIs(t, err, wire.ErrMalformed, "another space")
	}
	_, err := UnsignedOwnerList(2, 1)
	require.ErrorIs(t, err, suite.ErrInvalid)
}

func FuzzOwnerMessage(f *testing.F) {
	_, origin, l := sharedList(f, 2)
	parse := func(b []byte) (OwnerList, error) { return ParseOwnerMessage(b, origin) }
	wiretest.Fuzz(f, parse, func(l OwnerList) []byte { return l.Message(origin) }, l.Message(origin))
}
