package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Limits of what is kept of messages that cannot be read yet (§7).
const (
	// maxOrphanHeaders is the number of retained messages a state knows of, and maxHeadersBySource of one mailbox, which a
	// vault bounds likewise.
	maxOrphanHeaders   = 20_000
	maxHeadersBySource = 2_000
	// maxOrphanCommits is the number of their commits that are kept: a megabyte.
	maxOrphanCommits = 4_096
	// maxCommitsBySource is the number of commits kept of one mailbox, and of one sender, so that none pushes out what the
	// others brought.
	maxCommitsBySource = 512
	// maxSource is the length of the longest name of a mailbox that is told apart from others.
	maxSource = state.MaxAddress
)

// orphanHeader is what a state keeps of a retained message.
//
// A header is tried with the key of an epoch once: with the keys of all epochs known when the message is retained, and with
// the key of each one that comes to be known afterwards. So epoch is zero if and only if no epoch known opens the header,
// and to try the message again is to look here.
type orphanHeader struct {
	id      [32]byte // Envelope.name: another message with the same header is another one
	sealed  proto.SealedHeader
	epoch   proto.EpochID // held, or one that an orphaned commit makes
	sender  dkg.Index     // as the header has it, 0 if it was not opened
	source  string
	arrived int64 // ms
}

func (h orphanHeader) Key() segmap.Key { return segmap.ByID(h.id) }

// open returns the header as one that the epoch opens, if it does.
func (h orphanHeader) open(space state.ID, e epoch) (orphanHeader, bool) {
	if !e.derived() {
		return h, false
	}
	opened, err := proto.OpenHeader(e.header, space, e.id, e.depth, h.sealed)
	if err != nil {
		return h, false
	}
	h.epoch, h.sender = e.id, opened.Index
	return h, true
}

// shut returns the header as one that no epoch known opens.
func (h orphanHeader) shut() orphanHeader {
	h.epoch, h.sender = proto.EpochID{}, 0
	return h
}

// Encode implements state.Piece.
func (h orphanHeader) Encode(e *state.Encoder) {
	e.Fixed(h.id[:])
	e.Fixed(h.sealed[:])
	e.Fixed(h.epoch[:])
	e.Uint32(uint32(h.sender))
	e.Bytes([]byte(h.source))
	e.Int64(h.arrived)
}

// Decode implements state.Piece.
func (orphanHeader) Decode(d *state.Decoder) (h orphanHeader, err error) {
	d.Into(h.id[:])
	d.Into(h.sealed[:])
	d.Into(h.epoch[:])
	h.sender = dkg.Index(d.Uint32())
	h.source = string(d.Bytes(maxSource))
	h.arrived = d.Int64()
	return h, d.Err()
}

// orphanCommit is a commit out of a message: of a retained one, or of one that was read, of an epoch not held. Like headers,
// sealed commits are tried with the key of an epoch once: opened is set if and only if an epoch known opens it. What is
// known is the epochs held and those that orphaned commits make of them, and of each other: a commit is followed when it is
// opened, in about 2 ms, and never again. Its child is not held: it is entered when a message in it, or in an epoch below
// it, turns out to be true.
type orphanCommit struct {
	id      [32]byte           // the child's id if opened, else of the sealed commit and where it came from
	sealed  proto.SealedCommit // unless opened
	opened  bool
	parent  proto.EpochID // if opened
	commit  proto.Commit  // if opened
	from    secret.Bytes  // what the child expands from; empty if there is none: the commit is false, or of the own index
	child   epoch         // with from
	source  string        // mailbox of the message if that was retained,
	sender  dkg.Index     // or its sender if it was read and signed
	arrived uint64        // order of arrival
	since   int64         // ms
}

// newOrphanCommit returns a commit that is not opened. Each source has its own copy of it, so that nobody can have a commit
// given up by bringing it first.
func newOrphanCommit(s proto.SealedCommit, source string, sender dkg.Index) orphanCommit {
	return orphanCommit{id: sealedID(s, source, sender), sealed: s, source: source, sender: sender}
}

func sealedID(s proto.SealedCommit, source string, sender dkg.Index) (id [32]byte) {
	d := suite.Hash([]byte(source), suite.U32(uint32(sender)), s[:])
	copy(id[:], d[:])
	return id
}

// open returns the commit as one that the parent opens.
func (h orphanCommit) open(space state.ID, parent epoch, c proto.Commit) orphanCommit {
	h.id, h.sealed, h.opened, h.parent, h.commit = parent.child(space, c), proto.SealedCommit{}, true, parent.id, c
	return h
}

// resolved reports whether the epoch that the commit makes is known.
func (h orphanCommit) resolved() bool { return !h.from.IsZero() }

// withChild returns the commit with its child, which expands from a secret.
func (h orphanCommit) withChild(root proto.EpochID, generation uint64, depth int, from secret.Bytes) orphanCommit {
	h.from = from
	h.child = newEpoch(epochMeta{
		id: h.id, parent: h.parent, root: root, generation: generation, commit: h.commit, depth: depth,
	}, expandEpoch(from, h.id))
	return h
}

func (h orphanCommit) Key() segmap.Key { return segmap.ByID(h.id) }

// Encode implements state.Piece.
func (h orphanCommit) Encode(e *state.Encoder) {
	e.Bool(h.opened)
	if h.opened {
		e.Fixed(h.id[:])
		e.Fixed(h.parent[:])
		e.Fixed(h.commit[:])
		e.Bool(h.resolved())
		if h.resolved() {
			e.Fixed(h.child.root[:])
			e.Uint64(h.child.generation)
			e.Uint8(uint8(h.child.depth))
			e.Fixed(h.from.Expose())
		}
	} else {
		e.Fixed(h.sealed[:])
	}
	e.Bytes([]byte(h.source))
	e.Uint32(uint32(h.sender))
	e.Uint64(h.arrived)
	e.Int64(h.since)
}

// Decode implements state.Piece.
func (orphanCommit) Decode(d *state.Decoder) (h orphanCommit, err error) {
	if h.opened = d.Bool(); h.opened {
		d.Into(h.id[:])
		d.Into(h.parent[:])
		d.Into(h.commit[:])
		if d.Bool() {
			var root proto.EpochID
			d.Into(root[:])
			generation, depth, from := d.Uint64(), treeDepth(d), secret.Own(d.Fixed(suite.HashSize))
			if err := d.Err(); err != nil {
				return orphanCommit{}, err
			}
			h = h.withChild(root, generation, depth, from)
		}
	} else {
		d.Into(h.sealed[:])
	}
	h.source = string(d.Bytes(maxSource))
	h.sender = dkg.Index(d.Uint32())
	h.arrived = d.Uint64()
	h.since = d.Int64()
	if !h.opened {
		h.id = sealedID(h.sealed, h.source, h.sender)
	}
	return h, d.Err()
}

// catchUp is a path of commits that others lack (§7).
type catchUp struct {
	from proto.EpochID // who reads here lacks what follows
	to   proto.EpochID // zero: the preferred epoch of the moment
	left uint8         // in how many messages it is still to be carried
}

// maxCatchUps bounds the paths that wait to be carried; the oldest is left out for a new one.
const maxCatchUps = 16

func (c catchUp) encode(e *state.Encoder) {
	e.Fixed(c.from[:])
	e.Fixed(c.to[:])
	e.Uint8(c.left)
}

func decodeCatchUp(d *state.Decoder) (c catchUp, err error) {
	d.Into(c.from[:])
	d.Into(c.to[:])
	if c.left = d.Uint8(); c.left == 0 && d.Err() == nil {
		return catchUp{}, wire.ErrMalformed
	}
	return c, d.Err()
}
