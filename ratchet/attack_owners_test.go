package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
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
	me.signing = stateOf(b.space).me().signing
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

// An owner takes rights back, and changes them, also where as many members have a role as may.
func TestRightsAreTakenBackFromAsManyAsMay(t *testing.T) {
	now := day0
	var others []person
	var indices []dkg.Index
	for i := range dkg.Index(proto.MaxRoles + 1) {
		others = append(others, newPerson(i+2, suite.Ed25519X25519, now.UnixMilli(), nil))
		indices = append(indices, i+2)
	}
	g, err := newGenesis(now, rules.Policy{KEM: rules.X25519}, nil, others...)
	require.NoError(t, err)
	s, err := g.found(g.founder)
	require.NoError(t, err)
	appoint := func(rights rules.Rights, to ...dkg.Index) error {
		next, _, err := Take(s, now, step.Appoint(rights, to...))
		if err == nil {
			s = next
		}
		return err
	}
	require.ErrorIs(t, appoint(rules.MayTitle, indices...), ErrPolicy)
	require.NoError(t, appoint(rules.MayTitle, indices[1:]...))
	require.ErrorIs(t, appoint(rules.MayTitle, indices[0]), ErrPolicy)
	require.NoError(t, appoint(rules.MayTitle|rules.MayInvite, indices[1]))
	require.NoError(t, appoint(0, indices[1], indices[2]))
	require.NoError(t, appoint(rules.MayTitle, indices[0]))
}

// A removal by a role that an owner list overtook is not said for ever.
func TestRemovalOfANewOwnerIsNotRepeated(t *testing.T) {
	n, all := five(t, 206)
	founder, b, e := all[0], all[1], all[4]
	founder.do(step.Appoint(rules.MayRemove, b.place()))
	n.settle()
	founder.offline = true
	b.do(step.Remove(e.place()))
	for _, x := range all[1:] {
		x.sync()
	}
	mail := founder.mailbox
	founder.mailbox = nil
	founder.owners(founder, e)
	founder.sync()
	founder.maintain()
	require.EqualValues(t, 1, founder.gen())
	founder.offline = false
	founder.mailbox = append(founder.mailbox, mail...)
	n.hours(3)
	for k := range 3 {
		n.forget()
		require.NoError(t, b.edit(func(d *edit) error { d.st.rhythm.commit = true; return d.say(inner(fmt.Sprint(k))) }))
		n.settle()
		require.False(t, Due(b.space, n.now).Owe)
	}
	said := 0
	d, _, r := b.standing()
	for _, s := range r.Statements() {
		if _, ok := s.(proto.Revoke); ok {
			said++
		}
	}
	_ = d
	require.Zero(t, said)
}

// Owners that were named while the mailbox was not read to its end are the owners, although the root owner key left the device meanwhile.
func TestOwnersAreNamedAlthoughTheKeyLeft(t *testing.T) {
	n, all := five(t, 207)
	founder, b := all[0], all[1]
	n.now = n.now.Add(2 * time.Hour)
	founder.owners(founder, b)
	require.EqualValues(t, 0, founder.gen(), "the mailbox was not read")
	founder.do(step.TakeRootKey(func([]byte) error { return nil }))
	founder.restart()
	n.settle()
	for _, x := range all {
		require.True(t, x.has(OwnersChanged), x.name)
	}
	require.True(t, Info(b.space).Owner)
}
