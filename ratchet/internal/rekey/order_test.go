package rekey_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Of one generation the root counts first whose signer stands first in the newest list of that generation; of one signer two count and four
// in all. From the generation on that carries the newest list, roots of others are barred, and not what carries it below them. Below a root that
// is one too many all are, but for what carries the newest list where that one does not.
func TestOrder(t *testing.T) {
	root := suite.NewSigningKey(suite.Ed25519)
	origin := proto.NewOrigin(root.Public)
	owners := make([]suite.SigningKey, 5)
	keys := make([]suite.PublicKey, 5)
	for i := range owners {
		owners[i] = suite.NewSigningKey(suite.Ed25519)
		keys[i] = owners[i].Public
	}
	list := func(counter, since uint64, keys ...suite.PublicKey) proto.OwnerList {
		l, err := proto.NewOwnerList(root, origin, counter, since, keys...)
		require.NoError(t, err)
		return l
	}
	old, newest := list(1, 0, keys...), list(2, 1, keys[1:]...)
	at := func(id byte, g uint64, l proto.OwnerList, signer int, above byte) rekey.Standing {
		return rekey.Standing{ID: proto.EpochID{id}, Rekey: g, Owners: l, Signer: keys[signer], Above: proto.EpochID{above}}
	}
	all := []rekey.Standing{
		at(1, 0, old, 0, 0),
		at(2, 1, old, 0, 1), at(3, 1, newest, 1, 1), at(4, 1, newest, 1, 1), at(5, 1, newest, 1, 1), at(6, 1, newest, 2, 1),
		at(7, 2, newest, 3, 2), at(8, 2, newest, 3, 3), at(9, 2, newest, 4, 5), at(10, 2, old, 0, 2),
		at(11, 3, newest, 2, 9), at(12, 3, newest, 3, 10), at(13, 3, old, 3, 3),
	}
	ranks := rekey.Order(all, newest)
	require.False(t, ranks[proto.EpochID{1}].Barred)
	require.True(t, ranks[proto.EpochID{2}].Barred, "of an owner that was taken off")
	place, _ := newest.PlaceOf(keys[1])
	require.Equal(t, rekey.Rank{Place: place}, ranks[proto.EpochID{3}])
	require.Equal(t, rekey.Rank{Place: place}, ranks[proto.EpochID{4}])
	require.True(t, ranks[proto.EpochID{5}].Barred, "the third of one signer")
	require.False(t, ranks[proto.EpochID{6}].Barred)
	require.False(t, ranks[proto.EpochID{7}].Barred, "the list that counts, below a barred one")
	require.True(t, ranks[proto.EpochID{9}].Barred, "below the third of one signer")
	require.True(t, ranks[proto.EpochID{10}].Barred)
	require.True(t, ranks[proto.EpochID{11}].Barred, "two below it")
	require.False(t, ranks[proto.EpochID{12}].Barred, "two barred ones above")
	require.True(t, ranks[proto.EpochID{13}].Barred, "another list")
	require.False(t, ranks[proto.EpochID{8}].Barred)
	require.EqualValues(t, 255, ranks[proto.EpochID{2}].Place)

	later := list(3, 2, keys[1:]...)
	ranks = rekey.Order([]rekey.Standing{
		at(1, 0, old, 0, 0), at(2, 1, old, 0, 1), at(3, 1, old, 0, 1), at(4, 1, old, 0, 1), at(5, 2, later, 1, 4), at(6, 3, later, 1, 5),
	}, later)
	require.True(t, ranks[proto.EpochID{4}].Barred, "the third of one signer, whenever it made the others")
	require.False(t, ranks[proto.EpochID{5}].Barred, "the list that counts, below one too many with another list")
	require.False(t, ranks[proto.EpochID{6}].Barred)
}
