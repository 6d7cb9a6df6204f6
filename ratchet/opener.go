package ratchet

import (
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Options say how Send, Do, Opener, Maintain and CaughtUp work.
type Options struct {
	// Topic is where what is meant for the whole space is sent, as the outbox knows it: at most 1,024 bytes, of which a relay of this
	// module takes 128 (api.MaxTopic).
	Topic string
	// MaxFrame is the longest frame that the transport takes, in bytes: from 32 KiB to 8 MiB, 1 MiB by default. A relay of this
	// module takes 2 MiB (api.MaxFrame). What is longer is sent in parts.
	MaxFrame int
	// Now is the clock, time.Now by default.
	Now func() time.Time

	parallel *parallel // of Parallel, or nil
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

func (o Options) maxFrame() int {
	if o.MaxFrame == 0 {
		return proto.DefaultMaxFrame
	}
	return max(proto.SmallestMaxFrame, min(o.MaxFrame, proto.LargestMaxFrame))
}

// Opener returns what a Vault's Receive calls for a frame of a space, of whatever type. It delivers a message to the inbox, in
// the encoding of Message.MarshalBinary, unless it says nothing. It answers a request with a ticket, at once or, if others are
// to answer first, once Maintain finds that they did not. It enters a ticket, and sends what follows from it. What it refuses or
// retains is an error of this package; events are emitted.
//
// A frame's Source should be the mailbox of a known member, or empty: who has no mailbox here can neither make a device
// send by messages nobody can read, nor keep it from answering by tickets nobody can enter.
//
// A frame of an older version of the protocol is discarded, one of a newer version retained; errors.Is tells them by
// state.ErrTooOld and state.ErrTooNew.
//
//go:noinline
func Opener(o Options) state.Opener[Space] {
	return func(tx *state.Tx[Space], f state.Frame) error {
		d, err := newEdit(tx.Value(), o.now(), o)
		if err != nil {
			return err
		}
		d.fromVault(tx)
		if o.parallel != nil {
			if d.checks, err = o.parallel.of(tx); err != nil {
				return err
			}
			d.st.presumed = d.checks
		}
		d.queued = tx.Waiting(o.Topic) > 0
		m, err := openFrame(&d, newIncoming(f))
		if d.failed != nil {
			return d.failed
		}
		if state.VerdictOf(err) == state.Stop {
			return err
		}
		if len(m.Plaintext) > 0 {
			b, err := m.MarshalBinary()
			if err != nil {
				return err
			}
			tx.Deliver(b)
		}
		d.leave(tx, o)
		return err
	}
}

// fromVault lets the edit load retained frames. A failure of the store ends the call: see failed.
func (d *edit) fromVault(tx *state.Tx[Space]) {
	d.load = func(name orphans.FrameName) (incoming, bool) {
		f, err := tx.Retained(name)
		if err != nil && !errors.Is(err, state.ErrNotFound) && !errors.Is(err, state.ErrCorrupt) && d.failed == nil {
			d.failed = err
		}
		return newIncoming(f), err == nil
	}
}

// leave puts the next value, and what leaves with it, into a transaction.
func (d *edit) leave(tx *state.Tx[Space], o Options) {
	ready := d.retried()
	tx.Set(d.space())
	for _, f := range d.frames {
		tx.Send(o.Topic, f)
	}
	for _, e := range d.events {
		tx.Emit(e)
	}
	if len(ready) > 0 {
		tx.RetryRetained(hashes(ready)...)
	}
	tx.GiveUp(outcome.ErrExpired, hashes(d.done)...)
	tx.GiveUp(state.ErrNoRoom, hashes(d.lost)...)
}

func hashes(names []orphans.FrameName) [][32]byte {
	out := make([][32]byte, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}

// incoming is a frame that is to be opened.
type incoming struct {
	name   orphans.FrameName
	source orphans.Source
	member bool // the source is the mailbox of a known member
	data   []byte
}

func newIncoming(f state.Frame) incoming {
	return incoming{f.Hash(), orphans.SourceOf(f.Source), f.Source != "", f.Data}
}

// open opens a frame: it changes d and returns what was read, or an outcome. With the verdict Retain or Discard d has what is
// to be noted of the frame, and nothing else.
type open func(d *edit, f incoming) (Message, error)

// openers are the functions that open frames, by type.
var openers = map[proto.Type]open{
	proto.TypeMessage: openMessage,
	proto.TypeRekey:   openRekey,
	proto.TypeTicket:  openTicket,
	proto.TypeRequest: openRequest,
}

// openFrame opens a frame of any type.
func openFrame(d *edit, f incoming) (Message, error) {
	t, err := proto.ParseType(f.data)
	if err != nil {
		return Message{}, d.unread(f, outcome.Malformed(err))
	}
	m, err := openers[t](d, f)
	d.followRekeys()
	return m, err
}

// unread notes what becomes of a frame that is no message and was not read for a reason, and returns the reason.
func (d *edit) unread(f incoming, reason error) error {
	switch state.VerdictOf(reason) {
	case state.Retain:
		d.retainAs(f, orphans.Other)
	case state.Discard:
		d.forget(f.name)
	}
	return reason
}

// forget lets go of what is known of a retained frame, if anything is. The commits of a frame that was read stay when it comes again.
func (d *edit) forget(name orphans.FrameName) {
	if d.st.orphans.Value().Retains(name) {
		d.setOrphans(d.st.orphans.Value().Forget(name))
	}
}

// retainAs notes a frame that is no message and is retained.
func (d *edit) retainAs(f incoming, form orphans.Form) {
	frame := orphans.Frame{Name: f.name, Size: len(f.data), Source: f.source, Member: f.member}
	x, lost := d.st.orphans.Value().NoteOther(frame, form, orphans.Reading{Now: d.age(), Wall: d.now})
	d.setOrphans(x)
	d.lose(lost...)
}
