package state

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"math"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// contents is what a row's head says: the parts, and what lies beside them.
type contents struct {
	incarnation [incarnationSize]byte
	parts       []*node
	outbox      series
	inbox       series
	frames      series // of all records; held are those of retained frames
	progress    uint64 // how often there was progress while frames were retained
	tried       uint64 // progress when all retained frames were last tried
}

// series numbers what was put into a queue, or among the frames, and knows what of it is held.
type series struct {
	last uint64 // Seq given last
	held set
}

// set is a set of tags: how many, and the XOR of all (MSet-XOR-Hash of Clarke et al., "Incremental Multiset Hash Functions
// and Their Application to Memory Integrity Checking", ASIACRYPT 2003). Tags are of a pseudorandom function, and neither its
// key nor a set is known outside a sealed head, so no two sets are the same that differ in an element.
type set struct {
	n   uint32
	sum [sha256.Size]byte
}

func (s *set) add(tag [sha256.Size]byte) {
	s.n++
	subtle.XORBytes(s.sum[:], s.sum[:], tag[:])
}

func (s *set) remove(tag [sha256.Size]byte) {
	s.n--
	subtle.XORBytes(s.sum[:], s.sum[:], tag[:])
}

// newContents returns the contents of a row that is yet to be created.
func newContents() (c contents) {
	rand.Read(c.incarnation[:])
	return c
}

// due reports whether the retained frames are to be tried again.
func (c *contents) due() bool { return c.frames.held.n > 0 && c.progress > c.tried }

// queue returns the series of a queue.
func (c *contents) queue(q store.Queue) *series {
	if q == store.Outbox {
		return &c.outbox
	}
	return &c.inbox
}

// tags makes the tags of what lies beside a row. It is used by one goroutine at a time.
type tags struct {
	mac  hash.Hash
	text [1 + 8 + 32]byte // of the tag that is made
	sum  [sha256.Size]byte
}

func (c *contents) tags() *tags { return &tags{mac: hmac.New(sha256.New, c.incarnation[:])} }

// item returns the tag of an item of a queue, and frame that of the record of a retained frame.
func (t *tags) item(r role, seq uint64) [sha256.Size]byte { return t.make(r, seq, nil) }

func (t *tags) frame(seq uint64, hash [32]byte) [sha256.Size]byte {
	return t.make(roleFrame, seq, hash[:])
}

func (t *tags) make(r role, seq uint64, hash []byte) [sha256.Size]byte {
	t.text[0] = byte(r)
	binary.BigEndian.PutUint64(t.text[1:], seq)
	n := 9 + copy(t.text[9:], hash)
	t.mac.Reset()
	t.mac.Write(t.text[:n])
	t.mac.Sum(t.sum[:0])
	return t.sum
}

// lane returns the number that tells items of one destination from others without naming it.
func (c *contents) lane(to string) uint64 {
	m := hmac.New(sha256.New, c.incarnation[:])
	m.Write([]byte("lane"))
	m.Write([]byte(to))
	return binary.BigEndian.Uint64(m.Sum(nil)) & math.MaxInt64
}

// laneName is a lane as an item's binding has it.
func laneName(lane uint64) string { return string(binary.BigEndian.AppendUint64(nil, lane)) }

// verify returns ErrCorrupt if what lies beside a row is not what its head says.
func (c *contents) verify(row store.Row) error {
	var outbox, inbox, frames set
	tags := c.tags()
	for _, it := range row.Outbox {
		outbox.add(tags.item(roleOutbox, it.Seq))
	}
	for _, it := range row.Inbox {
		inbox.add(tags.item(roleInbox, it.Seq))
	}
	for _, f := range row.Retained {
		frames.add(tags.frame(f.Seq, f.Hash))
	}
	for name, sets := range map[string][2]set{
		"outbox": {outbox, c.outbox.held}, "inbox": {inbox, c.inbox.held}, "retained frames": {frames, c.frames.held},
	} {
		if sets[0] != sets[1] {
			return fmt.Errorf("%w: %d %s stored, not %d, or others", ErrCorrupt, sets[0].n, name, sets[1].n)
		}
	}
	return nil
}

// seal returns the sealed head of a row in this version. The slot is that of the head, without an incarnation.
func (c *contents) seal(s slot, version uint64) store.Head {
	w := wire.NewWriter(512)
	w.Fixed(c.incarnation[:])
	writeNodes(w, c.parts)
	for _, s := range []*series{&c.outbox, &c.inbox, &c.frames} {
		w.U64(s.last)
		w.U32(s.held.n)
		w.Fixed(s.held.sum[:])
	}
	w.U64(c.progress)
	w.U64(c.tried)
	return store.Head{Version: version, Sealed: s.seal(roleHead, "head", version, w.Bytes())}
}

// openHead reads a row's head.
func openHead(s slot, h store.Head) (c contents, err error) {
	plain, err := s.open(roleHead, "head", h.Version, h.Sealed)
	if err != nil {
		return contents{}, err
	}
	r := wire.NewReader(plain)
	r.Into(c.incarnation[:])
	c.parts = readNodes(r)
	for _, s := range []*series{&c.outbox, &c.inbox, &c.frames} {
		s.last, s.held.n = r.U64(), r.U32()
		r.Into(s.held.sum[:])
	}
	c.progress, c.tried = r.U64(), r.U64()
	if err := r.Done(); err != nil {
		return contents{}, corrupt("head", err)
	}
	names := s.kind.Parts()
	if len(c.parts) != len(names) {
		return contents{}, fmt.Errorf("%w: %d parts listed, not %d", ErrCorrupt, len(c.parts), len(names))
	}
	for i, n := range c.parts {
		if n.name != names[i] {
			return contents{}, fmt.Errorf("%w: part %q listed, not %q", ErrCorrupt, n.name, names[i])
		}
	}
	return c, nil
}
