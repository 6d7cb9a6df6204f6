package session

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
)

// simulation is two persons with one or two devices each, and a relay that loses, repeats, reorders, damages, misdirects and
// reflects frames and adds its own. Devices rotate their keys and slots are restored from backups. All of it follows from the
// seed, the keys included.
type simulation struct {
	t      *testing.T
	seed   uint64
	rand   *rand.Rand
	slots  []*slot
	flying []int // indices of sent
	sent   []delivery
	counts map[string]int
}

// published is a device that all its slots share, as others find it in the directory.
type published struct {
	person  directory.Person
	suite   suite
	d       Device
	peer    directory.Peer
	rotated int
}

// slot is one device's side of a pair.
type slot struct {
	*party
	device   *published
	other    *slot
	begun    int
	retained map[int]bool // indices of sent: came too early
	backup   Session
	restored int
	unheard  bool                 // it was restored, and the other side has read nothing since
	dropped  map[sessionName]bool // for want of room
}

type sessionName = [seenNameSize]byte

// delivery is a frame on its way to a slot, and what became of it.
type delivery struct {
	to        *slot
	text      string
	frame     []byte
	session   ratchetSession
	delivered bool
	read      bool
	late      bool // SPEC names it as lost: it came when its session was dropped, or too far overtaken to begin
	excused   bool // SPEC names it as lost, or as readable again: it was on its way when a side was restored
	heard     bool // its sender was not restored since, or it was sent since
}

// maxBegun is how often one side of a pair begins in one history, at most. A device rotates its keys maxRotated times, which is
// before the first ones are erased, and a slot is restored maxRestored times.
var (
	maxBegun    = []int{3, 7, 40}
	maxRotated  = 3
	maxRestored = []int{0, 0, 2}
)

// longEvery says how often a history is a long one, in which sessions become so many that some are dropped.
const longEvery = 12

// crowd is the devices of two persons, which the histories of one suite share.
func crowd(t *testing.T, f suite) (devices [2][2]published) {
	for i := range devices {
		h := newHuman(t, 2)
		for j, d := range h.devices {
			devices[i][j] = published{person: h.verified(t), suite: f, d: d, peer: h.peer(t, j, f)}
		}
	}
	return devices
}

func newSimulation(t *testing.T, seed uint64, devices [2][2]published, counts map[string]int) *simulation {
	s := &simulation{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), counts: counts}
	side := func(at, other *published) *slot {
		first, err := New(at.d, other.peer)
		require.NoError(t, err)
		return &slot{party: &party{t: t, d: at.d, s: first, other: other.peer}, device: at, retained: map[int]bool{},
			backup: first, dropped: map[sessionName]bool{}}
	}
	a, b := 1+s.rand.IntN(2), 1+s.rand.IntN(2)
	for i := range devices[0][:a] {
		for j := range devices[1][:b] {
			x, y := side(&devices[0][i], &devices[1][j]), side(&devices[1][j], &devices[0][i])
			x.other, y.other = y, x
			s.slots = append(s.slots, x, y)
		}
	}
	return s
}

// begin looks the other device up and begins a session.
func (x *slot) begin() {
	x.party.other = x.other.device.peer
	x.begun++
	before := x.s
	x.initiate()
	x.noteDropped(before)
}

// noteDropped notes which sessions a slot has dropped. It drops one for want of room, or its own that nothing was sent in.
func (x *slot) noteDropped(before Session) {
	for _, t := range before.Part().sessions {
		if !x.s.Part().knows(t.ephemeral) && (!t.awaitingReply || t.ratchet.HasSent()) {
			require.Len(x.t, before.Part().sessions, maxSessions)
			x.dropped[nameOf(t.ephemeral)] = true
		}
	}
}

// comesLate reports whether a frame comes to a slot that has dropped its session, or has accepted maxLate newer ones before it.
func (x *slot) comesLate(d *delivery) bool {
	p := x.s.Part()
	return x.dropped[nameOf(d.session.ephemeral)] ||
		d.session.suite == hybrid && !p.knows(d.session.ephemeral) && p.accepted >= d.session.generation+maxLate
}

// rotate replaces the keys of a device.
func (s *simulation) rotate(p *published) {
	if p.rotated == maxRotated {
		return
	}
	p.rotated++
	p.d = rotated(s.t, p.d, day0.Add(time.Duration(p.rotated)*rotateAfter))
	if p.suite == hybrid {
		var err error
		p.peer, err = p.person.WithBundle(p.d.Bundle())
		require.NoError(s.t, err)
	}
	for _, x := range s.slots {
		if x.device == p {
			x.d = p.d
		}
	}
}

// restore sets a slot back to its backup. What is on its way between the two may be lost, and what was read may be read again.
func (s *simulation) restore(x *slot) {
	x.s = Restore(x.backup)
	x.restored++
	x.unheard = true
	for n := range s.sent {
		if d := &s.sent[n]; d.to == x || d.to.other == x {
			d.excused, d.heard = true, false
		}
	}
	s.counts["restored"]++
}

func (s *simulation) any() *slot { return s.slots[s.rand.IntN(len(s.slots))] }

func (s *simulation) send(from *slot) {
	if !from.s.Part().IsReady() {
		from.begin()
	}
	text := strconv.Itoa(len(s.sent))
	s.flying = append(s.flying, len(s.sent))
	s.sent = append(s.sent, delivery{to: from.other, text: text, frame: from.send(text), session: from.s.Part().sessions[0],
		heard: true, excused: from.other.unheard})
}

// give hands a frame to a slot, which need not be the one that it is for, and retries what was retained if it was read.
func (s *simulation) give(to *slot, n int, frame []byte) {
	next, r, err := Decrypt(to.s, to.d, frame)
	if err != nil {
		require.True(s.t, next.Equal(to.s), "seed %d: a failure changed the session", s.seed)
		if n >= 0 && s.sent[n].to == to {
			if errors.Is(err, ErrNotYet) {
				to.retained[n] = true
			}
			s.sent[n].late = to.comesLate(&s.sent[n])
		}
		return
	}
	require.GreaterOrEqual(s.t, n, 0, "seed %d: a damaged or misdirected frame was read", s.seed)
	d := &s.sent[n]
	require.Same(s.t, d.to, to, "seed %d: frame %d was read in another slot", s.seed, n)
	require.False(s.t, d.read && !d.excused, "seed %d: frame %d was read twice", s.seed, n)
	require.Equal(s.t, d.text, string(r.Plaintext()), "seed %d", s.seed)
	before := to.s
	to.s, d.read = next, true
	to.noteDropped(before)
	if d.heard {
		to.other.unheard = false
	}
	delete(to.retained, n)
	if r.retry {
		for _, n := range slices.Sorted(maps.Keys(to.retained)) {
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
	restored := maxRestored[s.rand.IntN(len(maxRestored))]
	if s.slots[0].device.suite == classic {
		restored = 0 // its formats do not tell a recording from what is new: see Restore
	}
	steps := 12 + s.rand.IntN(24)
	if s.seed%longEvery == 0 {
		steps = 150
	}
	for range steps {
		x := s.any()
		switch p := s.rand.IntN(100); {
		case p < 35:
			for range 1 + s.rand.IntN(2) {
				s.send(x)
			}
		case p < eager:
			if x.begun < begun {
				x.begin()
			}
		case p < 78:
			s.deliverOne(loss)
		case p < 80:
			s.rotate(x.device)
		case p < 81:
			x.backup = x.s
		case p < 82:
			if x.restored < restored {
				s.restore(x)
			}
		case p < 83: // anybody writes anything
			frame := make([]byte, 2+s.rand.IntN(2000))
			for i := range frame {
				frame[i] = byte(s.rand.Uint32())
			}
			frame[0], frame[1] = 1, byte(1+s.rand.IntN(3))
			s.give(x, -1, frame)
		case len(s.sent) == 0:
		case p < 86: // the relay repeats an old frame
			s.repeat(s.rand.IntN(len(s.sent)))
		case p < 90: // it damages one
			n := s.rand.IntN(len(s.sent))
			frame := bytes.Clone(s.sent[n].frame)
			frame[s.rand.IntN(len(frame))] ^= 1 << s.rand.IntN(8)
			s.give(s.sent[n].to, -1, frame)
		case p < 92: // it reflects one
			d := s.sent[s.rand.IntN(len(s.sent))]
			s.give(d.to.other, -1, d.frame)
		case p < 94: // it misdirects one
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
		require.True(s.t, d.read || !d.delivered || d.late || d.excused, "seed %d: frame %s was delivered and not read", s.seed, d.text)
		s.counts["sent"]++
		switch {
		case d.read:
			s.counts["read"]++
		case d.late:
			s.counts["too late"]++
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
		if s.sent[n].excused {
			s.arrive(n)
			return
		}
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
// all that is delivered is read, nothing twice, and no direction is lost, nor by rotated keys or slots from backups. There are
// 150 histories in each suite, 10,000 with TREFOIL_LONG=1, or as many as TREFOIL_HISTORIES says. The name of one is its seed.
func TestSimulation(t *testing.T) {
	histories := 150
	n, err := strconv.Atoi(os.Getenv("TREFOIL_HISTORIES"))
	switch {
	case err == nil:
		histories = n
	case os.Getenv("TREFOIL_LONG") != "":
		histories = 10_000
	case testing.Short():
		histories = 8
	}
	suites(t, func(t *testing.T, f suite) {
		counts := map[string]int{}
		cryptotest.SetGlobalRandom(t, 0)
		devices := crowd(t, f)
		for seed := range uint64(histories) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				cryptotest.SetGlobalRandom(t, seed)
				newSimulation(t, seed, devices, counts).run()
			})
		}
		t.Logf("%d histories: %v", histories, counts)
	})
}
