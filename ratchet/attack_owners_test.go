package ratchet

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Who has two places under one key hides no stranger in a list that is to be signed.
func TestProposalWithAStranger(t *testing.T) {
	n, all := five(t, 204)
	founder, b := all[0], all[1]
	public := founder.invite(invite.Public(16, 0))
	n.settle()
	link, err := openLink(public)
	require.NoError(t, err)
	keys, err := link.Keys()
	require.NoError(t, err)
	again := b.taking(public, link.First+3, "b again")
	d, _, r := again.standing()
	me := d.st.me()
	me.signing = b.space.State().me().signing
	me.binding = proto.NewBinding(d.st.space, me.index, me.rest.Hash(), keys.Admission, me.signing)
	d.setIdentity(me)
	again.space = d.space()
	again.send("one person, two places")
	again.mailbox = nil
	n.all = all
	n.settle()
	propose := func(keys ...suite.PublicKey) []byte {
		l, err := proto.UnsignedOwnerList(me.owners.Counter+1, r.Rekey()+1, keys...)
		require.NoError(t, err)
		return l.Message(me.origin)
	}
	named, err := ProposedOwners(founder.space, propose(me.signing.Public))
	require.NoError(t, err)
	require.Equal(t, []dkg.Index{b.place(), me.index}, named)
	_, err = ProposedOwners(founder.space, propose(me.signing.Public, suite.NewSigningKey(suite.Ed25519).Public))
	require.ErrorIs(t, err, ErrPolicy)
}
