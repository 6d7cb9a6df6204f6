package crashtest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
)

// room is the value under test. Its first part, the log, tells its whole history; the other two hold the number of the
// log's steps, so that parts of different commits are told from each other.
type room = state.SpaceEncryptionState[log, steps, steps]

// log is the history of a room. Every change of a room is a step.
type log struct {
	place   uint32     // of the room
	born    uint32     // the operation that created the room
	steps   uint64     // from 1
	level   uint32     // which frames can be read
	sent    [][32]byte // digests of the frames in the outbox, by Seq - 1
	read    []uint32   // frames whose content is in the inbox, by Seq - 1
	refused []uint32   // frames that were discarded
	kept    []uint32   // frames that are retained
	blocks  [blocks]state.Segment[block]
}

// blocks is the number of segments. Each step replaces one.
const blocks = 4

// block holds bytes that follow from the step that wrote it.
type block struct{ data []byte }

func newBlock(born uint32, step uint64) block {
	h := sha256.Sum256(fmt.Appendf(nil, "%d/%d", born, step))
	return block{bytes.Repeat(h[:], 40)}
}

func (b block) Encode(e *state.Encoder)              { e.Bytes(b.data) }
func (block) Decode(d *state.Decoder) (block, error) { return block{d.Bytes(1 << 16)}, nil }

func (l log) Encode(e *state.Encoder) {
	e.Uint32(l.place)
	e.Uint32(l.born)
	e.Uint64(l.steps)
	e.Uint32(l.level)
	e.Uint32(uint32(len(l.sent)))
	for _, digest := range l.sent {
		e.Fixed(digest[:])
	}
	for _, frames := range [][]uint32{l.read, l.refused, l.kept} {
		e.Uint32(uint32(len(frames)))
		for _, f := range frames {
			e.Uint32(f)
		}
	}
	for i, b := range l.blocks {
		b.Encode(e, fmt.Sprint(i))
	}
}

func (log) Decode(d *state.Decoder) (log, error) {
	l := log{place: d.Uint32(), born: d.Uint32(), steps: d.Uint64(), level: d.Uint32()}
	l.sent = make([][32]byte, d.Count(1<<16, 32))
	for i := range l.sent {
		d.Into(l.sent[i][:])
	}
	for _, frames := range []*[]uint32{&l.read, &l.refused, &l.kept} {
		*frames = make([]uint32, d.Count(1<<16, 4))
		for i := range *frames {
			(*frames)[i] = d.Uint32()
		}
	}
	for i := range l.blocks {
		var err error
		if l.blocks[i], err = state.DecodeSegment[block](d, fmt.Sprint(i)); err != nil {
			return log{}, err
		}
	}
	return l, nil
}

func (l log) Succeeds(prev log) error { return steps{l.steps}.Succeeds(steps{prev.steps}) }

// steps is a number that never falls.
type steps struct{ n uint64 }

func (s steps) Encode(e *state.Encoder)              { e.Uint64(s.n) }
func (steps) Decode(d *state.Decoder) (steps, error) { return steps{d.Uint64()}, nil }

func (s steps) Succeeds(prev steps) error {
	if s.n < prev.n {
		return errors.New("crashtest: goes backwards")
	}
	return nil
}

// roomID names the room in a place. A room that is created after another one was removed has another name.
func roomID(place int, born uint32) state.ID {
	return sha256.Sum256(fmt.Append(nil, "room", place, born))
}

func newRoom(place int, born uint32) (room, error) {
	l := log{place: uint32(place), born: born, steps: 1}
	for i := range l.blocks {
		l.blocks[i] = state.NewSegment(newBlock(born, 1))
	}
	return state.New(roomID(place, born), l, steps{1}, steps{1})
}

// after returns the room after one more step, in which change edits the log.
func after(r room, change func(*log)) room {
	l := r.State()
	l.steps++
	l.blocks[l.steps%blocks] = state.NewSegment(newBlock(l.born, l.steps))
	l.sent, l.read, l.refused, l.kept = slices.Clone(l.sent), slices.Clone(l.read), slices.Clone(l.refused), slices.Clone(l.kept)
	change(&l)
	return r.WithState(l).WithTemplate(steps{l.steps}).WithEvals(steps{l.steps})
}

// whole returns an error unless all parts and segments of a room are of one history.
func whole(r room) error {
	l := r.State()
	if r.Template().n != l.steps || r.Evals().n != l.steps {
		return fmt.Errorf("parts of steps %d, %d and %d", l.steps, r.Template().n, r.Evals().n)
	}
	for i, b := range l.blocks {
		step := uint64(1) // or the last one up to now that replaced this block
		if back := (l.steps - uint64(i)) % blocks; l.steps > back+1 {
			step = l.steps - back
		}
		if !bytes.Equal(b.Value().data, newBlock(l.born, step).data) {
			return fmt.Errorf("block %d is not of step %d", i, step)
		}
	}
	return nil
}

// send puts a frame into the outbox: unlike any other even if the operation runs again, as an encrypted message is.
func send(tx *state.Tx[room], size int) {
	frame := make([]byte, 16+size)
	rand.Read(frame[:16])
	tx.Set(after(tx.Value(), func(l *log) { l.sent = append(l.sent, sha256.Sum256(frame)) }))
	tx.Send("relay", frame)
}

// frame is what is received: its number, and what decides how it is read.
type frame struct {
	number uint32
	level  uint32 // the room needs to read it
	bad    bool   // it is refused
	learn  bool   // it raises the room's level
	reply  bool   // it is answered
	size   uint32 // of its padding in bytes
}

func (f frame) encode() state.Frame {
	b := binary.BigEndian.AppendUint32(nil, f.number)
	b = binary.BigEndian.AppendUint32(b, f.level)
	for _, flag := range []bool{f.bad, f.learn, f.reply} {
		if flag {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return state.Frame{Source: "relay", Data: append(b, make([]byte, f.size)...)}
}

func parseFrame(b []byte) frame {
	return frame{
		number: binary.BigEndian.Uint32(b), level: binary.BigEndian.Uint32(b[4:]),
		bad: b[8] == 1, learn: b[9] == 1, reply: b[10] == 1, size: uint32(len(b) - 11),
	}
}

var (
	errBad    = state.NewOutcome(state.Discard, "crashtest: refused")
	errNotYet = state.NewOutcome(state.Retain, "crashtest: not yet")
)

// read is the opener of rooms.
func read(tx *state.Tx[room], in state.Frame) error {
	f := parseFrame(in.Data)
	taken := func(l *log) {
		l.kept = slices.DeleteFunc(l.kept, func(n uint32) bool { return n == f.number })
	}
	switch {
	case f.bad:
		tx.Set(after(tx.Value(), func(l *log) { taken(l); l.refused = append(l.refused, f.number) }))
		return errBad
	case f.level > tx.Value().State().level:
		tx.Set(after(tx.Value(), func(l *log) { l.kept = append(l.kept, f.number) }))
		return errNotYet
	}
	tx.Set(after(tx.Value(), func(l *log) { taken(l); l.read = append(l.read, f.number) }))
	tx.Deliver(binary.BigEndian.AppendUint32(nil, f.number))
	tx.InCommit(sqlstore.Rows(shelve(tx.Value().State().born, f.number)))
	if f.reply {
		send(tx, 50)
	}
	if f.learn {
		learn(tx)
	}
	return nil
}

// learn raises the level of a room.
func learn(tx *state.Tx[room]) {
	tx.Set(after(tx.Value(), func(l *log) { l.level++ }))
	tx.RetryRetained()
}
