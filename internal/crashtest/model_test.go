package crashtest

import (
	"fmt"
	"iter"
	"slices"
)

// places is how many rooms there are at most.
const places = 3

// world is what a store holds.
type world [places]view

// view is what a room and its queues hold; the zero view is a room that does not exist.
type view struct {
	born, level   uint32
	steps, sent   uint64
	read, refused []uint32
	kept          []frame  // retained; known to an observer are their numbers only
	outbox, inbox []uint64 // numbers of what waits
	due           bool     // retained frames are to be tried again; only a model knows
}

// String describes everything that can be observed.
func (v view) String() string {
	kept := make([]uint32, len(v.kept))
	for i, f := range v.kept {
		kept[i] = f.number
	}
	return fmt.Sprintf("born %d, level %d, %d steps, %d sent, read %v, refused %v, kept %v, outbox %v, inbox %v",
		v.born, v.level, v.steps, v.sent, v.read, v.refused, kept, v.outbox, v.inbox)
}

// value returns the view without its queues.
func (v view) value() view {
	v.outbox, v.inbox = nil, nil
	return v
}

// equal reports whether nobody can tell the views apart.
func (v view) equal(o view) bool { return v.String() == o.String() }

func (w world) equal(o world) bool { return slices.EqualFunc(w[:], o[:], view.equal) }

func (w world) equalValues(o world) bool {
	return slices.EqualFunc(w[:], o[:], func(a, b view) bool { return a.value().equal(b.value()) })
}

// after returns what the store holds after each commit of an operation, at least one state.
func (w world) after(o op) (states []world) {
	commit := func(v view) {
		w[o.place] = v
		states = append(states, w)
	}
	v := w[o.place]
	switch o.kind {
	case create:
		commit(view{born: o.born, steps: 1}.sends(len(o.sends)))
	case update:
		v = v.sends(len(o.sends))
		if o.learn {
			v = v.learns()
		}
		commit(v)
	case receive:
		if !v.knows(o.frame) {
			v = v.reads(o.frame)
			commit(v)
		}
		for v = range v.retries() {
			commit(v)
		}
	case flush:
		for len(v.outbox) > 0 && v.outbox[0] <= o.upTo {
			v.outbox = v.outbox[1:]
			commit(v)
		}
	case drain:
		for len(v.inbox) > 0 && v.inbox[0] <= o.upTo {
			v.inbox = v.inbox[1:]
			commit(v)
		}
	case remove:
		commit(view{})
	}
	if states == nil {
		states = []world{w}
	}
	return states
}

// knows reports whether the frame was received before.
func (v view) knows(f frame) bool {
	return slices.Contains(v.read, f.number) || slices.Contains(v.refused, f.number) || slices.Contains(v.kept, f)
}

// retries yields the view after each commit that tries retained frames again. It yields nothing if they are not due.
func (v view) retries() iter.Seq[view] {
	return func(yield func(view) bool) {
		for v.due {
			again := false
			for _, f := range v.kept {
				if f.level > v.level {
					continue
				}
				v.due = false
				v = v.reads(f)
				again, v.due = again || v.due, true
				if !yield(v) {
					return
				}
			}
			if v.due = again; !yield(v) {
				return
			}
		}
	}
}

// settled returns the view after all that is due was done.
func (v view) settled() view {
	for v = range v.retries() {
	}
	return v
}

// sends returns the view after n messages were put into the outbox.
func (v view) sends(n int) view {
	for range n {
		v.steps++
		v.sent++
		v.outbox = append(slices.Clip(v.outbox), v.sent)
	}
	return v
}

// learns returns the view after its level was raised.
func (v view) learns() view {
	v.steps++
	v.level++
	v.due = v.due || len(v.kept) > 0
	return v
}

// reads returns the view after the commit of a frame, received for the first time or taken out of what is kept.
func (v view) reads(f frame) view {
	v.steps++
	if f.bad {
		v.refused = append(slices.Clip(v.refused), f.number)
		return v
	}
	if f.level > v.level {
		v.kept = append(slices.Clip(v.kept), f)
		return v
	}
	v.kept = slices.DeleteFunc(slices.Clone(v.kept), func(kept frame) bool { return kept == f })
	v.read = append(slices.Clip(v.read), f.number)
	v.inbox = append(slices.Clip(v.inbox), uint64(len(v.read)))
	if f.reply {
		v = v.sends(1)
	}
	if f.learn {
		v = v.learns()
	}
	return v
}
