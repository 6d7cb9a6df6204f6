package ratchet_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// device is a member with a vault: everything it does goes through frames.
type device struct {
	name  string
	store *store.Memory
	vault *state.Vault[ratchet.Space]
	read  []string
}

// relay hands every frame to every device, in order.
type relay struct {
	t       *testing.T
	ctx     context.Context
	now     time.Time
	id      state.ID
	key     state.Key
	devices []*device
	events  []string
}

func newRelay(t *testing.T) *relay {
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	return &relay{t: t, ctx: context.Background(), now: ratchettest.Day0, key: key}
}

func (r *relay) open(backend *store.Memory) *state.Vault[ratchet.Space] {
	v, err := state.Open[ratchet.Space](r.ctx, backend, r.key, state.Options{
		Now:    func() time.Time { return r.now },
		Events: func(_ state.ID, e state.Event) { r.events = append(r.events, e.String()) },
	})
	require.NoError(r.t, err)
	return v
}

func (r *relay) add(name string, s ratchet.Space, frames ...[]byte) *device {
	d := &device{name: name, store: store.NewMemory()}
	d.vault = r.open(d.store)
	r.id = s.ID()
	require.NoError(r.t, d.vault.Create(r.ctx, s, func(tx *state.Tx[ratchet.Space]) error {
		for _, f := range frames {
			tx.Send("space", f)
		}
		return nil
	}))
	r.devices = append(r.devices, d)
	return d
}

// say sends a text, in one commit with the state that sealed it.
func (r *relay) say(d *device, text string) {
	require.NoError(r.t, d.vault.Update(r.ctx, r.id, func(tx *state.Tx[ratchet.Space]) error {
		next, e, err := ratchet.Encrypt(tx.Value(), r.now, []byte(text))
		if err != nil {
			return err
		}
		tx.Set(next)
		tx.Send("space", e)
		return nil
	}))
}

// run moves frames until there are none left, and collects what was read.
func (r *relay) run() {
	opener := ratchet.Opener(ratchet.Options{Topic: "space", Now: func() time.Time { return r.now }})
	for again := true; again; {
		again = false
		for _, from := range r.devices {
			var frames [][]byte
			_, err := from.vault.Flush(r.ctx, r.id, func(_ context.Context, o state.Outgoing) state.Delivery {
				frames = append(frames, slices.Clone(o.Data))
				return state.Delivered()
			})
			require.NoError(r.t, err)
			for _, f := range frames {
				again = true
				for _, to := range r.devices {
					_, err := to.vault.Receive(r.ctx, r.id, state.Frame{Source: from.name, Data: f}, opener)
					require.NoError(r.t, err)
				}
			}
		}
	}
	for _, d := range r.devices {
		require.NoError(r.t, d.vault.Drain(r.ctx, r.id, func(_ context.Context, in state.Incoming) error {
			m, err := ratchet.ParseMessage(in.Data)
			d.read = append(d.read, string(m.Plaintext))
			return err
		}))
		d.vault = r.open(d.store) // and everything goes on from what is stored
	}
}

// A space lives in vaults: founding, joining, talking, with every device reopened from its store after every step (G1, G4,
// G8, G9).
func TestVaults(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	s, err := ratchet.NewSpace(r.now, ratchet.Policy{})
	require.NoError(t, err)
	alice := r.add("alice", s)
	var want []string
	for i := range 4 {
		var grant ratchet.Grant
		require.NoError(t, alice.vault.Update(r.ctx, r.id, func(tx *state.Tx[ratchet.Space]) error {
			next, g, err := ratchet.NewGrant(tx.Value(), r.now, dkg.Private)
			tx.Set(next)
			grant = g
			return err
		}))
		joined, q, err := ratchet.Join(grant, r.now, []byte(fmt.Sprint("member ", i)))
		require.NoError(t, err)
		r.add(fmt.Sprint("d", i), joined, q)
		r.run()
		r.now = r.now.Add(10 * time.Minute)
	}
	for i := range 30 {
		r.now = r.now.Add(5 * time.Hour)
		for k, d := range r.devices {
			if (i+k)%2 == 0 {
				text := fmt.Sprint(d.name, " ", i)
				want = append(want, text)
				r.say(d, text)
			}
		}
		r.run()
	}
	var epoch [32]byte
	for i, d := range r.devices {
		s, err := d.vault.Load(r.ctx, r.id)
		require.NoError(t, err)
		require.Equal(t, ratchet.Member, ratchet.Info(s).Phase, d.name)
		require.Len(t, ratchet.Members(s), 5)
		id := ratchet.Info(s).Epoch
		if i > 0 {
			require.Equal(t, epoch, id, d.name)
		}
		epoch = id
		own := slices.DeleteFunc(slices.Clone(want), func(text string) bool { return len(text) > len(d.name) && text[:len(d.name)] == d.name })
		require.ElementsMatch(t, own, d.read, d.name)
	}
}
