package ratchet

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Attacker is somebody who has seized bytes and heard everything on the wire. It follows whatever can be followed with
// them: boxes with private keys, commits with commit keys, trees and shares, chains with their keys. And because the
// seized bytes might hold a key where nobody thinks of one, it tries every 32 bytes in a row of them for everything.
type Attacker struct {
	Deep bool // nodes, too, are looked for everywhere and not only where trees lie: a hundred times the work

	space   state.ID
	windows [][]byte
	seen    map[string]bool
	shares  []dkg.Share
	boxes   []suite.KEMSecret
	epochs  []seizedEpoch
	public  dkg.Commitment
	depth   int
	commits []proto.SealedCommit
	tickets []proto.Ticket
	asked   []proto.Request
	tried   map[string]bool
}

// seizedEpoch is what an attacker knows of an epoch. It may know one twice, in different ways.
type seizedEpoch struct {
	id         proto.EpochID
	generation uint64
	sealing    suite.AEAD
	commits    pprf.CommitTree
	senders    []frontierAt
	chains     []chain
}

// frontierAt is a part of a sender tree.
type frontierAt struct {
	tree  pprf.Frontier
	block int // which block of indices it covers; -1: it is the top, whose leaves are the roots of blocks
}

// NewAttacker returns an attacker on a space whose polynomial's commitment is known, as it is to every member.
func NewAttacker(member Space) *Attacker {
	w := &work{st: member.State(), tp: member.Template()}
	_, _, t, _ := w.preferred()
	return &Attacker{
		space: member.ID(), public: t.template.Public, depth: t.template.Depth,
		seen: make(map[string]bool), tried: make(map[string]bool),
	}
}

// Bytes gives the attacker bytes in which it does not know what is what.
func (a *Attacker) Bytes(blobs ...[]byte) {
	for _, b := range blobs {
		for i := 0; i+suite.KeySize <= len(b); i++ {
			if k := string(b[i : i+suite.KeySize]); !a.seen[k] {
				a.seen[k] = true
				a.windows = append(a.windows, b[i:i+suite.KeySize])
			}
		}
	}
}

// Share gives the attacker the share of a member, and with a second one all of the polynomial.
func (a *Attacker) Share(s Space) {
	for r := range s.State().roots.All() {
		share := r.record.Value().share
		a.shares = append(a.shares, share)
		a.Bytes(share.Scalar().Bytes())
	}
	if len(a.shares) == 2 {
		i, j := a.shares[0], a.shares[1]
		x, y := ed448.ScalarFromUint32(uint32(i.Index())), ed448.ScalarFromUint32(uint32(j.Index()))
		inverse := y.Sub(x).VarTimeInverse()
		li, lj := y.Mul(inverse), x.Mul(inverse).Neg()
		a0 := li.Mul(i.Scalar()).Add(lj.Mul(j.Scalar()))
		a.Bytes(a0.Bytes())
	}
}

// Seize gives the attacker a whole space, with all that is in it in its place.
func (a *Attacker) Seize(s Space) {
	a.Share(s)
	st := s.State()
	d := st.self.Value()
	for _, k := range d.inboxes {
		a.boxes = append(a.boxes, k.secret)
	}
	if d.request.isOpen() {
		a.boxes = append(a.boxes, d.request.key)
	}
	for r := range s.Template().roots.All() {
		a.boxes = append(a.boxes, r.record.Value().template.Config)
	}
	for r := range st.epochs.All() {
		a.seizeEpoch(r.epoch())
	}
}

// SeizeCommits gives the attacker of an epoch only what commits are followed with.
func (a *Attacker) SeizeCommits(s Space) {
	st := s.State()
	e, _ := st.epoch(st.preferred)
	a.epochs = append(a.epochs, seizedEpoch{id: e.id, generation: e.generation, sealing: e.sealing, commits: e.commits})
}

func (a *Attacker) seizeEpoch(e epoch) {
	known := seizedEpoch{id: e.id, generation: e.generation, sealing: e.sealing, commits: e.commits, senders: []frontierAt{{e.senders, -1}}}
	for b := range e.blocks.All() {
		known.senders = append(known.senders, frontierAt{b.tree, int(b.no)})
		known.chains = append(known.chains, b.chains...)
	}
	a.epochs = append(a.epochs, known)
}

// Hear gives the attacker frames.
func (a *Attacker) Hear(frames ...[]byte) {
	for _, f := range frames {
		if e, err := proto.ParseEnvelope(f); err == nil {
			a.commits = append(a.commits, e.Commits...)
		} else if t, err := proto.ParseTicket(f); err == nil {
			a.tickets = append(a.tickets, t)
		} else if q, err := proto.ParseRequest(f); err == nil {
			a.asked = append(a.asked, q)
		}
	}
}

// Think lets the attacker draw all conclusions, and returns how many boxes it opened and epochs it entered.
func (a *Attacker) Think() (boxes, epochs int) {
	for again := true; again; {
		again = false
		for _, k := range a.boxes {
			for _, q := range a.asked {
				if plain, err := k.Open(q.Kind.Label(), a.space, 0, q.Box); err == nil && a.once("request", plain.Expose()) {
					a.Bytes(plain.Expose())
					boxes, again = boxes+1, true
				}
			}
			for _, t := range a.tickets {
				for i := range uint32(16) {
					plain, err := k.Open(suite.HPKETicket, a.space, i, t.Box)
					if err != nil || !a.once("ticket", plain.Expose()) {
						continue
					}
					boxes, again = boxes+1, true
					a.Bytes(plain.Expose())
					if b, err := proto.ParseTicketBody(plain.Expose()); err == nil {
						for _, e := range b.Epochs {
							a.epochs = append(a.epochs, seizedEpoch{id: e.Id, generation: e.Generation, sealing: suite.NewAEAD(e.CommitKey), commits: e.Tree})
						}
					}
				}
			}
		}
		for _, p := range a.epochs {
			for _, sealed := range a.commits {
				c, err := sealed.Open(p.sealing, a.space, p.id)
				if err != nil {
					continue
				}
				id := c.Child(a.space, p.id, p.generation+1)
				seed, _, err := p.commits.Eval(c.Index(), id)
				if err != nil || a.tried[string(id[:])] {
					continue
				}
				for _, share := range a.shares {
					ss, err := c.Follow(a.space, p.id, a.depth, a.public, share)
					if err != nil {
						continue
					}
					s := expandEpoch(suite.Extract(seed, ss), id)
					a.tried[string(id[:])] = true
					a.Bytes(seed.Expose(), ss.Expose(), s.header.Expose(), s.commit.Expose(), s.sender.Expose(), s.commits.Expose())
					a.seizeEpoch(newEpoch(birth{id: id, generation: p.generation + 1, depth: a.depth}, s))
					epochs, again = epochs+1, true
					break
				}
			}
		}
	}
	return boxes, epochs
}

func (a *Attacker) once(what string, b []byte) bool {
	d := suite.Hash(b)
	k := what + string(d[:])
	first := !a.tried[k]
	a.tried[k] = true
	return first
}

// Target is a message that an attacker tries to open. It is even told where the message stands.
type Target struct {
	frame  proto.Envelope
	epoch  proto.EpochID
	sender dkg.Index
	number uint32
}

// NewTarget returns the target of a frame, and what a member who read it knows of its place.
func NewTarget(frame []byte, read Message) Target {
	e, err := proto.ParseEnvelope(frame)
	if err != nil {
		panic(err)
	}
	return Target{e, read.Epoch, read.Sender, read.Number}
}

// OpensAsMeant reports whether the attacker can read a message with the keys it has, each in its place.
func (a *Attacker) OpensAsMeant(t Target) bool {
	for _, e := range a.epochs {
		if e.id != t.epoch {
			continue
		}
		for _, c := range e.chains {
			if c.index != t.sender {
				continue
			}
			if _, key, err := c.take(t.number, mark{}); err == nil && a.fits(t, key) {
				return true
			}
		}
		for _, f := range e.senders {
			tree := f.tree
			if f.block < 0 {
				root, _, err := tree.Eval(pprf.Path(t.sender, a.depth, nil))
				if err != nil {
					continue
				}
				tree = pprf.New(root, segmap.IndexBits)
			} else if uint32(f.block) != blockOf(t.sender) {
				continue
			}
			if key, _, err := tree.Eval(blockPath(t.sender)); err == nil && a.climbs(t, key) {
				return true
			}
		}
	}
	return false
}

// OpensByForce reports whether the attacker can read any of some messages of one sender with any 32 bytes in a row that it
// has, taken for a message key, a chain key and, if it is Deep, any node of the sender tree.
func (a *Attacker) OpensByForce(targets ...Target) bool {
	path := pprf.Path(targets[0].sender, a.depth, nil)
	var found atomic.Bool
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(a.windows)) && !found.Load(); i = next.Add(1) - 1 {
				if a.opensFrom(a.windows[i], path, targets) {
					found.Store(true)
				}
			}
		})
	}
	workers.Wait()
	return found.Load()
}

func (a *Attacker) opensFrom(window, path []byte, targets []Target) bool {
	chains := [][]byte{window}
	if a.Deep {
		for depth := range a.depth {
			chains = append(chains, descend(window, path, depth, a.depth))
		}
	}
	for _, t := range targets {
		if a.fits(t, secret.New(window)) {
			return true
		}
		for _, c := range chains {
			if a.climbs(t, secret.New(c)) {
				return true
			}
		}
	}
	return false
}

// descend is the way down from a node, without the siblings.
func descend(node, path []byte, depth, bits int) []byte {
	for ; depth < bits; depth++ {
		both := suite.MAC(node, suite.MACPPRF)
		node = both[int(path[depth/8]>>(7-depth%8)&1)*suite.KeySize:][:suite.KeySize]
	}
	return node
}

// climbs takes a key for the sender's chain key at any number up to the message's.
func (a *Attacker) climbs(t Target, chain secret.Bytes) bool {
	var key secret.Bytes
	for range t.number + 1 {
		if chain, key = suite.StepChain(chain); a.fits(t, key) {
			return true
		}
	}
	return false
}

func (a *Attacker) fits(t Target, key secret.Bytes) bool {
	_, err := t.frame.Open(a.space, t.epoch, key)
	return err == nil
}

// Erased returns the keys that a space held before and must hold no more now that it has read the targets: their message
// keys, and the chain keys from which those followed.
func Erased(before Space, targets ...Target) (keys [][]byte) {
	st := before.State()
	for _, t := range targets {
		e, ok := st.epoch(t.epoch)
		if !ok {
			continue
		}
		c, _, err := e.chain(t.sender)
		if err != nil {
			continue
		}
		next, key := c.key, secret.Bytes{}
		for n := c.next; n <= t.number; n++ {
			keys = append(keys, next.Expose())
			if next, key = suite.StepChain(next); n == t.number {
				keys = append(keys, key.Expose())
			}
		}
	}
	return keys
}

// ForgeAs returns what an insider can make: a message in its preferred epoch under another member's index, with all keys
// right but the signature; ok is false if it has the key of that number no more.
func ForgeAs(s Space, victim dkg.Index, number uint32, words string) ([]byte, bool) {
	w := &work{st: s.State(), tp: s.Template()}
	e, _, _, _ := w.preferred()
	c, _, err := e.chain(victim)
	if err != nil {
		panic(err)
	}
	_, key, err := c.take(number, mark{})
	if err != nil {
		return nil, false
	}
	h := proto.Header{Index: victim, Number: number}
	out := proto.NewEnvelope(h.Seal(e.header, w.st.space, e.id), nil)
	body := proto.Content{Plaintext: []byte(words)}.Sign(w.self().signing, w.st.space, e.id, h, out.Bound)
	out, err = out.Seal(w.st.space, e.id, key, body)
	if err != nil {
		panic(err)
	}
	return out.Bytes(), true
}

// Recommit returns what an insider who has not read a message yet can make of it: the same content and signature under the
// same keys, with other commits.
func Recommit(s Space, frame []byte, carrier []byte) []byte {
	e := parsed(proto.ParseEnvelope(frame))
	commits := parsed(proto.ParseEnvelope(carrier))
	w := &work{st: s.State(), tp: s.Template()}
	x, h, err := w.find(e)
	if err != nil || x.birth == nil {
		panic("not of an epoch held")
	}
	c, _, err := x.chain(h.Index)
	if err != nil {
		panic(err)
	}
	_, key, err := c.take(h.Number, mark{})
	if err != nil {
		panic(err)
	}
	body, err := e.Open(w.st.space, x.id, key)
	if err != nil {
		panic(err)
	}
	out, err := proto.NewEnvelope(e.Header, commits.Commits).Seal(w.st.space, x.id, key, body)
	if err != nil {
		panic(err)
	}
	return out.Bytes()
}
