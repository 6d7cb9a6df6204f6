package session

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// simulation is two persons with one or two devices each, and a relay that loses, repeats, reorders, damages and misdirects
// frames. What it draws follows from the seed; keys do not.
type simulation struct {
	t      *testing.T
	seed   uint64
	rand   *rand.Rand
	slots  []*slot
	flying []int // indices of sent
	sent   []delivery
	counts map[string]int
}

// slot is one device's side of a pair.
type slot struct {
	*party
	other    *slot
	begun    int
	retained map[int]bool // indices of sent: came too early
}

// delivery is a frame on its way to a slot, and what became of it.
type delivery struct {
	to        *slot
	text      string
	frame     []byte
	delivered bool
	read      bool
}

// maxBegun is how often one side of a pair begins in one history, at most.
var maxBegun = []int{3, 7, 40}

func newSimulation(t *testing.T, seed uint64, f suite, counts map[string]int) *simulation {
	s := &simulation{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), counts: counts}
	a, b := newHuman(t, 1+s.rand.IntN(2)), newHuman(t, 1+s.rand.IntN(2))
	side := func(h, o *human, i, j int) *slot {
		p := &party{t: t, d: h.devices[i], other: o.peer(t, j, f)}
		var err error
		p.s, err = New(p.d, p.other)
		require.NoError(t, err)
		return &slot{party: p, retained: map[int]bool{}}
	}
	for i := range a.devices {
		for j := range b.devices {
			x, y := side(a, b, i, j), side(b, a, j, i)
			x.other, y.other = y, x
			s.slots = append(s.slots, x, y)
		}
	}
	return s
}

func (s *simulation) any() *slot { return s.slots[s.rand.IntN(len(s.slots))] }

func (s *simulation) send(from *slot) {
	if from.s.Part().Sessions() == 0 {
		from.initiate()
		from.begun++
	}
	text := strconv.Itoa(len(s.sent))
	s.flying = append(s.flying, len(s.sent))
	s.sent = append(s.sent, delivery{to: from.other, text: text, frame: from.send(text)})
}

// give hands a frame to a slot, which need not be the one that it is for, and retries what was retained if it was read.
func (s *simulation) give(to *slot, n int, frame []byte) {
	next, r, err := Decrypt(to.s, to.d, frame)
	if err != nil {
		require.True(s.t, next.Equal(to.s), "seed %d: a failure changed the session", s.seed)
		if errors.Is(err, ErrNotYet) && n >= 0 && s.sent[n].to == to {
			to.retained[n] = true
		}
		return
	}
	require.GreaterOrEqual(s.t, n, 0, "seed %d: a damaged or misdirected frame was read", s.seed)
	d := &s.sent[n]
	require.Same(s.t, d.to, to, "seed %d: frame %d was read in another slot", s.seed, n)
	require.False(s.t, d.read, "seed %d: frame %d was read twice", s.seed, n)
	require.Equal(s.t, d.text, string(r.Plaintext), "seed %d", s.seed)
	to.s, d.read = next, true
	delete(to.retained, n)
	if r.Began || r.newChain {
		for n := range to.retained {
			delete(to.retained, n)
			s.give(to, n, s.sent[n].frame)
		}
	}
}

func (s *simulation) arrive(n int) {
	s.sent[n].delivered = true
	s.give(s.sent[n].to, n, s.sent[n].frame)
}

// run is one history, after which all that was delivered must be read, and both sides of each pair must read each other.
func (s *simulation) run() {
	loss, begun, eager := s.rand.IntN(60), maxBegun[s.rand.IntN(len(maxBegun))], 37+s.rand.IntN(20)
	for range 30 + s.rand.IntN(120) {
		x := s.any()
		switch p := s.rand.IntN(100); {
		case p < 35:
			for range 1 + s.rand.IntN(3) {
				s.send(x)
			}
		case p < eager:
			if x.begun < begun {
				x.begun++
				x.initiate()
			}
		case p < 80:
			s.deliverOne(loss)
		case len(s.sent) == 0:
		case p < 86: // the relay repeats an old frame
			s.repeat(s.rand.IntN(len(s.sent)))
		case p < 90: // it damages one
			n := s.rand.IntN(len(s.sent))
			frame := bytes.Clone(s.sent[n].frame)
			frame[s.rand.IntN(len(frame))] ^= 1 << s.rand.IntN(8)
			s.give(s.sent[n].to, -1, frame)
		case p < 94: // it misdirects or reflects one
			d := s.sent[s.rand.IntN(len(s.sent))]
			if to := s.any(); to != d.to {
				s.give(to, -1, d.frame)
			}
		default:
			s.restart(x)
		}
	}
	for len(s.flying) > 0 {
		s.deliverOne(loss)
	}
	for _, d := range s.sent {
		require.True(s.t, d.read || !d.delivered, "seed %d: frame %s was delivered and not read", s.seed, d.text)
		s.counts["sent"]++
		if d.read {
			s.counts["read"]++
		}
	}
	s.settle()
}

func (s *simulation) deliverOne(loss int) {
	if len(s.flying) == 0 {
		return
	}
	i := s.rand.IntN(len(s.flying))
	n := s.flying[i]
	s.flying = append(s.flying[:i], s.flying[i+1:]...)
	if s.rand.IntN(100) >= loss {
		s.arrive(n)
	}
}

// repeat delivers a frame that was sent before. One that was lost so far counts as delivered now.
func (s *simulation) repeat(n int) {
	if s.sent[n].read {
		next, _, err := Decrypt(s.sent[n].to.s, s.sent[n].to.d, s.sent[n].frame)
		require.Error(s.t, err, "seed %d: frame %d is read twice", s.seed, n)
		require.True(s.t, next.Equal(s.sent[n].to.s))
		return
	}
	s.arrive(n)
}

// restart begins again with what is stored.
func (s *simulation) restart(x *slot) {
	part, err := parsePair(x.s.Part().marshal())
	require.NoError(s.t, err)
	x.s = x.s.With(part)
}

// settle lets both sides of each pair speak in turns, without loss: in the second round at the latest everything is read.
func (s *simulation) settle() {
	const rounds = 4
	for i := 0; i < len(s.slots); i += 2 {
		for round := range rounds {
			ok := true
			for _, from := range s.slots[i : i+2] {
				s.send(from)
				n := len(s.sent) - 1
				s.arrive(n)
				ok = ok && s.sent[n].read
			}
			if ok {
				s.counts[fmt.Sprint("settled in round ", round)]++
				break
			}
			require.Less(s.t, round, rounds-1, "seed %d: a direction is lost", s.seed)
		}
	}
	s.flying = nil
}

// G9, G12, G15: whatever is lost, repeated, reordered, damaged or misdirected, and however often either side begins anew,
// all that is delivered is read, nothing twice, and no direction is lost. The environment variable TREFOIL_HISTORIES says how many histories are run in
// each suite; one takes 0.1 s.
func TestSimulation(t *testing.T) {
	histories := 25
	if testing.Short() {
		histories = 8
	}
	if n, err := strconv.Atoi(os.Getenv("TREFOIL_HISTORIES")); err == nil {
		histories = n
	}
	suites(t, func(t *testing.T, f suite) {
		counts := map[string]int{}
		for seed := range uint64(histories) {
			newSimulation(t, seed, f, counts).run()
		}
		t.Logf("%d histories: %v", histories, counts)
	})
}
