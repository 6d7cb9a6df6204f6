package ratchet

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// seizures is what was sent in a history, and who stole which state.
type seizures struct {
	frames  []incoming // messages and rekeys
	said    []said
	epochs  map[proto.EpochID]made
	boxes   map[proto.EpochID]map[proto.BoxTag]bool // of the rekey that made a root
	thieves []thief
}

// said is a text, as its readers show it, and where it was sent.
type said struct {
	text string
	by   *node
	in   proto.EpochID
}

// made is how an epoch came to be.
type made struct {
	parent     proto.EpochID
	by         dkg.Index // of a root 0
	generation uint64    // of a root: of rekeys
}

// thief is a copy of a device's state that goes on to listen.
type thief struct {
	of       *node
	space    Space
	retained map[orphans.FrameName]incoming
	read     []string // by the device before: their keys are erased
}

func newThief(x *node) thief { return thief{x, x.space, maps.Clone(x.retained), x.texts()} }

// note notes a frame that is posted.
func (l *seizures) note(x *node, f []byte) {
	if t := proto.Type(f[0] & 0xf); t != proto.TypeMessage && t != proto.TypeRekey {
		return
	}
	l.frames = append(l.frames, newIncoming(state.Frame{Source: x.name, Data: f}))
	for _, p := range stateOf(x.space).rekeys.Value().Posted {
		if l.boxes[p.Root] != nil {
			continue
		}
		l.boxes[p.Root] = map[proto.BoxTag]bool{}
		for _, whole := range p.Wholes() {
			r, err := proto.ParseRekey(whole.Bytes)
			require.NoError(x.net.t, err)
			for _, b := range r.Boxes {
				l.boxes[p.Root][b.Tag] = true
			}
		}
		l.trace(x, p.Root)
	}
}

// trace notes an epoch that a device holds, and those above it.
func (l *seizures) trace(x *node, id proto.EpochID) {
	f := stateOf(x.space).forest
	for {
		e, held := f.Epoch(id)
		if _, known := l.epochs[id]; known || !held {
			return
		}
		m := made{parent: e.Parent(), by: e.Maker().Index}
		if e.Root() == id {
			m.generation = rekeyOf(f, e)
		}
		if e.Root() != id || m.parent != (proto.EpochID{}) || m.generation == 0 { // else it was told, and another device says more
			l.epochs[id] = m
		}
		id = m.parent
	}
}

// answer says whether a stolen state opens an epoch.
type answer int

const (
	no answer = iota
	yes
	maybe // what tickets told of it decides
)

// answer returns whether a stolen state opens an epoch: those that the device held, and what follows from them by commits of others, and by
// rekeys with a box to an inbox key that was stolen.
func (l *seizures) answer(t thief, id proto.EpochID) answer {
	st := stateOf(t.space)
	if e, held := st.forest.Epoch(id); held {
		if e.Derived() {
			return yes
		}
		return maybe
	}
	m, known := l.epochs[id]
	switch {
	case !known:
		return maybe
	case m.by == 0 && !l.boxed(t, id, m.generation), m.by == st.me().index:
		return no
	}
	return l.answer(t, m.parent)
}

// boxed reports whether a rekey has a box to an inbox key that was stolen.
func (l *seizures) boxed(t thief, root proto.EpochID, generation uint64) bool {
	d := edit{st: stateOf(t.space)}
	return slices.ContainsFunc(d.rekeySelf().Inboxes, func(k suite.KEMSecret) bool {
		return l.boxes[root][proto.TagOfBox(t.space.ID(), generation, d.st.me().index, k.Public)]
	})
}

// opens requires that a thief that listens to all opens what follows from what it stole, and nothing else. It returns how many texts it
// opened, and how many were closed to it.
func (h *ownership) opens(t thief, in []*node) (opened, closed int) {
	x := &node{
		net: &network{t: h.t, rng: h.rng, now: h.now}, name: "thief of " + t.of.name, space: t.space, retained: t.retained,
	}
	for _, f := range h.log.frames {
		x.listen(f)
	}
	for _, f := range x.retained {
		x.listen(f)
	}
	got := x.texts()
	_, quiet := stateOf(t.space).asking.Value().KeysGone()
	for _, s := range h.log.said {
		switch a := h.log.answer(t, s.in); {
		case s.by.place() == t.of.place():
		case slices.Contains(t.read, s.text), a == no && quiet: // a ticket that is on its way tells what was sent since, too
			require.NotContains(h.t, got, s.text, x.name)
			closed++
		case a == yes && slices.Contains(in, s.by):
			require.Contains(h.t, got, s.text, fmt.Sprint(x.name, ", in ", s.in))
			opened++
		}
	}
	return opened, closed
}

// listen reads a frame. Whether it is a member is nothing to a thief.
func (x *node) listen(f incoming) {
	if st := stateOf(x.space); st.phase != Member {
		st.phase = Member
		x.space = withState(x.space, st)
	}
	x.receive(f)
}
