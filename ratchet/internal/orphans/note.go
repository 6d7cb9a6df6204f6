package orphans

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// FrameName names a retained frame as the vault does (state.Frame.Hash).
type FrameName [32]byte

func (n FrameName) compare(o FrameName) int { return bytes.Compare(n[:], o[:]) }

// Source stands for the mailbox that a frame came from: a hash of its name, which may be 1 KiB long and would be written with
// each frame. Two names with one Source can be found by whoever chooses both, and then share one bound.
type Source [16]byte

// SourceOf returns the Source of a mailbox. The empty name is one source.
func SourceOf(name string) Source {
	d := suite.Hash([]byte(name))
	return Source(d[:16])
}

// Frame is a message that the vault keeps, or is about to.
type Frame struct {
	Name   FrameName
	Size   int // bytes
	Source Source
	// Member: the source is the mailbox of a known member. Frames from elsewhere make a member send later (Waits).
	Member   bool
	Envelope proto.Envelope
}

// Note is what is kept of a retained frame.
type Note struct {
	Name    FrameName
	Size    uint32 // bytes of the frame
	Source  Source
	Member  bool
	Since   Millis // pruning clock: what is 30 days old goes
	Arrived Millis // wall clock: how long it waits

	// Opened: the header opened in Epoch and names Sender. Stranger: no binding known fits its signature, so that it counts
	// against its source and not against the sender it names (D43).
	Opened   bool
	Stranger bool
	Epoch    proto.EpochID
	Sender   dkg.Index
	// Prior: the frame may be from before joining (§9), which is no reason to send.
	Prior bool
	// Unsaid: the statement in it waits for room, or for the root that it names (§7). That is no reason to send either.
	Unsaid bool
	// Form says what the frame is. Only messages are searched, and make a member send.
	Form Form

	serial  uint64 // order of arrival
	header  proto.SealedHeader
	commits uint8
	search  progress
	// ways is there only for what is left of a frame that was read: its commits, without the frame.
	ways state.Segment[ways]
}

// Form says what a retained frame is.
type Form uint8

const (
	// Message is a frame of type message.
	Message Form = iota
	// Other is a frame of another type: a request whose turn has not come, a part of a set, a rekey.
	Other
	// Untagged is a request whose tag is unknown: its record or root may come.
	Untagged
	forms // their number
)

// rest reports whether the note is what is left of a frame that was read.
func (n Note) rest() bool { return !n.ways.IsZero() }

// left returns an upper bound of the trials that are left for the frame with these numbers given out.
func (n Note) left(held, led uint64) uint64 {
	if n.Form != Message {
		return 0
	}
	return n.search.left(int(n.commits), !n.Opened && !n.rest(), held, led)
}

// Millis is a time in milliseconds since 1970.
type Millis = proto.Millis

// slot is where a note lies. A new note takes the lowest that is free, so that a flood at the bound writes one page again
// and again.
type slot uint32

func (s slot) compare(o slot) int { return cmp.Compare(s, o) }

// epochs yields the epochs through which something is known of the frame. One may come twice.
func (n Note) epochs() iter.Seq[proto.EpochID] {
	return func(yield func(proto.EpochID) bool) {
		if n.Opened && !yield(n.Epoch) {
			return
		}
		for _, f := range n.search.found {
			if f.what != ended && !yield(f.epoch) {
				return
			}
		}
	}
}

// leads reports whether a commit of the frame makes an epoch.
func (n Note) leads(id proto.EpochID) bool {
	return slices.ContainsFunc(n.search.found, func(f finding) bool { return f.what == led && f.epoch == id })
}

// without returns the note without what is known through an epoch.
func (n Note) without(id proto.EpochID) Note {
	if n.Opened && n.Epoch == id {
		n.Opened, n.Stranger, n.Epoch, n.Sender = false, false, proto.EpochID{}, 0
	}
	n.search, _ = n.search.change(func(f finding) (finding, bool) { return f, f.what == ended || f.epoch != id })
	return n
}

// again returns the note with the commits that wait in an epoch to be tried again, those that are crowded excepted.
func (n Note) again(parent proto.EpochID) (Note, bool) {
	var changed bool
	n.search, changed = n.search.change(func(f finding) (finding, bool) {
		if f.epoch == parent && (f.what == wordless || f.what == closed) {
			f.what |= due
		}
		return f, true
	})
	return n, changed
}

// flags of a stored note.
const (
	flagMember = 1 << iota
	flagOpened
	flagStranger
	flagPrior
	flagRest
	flagUnsaid
)

func flag(set bool, f uint8) uint8 {
	if set {
		return f
	}
	return 0
}

// Encode implements state.Piece.
func (n Note) Encode(e *state.Encoder) {
	e.Fixed(n.Name[:])
	e.Uint32(n.Size)
	e.Fixed(n.Source[:])
	e.Uint8(flag(n.Member, flagMember) | flag(n.Opened, flagOpened) | flag(n.Stranger, flagStranger) | flag(n.Prior, flagPrior) | flag(n.rest(), flagRest) |
		flag(n.Unsaid, flagUnsaid))
	e.Uint8(uint8(n.Form))
	e.Int64(n.Since)
	e.Int64(n.Arrived)
	e.Uint64(n.serial)
	e.Uint8(n.commits)
	e.Uint32(uint32(n.Sender))
	if n.Opened {
		e.Fixed(n.Epoch[:])
	}
	n.search.encode(e)
	switch {
	case n.rest():
		n.ways.Encode(e, fmt.Sprintf("w%x", n.serial))
	case n.Form == Message:
		e.Fixed(n.header[:])
	}
}

// Decode implements state.Piece.
func (Note) Decode(d *state.Decoder) (n Note, err error) {
	d.Into(n.Name[:])
	n.Size = d.Uint32()
	d.Into(n.Source[:])
	flags := d.Uint8()
	n.Member, n.Opened = flags&flagMember != 0, flags&flagOpened != 0
	n.Stranger, n.Prior, n.Unsaid = flags&flagStranger != 0, flags&flagPrior != 0, flags&flagUnsaid != 0
	n.Form = Form(d.Uint8())
	n.Since, n.Arrived, n.serial = d.Int64(), d.Int64(), d.Uint64()
	n.commits = d.Uint8()
	n.Sender = dkg.Index(d.Uint32())
	if n.Opened {
		d.Into(n.Epoch[:])
	}
	if n.search, err = decodeProgress(d, n.commits); err != nil {
		return Note{}, err
	}
	if flags >= flagUnsaid<<1 || n.serial == 0 || n.Stranger && !n.Opened || n.Form >= forms ||
		n.Form != Message && (n.Opened || n.commits > 0 || flags&flagRest != 0) {
		return Note{}, wire.ErrMalformed
	}
	if flags&flagRest == 0 {
		if n.Form == Message {
			d.Into(n.header[:])
		}
		return n, d.Err()
	}
	n.ways, err = state.DecodeSegment[ways](d, fmt.Sprintf("w%x", n.serial))
	if err == nil && n.ways.Value().count() != int(n.commits) {
		err = wire.ErrMalformed
	}
	return n, err
}

// ways are the lines of commits of one message, its own first, which may be empty.
type ways struct{ lines []proto.Way }

func waysOf(y proto.Ways) ways { return ways{append([]proto.Way{y.Own}, y.Others...)} }

func (y ways) count() (n int) {
	for _, w := range y.lines {
		n += len(w)
	}
	return n
}

// Encode implements state.Piece.
func (y ways) Encode(e *state.Encoder) {
	e.Uint8(uint8(len(y.lines)))
	for _, w := range y.lines {
		e.Uint8(uint8(len(w)))
		for _, s := range w {
			e.Bytes(s)
		}
	}
}

// Decode implements state.Piece.
func (ways) Decode(d *state.Decoder) (y ways, err error) {
	for range d.Uint8() {
		var w proto.Way
		for range d.Uint8() {
			w = append(w, d.Bytes(proto.MaxSealedCommit))
			if err := d.Err(); err != nil {
				return ways{}, err
			}
		}
		y.lines = append(y.lines, w)
	}
	if len(y.lines) == 0 || len(y.lines) > proto.MaxWays || y.count() > proto.MaxCommits {
		return ways{}, wire.ErrMalformed
	}
	return y, nil
}

// holder is who a retained frame counts against: the sender whose header opened, or the source; what is left of a frame that
// was read counts against its sender.
type holder struct {
	kind   kind
	sender dkg.Index
	source Source
}

// kind says which bound is for a note.
type kind uint8

const (
	unopened kind = iota
	opened
	untagged
	remains
	kinds // their number
)

func (n Note) holder() holder {
	switch {
	case n.rest():
		return holder{kind: remains, sender: n.Sender}
	case n.Opened && !n.Stranger:
		return holder{kind: opened, sender: n.Sender}
	case n.Form == Untagged:
		return holder{kind: untagged, source: n.Source}
	}
	return holder{source: n.Source}
}

func (h holder) compare(o holder) int {
	return cmp.Or(cmp.Compare(h.kind, o.kind), cmp.Compare(h.sender, o.sender), bytes.Compare(h.source[:], o.source[:]))
}
