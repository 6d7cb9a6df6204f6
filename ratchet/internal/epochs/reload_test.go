package epochs

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// TestReloadGoesOn: a device that is restarted after each step comes to the same forest as one that is not, whatever words it is told.
func TestReloadGoesOn(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 7))
		g := newGroup(t)
		a, b, m := g.member(1), g.member(2), g.member(3)
		j, r := g.bare(4), g.bare(4)
		if seed%2 == 1 {
			j, r = g.member(4), g.member(4)
		}
		var msgs []message
		both := func(f func(x *member) error) {
			e1, e2 := f(j), f(r)
			require.Equal(t, e1 == nil, e2 == nil, "seed %d: %v %v", seed, e1, e2)
			r.f = newDisk(t, r.f).load(g.space)
			require.Equal(t, j.f.preferred, r.f.preferred, "seed %d", seed)
			require.True(t, j.f.one(t).Equal(r.f.one(t)), "seed %d", seed)
		}
		var tickets []Ticket
		counter := uint64(1)
		for range 40 {
			switch k := rng.IntN(10); {
			case k < 3:
				x := []*member{a, b, m}[rng.IntN(3)]
				msgs = append(msgs, x.say(true))
			case k == 3:
				for _, x := range []*member{a, b, m} {
					for _, msg := range msgs {
						if rng.IntN(2) == 0 && msg.from != x.index {
							_ = x.read(msg)
						}
					}
				}
			case k == 4: // the liar signs one place twice
				p := m.preferred()
				core, ss, err := proto.NewCore(g.space, p.id, g.root.Public, m.share)
				require.NoError(t, err)
				place := core.Place(g.space, p.id, p.generation+1)
				lie := m.ticket(TicketQuery{}, counter).lie(g.root.Depth)
				path := p.path(3, place)
				v1, err := lie.Epochs[0].CommitTree.Value(path)
				require.NoError(t, err)
				vs, _ := p.values(path)
				if len(vs) == 0 {
					continue
				}
				tickets = append(tickets, lie)
				if rng.IntN(2) == 0 {
					first := lie
					first.Epochs = lie.Epochs[:1]
					both(func(x *member) error { x.merge(first); return nil })
				}
				for _, v := range []secret.Bytes{v1, vs[0].Value} {
					keys := proto.DeriveKeys(proto.EpochSecret(v, ss), place)
					shown := proto.Shown{Commit: core.Sign(g.sign[3], g.space, p.id, p.generation+1, keys.Check(place))}
					both(func(x *member) error {
						at, ok := x.f.Epoch(p.id)
						if !ok {
							return nil
						}
						c, err := x.f.Derive(at, shown, g.sign[3].Public, x.shares())
						if err == nil {
							x.f, _, err = x.f.Enter([]Candidate{c}, Reading{1, x.shares(), g.now})
						}
						return err
					})
				}
			case k == 5:
				x := []*member{a, b, m}[rng.IntN(3)]
				counter++
				tk := x.ticket(TicketQuery{Joiner: rng.IntN(2) == 0}, counter)
				if x == m && rng.IntN(2) == 0 {
					tk = tk.lie(g.root.Depth)
				}
				tickets = append(tickets, tk)
			case k == 6 && len(tickets) > 0:
				tk := tickets[rng.IntN(len(tickets))]
				if rng.IntN(3) > 0 && len(tk.Epochs) > 1 {
					tk.Epochs = tk.Epochs[:1+rng.IntN(len(tk.Epochs)-1)]
				}
				both(func(x *member) error { x.merge(tk); return nil })
			case k == 7 && j.f.Size() > 1:
				id := j.f.catalog.ids[rng.IntN(j.f.Size())].id
				why := []reason{givenUp, aged}[rng.IntN(2)]
				both(func(x *member) error {
					var c Change
					x.f, _ = x.f.drop(id, why, &c).settle(c, g.now)
					return nil
				})
			case k >= 8 && len(msgs) > 0:
				for range 4 {
					msg := msgs[rng.IntN(len(msgs))]
					both(func(x *member) error { return x.read(msg) })
				}
			}
		}
	}
}
