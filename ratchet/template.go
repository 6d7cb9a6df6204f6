package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// templateBody is what a Template holds.
type templateBody struct {
	space state.ID
	roots segmap.Map[termsRow]
	keys  state.Segment[rootKeys]
	link  state.Segment[openedLink]
}

// rootTerms are the terms of a root with what they were made from.
type rootTerms struct {
	members.Terms
	origin   proto.Origin
	notice   proto.Notice
	template proto.Template
	roster   proto.Roster
}

// newRootTerms returns the terms of a root, after the checks of members.NewTerms.
func newRootTerms(o proto.Origin, n proto.Notice, t proto.Template, roster proto.Roster) (rootTerms, error) {
	terms, err := members.NewTerms(o, n, t, roster)
	if err != nil {
		return rootTerms{}, err
	}
	return rootTerms{terms, o, n, t, roster}, nil
}

// termsRow is the terms of a root in the table of a Template.
type termsRow struct {
	id     proto.EpochID
	record state.Segment[rootTerms]
}

// Key implements segmap.Row.
func (r termsRow) Key() segmap.Key { return segmap.ByID(r.id) }

// Encode implements state.Piece.
func (r termsRow) Encode(e *state.Encoder) {
	e.Fixed(r.id[:])
	r.record.Encode(e, fmt.Sprintf("%x", r.id[:16]))
}

// Decode implements state.Piece.
func (termsRow) Decode(d *state.Decoder) (r termsRow, err error) {
	d.Into(r.id[:])
	r.record, err = state.DecodeSegment[rootTerms](d, fmt.Sprintf("%x", r.id[:16]))
	if err == nil && r.record.Value().ID() != r.id {
		err = segmap.ErrDisorder
	}
	return r, err
}

// terms returns the terms of a root held.
func (t templateBody) terms(id proto.EpochID) (rootTerms, bool) {
	r, ok := t.roots.Get(segmap.ByID(id))
	return r.record.Value(), ok
}

// with returns the template with the terms of a root more, and its K.
func (t templateBody) with(terms rootTerms) templateBody {
	t.roots = t.roots.Put(termsRow{terms.ID(), state.NewSegment(terms)})
	t.keys = state.NewSegment(t.keys.Value().with(rootKey{terms.ID(), terms.template.K}))
	return t
}

// without returns the template without the terms of a root. Its K stays.
func (t templateBody) without(id proto.EpochID) templateBody {
	t.roots = t.roots.Drop(segmap.ByID(id))
	return t
}

// newTemplate returns the template of a space without a root.
func newTemplate(space state.ID) templateBody {
	return templateBody{space: space, keys: state.NewSegment(rootKeys{}), link: state.NewSegment(openedLink{})}
}

// templateVersion is the version of the stored format.
const templateVersion = 2

// encode writes the body.
func (t templateBody) encode(e *state.Encoder) {
	e.Version(templateVersion)
	e.Fixed(t.space[:])
	t.roots.Encode(e, "roots")
	t.keys.Encode(e, "keys")
	t.link.Encode(e, "link")
}

// decodeTemplate reads what encode wrote.
func decodeTemplate(d *state.Decoder) (t templateBody, err error) {
	d.Version(templateVersion, templateVersion)
	d.Into(t.space[:])
	if t.roots, err = segmap.Decode[termsRow](d, "roots"); err != nil {
		return templateBody{}, err
	}
	if t.keys, err = state.DecodeSegment[rootKeys](d, "keys"); err != nil {
		return templateBody{}, err
	}
	if t.link, err = state.DecodeSegment[openedLink](d, "link"); err != nil {
		return templateBody{}, err
	}
	for r := range t.roots.All() {
		if r.record.Value().Space() != t.space {
			return templateBody{}, wire.ErrMalformed
		}
	}
	return t, nil
}

// succeeds refuses the template of another space, and one without a root where there was one.
func (t templateBody) succeeds(prev templateBody) error {
	if t.space != prev.space {
		return fmt.Errorf("%w: another space", state.ErrStale)
	}
	if prev.roots.Size() > 0 && t.roots.Size() == 0 {
		return fmt.Errorf("%w: joined already", state.ErrStale)
	}
	return nil
}

// maxStoredNotice bounds a notice and maxStoredTemplate a template in storage; the formats have bounds of their own.
const (
	maxStoredNotice   = 512 << 10
	maxStoredTemplate = 4 << 10
)

// Encode implements state.Piece.
func (t rootTerms) Encode(e *state.Encoder) {
	e.Bytes(t.origin.Encode())
	e.Bytes(t.notice.Encode())
	e.Bytes(t.template.Encode().Expose())
	e.Bytes(t.roster.Encode())
}

// Decode implements state.Piece. It verifies the terms again: what is followed rests on them.
func (rootTerms) Decode(d *state.Decoder) (t rootTerms, err error) {
	load(d, &err, &t.origin, 1<<10, proto.ParseOrigin)
	load(d, &err, &t.notice, maxStoredNotice, proto.ParseNotice)
	load(d, &err, &t.template, maxStoredTemplate, proto.ParseTemplate)
	load(d, &err, &t.roster, proto.MaxRoster, func(b []byte) (proto.Roster, error) { return proto.ParseRoster(b, t.template.Depth) })
	if err == nil {
		err = d.Err()
	}
	if err != nil {
		return rootTerms{}, err
	}
	return newRootTerms(t.origin, t.notice, t.template, t.roster)
}

// rootKey is the symmetric key of a root, under which members ask that are far behind (§2). It outlives the root.
type rootKey struct {
	root proto.EpochID
	k    secret.Bytes
}

// rootKeys are those of the roots entered last, the oldest first.
type rootKeys struct{ list []rootKey }

// maxRootKeys is how many of them are kept: a device that was away for 64 rekeys is still understood when it asks.
const maxRootKeys = 64

func (r rootKeys) with(k rootKey) rootKeys {
	for _, held := range r.list {
		if held.root == k.root {
			return r
		}
	}
	list := append(append([]rootKey(nil), r.list...), k)
	return rootKeys{list[max(0, len(list)-maxRootKeys):]}
}

// of returns that of a root.
func (r rootKeys) of(root proto.EpochID) (k secret.Bytes, ok bool) {
	for _, held := range r.list {
		if held.root == root {
			return held.k, true
		}
	}
	return k, false
}

// Encode implements state.Piece.
func (r rootKeys) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(r.list)))
	for _, k := range r.list {
		e.Fixed(k.root[:])
		e.Fixed(k.k.Expose())
	}
}

// Decode implements state.Piece.
func (rootKeys) Decode(d *state.Decoder) (r rootKeys, err error) {
	for range d.Count(maxRootKeys, 2*suite.KeySize) {
		var k rootKey
		d.Into(k.root[:])
		k.k = secret.Own(d.Fixed(suite.KeySize))
		r.list = append(r.list, k)
	}
	return r, d.Err()
}

// openedLink is the link that a joiner opened, with its seed; empty once the seed is erased (§11).
type openedLink struct{ bytes secret.Bytes }

// maxLink bounds the bytes of a link.
const maxLink = 128

// Encode implements state.Piece.
func (l openedLink) Encode(e *state.Encoder) { e.Bytes(l.bytes.Expose()) }

// Decode implements state.Piece.
func (openedLink) Decode(d *state.Decoder) (openedLink, error) {
	if b := d.Bytes(maxLink); len(b) > 0 {
		return openedLink{secret.Own(b)}, d.Err()
	}
	return openedLink{}, d.Err()
}
