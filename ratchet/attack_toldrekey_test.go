package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// lying returns a ticket in which the place of rekeys in the tree of each epoch is false.
func lying(t *testing.T, from, to *node, frames [][]byte) [][]byte {
	require.Len(t, frames, 1)
	part, err := proto.ParsePart(frames[0])
	require.NoError(t, err)
	own, ok := stateOf(to.space).asking.Value().Find(to.space.ID(), part.Name)
	require.True(t, ok)
	got, err := proto.OpenTicket(own.Context, own.Ticket, part.Piece)
	require.NoError(t, err)
	for k, e := range got.Body.Epochs {
		other := pprf.New(secret.Random(suite.KeySize), dkg.DefaultDepth+pprf.ChildBits)
		tree, agree := e.CommitTree.Less([]dkg.Index{0, to.place()}).Unite(other.Cut([]dkg.Index{0}))
		require.True(t, agree)
		got.Body.Epochs[k].CommitTree = tree
	}
	whole, err := proto.SealTicket(own.Context, own.Ticket.Public, got.Body, stateOf(from.space).me().signing)
	require.NoError(t, err)
	split, err := proto.Split(proto.TypeTicket, own.Context.Request.Name(), whole, proto.DefaultMaxFrame)
	require.NoError(t, err)
	var out [][]byte
	for _, p := range split {
		out = append(out, p.Frame())
	}
	return out
}

// the rekey waits until the owner stands in an epoch that it derived.
func TestLiarIsRemovedByWhomItTold(t *testing.T) {
	n := newNetwork(t, 208)
	founder := n.found(rules.Policy{})
	b, liar := n.member(founder, "b"), n.member(founder, "liar")
	n.settle()
	founder.owners(founder, b)
	n.settle()
	b.offline = true
	for range 72 { // more than a ticket shows the commits of
		require.NoError(t, founder.edit(func(d *edit) error { d.st.rhythm.commit = true; return d.say(inner("commit")) }))
		liar.sync()
	}
	n.settle()
	b.mailbox = nil
	n.now = n.now.Add(2 * time.Hour)
	require.NoError(t, b.edit(func(d *edit) error { d.st.rhythm.ask = true; return d.ask() }))
	requests := liar.frames(proto.TypeRequest)
	for _, x := range n.all {
		x.mailbox = nil
	}
	require.NoError(t, liar.edit(func(d *edit) error { d.caughtUp(); return nil }))
	_, frames, err := Admit(liar.space, n.now, requests[0])
	require.NoError(t, err)
	for _, f := range lying(t, liar, b, frames) {
		b.receive(newIncoming(state.Frame{Source: "liar", Data: f}))
	}
	b.do(step.Remove(liar.place()))
	b.offline = false
	n.settle()
	n.hears(n.all...)
	n.hours(4) // another member answers
	n.hears(founder, b)
	require.Equal(t, Removed, liar.phase())
}
