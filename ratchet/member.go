package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// member is what is known of a member of a root: what its roster or introduction says, and what its messages said since.
type member struct {
	proto.RosterEntry
	introduction []byte // with which it came, as long as no signed roster names it; empty otherwise
	app          []byte // application data of the introduction
	inboxKey     []byte // newest inbox key; empty if only its hash is known
	inboxCounter uint32 // of the key update that brought it, 0 for the introduction
	answered     uint64 // 1 + the highest counter of an answered request that it repeated
	left         bool
}

func (m member) Key() segmap.Key { return segmap.ByIndex(uint32(m.Index)) }

// signingKey returns the key its messages are signed with.
func (m member) signingKey() suite.PublicKey { return m.RosterEntry.Signing }

// Encode implements state.Piece.
func (m member) Encode(e *state.Encoder) {
	e.Uint32(uint32(m.Index))
	e.Bytes(m.RosterEntry.Signing.Bytes())
	e.Fixed(m.RosterEntry.Inbox[:])
	e.Bytes(m.introduction)
	e.Bytes(m.app)
	e.Bytes(m.inboxKey)
	e.Uint32(m.inboxCounter)
	e.Uint64(m.answered)
	e.Bool(m.left)
}

// Decode implements state.Piece.
func (member) Decode(d *state.Decoder) (m member, err error) {
	m.Index = dkg.Index(d.Uint32())
	key := d.Bytes(suite.MaxPublicKey)
	if err := d.Err(); err != nil {
		return member{}, err
	}
	if m.RosterEntry.Signing, err = suite.LoadPublicKey(key); err != nil {
		return member{}, err
	}
	d.Into(m.RosterEntry.Inbox[:])
	m.introduction = d.Bytes(proto.MaxIntroduction)
	m.app = d.Bytes(proto.MaxApplicationData)
	m.inboxKey = d.Bytes(suite.MaxKEMKey)
	m.inboxCounter = d.Uint32()
	m.answered = d.Uint64()
	m.left = d.Bool()
	return m, d.Err()
}

// root is what a member holds of one root besides its epochs (§5). Its template, notice, common and roster are in the
// Template.
type root struct {
	id        proto.EpochID
	rekey     uint64
	share     dkg.Share
	untrusted bool // made by somebody who is no owner: never preferred, nor anything below it
	members   segmap.Map[member]
	revokes   [][]byte // revoke statements, as control plaintexts; none of them says all that another one says
	signed    []byte   // newest roster statement whose roster is known here, likewise; empty if none
	pending   []byte   // newer roster statement that names somebody not introduced here yet
}

// rootRow is a root in the table of a state.
type rootRow struct {
	id     proto.EpochID
	record state.Segment[root]
}

func newRootRow(r root) rootRow { return rootRow{r.id, state.NewSegment(r)} }

func (r rootRow) Key() segmap.Key { return segmap.Key{Place: r.id} }

// Encode implements state.Piece.
func (r rootRow) Encode(e *state.Encoder) {
	e.Fixed(r.id[:])
	r.record.Encode(e, segmentName(r.id))
}

// Decode implements state.Piece.
func (rootRow) Decode(d *state.Decoder) (r rootRow, err error) {
	d.Into(r.id[:])
	if r.record, err = state.DecodeSegment[root](d, segmentName(r.id)); err == nil && r.record.Value().id != r.id {
		err = segmap.ErrDisorder
	}
	return r, err
}

// Encode implements state.Piece.
func (r root) Encode(e *state.Encoder) {
	e.Fixed(r.id[:])
	e.Uint64(r.rekey)
	e.Fixed(r.share.Bytes().Expose())
	e.Bool(r.untrusted)
	e.Uint32(uint32(len(r.revokes)))
	for _, raw := range r.revokes {
		e.Bytes(raw)
	}
	e.Bytes(r.signed)
	e.Bytes(r.pending)
	r.members.Encode(e, "members")
}

// Decode implements state.Piece.
func (root) Decode(d *state.Decoder) (r root, err error) {
	d.Into(r.id[:])
	r.rekey = d.Uint64()
	share := d.Fixed(dkg.ShareSize)
	if err := d.Err(); err != nil {
		return root{}, err
	}
	if r.share, err = dkg.ParseShare(share); err != nil {
		return root{}, wire.ErrMalformed
	}
	r.untrusted = d.Bool()
	for range d.Count(proto.MaxRevokes, 4) {
		r.revokes = append(r.revokes, d.Bytes(proto.MaxStatement))
	}
	r.signed = d.Bytes(proto.MaxStatement)
	r.pending = d.Bytes(proto.MaxStatement)
	r.members, err = segmap.Decode[member](d, "members")
	return r, err
}

// named returns whom the newest roster statement known here names, or else the notice of the root.
func (r root) named(n proto.RootNotice) proto.Bitmap {
	if c, err := proto.ParseStatement(r.signed); err == nil && c.Roster != nil {
		return c.Roster.Members
	}
	return n.Members
}

// roster returns the roster of the members named, and the introductions since. Who is neither named nor came with an
// introduction was named by a statement that does not count here, and there is nothing to show of him.
func (r root) roster(named proto.Bitmap) (signed proto.Roster, since []member) {
	for m := range r.members.All() {
		if named.Has(m.Index) {
			signed.Entries = append(signed.Entries, m.RosterEntry)
		} else if len(m.introduction) > 0 {
			since = append(since, m)
		}
	}
	return signed, since
}
