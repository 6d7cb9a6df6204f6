package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// BoxTag says in the clear whose a box of a rekey is (§10). The zero BoxTag is none.
type BoxTag [8]byte

// TagOfBox returns the tag of the box of member j to its inbox key in the rekey of a generation. The index is in it: an update proves no
// possession, so a member can say another one's key as its own.
func TagOfBox(space state.ID, rekey uint64, j dkg.Index, inbox suite.KEMKey) BoxTag {
	key := suite.Hash(inbox.Bytes())
	d := suite.HashLabel(suite.HashBox, space[:], suite.U64(rekey), suite.U32(uint32(j)), key[:])
	return BoxTag(d[:8])
}

// RekeyBox is what a rekey boxes to a member: its share of the new root, x, and y, which is the key of the owners' part for the
// member in a seat and random for others, so that all boxes are alike.
type RekeyBox struct {
	Share dkg.Share
	X, Y  secret.Bytes
}

// Seal boxes it to a member's inbox key, or returns suite.ErrInvalid for a key that cannot be boxed to.
func (b RekeyBox) Seal(space state.ID, inbox suite.KEMKey) ([]byte, error) {
	plain := encode(ed448.ScalarSize+2*suite.KeySize, func(w *wire.Writer) {
		w.Fixed(b.Share.Scalar().Bytes())
		w.Fixed(b.X.Expose())
		w.Fixed(b.Y.Expose())
	})
	return inbox.Seal(suite.HPKERekey, space, uint32(b.Share.Index()), plain)
}

// OpenRekeyBox opens the box of member j: suite.ErrNotOpened, or wire.ErrMalformed.
func OpenRekeyBox(space state.ID, inbox suite.KEMSecret, j dkg.Index, box []byte) (RekeyBox, error) {
	plain, err := inbox.Open(suite.HPKERekey, space, uint32(j), box)
	if err != nil {
		return RekeyBox{}, err
	}
	return parseAll(plain.Expose(), plain.Len(), func(r *wire.Reader) RekeyBox {
		return RekeyBox{readShare(r, j), secret.Own(r.Fixed(suite.KeySize)), secret.Own(r.Fixed(suite.KeySize))}
	})
}

// readShare reads the value of a share of index j.
func readShare(r *wire.Reader, j dkg.Index) dkg.Share {
	b := append(suite.U32(uint32(j)), r.Fixed(ed448.ScalarSize)...)
	if r.Err() != nil {
		return dkg.Share{}
	}
	s, err := dkg.ParseShare(b)
	if err != nil {
		r.Fail(err.Error())
	}
	return s
}

// SealShare boxes a share to its member's inbox key, as an owner does in a ticket (ShareForm BoxedShare). It returns
// suite.ErrInvalid for a key that cannot be boxed to.
func SealShare(space state.ID, inbox suite.KEMKey, s dkg.Share) ([]byte, error) {
	return inbox.Seal(suite.HPKEShare, space, uint32(s.Index()), s.Scalar().Bytes())
}

// OpenShare opens the box of SealShare: suite.ErrNotOpened, or wire.ErrMalformed.
func OpenShare(space state.ID, inbox suite.KEMSecret, j dkg.Index, box []byte) (dkg.Share, error) {
	plain, err := inbox.Open(suite.HPKEShare, space, uint32(j), box)
	if err != nil {
		return dkg.Share{}, err
	}
	return parseAll(plain.Expose(), plain.Len(), func(r *wire.Reader) dkg.Share { return readShare(r, j) })
}

// RekeyContent is what a rekey says to all who are boxed to (§10).
type RekeyContent struct {
	Notice   Notice
	Template Template
	Roster   Roster
	BoxTags  []BoxTag // of each entry of the roster; zero: no box
	Records  []Record
	Said     [][]byte // statements of the dealer, which name the new root; for ParseStatement
}

// Encode returns notice ‖ vec16 template ‖ vec32 roster ‖ tags ‖ u16 number ‖ vec16 record… ‖ u16 number ‖ vec16 statement….
func (c RekeyContent) Encode() secret.Bytes {
	return secret.Own(encode(4096+len(c.Roster)*110, func(w *wire.Writer) {
		w.Fixed(c.Notice.Encode())
		w.Vec16(c.Template.Encode().Expose())
		w.Vec32(c.Roster.Encode())
		for _, t := range c.BoxTags {
			w.Fixed(t[:])
		}
		w.U16(uint16(len(c.Records)))
		for _, x := range c.Records {
			w.Vec16(x.Encode().Expose())
		}
		w.U16(uint16(len(c.Said)))
		for _, s := range c.Said {
			w.Vec16(s)
		}
	}))
}

func readRekeyContent(r *wire.Reader) (c RekeyContent) {
	c.Notice = readNotice(r)
	c.Template = readNested(r, r.Vec16(maxTemplate), readTemplate)
	roster := r.Vec32(MaxRoster)
	c.Roster = readNested(r, roster, rosterReader(c.Notice.Common.Depth))
	for range c.Roster {
		var t BoxTag
		r.Into(t[:])
		c.BoxTags = append(c.BoxTags, t)
	}
	for n := int(r.U16()); n > 0 && r.Err() == nil; n-- {
		c.Records = append(c.Records, readNested(r, r.Vec16(maxRecord), readRecord))
	}
	for n := int(r.U16()); n > 0 && r.Err() == nil; n-- {
		c.Said = append(c.Said, r.Vec16(maxStatement))
	}
	return c
}

// ParseRekeyContent reads a content without verifying it.
func ParseRekeyContent(b []byte) (RekeyContent, error) {
	return parseAll(b, MaxRekey, readRekeyContent)
}

// RekeyBodyKey returns the key of the content of a rekey.
func RekeyBodyKey(x secret.Bytes, space state.ID) secret.Bytes {
	return suite.Expand(x, suite.ExpandRekeyBody, space[:], suite.KeySize)
}

// OpenInvite is m of an invite that stays open in a rekey.
type OpenInvite struct {
	Name InviteName
	M    secret.Bytes
}

// KnownInbox is the newest inbox key that the dealer knows of a member: an update, or the key of its introduction.
type KnownInbox struct {
	Index  dkg.Index
	Update Update       // zero: Inbox
	Inbox  suite.KEMKey // zero: Update
}

// RekeyOwners is what a rekey says to the members in seats (§10).
type RekeyOwners struct {
	Polynomial dkg.Polynomial
	Invites    []OpenInvite
	Inboxes    []KnownInbox // by ascending index
}

// Encode returns a0 ‖ a1 ‖ u16 number ‖ (name ‖ m)… ‖ u32 number ‖ (u32(j) ‖ vec16(update or inbox key))…. Which of the
// two it is, its length says.
func (o RekeyOwners) Encode() secret.Bytes {
	return secret.Own(encode(256+48*len(o.Invites)+1300*len(o.Inboxes), func(w *wire.Writer) {
		w.Fixed(o.Polynomial.Bytes().Expose())
		w.U16(uint16(len(o.Invites)))
		for _, i := range o.Invites {
			w.Fixed(i.Name[:])
			w.Fixed(i.M.Expose())
		}
		w.U32(uint32(len(o.Inboxes)))
		for _, k := range o.Inboxes {
			k.write(w)
		}
	}))
}

func (k KnownInbox) write(w *wire.Writer) {
	w.U32(uint32(k.Index))
	if k.Update.IsZero() {
		w.Vec16(k.Inbox.Bytes())
	} else {
		w.Vec16(k.Update.Encode())
	}
}

// Size returns how many bytes it takes in what a rekey says to the members in seats.
func (k KnownInbox) Size() int { return len(encode(4+2+maxUpdate, k.write)) }

func readRekeyOwners(r *wire.Reader) (o RekeyOwners) {
	if b := r.Fixed(dkg.PolynomialSize); r.Err() == nil {
		p, err := dkg.ParsePolynomial(b)
		if err != nil {
			r.Fail(err.Error())
		}
		o.Polynomial = p
	}
	for n := int(r.U16()); n > 0 && r.Err() == nil; n-- {
		var i OpenInvite
		r.Into(i.Name[:])
		i.M = secret.Own(r.Fixed(suite.KeySize))
		o.Invites = append(o.Invites, i)
	}
	for n := r.Count(1<<dkg.MaxDepth, 4+2); n > 0 && r.Err() == nil; n-- {
		k := KnownInbox{Index: readIndex(r)}
		b := r.Vec16(maxUpdate)
		if inbox, err := suite.LoadKEMKey(b); err == nil {
			k.Inbox = inbox
		} else {
			k.Update = readNested(r, b, readUpdate)
		}
		if at := len(o.Inboxes); at > 0 && o.Inboxes[at-1].Index >= k.Index {
			r.Fail("order of inbox keys")
		}
		o.Inboxes = append(o.Inboxes, k)
	}
	return o
}

// ParseRekeyOwners reads what is for members in seats.
func ParseRekeyOwners(b []byte) (RekeyOwners, error) { return parseAll(b, MaxRekey, readRekeyOwners) }
