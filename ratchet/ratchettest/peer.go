package ratchettest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// Peer is a member of a Group: a space, which a test may replace by any other at any time, and what became of the frames that its
// device was given.
type Peer struct {
	Name      string
	Space     ratchet.Space
	Read      []string
	Retained  [][]byte      // frames that cannot be read yet
	Sent      [][]byte      // what its device sent because of what it was given
	Discarded []error       // why frames will never be read
	Events    []state.Event // of the ratchet

	now    time.Time
	device *Device
	hashes [][32]byte       // of Retained
	given  map[[32]byte]int // how often a frame was given to the device
}

// Take returns what is in Sent, and empties it.
func (p *Peer) Take() [][]byte {
	out := p.Sent
	p.Sent = nil
	return out
}

// Receive gives a frame to the peer's device, and returns why it was not read.
func (p *Peer) Receive(g *Group, frame []byte) error {
	g.T.Helper()
	p.now = g.Now
	p.sync(g)
	f := p.frame(frame)
	receipt := p.device.Receive(f.Source, f.Data)
	p.Space = p.device.Space()
	p.Sent = append(p.Sent, p.device.Flush()...)
	if receipt.Verdict == state.Retain && !slices.Contains(p.hashes, f.Hash()) {
		p.Retained, p.hashes = append(p.Retained, frame), append(p.hashes, f.Hash())
	}
	for _, h := range receipt.Acknowledge {
		if i := slices.Index(p.hashes, h); i >= 0 {
			p.Retained, p.hashes = slices.Delete(p.Retained, i, i+1), slices.Delete(p.hashes, i, i+1)
		}
	}
	for _, e := range p.device.Events {
		if unread, ok := e.(state.FrameUnread); !ok {
			p.Events = append(p.Events, e)
		} else if unread.Verdict == state.Discard {
			p.Discarded = append(p.Discarded, unread.Reason)
		}
	}
	for _, m := range p.device.Read {
		p.Read = append(p.Read, string(m.Plaintext))
	}
	p.device.Read, p.device.Events = nil, nil
	return receipt.Reason
}

// frame returns a frame as from another mailbox each time it is repeated: a vault does not try again what it has dealt with, and
// tests are about what the ratchet makes of it.
func (p *Peer) frame(data []byte) state.Frame {
	h := state.Frame{Data: data}.Hash()
	f := state.Frame{Source: fmt.Sprint("mailbox ", p.given[h]), Data: data}
	if p.given[h] == 0 || !slices.Contains(p.hashes, f.Hash()) {
		p.given[h]++
		f.Source = fmt.Sprint("mailbox ", p.given[h])
	}
	return f
}

// sync has the device hold the peer's space. If a vault takes that for no successor of what it holds, or the test forgot frames,
// the device is a new one, which is given the retained frames again.
func (p *Peer) sync(g *Group) {
	g.T.Helper()
	if p.device != nil && len(p.hashes) == len(p.Retained) {
		err := p.device.Vault.Update(context.Background(), p.Space.ID(), func(tx *state.Tx[ratchet.Space]) error {
			tx.Set(p.Space)
			if len(p.hashes) > 0 {
				tx.RetryRetained() // the test may have put in what opens them
			}
			return nil
		})
		if err == nil {
			return
		}
		require.ErrorIs(g.T, err, state.ErrStale)
	}
	again := p.Retained
	p.device = NewDevice(g.T, p.Name, func() time.Time { return p.now }, p.Space)
	p.Retained, p.hashes, p.given = nil, nil, make(map[[32]byte]int)
	for _, frame := range again {
		_ = p.Receive(g, frame) // it was retained, and may be again
	}
}
