package state

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// node is one stored record: a part or a segment, with the segments it lists. Nodes are immutable; a save makes new ones
// along the changed paths and shares the rest with the tree before.
type node struct {
	name     string
	version  uint64   // of the row, when the record was written
	digest   [32]byte // SHA-256 of the record's plaintext, which lists the digests of its segments in turn
	segments []*node
}

// mark remembers the node under which a segment was last stored or loaded. It is a hint only: it counts if that very node
// is still the one in the tree that a save builds on.
type mark struct{ n atomic.Pointer[node] }

func (m *mark) get() *node  { return m.n.Load() }
func (m *mark) set(n *node) { m.n.Store(n) }

// Encoder takes the fields of a part. A Vault makes the ones that count; what is written into any other is lost, since no
// exported function reads an Encoder. Integers are written most significant byte first.
type Encoder struct {
	w        wire.Writer
	save     *save // nil: segments are written in line, for Equal
	path     string
	base     *node // what the store holds at this path, nil if nothing
	next     int   // where in base the next segment is looked for first
	segments []*node
}

// save collects the records that one commit writes.
type save struct {
	version uint64                                   // that the row will have
	put     func(path string, n *node, plain []byte) // seals and notes one record
}

// Version writes the version of the format that follows, in two bytes. Every part begins with one.
func (e *Encoder) Version(v uint16) { e.w.U16(v) }

// Bool writes one byte, 0 or 1.
func (e *Encoder) Bool(v bool) { e.w.Bool(v) }

// Uint8 writes one byte.
func (e *Encoder) Uint8(v uint8) { e.w.U8(v) }

// Uint16 writes two bytes.
func (e *Encoder) Uint16(v uint16) { e.w.U16(v) }

// Uint32 writes four bytes.
func (e *Encoder) Uint32(v uint32) { e.w.U32(v) }

// Uint64 writes eight bytes.
func (e *Encoder) Uint64(v uint64) { e.w.U64(v) }

// Int64 writes eight bytes in two's complement: times in milliseconds since 1970, for example.
func (e *Encoder) Int64(v int64) { e.w.U64(uint64(v)) }

// Fixed writes b without a length, for fields whose size the format fixes.
func (e *Encoder) Fixed(b []byte) { e.w.Fixed(b) }

// Bytes writes b behind its length in four bytes.
func (e *Encoder) Bytes(b []byte) { e.w.Vec32(b) }

// segment lists a segment; known is the node under which it was last stored. It returns the node it has now.
func (e *Encoder) segment(name string, known *node, encode func(*Encoder)) *node {
	if name == "" || len(name) > maxName || strings.Contains(name, "/") || len(e.path)+1+len(name) > maxPath {
		panic(fmt.Sprintf("state: no name for a segment: %q below %q", name, e.path))
	}
	base := e.held(name)
	if base != nil && base == known && e.save != nil {
		e.segments = append(e.segments, base)
		return base
	}
	sub := Encoder{save: e.save, path: e.path + "/" + name, base: base}
	encode(&sub)
	if e.save == nil {
		e.w.Vec16([]byte(name))
		e.w.Vec32(sub.plain())
		return nil
	}
	n := sub.finish(name)
	e.segments = append(e.segments, n)
	return n
}

// held returns the node that the store holds for a segment of this piece. Segments mostly keep their order.
func (e *Encoder) held(name string) *node {
	if e.base == nil {
		return nil
	}
	for i := range e.base.segments {
		at := (e.next + i) % len(e.base.segments)
		if e.base.segments[at].name == name {
			e.next = at + 1
			return e.base.segments[at]
		}
	}
	return nil
}

// finish returns the node for what was written: the one that is stored, if it says the same, or else a new one that is
// handed to the save.
func (e *Encoder) finish(name string) *node {
	plain := e.plain()
	digest := sha256.Sum256(plain)
	if e.base != nil && e.base.digest == digest {
		return e.base
	}
	n := &node{name: name, version: e.save.version, digest: digest, segments: e.segments}
	e.save.put(e.path, n, plain)
	return n
}

// plain returns the record: the fields, then the list of segments.
func (e *Encoder) plain() []byte {
	body := e.w.Bytes()
	if len(e.segments) > maxSegments {
		panic("state: too many segments in one piece")
	}
	w := wire.NewWriter(len(body) + 8 + 64*len(e.segments))
	w.Vec32(body)
	writeNodes(w, e.segments)
	return w.Bytes()
}

// writeNodes and readNodes are the codec of a list of records: in a row's head its parts, in a record its segments.
func writeNodes(w *wire.Writer, nodes []*node) {
	w.U32(uint32(len(nodes)))
	for _, n := range nodes {
		w.Vec8([]byte(n.name))
		w.U64(n.version)
		w.Fixed(n.digest[:])
	}
}

func readNodes(r *wire.Reader) []*node {
	nodes := make([]*node, r.Count(maxSegments, 1+1+8+32))
	for i := range nodes {
		n := &node{name: string(r.Vec8(maxName)), version: r.U64()}
		r.Into(n.digest[:])
		nodes[i] = n
	}
	return nodes
}

// load opens the records of one row.
type load struct {
	open func(path string, n *node) ([]byte, error)
}

// Decoder gives back the fields of a part in the order in which they were written. After the first failure it returns
// zero values; whoever called Decode looks for the failure and for what was not read.
type Decoder struct {
	r        *wire.Reader
	load     *load
	path     string
	segments []*node // still to be read
	err      error   // of a segment
}

// decoder opens the record of n at path.
func (l *load) decoder(path string, n *node) (*Decoder, error) {
	plain, err := l.open(path, n)
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(plain)
	body := r.Vec32(len(plain))
	n.segments = readNodes(r)
	if err := r.Done(); err != nil {
		return nil, corrupt(path, err)
	}
	return &Decoder{r: wire.NewReader(body), load: l, path: path, segments: n.segments}, nil
}

// Version reads a version; one outside oldest to newest makes the whole load fail with ErrTooOld or ErrTooNew.
func (d *Decoder) Version(oldest, newest uint16) uint16 { return d.r.Version16(oldest, newest) }

// Bool reads one byte that is 0 or 1.
func (d *Decoder) Bool() bool { return d.r.Bool() }

// Uint8 reads one byte.
func (d *Decoder) Uint8() uint8 { return d.r.U8() }

// Uint16 reads two bytes.
func (d *Decoder) Uint16() uint16 { return d.r.U16() }

// Uint32 reads four bytes.
func (d *Decoder) Uint32() uint32 { return d.r.U32() }

// Uint64 reads eight bytes.
func (d *Decoder) Uint64() uint64 { return d.r.U64() }

// Int64 reads eight bytes in two's complement.
func (d *Decoder) Int64() int64 { return int64(d.r.U64()) }

// Fixed reads n bytes; it returns nil after a failure.
func (d *Decoder) Fixed(n int) []byte { return d.r.Fixed(n) }

// Into fills dst with the next bytes.
func (d *Decoder) Into(dst []byte) { d.r.Into(dst) }

// Bytes reads a byte string of at most max bytes behind its length; it returns nil after a failure.
func (d *Decoder) Bytes(max int) []byte { return d.r.Vec32(max) }

// Count reads a number of elements that was written with Uint32. It fails if there are more than max, or more than the
// rest of the piece could hold with size bytes each, so that a caller may allocate that many. For segments size is 0.
func (d *Decoder) Count(max, size int) int { return d.r.Count(max, size) }

// Err returns the first failure so far, for a Decode that has to know before it goes on.
func (d *Decoder) Err() error {
	if d.err != nil {
		return d.err
	}
	return d.r.Err()
}

// segment opens the next segment, which must have been listed under name, and returns its node.
func (d *Decoder) segment(name string, decode func(*Decoder) error) (*node, error) {
	if err := d.Err(); err != nil {
		return nil, err
	}
	path := d.path + "/" + name
	if len(d.segments) == 0 || d.segments[0].name != name || len(path) > maxPath {
		d.err = corrupt(path, wire.ErrMalformed)
		return nil, d.err
	}
	n := d.segments[0]
	d.segments = d.segments[1:]
	sub, err := d.load.decoder(path, n)
	if err == nil {
		err = sub.run(decode)
	}
	if err != nil {
		d.err = err
	}
	return n, err
}

// run calls decode and refuses what it did not read or did not notice.
func (d *Decoder) run(decode func(*Decoder) error) error {
	err := decode(d)
	if d.Err() != nil {
		err = d.Err()
	}
	if err == nil {
		err = d.r.Done()
	}
	if err == nil && len(d.segments) > 0 {
		err = wire.ErrMalformed
	}
	if err != nil {
		return corrupt(d.path, err)
	}
	return nil
}
