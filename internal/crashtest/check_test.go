package crashtest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/trefoil-im/trefoil/internal/disktest"
	"github.com/trefoil-im/trefoil/state"
)

func frameName(number uint32) string { return fmt.Sprint("frame ", number) }

// values returns what the rooms of an open store say, without their queues. It changes nothing.
func (p *program) values(ctx context.Context) (w world, rooms [places]room, err error) {
	ids, err := p.vault.List(ctx)
	if err != nil {
		return w, rooms, err
	}
	for _, id := range ids {
		r, err := p.vault.Load(ctx, id)
		if err == nil {
			err = whole(r)
		}
		if err == nil {
			err = checkShelf(ctx, p.db, r.State())
		}
		if err != nil {
			return w, rooms, fmt.Errorf("room %v: %w", id, err)
		}
		l := r.State()
		if rooms[l.place].ID() != (state.ID{}) {
			return w, rooms, fmt.Errorf("two rooms in place %d", l.place)
		}
		v := view{born: l.born, level: l.level, steps: l.steps, sent: uint64(len(l.sent)), read: l.read, refused: l.refused}
		for _, n := range l.kept {
			v.kept = append(v.kept, frame{number: n})
		}
		w[l.place], rooms[l.place] = v, r
	}
	return w, rooms, nil
}

// idle is a disk that does not sync. What is checked need not survive the next crash.
var idle = sync.OnceValues(func() (*disktest.Disk, error) {
	return disktest.New(func(op disktest.Op) disktest.Fault {
		if op.Kind == disktest.Sync {
			return disktest.Ignored
		}
		return disktest.None
	})
})

// check opens a store after a crash and returns an error unless it holds what it must, given the journal up to the crash.
// It returns the operation after which a program goes on that has the store as it was left, and the script for it. It empties
// the queues.
func check(ctx context.Context, path string, s script, journal []entry) (at int, rest script, err error) {
	dsn := path
	if !onServer(path) {
		disk, err := idle()
		if err != nil {
			return 0, s, err
		}
		dsn = disk.DSN(path)
	}
	p := &program{dsn: dsn, note: func(e entry) { journal = append(journal, e) }}
	if err := p.open(ctx); err != nil {
		return 0, s, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	first, last := span(journal)
	allowed := s.between(first, last)
	w, rooms, err := p.values(ctx)
	if err != nil {
		return 0, s, err
	}
	for place := range rooms {
		if rooms[place].ID() == (state.ID{}) {
			continue
		}
		before := len(journal)
		if err := errors.Join(p.flush(ctx, place, w[place].born, 1<<62), p.drain(ctx, place, w[place].born, 1<<62)); err != nil {
			return 0, s, err
		}
		for _, e := range journal[before:] {
			if e.Event == sent {
				w[place].outbox = append(w[place].outbox, e.Seq)
			} else {
				w[place].inbox = append(w[place].inbox, e.Seq)
			}
		}
	}
	allowed = slices.DeleteFunc(allowed, func(a world) bool { return !a.equal(w) })
	if len(allowed) == 0 {
		return 0, s, fmt.Errorf("after operation %d was acknowledged and %d begun, the store holds none of the states that it may:\n%v\nshould be among\n%v",
			first, last, w, s.between(first, last))
	}
	if at = first; last > first && s.ops[last-1].kind.once() && s.after(last).equal(w) {
		at, allowed = last, []world{s.after(last)}
	}
	if err := checkMessages(journal, rooms); err != nil {
		return 0, s, err
	}
	return at, s.resumed(at, allowed[0]), p.checkGoesOn(ctx, s, allowed)
}

// span returns the last operation that was acknowledged and the last one that was begun.
func span(journal []entry) (acknowledged, begun int) {
	for _, e := range journal {
		switch e.Event {
		case begins:
			begun = e.Op
		case done:
			acknowledged = e.Op
		}
	}
	return acknowledged, begun
}

// checkMessages returns an error if a message was given out with two contents or with one that the room does not know, or
// if one has left its queue and was not given out.
func checkMessages(journal []entry, rooms [places]room) error {
	type message struct {
		event event
		place int
		born  uint32
		seq   uint64
	}
	given := make(map[message]string)
	for _, e := range journal {
		if e.Event != sent && e.Event != shown {
			continue
		}
		m := message{e.Event, e.Place, e.Born, e.Seq}
		if before, twice := given[m]; twice && before != e.What {
			return fmt.Errorf("two contents: %+v", m)
		}
		given[m] = e.What
	}
	for place, r := range rooms {
		if r.ID() == (state.ID{}) {
			continue
		}
		l := r.State()
		for i, digest := range l.sent {
			if m := (message{sent, place, l.born, uint64(i + 1)}); given[m] != hex.EncodeToString(digest[:]) {
				return fmt.Errorf("not given to the network as it was made: %+v", m)
			}
		}
		for i, n := range l.read {
			if m := (message{shown, place, l.born, uint64(i + 1)}); given[m] != frameName(n) {
				return fmt.Errorf("not shown as it was read: %+v", m)
			}
		}
	}
	return nil
}

// checkGoesOn returns an error unless what was due when the store was left is done now, every frame that was dealt with is
// known, and a room can be changed.
func (p *program) checkGoesOn(ctx context.Context, s script, allowed []world) error {
	for place := range places {
		born := allowed[0][place].born
		if born == 0 {
			continue
		}
		id := roomID(place, born)
		if _, err := p.vault.Retry(ctx, id, read); err != nil {
			return err
		}
		w, _, err := p.values(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(allowed, func(a world) bool { return a[place].settled().value().equal(w[place].value()) }) {
			return fmt.Errorf("what was due in room %d was not done: it holds %v", place, w[place])
		}
		for _, o := range s.ops {
			known := allowed[0][place].settled().knows(o.frame)
			if o.kind != receive || o.place != place || o.born != born || !known {
				continue
			}
			if _, err := p.vault.Receive(ctx, id, o.frame.encode(), func(*state.Tx[room], state.Frame) error {
				return fmt.Errorf("frame %d is read twice", o.frame.number)
			}); err != nil {
				return err
			}
		}
		if err := p.vault.Update(ctx, id, func(tx *state.Tx[room]) error { send(tx, 1); return nil }); err != nil {
			return err
		}
	}
	return nil
}
