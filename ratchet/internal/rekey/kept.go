package rekey

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Self is what a member knows of itself when it looks for its box.
type Self struct {
	Space   state.ID
	Index   dkg.Index
	Inboxes []suite.KEMSecret // the newest first
	Depth   int               // greatest of a root held
	Rekey   uint64            // the generation behind which it looks for its box
}

// ahead is how many generations a member looks for its box: K of 64 roots is kept, so that who is further behind cannot ask either (R4).
const ahead = 64 + 8

// maxWay is the number of commits that lead to the parent: its own, and those of its 3 nearest ancestors. They are tried with every epoch
// held, and so is the notice, which whoever posts it could else make as long as he likes.
const maxWay = 4

// noticeSize bounds a sealed notice of a root that is at most 2 deeper than one held: what each owner takes and, in the roster's bitmap and
// in that of who is gone, each index; and what is fixed.
func noticeSize(depth int) int {
	return 2<<(depth+2-3) + proto.MaxOwners*(2+suite.MaxPublicKey) + 1<<10
}

// Kept is the whole of a rekey that waits for its parent. It is immutable.
type Kept struct {
	serial uint64
	source Source
	name   proto.Name
	mine   bool       // there is a box for this member, which opens
	part   bool       // there are other wholes of the root, for other members
	since  Millis     // wall clock, when it was found that the own box lies in another one; 0 before
	notice []byte     // sealed
	ways   proto.Ways // to its parent
	size   uint32     // of the whole
	whole  state.Segment[blob]
}

// Source stands for the mailbox that the last part of a whole came from.
type Source [16]byte

// Look reads a whole and looks for the own box. Without one only the notice and the way to its parent are kept: they say who is listed. It
// returns wire.ErrMalformed.
func Look(me Self, name proto.Name, from Source, whole []byte) (Kept, error) {
	r, err := proto.ParseRekey(whole)
	if err != nil {
		return Kept{}, err
	}
	if len(r.Ways.Own) > maxWay || len(r.Ways.Others) > 0 || len(r.Notice) > noticeSize(me.Depth) {
		return Kept{}, fmt.Errorf("%w: way or notice of a rekey", wire.ErrMalformed)
	}
	k := Kept{source: from, name: name, notice: r.Notice, ways: r.Ways, part: r.Wholes > 1, size: uint32(len(whole))}
	if _, _, k.mine = ownBox(me, r); k.mine {
		k.whole = state.NewSegment(blob(whole))
	} else {
		k.size = uint32(len(k.notice))
	}
	return k, nil
}

// ownBox finds and opens the own box. It is not ok if there is none, or none that opens.
func ownBox(me Self, r proto.Rekey) (b proto.RekeyBox, inbox suite.KEMKey, ok bool) {
	boxes := make(map[proto.BoxTag][]byte, len(r.Boxes))
	for _, x := range r.Boxes {
		boxes[x.Tag] = x.Box
	}
	for _, k := range me.Inboxes {
		for g := me.Rekey + 1; g <= me.Rekey+ahead; g++ {
			box, found := boxes[proto.TagOfBox(me.Space, g, me.Index, k.Public)]
			if !found {
				continue
			}
			if b, err := proto.OpenRekeyBox(me.Space, k, me.Index, box); err == nil {
				return b, k.Public, true
			}
		}
	}
	return proto.RekeyBox{}, suite.KEMKey{}, false
}

// Name returns the name of its parts, Mine whether there is a box for this member, IsPart whether other wholes of the root have the boxes of
// others, and Ways the commits that lead to its parent.
func (k Kept) Name() proto.Name { return k.name }
func (k Kept) Mine() bool       { return k.mine }
func (k Kept) IsPart() bool     { return k.part }

// Awaited returns since when, by the wall clock, another whole of the root is waited for; 0 if none is.
func (k Kept) Awaited() Millis  { return k.since }
func (k Kept) Ways() proto.Ways { return k.ways }

// Notice opens the notice with the commit key of an epoch. It returns suite.ErrNotOpened for one that is not the parent, and
// wire.ErrMalformed.
func (k Kept) Notice(space state.ID, parent proto.EpochID, commit suite.AEAD) (proto.Notice, error) {
	plain, err := commit.Open(nil, k.notice, proto.EpochAAD(space, parent))
	if err != nil {
		return proto.Notice{}, err
	}
	n, err := proto.ParseNotice(plain)
	if err == nil && (n.Common.Parent != parent || n.Common.Space != space || proto.NameOfRekey(n.Root()) != k.name) {
		err = fmt.Errorf("%w: notice of another rekey", wire.ErrMalformed)
	}
	return n, err
}

// Said is what a rekey says to a member that has a box.
type Said struct {
	Content proto.RekeyContent
	Share   dkg.Share
	X       secret.Bytes
	Inbox   suite.KEMKey // to which the box was sealed
	Owners  proto.RekeyOwners
	Seat    bool  // Owners is there
	Boxes   []Box // of all members that have one, ascending
}

// ErrFalse: its dealer made a false rekey.
var ErrFalse = errors.New("ratchet: false rekey")

// Open returns what a rekey says to this member, whose notice Notice opened. It returns ErrFalse. Whether content and notice are right is
// left to the caller.
func (k Kept) Open(me Self, n proto.Notice) (Said, error) {
	r, err := proto.ParseRekey(k.whole.Value())
	if err != nil {
		return Said{}, err
	}
	box, inbox, ok := ownBox(me, r)
	if !ok {
		return Said{}, fmt.Errorf("%w: its box is gone", ErrFalse)
	}
	out := Said{Share: box.Share, X: box.X, Inbox: inbox}
	plain, err := suite.NewAEAD(proto.RekeyBodyKey(box.X, me.Space)).Open(nil, r.Content, proto.EpochAAD(me.Space, n.Common.Parent))
	if err == nil {
		out.Content, err = proto.ParseRekeyContent(plain)
	}
	if err != nil || !bytes.Equal(out.Content.Notice.Encode(), n.Encode()) {
		return Said{}, fmt.Errorf("%w: content", ErrFalse)
	}
	if e, at := out.Content.Roster.Find(me.Index); !at || e.Index != me.Index {
		return Said{}, fmt.Errorf("%w: a box for somebody who is not listed", ErrFalse)
	}
	boxes := make(map[proto.BoxTag][]byte, len(r.Boxes))
	for _, x := range r.Boxes {
		boxes[x.Tag] = x.Box
	}
	for at, e := range out.Content.Roster {
		if b, ok := boxes[out.Content.BoxTags[at]]; ok {
			out.Boxes = append(out.Boxes, Box{e.Index, b})
		}
	}
	if plain, err := suite.NewAEAD(box.Y).Open(nil, r.Owners, proto.EpochAAD(me.Space, n.Root())); err == nil {
		out.Owners, err = proto.ParseRekeyOwners(plain)
		out.Seat = err == nil && out.Owners.Polynomial.Commitment().Equal(n.Common.Public)
	}
	return out, nil
}

// OpenHandedOn opens a box of a rekey that a member handed on in a ticket, and returns the key to which it was sealed. It is not ok if it
// is none of this member's.
func OpenHandedOn(me Self, box []byte) (proto.RekeyBox, suite.KEMKey, bool) {
	for _, k := range me.Inboxes {
		if b, err := proto.OpenRekeyBox(me.Space, k, me.Index, box); err == nil {
			return b, k.Public, true
		}
	}
	return proto.RekeyBox{}, suite.KEMKey{}, false
}

// OwnBox opens the own box of a kept whole, if there is one.
func (k Kept) OwnBox(me Self) (proto.RekeyBox, suite.KEMKey, bool) {
	if !k.mine {
		return proto.RekeyBox{}, suite.KEMKey{}, false
	}
	r, err := proto.ParseRekey(k.whole.Value())
	if err != nil {
		return proto.RekeyBox{}, suite.KEMKey{}, false
	}
	return ownBox(me, r)
}

// Key implements segmap.Row. It is no name: whoever repeats a rekey with something changed makes another whole of the same name.
func (k Kept) Key() (out segmap.Key) {
	binary.BigEndian.PutUint64(out.Place[:], k.serial)
	return out
}

// same reports whether two wholes say the same to this member.
func (k Kept) same(o Kept) bool {
	return k.name == o.name && k.mine == o.mine && k.part == o.part && bytes.Equal(k.notice, o.notice) &&
		bytes.Equal(proto.EncodeWays(k.ways), proto.EncodeWays(o.ways)) && bytes.Equal(k.whole.Value(), o.whole.Value())
}

// Encode implements state.Piece.
func (k Kept) Encode(e *state.Encoder) {
	e.Uint64(k.serial)
	e.Fixed(k.source[:])
	e.Fixed(k.name[:])
	e.Uint32(k.size)
	e.Bytes(k.notice)
	e.Bytes(proto.EncodeWays(k.ways))
	e.Bool(k.mine)
	e.Bool(k.part)
	e.Int64(k.since)
	if k.mine {
		k.whole.Encode(e, fmt.Sprintf("%x", k.serial))
	}
}

// Decode implements state.Piece.
func (Kept) Decode(d *state.Decoder) (k Kept, err error) {
	k.serial = d.Uint64()
	d.Into(k.source[:])
	d.Into(k.name[:])
	k.size = d.Uint32()
	k.notice = d.Bytes(proto.MaxRekey)
	ways := d.Bytes(proto.MaxRekey)
	if k.mine, k.part, k.since = d.Bool(), d.Bool(), d.Int64(); k.mine {
		if k.whole, err = state.DecodeSegment[blob](d, fmt.Sprintf("%x", k.serial)); err != nil {
			return Kept{}, err
		}
	}
	if err := d.Err(); err != nil {
		return Kept{}, err
	}
	k.ways, err = proto.ParseWays(ways)
	return k, err
}
