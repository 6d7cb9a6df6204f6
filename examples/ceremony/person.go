package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/dkg/ceremony"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// person is somebody who takes part, with stores of their own.
type person struct {
	name     string
	identity ed25519.PrivateKey
	party    ceremony.Party
	share    threshold.Share
	runs     *state.Vault[state.One[ceremony.Run]]
	sent     int

	// cheat is what a cheater shows to Bob in the place of its first message. Others have none.
	cheat []byte
	first []byte

	// What the person has of the space: the client's store and what opens it, the place, and the share of the root owner key.
	key    state.Key
	store  store.Store
	line   trefoil.Transport
	client *trefoil.Client
	space  state.ID
	place  dkg.Index
	shares *state.Vault[state.One[threshold.Share]]
	setup  ceremony.Setup // the ceremony in which the person takes part
	heard  []heard        // of signatures, in memory only
}

func newPerson(ctx context.Context, network *transporttest.Network, name string, i threshold.Index) (*person, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, state.KeySize)
	rand.Read(raw)
	key, err := state.NewKey(raw)
	if err != nil {
		return nil, err
	}
	own := store.NewMemory() // of the program, beside the client's
	runs, err := state.Open[state.One[ceremony.Run]](ctx, own, key, state.Options{})
	if err != nil {
		return nil, err
	}
	shares, err := state.Open[state.One[threshold.Share]](ctx, own, key, state.Options{})
	if err != nil {
		return nil, err
	}
	return &person{
		name: name, identity: private, party: ceremony.Party{Index: i, Key: public}, runs: runs,
		key: key, store: store.NewMemory(), line: network.Device(name), shares: shares,
	}, nil
}

// begin stores the person's run of a ceremony, to which it brings its share of the key, if it has one. The ceremony's ID names its row.
func (p *person) begin(ctx context.Context, s ceremony.Setup, share threshold.Share) error {
	r, err := ceremony.Begin(s, p.identity, share)
	if err != nil {
		return err
	}
	o, err := state.NewOne(state.ID(s.ID()), r)
	if err != nil {
		return err
	}
	p.setup, p.sent, p.first = s, 0, r.Messages()[0]
	return p.runs.Create(ctx, o, nil)
}

// load returns the run as it is stored.
func (p *person) load(ctx context.Context, s ceremony.Setup) (ceremony.Run, error) {
	o, err := p.runs.Load(ctx, state.ID(s.ID()))
	return o.Part(), err
}

// receive takes a message in and stores the run. Only then does anybody see what the person says next.
func (p *person) receive(ctx context.Context, s ceremony.Setup, message []byte) error {
	return p.runs.Update(ctx, state.ID(s.ID()), func(tx *state.Tx[state.One[ceremony.Run]]) error {
		next, err := tx.Value().Part().Receive(message)
		if err == nil {
			tx.Set(tx.Value().With(next))
		}
		return err
	})
}

// shows returns the message that a receiver sees in the place of what the person said.
func (p *person) shows(to *person, message []byte) []byte {
	if p.cheat != nil && to.name == "Bob" && bytes.Equal(message, p.first) {
		return p.cheat
	}
	return message
}

// says returns what the person has not sent yet.
func (p *person) says(ctx context.Context, s ceremony.Setup) ([][]byte, error) {
	r, err := p.load(ctx, s)
	if err != nil {
		return nil, err
	}
	out := r.Messages()[p.sent:]
	p.sent += len(out)
	return out, nil
}
