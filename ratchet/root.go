package ratchet

import (
	"fmt"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// rootRow is what a state holds of a root: the member's share, and its members. The terms lie in the Template.
type rootRow struct {
	id      proto.EpochID
	share   state.Segment[share]
	members state.Segment[members.Root]
	under   *termed // of a row that was loaded
}

// termed are the members of a row that was loaded, under their terms: to put them there takes time in proportion to their number.
type termed struct{ root atomic.Pointer[members.Root] }

// newRootRow returns the row of a root.
func newRootRow(r members.Root, s dkg.Share) rootRow {
	return rootRow{id: r.ID(), share: state.NewSegment(share{s}), members: state.NewSegment(r)}
}

// Key implements segmap.Row.
func (r rootRow) Key() segmap.Key { return segmap.ByID(r.id) }

// with returns the row with other members.
func (r rootRow) with(m members.Root) rootRow {
	r.members, r.under = state.NewSegment(m), nil
	return r
}

// root returns the members under their terms, which the template has.
func (r rootRow) root(tp templateBody) (members.Root, bool) {
	if m := r.members.Value(); !m.Terms.IsZero() {
		return m, true
	}
	if m := r.under.get(); m != nil {
		return *m, true
	}
	t, ok := tp.terms(r.id)
	if !ok {
		return members.Root{}, false
	}
	m, err := r.members.Value().With(t.Terms)
	if err != nil {
		return members.Root{}, false
	}
	r.under.keep(m)
	return m, true
}

// get returns what was kept, or nil.
func (t *termed) get() *members.Root {
	if t == nil {
		return nil
	}
	return t.root.Load()
}

func (t *termed) keep(m members.Root) {
	if t != nil {
		t.root.Store(&m)
	}
}

// Encode implements state.Piece.
func (r rootRow) Encode(e *state.Encoder) {
	e.Fixed(r.id[:])
	r.share.Encode(e, fmt.Sprintf("s%x", r.id[:16]))
	r.members.Encode(e, fmt.Sprintf("m%x", r.id[:16]))
}

// Decode implements state.Piece.
func (rootRow) Decode(d *state.Decoder) (r rootRow, err error) {
	d.Into(r.id[:])
	if r.share, err = state.DecodeSegment[share](d, fmt.Sprintf("s%x", r.id[:16])); err != nil {
		return rootRow{}, err
	}
	r.members, err = state.DecodeSegment[members.Root](d, fmt.Sprintf("m%x", r.id[:16]))
	r.under = new(termed)
	return r, err
}

// share is a share as a piece.
type share struct{ dkg.Share }

// Encode implements state.Piece.
func (s share) Encode(e *state.Encoder) { e.Fixed(s.Bytes().Expose()) }

// Decode implements state.Piece.
func (share) Decode(d *state.Decoder) (s share, err error) {
	b := d.Fixed(dkg.ShareSize)
	if err := d.Err(); err != nil {
		return share{}, err
	}
	s.Share, err = dkg.ParseShare(b)
	return s, err
}
