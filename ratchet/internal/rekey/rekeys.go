package rekey

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Millis is a time in milliseconds since 1970.
type Millis = proto.Millis

// Rekeys is what a device has of rekeys. It is an immutable value; the zero Rekeys is empty.
type Rekeys struct {
	Draft  Draft    // of an owner that prepares one
	Posted []Posted // those that this device made in the last week, the oldest first
	Made   Millis   // wall clock, when this device made one last; 0 never

	kept   segmap.Map[Kept]
	serial uint64
	boxes  segmap.Map[rootBoxes]
}

// Posted is a rekey that this device made and posts again while others may lack it.
type Posted struct {
	Root   proto.EpochID
	Since  Millis // pruning clock, when it was made
	Last   Millis // wall clock, when it was posted last
	Wish   Wish   // what it changed, to be wished again if another root takes its place
	size   uint32 // of the wholes
	wholes []postedWhole
}

// postedWhole is one of the wholes of a rekey.
type postedWhole struct {
	bytes state.Segment[blob]
	of    proto.Bitmap // who has a box in it
}

// NewPosted returns a rekey that was posted first.
func NewPosted(root proto.EpochID, w Wish, wholes []Whole, age, wall Millis) Posted {
	p := Posted{Root: root, Since: age, Last: wall, Wish: w}
	for _, x := range wholes {
		p.size += uint32(len(x.Bytes))
		p.wholes = append(p.wholes, postedWhole{state.NewSegment(blob(x.Bytes)), x.Of})
	}
	return p
}

// Wholes returns what is posted; nothing of a rekey whose wholes went at a bound.
func (p Posted) Wholes() (out []Whole) {
	for _, w := range p.wholes {
		out = append(out, Whole{w.bytes.Value(), w.of})
	}
	return out
}

// Of returns who has a box in each of the wholes.
func (p Posted) Of() (out []proto.Bitmap) {
	for _, w := range p.wholes {
		out = append(out, w.of)
	}
	return out
}

// Bounds of the wholes that are posted again: those of a branch of so many generations can be followed from its beginning (D147).
const (
	maxPosted      = 8
	maxPostedBytes = 16 << 20
)

// maxWholes is the number of wholes of a rekey at most: each says it in a byte.
const maxWholes = math.MaxUint8

// Post returns the rekeys with one that is posted. At the bound of their number the oldest go, at that of bytes the wholes of the oldest.
func (r Rekeys) Post(p Posted) Rekeys {
	all := append(slices.Clip(r.Posted), p)
	all = slices.Clone(all[max(0, len(all)-maxPosted):])
	size := 0
	for k := len(all) - 1; k >= 0; k-- {
		if size += int(all[k].size); size > maxPostedBytes && k < len(all)-1 {
			all[k].size, all[k].wholes = 0, nil // and of all older ones, which cannot be followed without it
		}
	}
	r.Posted = all
	return r
}

// Bounds of the wholes that wait for their parent. Of a member that is far behind each matters; whoever is not a member can post any number.
const (
	maxKept      = 8
	maxKeptBytes = 16 << 20
)

// All returns the wholes that wait: first those with a box for this member, since of others of a root nothing follows once it is held; each in
// the order in which they came.
func (r Rekeys) All() []Kept {
	return slices.SortedFunc(r.kept.All(), func(a, b Kept) int {
		switch {
		case a.mine && !b.mine:
			return -1
		case b.mine && !a.mine:
			return 1
		}
		return cmp.Compare(a.serial, b.serial)
	})
}

// Keep returns the rekeys with a whole that waits, and the whole as they know it. At the bounds those go first that have no box for this
// member, then those that have one, of either the oldest of the source with most: everybody can repeat a rekey with something changed, and who
// knows the inbox keys makes boxes for all. One with which this member waits for another goes for none of these, since an owner has signed it.
func (r Rekeys) Keep(k Kept) (Rekeys, Kept) {
	for o := range r.kept.All() {
		if k.same(o) {
			return r, o
		}
	}
	r.serial++
	k.serial = r.serial
	return r.put(k), k
}

// put returns the rekeys with a whole, within the bounds.
func (r Rekeys) put(k Kept) Rekeys {
	r.kept = r.kept.Put(k)
	for {
		all, size := r.All(), 0
		for _, o := range all {
			size += int(o.size)
		}
		if len(all) <= maxKept && size <= maxKeptBytes {
			return r
		}
		r.kept = r.kept.Drop(first(all).Key())
	}
}

// first returns the whole that goes first.
func first(all []Kept) (out Kept) {
	awaited := func(k Kept) bool { return k.since != 0 }
	for _, stays := range []func(Kept) bool{func(k Kept) bool { return k.mine || awaited(k) }, awaited} {
		if others := slices.DeleteFunc(slices.Clone(all), stays); len(others) > 0 {
			all = others
			break
		}
	}
	of := map[Source]int{}
	for _, k := range all {
		of[k.source]++
	}
	for _, k := range all {
		if out.serial == 0 || of[k.source] > of[out.source] {
			out = k
		}
	}
	return out
}

// maxAwaited is the number of roots of which a whole is waited for at most: of so many that cross, those that are waited for last have a member
// ask as well as all of them would.
const maxAwaited = 4

// Await returns the rekeys with a whole of which another one is waited for since a time by the wall clock, unless one of its name was before.
func (r Rekeys) Await(k Kept, now Millis) Rekeys {
	r = r.Without(k)
	var others []Kept
	for _, o := range r.All() {
		switch {
		case o.since == 0:
		case o.name == k.name:
			return r
		default:
			others = append(others, o)
		}
	}
	for _, o := range others[:max(0, len(others)+1-maxAwaited)] {
		r = r.Without(o)
	}
	k.since = cmp.Or(k.since, max(now, 1))
	return r.put(k)
}

// Without returns the rekeys without a whole that waits.
func (r Rekeys) Without(k Kept) Rekeys {
	r.kept = r.kept.Drop(k.Key())
	return r
}

// rootBoxes are the boxes of members that were not heard in a root.
type rootBoxes struct {
	root  proto.EpochID
	boxes segmap.Map[keptBox]
}

// keptBox is one of them.
type keptBox struct {
	index dkg.Index
	box   state.Segment[blob]
}

// WithBoxes returns the rekeys that keep the boxes of a root's members, of which some wanted.
func (r Rekeys) WithBoxes(root proto.EpochID, boxes []Box, wanted func(dkg.Index) bool) Rekeys {
	row := rootBoxes{root: root}
	for _, b := range boxes {
		if wanted(b.Index) {
			row.boxes = row.boxes.Put(keptBox{b.Index, state.NewSegment(blob(b.Box))})
		}
	}
	if row.boxes.Size() > 0 {
		r.boxes = r.boxes.Put(row)
	}
	return r
}

// Box returns the box of a member in a root, nil if it is not kept.
func (r Rekeys) Box(root proto.EpochID, i dkg.Index) []byte {
	row, ok := r.boxes.Get(segmap.ByID(root))
	if !ok {
		return nil
	}
	b, ok := row.boxes.Get(segmap.ByIndex(uint32(i)))
	if !ok {
		return nil
	}
	return b.box.Value()
}

// Heard returns the rekeys after a member was heard in a root: it does not need its box. It reports whether there was one.
func (r Rekeys) Heard(root proto.EpochID, i dkg.Index) (Rekeys, bool) {
	row, ok := r.boxes.Get(segmap.ByID(root))
	if !ok || !row.boxes.Has(segmap.ByIndex(uint32(i))) {
		return r, false
	}
	if row.boxes = row.boxes.Drop(segmap.ByIndex(uint32(i))); row.boxes.Size() == 0 {
		return r.WithoutRoot(root), true
	}
	r.boxes = r.boxes.Put(row)
	return r, true
}

// WithoutRoot returns the rekeys without the boxes of a root.
func (r Rekeys) WithoutRoot(root proto.EpochID) Rekeys {
	r.boxes = r.boxes.Drop(segmap.ByID(root))
	return r
}

// Key implements segmap.Row.
func (b rootBoxes) Key() segmap.Key { return segmap.ByID(b.root) }

// Key implements segmap.Row.
func (b keptBox) Key() segmap.Key { return segmap.ByIndex(uint32(b.index)) }

// Encode implements state.Piece.
func (b keptBox) Encode(e *state.Encoder) {
	e.Uint32(uint32(b.index))
	b.box.Encode(e, fmt.Sprintf("%x", b.index))
}

// Decode implements state.Piece.
func (keptBox) Decode(d *state.Decoder) (b keptBox, err error) {
	b.index = dkg.Index(d.Uint32())
	b.box, err = state.DecodeSegment[blob](d, fmt.Sprintf("%x", b.index))
	return b, err
}

// Encode implements state.Piece.
func (b rootBoxes) Encode(e *state.Encoder) {
	e.Fixed(b.root[:])
	b.boxes.Encode(e, fmt.Sprintf("%x", b.root[:8]))
}

// Decode implements state.Piece.
func (rootBoxes) Decode(d *state.Decoder) (b rootBoxes, err error) {
	d.Into(b.root[:])
	b.boxes, err = segmap.Decode[keptBox](d, fmt.Sprintf("%x", b.root[:8]))
	return b, err
}

func (p Posted) segment(n int) string { return fmt.Sprintf("posted-%x-%d", p.Root[:8], n) }

func (p Posted) encode(e *state.Encoder) {
	e.Fixed(p.Root[:])
	e.Int64(p.Since)
	e.Int64(p.Last)
	p.Wish.encode(e)
	e.Uint32(p.size)
	e.Uint32(uint32(len(p.wholes)))
	for n, w := range p.wholes {
		e.Bytes(w.of)
		w.bytes.Encode(e, p.segment(n))
	}
}

func decodePosted(d *state.Decoder) (p Posted, err error) {
	d.Into(p.Root[:])
	p.Since, p.Last = d.Int64(), d.Int64()
	if p.Wish, err = decodeWish(d); err != nil {
		return Posted{}, err
	}
	p.size = d.Uint32()
	for n := range d.Count(maxWholes, 4) {
		w := postedWhole{of: d.Bytes(proto.MaxBitmap)}
		if w.bytes, err = state.DecodeSegment[blob](d, p.segment(n)); err != nil {
			return Posted{}, err
		}
		p.wholes = append(p.wholes, w)
	}
	return p, d.Err()
}

// format is the version of the stored form.
const format = 4

// Encode implements state.Piece.
func (r Rekeys) Encode(e *state.Encoder) {
	e.Version(format)
	e.Int64(r.Made)
	e.Uint64(r.serial)
	e.Bool(!r.Draft.IsZero())
	if !r.Draft.IsZero() {
		r.Draft.Encode(e)
	}
	e.Uint32(uint32(len(r.Posted)))
	for _, p := range r.Posted {
		p.encode(e)
	}
	r.kept.Encode(e, "k")
	r.boxes.Encode(e, "x")
}

// Decode implements state.Piece.
func (Rekeys) Decode(d *state.Decoder) (r Rekeys, err error) {
	d.Version(format, format)
	r.Made, r.serial = d.Int64(), d.Uint64()
	if d.Bool() {
		if r.Draft, err = (Draft{}).Decode(d); err != nil {
			return Rekeys{}, err
		}
	}
	for range d.Count(maxPosted, 60) {
		p, err := decodePosted(d)
		if err != nil {
			return Rekeys{}, err
		}
		r.Posted = append(r.Posted, p)
	}
	if r.kept, err = segmap.Decode[Kept](d, "k"); err != nil {
		return Rekeys{}, err
	}
	if r.boxes, err = segmap.Decode[rootBoxes](d, "x"); err != nil {
		return Rekeys{}, err
	}
	for k := range r.kept.All() {
		if k.serial > r.serial {
			return Rekeys{}, wire.ErrMalformed
		}
	}
	return r, d.Err()
}
