package rekey

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
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
	Recipients []Recipient              // of those in the roster whose inbox key is known, each with its box made; if there is no room for all, the first ones get theirs
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
// that is not in the list, and outcome.ErrTooLong if what a rekey says beside boxes is too long already.
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

// whole seals what a rekey says. Boxes have the room that the rest leaves, and inbox keys for new owners what the boxes leave: whoever
// gets no box asks, and an owner learns an inbox key when its member asks or says it.
func (d Draft) whole(n *New, p Plan, k keys) ([]byte, error) {
	content := proto.RekeyContent{
		Notice: n.Notice, Template: n.Template, Roster: n.Roster, BoxTags: make([]proto.BoxTag, len(n.Roster)), Records: n.Records, Said: n.Said,
	}
	owners := proto.RekeyOwners{Polynomial: k.polynomial, Invites: p.Invites}
	aad := proto.EpochAAD(p.Space, p.Parent.ID)
	whole := proto.Rekey{
		Notice: p.Parent.Commit.Seal(nil, n.Notice.Encode(), aad), Ways: p.Parent.Ways,
		Content: make([]byte, content.Encode().Len()+suite.AEADOverhead), Owners: make([]byte, owners.Encode().Len()+suite.AEADOverhead),
	}
	rest, err := whole.Encode()
	if err != nil {
		return nil, err
	}
	room := proto.MaxRekey - len(rest)
	for _, r := range p.Recipients {
		b, ok := d.boxes.Get(segmap.ByIndex(uint32(r.Index)))
		box := b.box.Value()
		at, listed := slices.BinarySearchFunc(n.Roster, r.Index, func(e proto.RosterEntry, i dkg.Index) int { return int(e.Index) - int(i) })
		tag := proto.TagOfBox(p.Space, n.Template.Rekey, r.Index, r.Inbox)
		if !ok || !listed || len(box) == 0 || slices.Contains(content.BoxTags, tag) { // alike by chance: a reader takes no tag twice
			continue
		}
		if room -= boxHead + len(box); room < 0 {
			break
		}
		content.BoxTags[at] = tag
		whole.Boxes = append(whole.Boxes, proto.TaggedBox{Tag: tag, Box: box})
		n.Boxes = append(n.Boxes, Box{r.Index, box})
	}
	for _, x := range p.Inboxes {
		if room -= x.Size(); room < 0 {
			break
		}
		owners.Inboxes = append(owners.Inboxes, x)
	}
	slices.SortFunc(n.Boxes, func(a, b Box) int { return cmp.Compare(a.Index, b.Index) })
	shuffle(whole.Boxes)
	whole.Content = suite.NewAEAD(proto.RekeyBodyKey(k.x, p.Space)).Seal(nil, content.Encode().Expose(), aad)
	whole.Owners = suite.NewAEAD(k.y).Seal(nil, owners.Encode().Expose(), proto.EpochAAD(p.Space, n.ID))
	return whole.Encode()
}

// boxHead is how much longer a box is in a rekey: by its tag and its length.
const boxHead = len(proto.BoxTag{}) + 2

// Boxed returns those of some recipients, from the first on, for whom a rekey can have room if it says nothing else.
func Boxed(to []Recipient) []Recipient {
	room := proto.MaxRekey
	for n, r := range to {
		if room -= boxHead + ed448.ScalarSize + 2*suite.KeySize + r.Inbox.KEM().Overhead(); room < 0 {
			return to[:n]
		}
	}
	return to
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
