package ratchet

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// exchange delivers what was posted, lets each vault come to the end of its mailbox and do what is due, until nothing is posted.
func (g *group) exchange() {
	for range 30 {
		posted := false
		for _, p := range g.peers {
			for _, f := range p.take() {
				g.all(p, f)
				posted = true
			}
		}
		for _, p := range g.peers {
			for _, due := range []func(Options) error{
				func(o Options) error { return p.update(CaughtUp(o)) }, func(o Options) error { return p.update(Maintain(o)) },
			} {
				require.NoError(g, due(p.options()))
				_, err := p.vault.Retry(context.Background(), p.id, Opener(p.options()))
				require.NoError(g, err)
				p.drain()
			}
			posted = posted || len(p.out) > 0
		}
		if !posted {
			return
		}
		g.pass(20 * time.Second)
	}
	g.Fatal("no rest")
}

// A device that is offline has one request in its outbox, however often one is due.
func TestOneUnsentRequest(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 32)
	g := &group{TB: t, now: day0}
	s, err := NewSpace(g.now, rules.Policy{}, nil)
	require.NoError(t, err)
	founder := g.newPeer(s)
	var made invite.Made
	require.NoError(t, founder.update(Do(founder.options(), step.NewInvite(invite.Public(16, 0), &made))))
	s, _, err = Join(made.Link, g.now, nil)
	require.NoError(t, err)
	joiner := g.newPeer(s)
	for _, p := range []*peer{joiner, founder} {
		for range 5 {
			g.pass(25 * time.Hour)
			require.NoError(t, p.vault.Update(context.Background(), p.id, func(tx *state.Tx[Space]) error {
				d, err := newEdit(tx.Value(), g.now, Options{})
				d.st.rhythm.ask = p == founder
				tx.Set(d.space())
				return err
			}))
			require.True(t, Due(p.space(), g.now).Ask)
			require.NoError(t, p.vault.Update(context.Background(), p.id, Maintain(p.options())))
		}
		requests := 0
		p.flush()
		for _, f := range p.take() {
			if kind, err := proto.ParseType(f); err == nil && kind == proto.TypeRequest {
				requests++
			}
		}
		require.Equal(t, 1, requests)
	}
}

// A space begins with its founder, and others come by links: through vaults that are opened anew in between, as programs use it.
func TestJoinThroughVaults(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 31)
	g := &group{TB: t, now: day0}
	s, err := NewSpace(g.now, rules.Policy{}, []byte("founder"))
	require.NoError(t, err)
	founder := g.newPeer(s)
	g.peers = append(g.peers, founder)
	for k, o := range []invite.Terms{invite.Private(0), invite.Public(16, 0), invite.Direct(time.Hour)} {
		var made invite.Made
		require.NoError(t, founder.update(Do(founder.options(), step.NewInvite(o, &made))))
		l, err := invite.FromBytes(made.Link.Bytes())
		require.NoError(t, err)
		s, request, err := Join(l, g.now, []byte(fmt.Sprint("joiner ", k)))
		require.NoError(t, err)
		p := g.newPeer(s)
		p.out = append(p.out, request)
		g.peers = append(g.peers, p)
		g.exchange()
		require.Equal(t, Member, p.state().phase)
		require.True(t, p.sees(Joined))
		p.index = p.state().me().index
		p.open()
	}
	require.True(t, founder.sees(Arrived))
	g.agree()
	for _, p := range g.peers {
		p.texts()
	}
	for _, p := range g.peers {
		g.say(p, fmt.Sprint("from ", p.index))
		g.exchange()
	}
	for _, p := range g.peers {
		texts := slices.DeleteFunc(p.texts(), func(s string) bool { return s == "" })
		require.Len(t, texts, 3, "member %d read %v", p.index, texts)
	}
}
