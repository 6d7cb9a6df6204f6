package members

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// maxOpen is the number of open invites of a space; a ticket carries them all.
const maxOpen = proto.MaxTicketRecords

// recordAfter is how long the masked share of an invite stays after its lifetime was found over.
const recordAfter Millis = 24 * 3_600_000

// record is what is kept of an invite.
type record struct {
	proto.Record
	serial uint64 // number of the epoch entered last when it came: what a joiner by it may read begins there (§9)
	over   Millis // pruning clock when its lifetime was found over, 0 before
}

// tagged leads from the tag of a request to the invite under which it opens.
type tagged struct {
	tag  proto.Tag
	name proto.InviteName
}

func recordKey(name proto.InviteName) (k segmap.Key) {
	copy(k.Place[:], name[:])
	k.Block = uint32(name[0] >> 2)
	return k
}

// Key implements segmap.Row.
func (x record) Key() segmap.Key { return recordKey(x.Certificate.Name()) }

// Key implements segmap.Row.
func (t tagged) Key() segmap.Key { return recordKey(proto.InviteName(t.tag)) }

// Encode implements state.Piece.
func (x record) Encode(e *state.Encoder) {
	e.Bytes(x.Record.Encode().Expose())
	e.Uint64(x.serial)
	e.Int64(x.over)
}

// Decode implements state.Piece.
func (record) Decode(d *state.Decoder) (x record, err error) {
	if load(d, &err, &x.Record, proto.ParseRecord); err != nil {
		return record{}, err
	}
	x.serial, x.over = d.Uint64(), d.Int64()
	return x, d.Err()
}

// Encode implements state.Piece.
func (t tagged) Encode(e *state.Encoder) {
	e.Fixed(t.tag[:])
	e.Fixed(t.name[:])
}

// Decode implements state.Piece.
func (tagged) Decode(d *state.Decoder) (t tagged, err error) {
	d.Into(t.tag[:])
	d.Into(t.name[:])
	return t, d.Err()
}

// AddRecord takes in the record of an invite, after its signatures were checked; serial is the number of the epoch entered last.
// The masked share is not kept if the invite is ended. It returns suite.ErrInvalid, ErrStale if it is known, and ErrLimit if
// there are as many open ones as there may be.
func (r Root) AddRecord(x proto.Record, serial uint64) (Root, Change, error) {
	name := x.Certificate.Name()
	if r.ended(x.Certificate) {
		x = x.Used()
	}
	old, known := r.records.Get(recordKey(name))
	if known && (old.IsOpen() || old.over != 0 || !x.IsOpen()) {
		return r, Change{}, ErrStale // before it is verified: tickets bring what is known
	}
	if err := x.Verify(r.Terms); err != nil {
		return r, Change{}, err
	}
	if known { // somebody left the masked share out
		serial = old.serial
	}
	tag := x.Tag(r.Space())
	if x.IsOpen() && len(r.Open()) >= maxOpen {
		return r, Change{}, ErrLimit
	}
	if t, ok := r.tags.Get(tagged{tag: tag}.Key()); ok && t.name != name {
		return r, Change{}, ErrStale // two invites with one request key: the first stays
	}
	r.records = r.records.Put(record{Record: x, serial: serial})
	r.tags = r.tags.Put(tagged{tag, name})
	return r, Change{Opened: []proto.Tag{tag}}, nil
}

// ended reports whether the masked share of an invite is not kept any more.
func (r Root) ended(c proto.Certificate) bool {
	if _, ok := r.closed(c.Name()); ok {
		return true
	}
	return c.Count == 1 && (r.Gone(c.First) || r.Heard(c.First))
}

// Record returns the record under whose request key a request with this tag opens, and the number of the epoch that was entered
// last when it came.
func (r Root) Record(tag proto.Tag) (proto.Record, uint64, bool) {
	t, ok := r.tags.Get(tagged{tag: tag}.Key())
	if !ok {
		return proto.Record{}, 0, false
	}
	x, ok := r.records.Get(recordKey(t.name))
	return x.Record, x.serial, ok
}

// Invite returns the record of an invite.
func (r Root) Invite(n proto.InviteName) (proto.Record, bool) {
	x, ok := r.records.Get(recordKey(n))
	return x.Record, ok
}

// Covered returns the indices that a certificate covers: of a run those of which something is known.
func (r Root) Covered(c proto.Certificate) (out []dkg.Index) {
	if c.Count == 1 {
		return []dkg.Index{c.First}
	}
	for i := range r.All() {
		if c.Covers(i) {
			out = append(out, i)
		}
	}
	return out
}

// Open returns the records with a masked share, and Used those without.
func (r Root) Open() []proto.Record { return r.recordsThat(proto.Record.IsOpen) }

// Used returns the records without a masked share, the newest first.
func (r Root) Used() []proto.Record {
	return r.recordsThat(func(x proto.Record) bool { return !x.IsOpen() })
}

func (r Root) recordsThat(f func(proto.Record) bool) (out []proto.Record) {
	var all []record
	for x := range r.records.All() {
		if f(x.Record) {
			all = append(all, x)
		}
	}
	slices.SortStableFunc(all, func(a, b record) int { return int(min(max(int64(b.serial)-int64(a.serial), -1), 1)) })
	for _, x := range all {
		out = append(out, x.Record)
	}
	return out
}

// hear erases the masked share of invites of one index, of which a message was read.
func (r Root) hear(i dkg.Index) (Root, []proto.Tag) {
	return r.end(func(c proto.Certificate) bool { return c.Count == 1 && c.First == i })
}

// end erases the masked shares of invites.
func (r Root) end(of func(proto.Certificate) bool) (Root, []proto.Tag) {
	var tags []proto.Tag
	for x := range r.records.All() {
		if x.IsOpen() && of(x.Certificate) {
			x.Record = x.Record.Used()
			r.records = r.records.Put(x)
			tags = append(tags, x.Tag(r.Space()))
		}
	}
	return r, tags
}

// Expire erases the masked shares of invites whose lifetime was found over a day (age) ago. Lifetimes are by the wall clock.
func (r Root) Expire(wall, age Millis) (Root, Change) {
	for x := range r.records.All() {
		if x.over == 0 && x.IsOpen() && x.Certificate.ExpiredAt(uint64(wall)) {
			x.over = max(age, 1)
			r.records = r.records.Put(x)
		}
	}
	r, tags := r.end(func(c proto.Certificate) bool {
		x, _ := r.records.Get(recordKey(c.Name()))
		return x.over != 0 && age-x.over >= recordAfter
	})
	return r, Change{Erased: tags}
}

// RequestKey returns the key under which a request with this tag opens.
func (r Root) RequestKey(tag proto.Tag) (secret.Bytes, bool) {
	x, _, ok := r.Record(tag)
	return x.RequestKey, ok
}
