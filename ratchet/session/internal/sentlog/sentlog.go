// Package sentlog is what a device said to another one and does not know to be read: what it can send again (SPEC §18.8).
package sentlog

import (
	"slices"
	"strconv"
	"time"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/gaps"
	"github.com/trefoil-im/trefoil/state"
)

const (
	// MaxBytes is how much text a log holds, and MaxTexts how many: what was sent first is given up. Keep is how long it is
	// held: as long as a vault retains frames that cannot be read.
	MaxBytes = 1 << 20
	MaxTexts = 1024
	Keep     = 7 * 24 * time.Hour

	// From so much text on, or so many, a block is stored by itself, so that a save does not write it again.
	blockBytes = 16 << 10
	blockTexts = 128
)

// Log is the texts that a device can send again, in the order of their numbers. It is immutable and shows nothing when
// printed. The zero Log is empty.
type Log struct {
	_      [0]func()
	blocks []state.Segment[block]
	tail   block
}

// Text is one of them.
type Text struct {
	Number uint64
	Sent   int64 // milliseconds since 1970
	secret.Bytes
}

// block is consecutive texts.
type block struct {
	texts []Text
	bytes int
}

func (b block) with(t Text) block {
	return block{append(slices.Clip(b.texts), t), b.bytes + t.Len()}
}

func (b block) after(i int) block {
	out := block{texts: b.texts[i:], bytes: b.bytes}
	for _, t := range b.texts[:i] {
		out.bytes -= t.Len()
	}
	return out
}

// With returns the log with one more text, of a number above all before. For want of room the first ones are given up.
func (l Log) With(t Text) Log {
	if l.tail = l.tail.with(t); l.tail.bytes >= blockBytes || len(l.tail.texts) == blockTexts {
		l.blocks, l.tail = append(slices.Clip(l.blocks), state.NewSegment(l.tail)), block{}
	}
	size, texts := l.size()
	return l.cut(func(t Text) bool {
		over := size > MaxBytes || texts > MaxTexts
		size, texts = size-t.Len(), texts-1
		return over
	})
}

// Read returns the log without the texts up to number n.
func (l Log) Read(n uint64) Log {
	return l.cut(func(t Text) bool { return t.Number <= n })
}

// Expired returns the log without the texts that are too old. A clock that was wrong does not keep one for ever.
func (l Log) Expired(now time.Time) Log {
	return l.cut(func(t Text) bool { return t.isExpired(now) })
}

func (t Text) isExpired(now time.Time) bool {
	ms := now.UnixMilli()
	return max(ms-t.Sent, t.Sent-ms) >= Keep.Milliseconds()
}

// IsExpired reports whether the first text is too old.
func (l Log) IsExpired(now time.Time) bool {
	t, ok := l.First()
	return ok && t.isExpired(now)
}

// First returns the text that was sent first.
func (l Log) First() (first Text, ok bool) {
	for t := range l.All {
		return t, true
	}
	return Text{}, false
}

// cut returns the log without its first texts, as far as drop returns true.
func (l Log) cut(drop func(Text) bool) Log {
	first := func(b block) (i int) {
		for i < len(b.texts) && drop(b.texts[i]) {
			i++
		}
		return i
	}
	for len(l.blocks) > 0 {
		b := l.blocks[0].Value()
		i := first(b)
		if i < len(b.texts) {
			if i > 0 {
				l.blocks = slices.Clone(l.blocks)
				l.blocks[0] = state.NewSegment(b.after(i))
			}
			return l
		}
		l.blocks = l.blocks[1:]
	}
	l.tail = l.tail.after(first(l.tail))
	return l
}

func (l Log) size() (bytes, texts int) {
	bytes, texts = l.tail.bytes, len(l.tail.texts)
	for _, s := range l.blocks {
		bytes, texts = bytes+s.Value().bytes, texts+len(s.Value().texts)
	}
	return bytes, texts
}

// All calls yield for each text, in the order of their numbers.
func (l Log) All(yield func(Text) bool) {
	for _, s := range l.blocks {
		for _, t := range s.Value().texts {
			if !yield(t) {
				return
			}
		}
	}
	for _, t := range l.tail.texts {
		if !yield(t) {
			return
		}
	}
}

// Missing returns the numbers of the texts of which nothing was read, by what gaps.Read.Missing returned.
func (l Log) Missing(missing []gaps.Range, above uint64) (numbers []uint64) {
	for t := range l.All {
		if t.Number > above || slices.ContainsFunc(missing, func(r gaps.Range) bool { return r.Contains(t.Number) }) {
			numbers = append(numbers, t.Number)
		}
	}
	return numbers
}

// Find returns the text of a number.
func (l Log) Find(n uint64) (Text, bool) {
	for t := range l.All {
		if t.Number == n {
			return t, true
		}
	}
	return Text{}, false
}

// Encode writes the log, its blocks as segments.
func (l Log) Encode(e *state.Encoder) {
	e.Bytes(l.tail.marshal())
	e.Uint32(uint32(len(l.blocks)))
	for _, s := range l.blocks {
		first := s.Value().texts[0].Number
		e.Uint64(first)
		s.Encode(e, name(first))
	}
}

func name(first uint64) string { return "sent-" + strconv.FormatUint(first, 10) }

// Decode reads what Encode wrote.
func Decode(d *state.Decoder) (l Log, err error) {
	tail := d.Bytes(maxBlock)
	if err := d.Err(); err != nil {
		return Log{}, err
	}
	if l.tail, err = parseBlock(tail); err != nil {
		return Log{}, err
	}
	for range d.Count(MaxTexts, 8) {
		s, err := state.DecodeSegment[block](d, name(d.Uint64()))
		if err != nil {
			return Log{}, err
		}
		l.blocks = append(l.blocks, s)
	}
	return l, d.Err()
}

// maxBlock bounds a stored block, in bytes: one that is not full yet, and the largest text.
const maxBlock = 4 + blockBytes + MaxBytes + MaxTexts*textStored

const textStored = 8 + 8 + 4

// Encode implements state.Piece.
func (b block) Encode(e *state.Encoder) { e.Bytes(b.marshal()) }

// Decode implements state.Piece.
func (block) Decode(d *state.Decoder) (block, error) {
	in := d.Bytes(maxBlock)
	if err := d.Err(); err != nil {
		return block{}, err
	}
	b, err := parseBlock(in)
	if err == nil && len(b.texts) == 0 {
		err = wire.ErrMalformed
	}
	return b, err
}

func (b block) marshal() []byte {
	w := wire.NewWriter(4 + b.bytes + len(b.texts)*textStored)
	w.U32(uint32(len(b.texts)))
	for _, t := range b.texts {
		w.U64(t.Number)
		w.U64(uint64(t.Sent))
		w.Vec32(t.Expose())
	}
	return w.Bytes()
}

func parseBlock(in []byte) (b block, err error) {
	r := wire.NewReader(in)
	for range r.Count(MaxTexts, textStored) {
		t := Text{Number: r.U64(), Sent: int64(r.U64()), Bytes: secret.Own(r.Vec32(MaxBytes))}
		if n := len(b.texts); n > 0 && t.Number <= b.texts[n-1].Number {
			r.Fail("what was sent, out of order")
		}
		if r.Err() != nil {
			break
		}
		b = b.with(t)
	}
	if err := r.Done(); err != nil {
		return block{}, err
	}
	return b, nil
}

// String shows nothing of the log.
func (l Log) String() string { return "log of what was sent" }

// GoString is String.
func (l Log) GoString() string { return l.String() }
