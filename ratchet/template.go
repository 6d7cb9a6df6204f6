package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Template holds the signed template of each root held, with its RootNotice and RootContext (docs/STORAGE.md); the current
// one is that of the preferred root. (The roster lies in the State, where introductions turn into its entries.) While joining
// it holds what the invite held instead, which no member has confirmed yet. It is a part of a Space (state.Part): no function
// yields its bytes. It is immutable, shows nothing when printed and cannot be compared with ==.
type Template struct {
	_     [0]func()
	space state.ID
	roots segmap.Map[termsRow]
	grant state.Segment[storedGrant] // the zero Grant unless joining
}

// rootTerms are what everybody in a root has agreed on by being in it.
type rootTerms struct {
	id       proto.EpochID
	template proto.Template
	notice   proto.RootNotice
	context  proto.RootContext
}

// termsRow is the terms of a root in the table of a Template.
type termsRow struct {
	id     proto.EpochID
	record state.Segment[rootTerms]
}

func newTermsRow(t rootTerms) termsRow { return termsRow{t.id, state.NewSegment(t)} }

func (r termsRow) Key() segmap.Key { return segmap.Key{Place: r.id} }

// Encode implements state.Piece.
func (r termsRow) Encode(e *state.Encoder) {
	e.Fixed(r.id[:])
	r.record.Encode(e, segmentName(r.id))
}

// Decode implements state.Piece.
func (termsRow) Decode(d *state.Decoder) (r termsRow, err error) {
	d.Into(r.id[:])
	if r.record, err = state.DecodeSegment[rootTerms](d, segmentName(r.id)); err == nil && r.record.Value().id != r.id {
		err = segmap.ErrDisorder
	}
	return r, err
}

// terms returns the terms of a root held.
func (t Template) terms(id proto.EpochID) (rootTerms, bool) {
	r, ok := t.roots.Get(segmap.Key{Place: id})
	return r.record.Value(), ok
}

// with returns the template with the terms of a root more.
func (t Template) with(terms rootTerms) Template {
	t.roots = t.roots.Put(newTermsRow(terms))
	return t
}

// templatesVersion is the version of the stored format.
const templatesVersion = 1

// Encode implements state.Part.
func (t Template) Encode(e *state.Encoder) {
	e.Version(templatesVersion)
	e.Fixed(t.space[:])
	t.roots.Encode(e, "roots")
	t.grant.Encode(e, "grant")
}

// Decode implements state.Part.
func (Template) Decode(d *state.Decoder) (t Template, err error) {
	d.Version(templatesVersion, templatesVersion)
	d.Into(t.space[:])
	if t.roots, err = segmap.Decode[termsRow](d, "roots"); err != nil {
		return Template{}, err
	}
	if t.grant, err = state.DecodeSegment[storedGrant](d, "grant"); err != nil {
		return Template{}, err
	}
	g := t.grant.Value().Grant
	if g.IsZero() == (t.roots.Size() == 0) || !g.IsZero() && g.Space() != t.space {
		return Template{}, wire.ErrMalformed
	}
	return t, nil
}

// Succeeds implements state.Part: it refuses the template of another space, and one that forgets a confirmed root for an
// unconfirmed one.
func (t Template) Succeeds(prev Template) error {
	if t.space != prev.space {
		return fmt.Errorf("%w: another space", state.ErrStale)
	}
	if prev.grant.Value().IsZero() && !t.grant.Value().IsZero() {
		return fmt.Errorf("%w: joined already", state.ErrStale)
	}
	return nil
}

// String shows nothing of what the template holds.
func (t Template) String() string { return "template" }

// GoString is String: %#v shows no more than %v.
func (t Template) GoString() string { return t.String() }

// storedGrant is a grant in storage: what it is on the wire, or nothing.
type storedGrant struct{ proto.Grant }

// Encode implements state.Piece.
func (g storedGrant) Encode(e *state.Encoder) {
	if g.IsZero() {
		e.Bytes(nil)
		return
	}
	e.Bytes(g.Bytes())
}

// Decode implements state.Piece.
func (storedGrant) Decode(d *state.Decoder) (g storedGrant, err error) {
	b := d.Bytes(proto.MaxGrant)
	if err := d.Err(); err != nil || len(b) == 0 {
		return storedGrant{}, err
	}
	g.Grant, err = proto.ParseGrant(b)
	return g, err
}

// Encode implements state.Piece.
func (t rootTerms) Encode(e *state.Encoder) {
	e.Bytes(t.template.Encode().Expose())
	e.Bytes(t.notice.Encode())
	e.Bytes(t.context.Encode())
}

// Decode implements state.Piece.
func (rootTerms) Decode(d *state.Decoder) (t rootTerms, err error) {
	raw, notice, common := d.Bytes(proto.MaxTemplate), d.Bytes(proto.MaxRootNotice), d.Bytes(proto.RootContextSize)
	if err := d.Err(); err != nil {
		return rootTerms{}, err
	}
	if t.template, err = proto.ParseTemplate(raw); err != nil {
		return rootTerms{}, err
	}
	if t.notice, err = proto.ParseRootNotice(notice); err != nil {
		return rootTerms{}, err
	}
	if t.context, err = proto.ParseRootContext(common); err != nil {
		return rootTerms{}, err
	}
	t.id = t.context.ID()
	return t, nil
}
