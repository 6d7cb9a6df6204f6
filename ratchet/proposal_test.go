package ratchet

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/dkg/ceremony"
	"github.com/trefoil-im/trefoil/dkg/frost"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// holding is a root owner key that several people hold, person 0 first.
type holding struct {
	t      *testing.T
	key    threshold.Key
	shares []threshold.Share
}

// share takes the root owner key out of a device and shares it out among n people, of whom two sign.
func (x *node) share(t *testing.T, n int) holding {
	var seed []byte
	x.do(step.TakeRootKey(func(k []byte) error { seed = k; return nil }))
	whole, err := threshold.Whole(seed)
	require.NoError(t, err)
	require.Equal(t, Info(x.space).RootKey.Bytes(), whole.Key().Public())
	parties, runs := make([]ceremony.Party, n), make([]ceremony.Run, n)
	identities := make([]ed25519.PrivateKey, n)
	for i := range parties {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		parties[i], identities[i] = ceremony.Party{Index: threshold.Index(i + 1), Key: public}, private
	}
	s, err := ceremony.NewResharing(nil, whole.Key(), 2, parties[:1], parties)
	require.NoError(t, err)
	for i := range runs {
		share := threshold.Share{}
		if i == 0 {
			share = whole
		}
		runs[i], err = ceremony.Begin(s, identities[i], share)
		require.NoError(t, err)
	}
	for range 4 {
		for _, from := range runs {
			for _, m := range from.Messages() {
				for i := range runs {
					runs[i], err = runs[i].Receive(m)
					require.NoError(t, err)
				}
			}
		}
	}
	h := holding{t: t}
	for _, r := range runs {
		result, err := r.Result()
		require.NoError(t, err)
		h.key, h.shares = result.Key, append(h.shares, result.Share)
	}
	return h
}

// sign returns what some people sign together.
func (h holding) sign(message []byte, people ...int) []byte {
	h.t.Helper()
	var nonces []*frost.Nonce
	var commitments []frost.Commitment
	for _, i := range people {
		n, c := frost.Commit(h.shares[i])
		nonces, commitments = append(nonces, n), append(commitments, c)
	}
	p, err := frost.NewPackage(h.key, message, commitments)
	require.NoError(h.t, err)
	var parts []frost.SignatureShare
	for _, n := range nonces {
		z, err := n.Sign(p)
		require.NoError(h.t, err)
		parts = append(parts, z)
	}
	sig, err := p.Aggregate(parts)
	require.NoError(h.t, err)
	return sig
}

// proposes returns the bytes by which some members are to be the owners.
func (x *node) proposes(owners ...*node) []byte {
	var indices []dkg.Index
	for _, o := range owners {
		indices = append(indices, o.place())
	}
	slices.Sort(indices)
	b, err := ProposeOwners(x.space, indices...)
	require.NoError(x.net.t, err)
	named, err := ProposedOwners(x.space, b)
	require.NoError(x.net.t, err)
	require.Equal(x.net.t, indices, named)
	return b
}

// owned requires that all devices agree on who the owners are.
func (n *network) owned(all []*node, owners ...*node) {
	n.t.Helper()
	for _, x := range all {
		require.Equal(n.t, slices.Contains(owners, x), Info(x.space).Owner, x.name)
		require.Len(n.t, stateOf(x.space).me().owners.Keys, len(owners), x.name)
	}
}

// Two of three who hold the root owner key name the owners, whether the device that held it before is there or lost. The device of an owner
// that is lost is taken off the list and removed, and its person comes back. Less than two sign nothing.
func TestSharedRootKey(t *testing.T) {
	n, all := sharable(t, 180)
	founder, b, c, d := all[0], all[1], all[2], all[3]
	h := founder.share(t, 3)
	for _, x := range all {
		require.False(t, Info(x.space).HoldsRootKey)
		require.Equal(t, h.key.Public(), Info(x.space).RootKey.Bytes())
	}
	require.ErrorIs(t, founder.try(step.SetOwners(b.place())), ErrPhase)
	require.ErrorIs(t, founder.try(step.HandOver(b.place())), ErrPhase)

	m := d.proposes(founder, b)
	sig := h.sign(m, 1, 2)
	require.ErrorIs(t, d.try(step.PutOwners(m, sig)), ErrPolicy, "it is not among them")
	n.restartAll()
	b.do(step.PutOwners(m, sig))
	n.settle()
	n.owned(all, founder, b)
	for _, x := range all {
		require.True(t, x.has(OwnersChanged), x.name)
	}
	n.hears(all...)
	y := n.member(b, "y")
	all = append(all, y)

	founder.offline = true // for ever; it deals from what it has, and so would its thief
	b.offline = true       // for a while
	m = c.proposes(c, d)
	n.restartAll()
	sig = h.sign(m, 1, 2)
	c.do(step.PutOwners(m, sig))
	n.settle()
	b.offline = false
	n.settle()
	n.owned(all[1:], c, d)
	c.do(step.Remove(founder.place()))
	n.settle()
	z := n.join(d.invite(invite.Private(0)), "founder again")
	n.settle()
	n.hears(b, c, d, all[4], y, z)
	founder.offline = false
	require.NoError(t, founder.try(step.Rekey()), "it has not heard")
	n.settle()
	n.hours(2)
	require.Equal(t, Removed, founder.phase())
	n.hears(b, c, d, all[4], y, z)
}

// Whoever has fewer shares than it takes, or shares of another key, puts no list in place. Of those who sign, whoever cheats is named, and
// the others sign without it.
func TestThiefOfOneShare(t *testing.T) {
	n, all := sharable(t, 181)
	founder, b := all[0], all[1]
	h := founder.share(t, 3)
	m := b.proposes(b)
	_, c := frost.Commit(h.shares[1])
	_, err := frost.NewPackage(h.key, m, []frost.Commitment{c})
	require.ErrorIs(t, err, frost.ErrPackage)

	other := suite.NewSigningKey(suite.Ed448)
	origin := stateOf(b.space).me().origin
	l, err := proto.ParseOwnerMessage(m, origin)
	require.NoError(t, err)
	forged, err := proto.NewOwnerList(other, origin, l.Counter, l.Since, l.Keys...)
	require.NoError(t, err)
	for _, sig := range [][]byte{nil, make([]byte, 114), forged.Signature, h.sign(founder.proposes(founder, b), 0, 1)} {
		require.ErrorIs(t, b.try(step.PutOwners(m, sig)), ErrPolicy)
	}

	cheat, c0 := frost.Commit(h.shares[0])
	honest, c1 := frost.Commit(h.shares[1])
	p, err := frost.NewPackage(h.key, m, []frost.Commitment{c0, c1})
	require.NoError(t, err)
	z0, err := cheat.Sign(p)
	require.NoError(t, err)
	z1, err := honest.Sign(p)
	require.NoError(t, err)
	raw := z0.Bytes()
	raw[1] ^= 1
	bad, err := frost.ParseSignatureShare(raw)
	require.NoError(t, err)
	_, err = p.Aggregate([]frost.SignatureShare{bad, z1})
	var cheater *frost.CheaterError
	require.ErrorAs(t, err, &cheater)
	require.Equal(t, []threshold.Index{1}, cheater.Participants)
	b.do(step.PutOwners(m, h.sign(m, 1, 2)))
	n.settle()
	n.owned(all, b)
}

// An owner that is to be taken off makes one rekey after another while people sign, and one at the moment in which the list is put in place.
// The list counts all the same, for whoever joined meanwhile too, and the owner moves nobody from then on.
func TestRekeysWhileSigning(t *testing.T) {
	seeds(t, 182, func(t *testing.T, seed uint64) {
		n, all := sharable(t, seed)
		founder, b, c := all[0], all[1], all[2]
		h := founder.share(t, 3)
		m := b.proposes(founder, b, c)
		b.do(step.PutOwners(m, h.sign(m, 0, 2)))
		n.settle()
		m = c.proposes(founder, c)
		for range 3 {
			b.do(step.Rekey())
			n.settle()
		}
		y := n.member(b, "y")
		all = append(all, y)
		sig := h.sign(m, 0, 2)
		b.do(step.Rekey())
		c.do(step.PutOwners(m, sig)) // and neither has heard of the other
		n.settle()
		n.owned(all, founder, c)
		require.ErrorIs(t, b.try(step.Rekey()), ErrPhase)
		n.hours(3)
		n.owned(all, founder, c)
		n.hears(all...)
		c.do(step.Remove(b.place()))
		n.settle()
		n.hears(founder, c, all[3], all[4], y)
	})
}

// Of lists that were signed with one counter all members come to the same one. A list that waits for the end of the mailbox is stored, and
// let go when another one comes to count.
func TestListsOfProposers(t *testing.T) {
	seeds(t, 186, func(t *testing.T, seed uint64) {
		n, all := sharable(t, seed)
		founder, b, c, d := all[0], all[1], all[2], all[3]
		h := founder.share(t, 3)
		one, two := b.proposes(b, d), c.proposes(c, d)
		first, second := h.sign(one, 0, 1), h.sign(two, 1, 2)
		b.do(step.PutOwners(one, first))
		c.do(step.PutOwners(two, second))
		n.settle()
		n.hours(3)
		winner, loser, m, sig := b, c, two, second
		if Info(c.space).Owner {
			winner, loser, m, sig = c, b, one, first
		}
		n.owned(all, winner, d)
		n.hears(all...)
		require.ErrorIs(t, loser.try(step.PutOwners(m, sig)), ErrPolicy)

		late, sooner := d.proposes(d, founder), winner.proposes(winner)
		n.now = n.now.Add(2 * time.Hour)
		d.do(step.PutOwners(late, h.sign(late, 0, 2)))
		require.False(t, stateOf(d.space).rekeys.Value().Draft.IsZero(), "it waits for the end of the mailbox")
		d.restart()
		l, err := proto.ParseOwnerMessage(late, stateOf(d.space).me().origin)
		require.NoError(t, err)
		winner.sync()
		for { // whoever counts before the other is a matter of hashes
			sig := h.sign(sooner, 0, 1)
			s, err := proto.ParseOwnerMessage(sooner, stateOf(d.space).me().origin)
			require.NoError(t, err)
			s.Signature, l.Signature = sig, stateOf(d.space).rekeys.Value().Draft.Wish().Signed.Signature
			if s.Newer(l) {
				winner.do(step.PutOwners(sooner, sig))
				break
			}
		}
		n.settle()
		require.True(t, stateOf(d.space).rekeys.Value().Draft.IsZero())
		n.owned(all, winner)
		n.hears(all...)
	})
}

// Who signs is shown whom a list names, and none that could not count.
func TestProposedOwnersRefuses(t *testing.T) {
	n, all := sharable(t, 189)
	founder, b := all[0], all[1]
	_, others := sharable(t, 190)
	good := b.proposes(b)
	me := stateOf(b.space).me()
	message := func(counter, since uint64, keys ...suite.PublicKey) []byte {
		l, err := proto.UnsignedOwnerList(counter, since, keys...)
		require.NoError(t, err)
		return l.Message(me.origin)
	}
	own := me.signing.Public
	for name, m := range map[string][]byte{
		"nothing": nil, "cut": good[:len(good)-1], "longer": append(slices.Clone(good), 0), "another space": others[1].proposes(others[1]),
		"an old counter": message(me.owners.Counter-1, 1, own), "a stranger": message(2, 1, own, suite.NewSigningKey(suite.Ed25519).Public),
	} {
		_, err := ProposedOwners(b.space, m)
		require.ErrorIs(t, err, ErrPolicy, name)
		require.ErrorIs(t, b.try(step.PutOwners(m, nil)), ErrPolicy, name)
	}
	require.Equal(t, rules.Policy{Scheme: rules.Ed25519, RootScheme: rules.Ed448, KEM: rules.X25519}, Info(b.space).Policy)
	_, err := ProposedOwners(b.space, message(1, 1, own))
	require.ErrorIs(t, err, ErrPolicy, "the counter of the list that counts")
	for name, m := range map[string][]byte{"a root that is not there": message(2, 2, own), "a list that is not there": message(3, 1, own)} {
		_, err := ProposedOwners(b.space, m)
		require.ErrorIs(t, err, ErrPhase, name)
	}
	for _, indices := range [][]dkg.Index{nil, {99}, {founder.place(), 99}} {
		_, err := ProposeOwners(b.space, indices...)
		require.ErrorIs(t, err, ErrPolicy)
	}
	gone := b.proposes(b, all[4])
	founder.do(step.Remove(all[4].place()))
	n.settle()
	_, err = ProposedOwners(b.space, gone)
	require.ErrorIs(t, err, ErrPolicy)
	x := n.join(founder.invite(invite.Private(0)), "x")
	_, err = ProposeOwners(x.space, 1)
	require.ErrorIs(t, err, ErrPhase)
	_, err = ProposedOwners(x.space, good)
	require.ErrorIs(t, err, ErrPhase)
	require.True(t, Info(x.space).RootKey.IsZero())
}

// sharable is five, in a space whose root owner key several people can hold.
func sharable(t *testing.T, seed uint64) (*network, []*node) {
	return fiveWith(t, seed, rules.Policy{RootScheme: rules.Ed448})
}

// seeds runs a test with one seed, in the long suite with 40.
func seeds(t *testing.T, first uint64, f func(*testing.T, uint64)) {
	count := uint64(1)
	if os.Getenv("TREFOIL_LONG") != "" {
		count = 40
	}
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { f(t, seed) })
	}
}

// restartAll takes all devices through their vaults.
func (n *network) restartAll() {
	for _, x := range n.all {
		x.restart()
	}
}
