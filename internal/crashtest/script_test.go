package crashtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// kind is a kind of operation.
type kind uint8

const (
	create  kind = iota // of a room, with messages to be sent
	update              // sends messages, may raise the level
	receive             // takes in a frame
	flush               // the outbox up to a number
	drain               // the inbox up to a number
	remove              // the room
	reopen              // closes the store and opens it
)

func (k kind) String() string {
	return [...]string{"create", "update", "receive", "flush", "drain", "remove", "reopen"}[k]
}

// once reports whether an operation must not be carried out a second time. The others go on where they were left.
func (k kind) once() bool { return k == create || k == update || k == remove }

// op is one operation on the room in a place. Operations are numbered from 1.
type op struct {
	kind  kind
	place int
	born  uint32 // of the room
	sends []int  // sizes of the messages of a create or update, in bytes
	learn bool   // an update raises the level
	frame frame  // of a receive
	upTo  uint64 // Seq of the last message of a flush or drain
}

func (o op) String() string {
	return fmt.Sprintf("%s of room %d/%d (sends %v, learns %v, frame %+v, up to %d)", o.kind, o.place, o.born, o.sends, o.learn, o.frame, o.upTo)
}

// script is a sequence of operations and what a store holds after each commit of each.
type script struct {
	ops    []op      // ops[i] is operation i+1
	states [][]world // states[i] are the states after the commits of operation i; states[0] is the empty store
}

// newScript makes n operations from a seed.
func newScript(seed uint64, n int) script {
	r := rand.New(rand.NewPCG(seed, 1))
	s := script{states: [][]world{{{}}}}
	var frames []op // received before, to be received again
	for i := 1; i <= n; i++ {
		w := s.after(i - 1)
		o := op{place: r.IntN(places)}
		if r.IntN(3) > 0 {
			o.place = 0 // most happens in one room, so that much waits in it
		}
		v := w[o.place]
		o.born = v.born
		switch p := r.IntN(100); {
		case v.born == 0:
			o.kind, o.born, o.sends = create, uint32(i), sizes(r, 2)
		case p < 25:
			o.kind, o.sends, o.learn = update, sizes(r, 4), r.IntN(3) == 0
		case p < 65:
			o.kind = receive
			o.frame = frame{
				number: uint32(i), level: v.level + uint32(max(0, r.IntN(6)-3)), bad: r.IntN(8) == 0,
				learn: r.IntN(6) == 0, reply: r.IntN(4) == 0, size: size(r),
			}
			frames = append(frames, o)
		case p < 70 && len(frames) > 0:
			if o = frames[r.IntN(len(frames))]; w[o.place].born != o.born {
				o = op{kind: reopen} // that room is gone
			}
		case p < 82:
			o.kind, o.upTo = flush, upTo(r, v.outbox)
		case p < 94:
			o.kind, o.upTo = drain, upTo(r, v.inbox)
		case p < 96:
			o.kind = remove
		default:
			o.kind = reopen
		}
		s.ops = append(s.ops, o)
		s.states = append(s.states, w.after(o))
	}
	return s
}

// resumed returns the script of a store that holds w when the program goes on after operation i. It differs from s if retained
// frames were being tried again: they are tried from the first one on, so that they may be read in another order.
func (s script) resumed(i int, w world) script {
	s.states = append(slices.Clone(s.states[:i]), []world{w})
	for _, o := range s.ops[i:] {
		s.states = append(s.states, s.after(len(s.states)-1).after(o))
	}
	return s
}

// after returns what a store holds after operation i.
func (s script) after(i int) world { return s.states[i][len(s.states[i])-1] }

// between returns all that a store may hold when operation i was acknowledged and operation j is the last that was begun.
func (s script) between(i, j int) []world {
	all := []world{s.after(i)}
	for ; i < j; i++ {
		all = append(all, s.states[i+1]...)
	}
	return all
}

// size returns how long something is in bytes: mostly short, sometimes several pages.
func size(r *rand.Rand) uint32 {
	if r.IntN(8) == 0 {
		return uint32(r.IntN(20000))
	}
	return uint32(r.IntN(400))
}

func sizes(r *rand.Rand, most int) []int {
	out := make([]int, r.IntN(most+1))
	for i := range out {
		out[i] = int(size(r))
	}
	return out
}

// upTo returns one of the numbers that wait, 0 if none does.
func upTo(r *rand.Rand, waiting []uint64) uint64 {
	if len(waiting) == 0 {
		return 0
	}
	return waiting[r.IntN(len(waiting))]
}
