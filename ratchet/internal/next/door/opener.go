package ratchet

import (
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/next/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/next/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/state"
)

// Options say how Send, Opener and Maintain work.
type Options struct {
	// Topic is where what is meant for the whole space is sent, as the outbox knows it.
	Topic string
	// MaxFrame is the longest frame that the transport takes, in bytes: from 32 KiB to 8 MiB, 1 MiB by default. What is longer
	// is sent in parts.
	MaxFrame int
	// Now is the clock, time.Now by default.
	Now func() time.Time
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
	d.setReady(d.st.ready.Value().without(f.name))
	t, err := proto.ParseType(f.data)
	if err != nil {
		return Message{}, d.unread(f, outcome.Malformed(err))
	}
	m, err := openers[t](d, f)
	return m, err
}

// openRekey retains a frame of a rekey: boxes lie in it, which a release finds that follows rekeys (D39).
func openRekey(d *edit, f incoming) (Message, error) {
	return Message{}, d.unread(f, fmt.Errorf("%w: %w", outcome.ErrNewVersion, wire.ErrTooNew))
}

// unread notes what becomes of a frame that is no message and was not read for a reason, and returns the reason.
func (d *edit) unread(f incoming, reason error) error {
	x := d.st.orphans.Value()
	switch state.VerdictOf(reason) {
	case state.Retain:
		d.retainAs(f, orphans.Other)
	case state.Discard:
		d.setOrphans(x.Forget(f.name))
	}
	return reason
}

// retainAs notes a frame that is no message and is retained.
func (d *edit) retainAs(f incoming, form orphans.Form) {
	frame := orphans.Frame{Name: f.name, Size: len(f.data), Source: f.source, Member: f.member}
	x, lost := d.st.orphans.Value().NoteOther(frame, form, orphans.Reading{Now: d.age(), Wall: d.now})
	d.setOrphans(x)
	d.lost = append(d.lost, lost...)
}
