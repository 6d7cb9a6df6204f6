package rekey

import (
	"bytes"
	"crypto/rand"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
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

// Box is the box of a member.
type Box struct {
	Index dkg.Index
	Box   []byte
}

// Make finishes a draft, and returns the root and the whole of the rekey. Errors are those of Parent.Keys, suite.ErrInvalid for an owner
// that is not in the list, and outcome.ErrTooLong for more members than a rekey holds.
func (d Draft) Make(p Plan) (New, []byte, error) {
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
	whole, err := d.whole(&n, p, k)
	return n, whole, err
}

// whole seals what a rekey says.
func (d Draft) whole(n *New, p Plan, k keys) ([]byte, error) {
	content := proto.RekeyContent{
		Notice: n.Notice, Template: n.Template, Roster: n.Roster, BoxTags: make([]proto.BoxTag, len(n.Roster)), Records: n.Records, Said: n.Said,
	}
	var whole proto.Rekey
	for _, r := range p.Recipients {
		b, ok := d.boxes.Get(segmap.ByIndex(uint32(r.Index)))
		at, listed := slices.BinarySearchFunc(n.Roster, r.Index, func(e proto.RosterEntry, i dkg.Index) int { return int(e.Index) - int(i) })
		tag := proto.TagOfBox(p.Space, n.Template.Rekey, r.Index, r.Inbox)
		if !ok || !listed || len(b.box.Value()) == 0 || slices.Contains(content.BoxTags, tag) { // alike by chance: a reader takes no tag twice
			continue
		}
		content.BoxTags[at] = tag
		whole.Boxes = append(whole.Boxes, proto.TaggedBox{Tag: content.BoxTags[at], Box: b.box.Value()})
		n.Boxes = append(n.Boxes, Box{r.Index, b.box.Value()})
	}
	shuffle(whole.Boxes)
	aad := proto.EpochAAD(p.Space, p.Parent.ID)
	body := suite.NewAEAD(proto.RekeyBodyKey(k.x, p.Space))
	owners := proto.RekeyOwners{Polynomial: k.polynomial, Invites: p.Invites, Inboxes: p.Inboxes}
	whole.Notice = p.Parent.Commit.Seal(nil, n.Notice.Encode(), aad)
	whole.Ways = p.Parent.Ways
	whole.Content = body.Seal(nil, content.Encode().Expose(), aad)
	whole.Owners = suite.NewAEAD(k.y).Seal(nil, owners.Encode().Expose(), proto.EpochAAD(p.Space, n.ID))
	return whole.Encode()
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
