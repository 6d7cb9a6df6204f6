package rekey

import (
	"bytes"
	"crypto/rand"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Parent is the epoch from which a rekey is made.
type Parent struct {
	ID     proto.EpochID
	Rekey  uint64     // generation of its root
	Commit suite.AEAD // of what is sealed for those below it
	Ways   proto.Ways
	// Keys returns the keys of the root at a place that x makes below it.
	Keys func(proto.Place, secret.Bytes) (proto.EpochKeys, error)
}

// Plan is what a draft is finished with.
type Plan struct {
	Space      state.ID
	Parent     Parent
	Owner      suite.SigningKey
	Owners     proto.OwnerList // the newest
	Policy     proto.Policy
	Depth      int
	Cursor     dkg.Index
	Roster     proto.Roster
	Gone       proto.Bitmap
	Recipients []Recipient              // of those in the roster whose inbox key is known, each with its box made
	Most       int                      // boxes of a whole at most, beside those of seats; 0: as many as it has room for
	Records    func(New) []proto.Record // of the invites that stay open
	Invites    []proto.OpenInvite       // and m of each
	Said       func(New) [][]byte       // statements that name the new root; nil: none
	Inboxes    []proto.KnownInbox       // for the owners
}

// New is the root that a rekey makes, as its dealer knows it.
type New struct {
	ID         proto.EpochID
	Polynomial dkg.Polynomial
	X          secret.Bytes
	Notice     proto.Notice
	Template   proto.Template
	Roster     proto.Roster
	Records    []proto.Record
	Said       [][]byte
	Boxes      []Box // ascending
}

// Whole is a whole of a rekey, and who has a box in it.
type Whole struct {
	Bytes []byte
	Of    proto.Bitmap
}

// Box is the box of a member.
type Box struct {
	Index dkg.Index
	Box   []byte
}

// Make finishes a draft, and returns the root and the wholes of the rekey, of which each member needs the one with its box. Errors are those of
// Parent.Keys, suite.ErrInvalid for an owner that is not in the list, and outcome.ErrTooLong if what all are told leaves a whole no room for a box.
func (d Draft) Make(p Plan) (New, []Whole, error) {
	k := d.keys.Value()
	n := New{Polynomial: k.polynomial, X: k.x, Roster: p.Roster}
	n.Template = proto.Template{
		Owners: p.Owners, Policy: p.Policy, Rekey: p.Parent.Rekey + 1, Public: k.polynomial.Commitment(), Depth: p.Depth, K: k.k,
	}
	n.Notice = proto.Notice{Owners: p.Owners, Members: p.Roster.Bitmap(), Gone: p.Gone, Common: proto.Common{
		Space: p.Space, Parent: p.Parent.ID, Rekey: n.Template.Rekey, Public: n.Template.Public, Depth: p.Depth, Cursor: p.Cursor,
		Template: n.Template.Hash(), Roster: p.Roster.Digest(p.Gone),
	}}
	place := n.Notice.Common.Place()
	root, err := p.Parent.Keys(place, k.x)
	if err != nil {
		return New{}, nil, err
	}
	n.Notice.Check = root.Check(place)
	if n.Notice, err = n.Notice.Sign(p.Owner); err != nil {
		return New{}, nil, err
	}
	n.ID = n.Notice.Root()
	n.Records = p.Records(n)
	if p.Said != nil {
		n.Said = p.Said(n)
	}
	wholes, err := d.wholes(&n, p, k)
	return n, wholes, err
}

// wholes seals what a rekey says, and puts the boxes into as many wholes as they need. The first one has the boxes of the seats, and so alone
// the inbox keys for new owners: all of them beside all boxes, or as many as half of it takes.
func (d Draft) wholes(n *New, p Plan, k keys) (out []Whole, err error) {
	tags := make([]proto.BoxTag, len(n.Roster))
	of := make(map[proto.BoxTag]dkg.Index)
	var seats, boxes []proto.TaggedBox
	for _, r := range p.Recipients {
		b, ok := d.boxes.Get(segmap.ByIndex(uint32(r.Index)))
		box := b.box.Value()
		at, listed := slices.BinarySearchFunc(n.Roster, r.Index, func(e proto.RosterEntry, i dkg.Index) int { return int(e.Index) - int(i) })
		tag := proto.TagOfBox(p.Space, n.Template.Rekey, r.Index, r.Inbox)
		if _, twice := of[tag]; !ok || !listed || len(box) == 0 || twice { // alike by chance: a reader takes no tag twice
			continue
		}
		tags[at], of[tag] = tag, r.Index
		n.Boxes = append(n.Boxes, Box{r.Index, box})
		if x := (proto.TaggedBox{Tag: tag, Box: box}); r.Seat {
			seats = append(seats, x)
		} else {
			boxes = append(boxes, x)
		}
	}
	shuffle(boxes)
	content := proto.RekeyContent{Notice: n.Notice, Template: n.Template, Roster: n.Roster, BoxTags: tags, Records: n.Records, Said: n.Said}
	owners := proto.RekeyOwners{Polynomial: k.polynomial, Invites: p.Invites}
	forOwners, aad := suite.NewAEAD(k.y), proto.EpochAAD(p.Space, n.ID)
	all := proto.Rekey{ // what each says
		Notice:  p.Parent.Commit.Seal(nil, n.Notice.Encode(), proto.EpochAAD(p.Space, p.Parent.ID)),
		Ways:    p.Parent.Ways,
		Content: suite.NewAEAD(proto.RekeyBodyKey(k.x, p.Space)).Seal(nil, content.Encode().Expose(), proto.EpochAAD(p.Space, p.Parent.ID)),
		Owners:  forOwners.Seal(nil, owners.Encode().Expose(), aad),
	}
	without, err := all.Encode()
	if err != nil {
		return nil, err
	}
	room := proto.MaxRekey - len(without)
	whole, left := all, room
	whole.Boxes = seats
	for _, x := range seats {
		left -= x.Size()
	}
	beside := left // all boxes, or half of the whole: else who has its box in it, and keeps those of the others, would be nobody but seats
	for _, x := range boxes {
		beside -= x.Size()
	}
	beside = max(beside, left/2)
	for _, x := range p.Inboxes {
		if beside -= x.Size(); beside < 0 {
			break
		}
		left -= x.Size()
		owners.Inboxes = append(owners.Inboxes, x)
	}
	if len(owners.Inboxes) > 0 {
		whole.Owners = forOwners.Seal(nil, owners.Encode().Expose(), aad)
	}
	most := p.Most
	if most == 0 {
		most = len(boxes)
	}
	wanted := 1 // wholes, if each has as many boxes as fit
	for rest := boxes[fitting(boxes, left, most):]; len(rest) > 0; wanted++ {
		n := fitting(rest, room, most)
		if n == 0 {
			return nil, outcome.ErrTooLong
		}
		rest = rest[n:]
	}
	var wholes []proto.Rekey
	for ; len(wholes) == 0 || len(boxes) > 0; whole, left = all, room {
		// As many for each: who has its box in a whole hands on those of the others in it, and one in a whole of its own has nobody.
		wholesLeft := max(1, wanted-len(wholes))
		n := fitting(boxes, left, min(most, (len(boxes)+wholesLeft-1)/wholesLeft))
		whole.Boxes, boxes = slices.Concat(whole.Boxes, boxes[:n]), boxes[n:]
		shuffle(whole.Boxes)
		wholes = append(wholes, whole)
	}
	if len(wholes) > maxWholes {
		return nil, outcome.ErrTooLong
	}
	for _, whole := range wholes {
		whole.Wholes = uint8(len(wholes))
		b, err := whole.Encode()
		if err != nil {
			return nil, err
		}
		var has []dkg.Index
		for _, x := range whole.Boxes {
			has = append(has, of[x.Tag])
		}
		out = append(out, Whole{b, proto.NewBitmap(has...)})
	}
	return out, nil
}

// fitting returns how many of the first boxes go into so many bytes: most at most.
func fitting(boxes []proto.TaggedBox, room, most int) (n int) {
	for n < min(most, len(boxes)) && boxes[n].Size() <= room {
		room -= boxes[n].Size()
		n++
	}
	return n
}

// shuffle puts boxes into a random order: in that of their members it would tell the server which is whose from rekey to rekey.
func shuffle(boxes []proto.TaggedBox) {
	keys := make([][16]byte, len(boxes))
	for i := range keys {
		if _, err := rand.Read(keys[i][:]); err != nil {
			panic(err)
		}
	}
	order := make([]int, len(boxes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(keys[a][:], keys[b][:]) })
	old := slices.Clone(boxes)
	for i, from := range order {
		boxes[i] = old[from]
	}
}
