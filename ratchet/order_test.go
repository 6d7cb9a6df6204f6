package ratchet

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// traffic is what is on its way to each peer.
type traffic struct {
	*group
	r     *rand.Rand
	queue map[*peer][][]byte
	sent  map[string]*peer
	want  map[*peer]map[string]bool
}

func newTraffic(g *group, seed uint64) *traffic {
	n := &traffic{group: g, r: rand.New(rand.NewPCG(seed, 0)), queue: map[*peer][][]byte{}, sent: map[string]*peer{}, want: map[*peer]map[string]bool{}}
	for _, p := range g.peers {
		n.want[p] = map[string]bool{}
	}
	return n
}

// post puts what a peer sends into the queues of the others, less what is lost.
func (n *traffic) post(from *peer, text string, loss float64) {
	if text != "" {
		require.NoError(n, from.update(Send(from.options(), []byte(text))))
	}
	for _, f := range from.take() {
		for _, p := range n.peers {
			if p != from && n.r.Float64() >= loss {
				n.queue[p] = append(n.queue[p], f)
				if text != "" {
					n.want[p][text] = true
				}
			}
		}
	}
}

// deliver gives a peer one of what waits for it, at random.
func (n *traffic) deliver(p *peer) {
	q := n.queue[p]
	if len(q) == 0 {
		return
	}
	i := n.r.IntN(len(q))
	f := q[i]
	n.queue[p] = append(q[:i:i], q[i+1:]...)
	p.receive(f, "relay")
}

// settle delivers everything, and lets all do what is due until nothing is.
func (n *traffic) settle() {
	for range 40 {
		busy := false
		for _, p := range n.peers {
			for len(n.queue[p]) > 0 {
				n.deliver(p)
				busy = true
			}
			require.NoError(n, p.update(Maintain(p.options())))
			_, err := p.vault.Retry(n.Context(), p.id, Opener(p.options()))
			require.NoError(n, err)
			p.drain()
			n.post(p, "", 0)
		}
		n.pass(10 * time.Minute)
		if !busy {
			return
		}
	}
}

// check asserts that each peer read each text that it was given once.
func (n *traffic) check() {
	for _, p := range n.peers {
		got := map[string]int{}
		for _, text := range p.texts() {
			got[text]++
		}
		for text := range n.want[p] {
			require.Equal(n, 1, got[text], "member %d reads %q", p.index, text)
		}
		require.Len(n, got, len(n.want[p]))
	}
}

// G12: everything that is delivered is read once, in any order, by senders acting at the same time, with restarts in between.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			n := newTraffic(newGroup(t, 4, rules.Policy{}), seed)
			for i := range 60 {
				p := n.peers[n.r.IntN(len(n.peers))]
				switch n.r.IntN(8) {
				case 0:
					n.pass(time.Duration(n.r.IntN(40)) * time.Hour)
				case 1:
					p.open()
				case 2, 3, 4:
					n.deliver(p)
				default:
					n.post(p, fmt.Sprintf("%d of %d", i, p.index), 0)
				}
			}
			n.settle()
			n.check()
			n.agree()
		})
	}
}

// G12 with loss: what is delivered is read, whatever else is not.
func TestAnyOrderWithLoss(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			n := newTraffic(newGroup(t, 4, rules.Policy{}), 100+seed)
			for i := range 60 {
				p := n.peers[n.r.IntN(len(n.peers))]
				switch n.r.IntN(6) {
				case 0:
					n.pass(time.Duration(n.r.IntN(30)) * time.Hour)
				case 1, 2:
					n.deliver(p)
				default:
					n.post(p, fmt.Sprintf("%d of %d", i, p.index), 0.2)
				}
			}
			for range 12 { // others go on, and show what was lost
				for _, p := range n.peers {
					n.post(p, fmt.Sprintf("later %d of %d", n.r.Int(), p.index), 0)
				}
				n.settle()
			}
			n.check()
			n.agree()
		})
	}
}
