package seizetest

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
	epochs  []Epoch
	public  dkg.Commitment
	depth   int
	commits []proto.SealedCommit
	tickets []proto.Ticket
	asked   []proto.Request
	tried   map[string]bool
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

// Seize gives the attacker what was seized, each thing in its place. With a second share it has all of the polynomial.
func (a *Attacker) Seize(z Seizure) {
	a.boxes = append(a.boxes, z.Boxes...)
	a.epochs = append(a.epochs, z.Epochs...)
	for _, share := range z.Shares {
		a.shares = append(a.shares, share)
		a.Bytes(share.Scalar().Bytes())
	}
	if len(a.shares) == 2 {
		i, j := a.shares[0], a.shares[1]
		x, y := ed448.ScalarFromUint32(uint32(i.Index())), ed448.ScalarFromUint32(uint32(j.Index()))
		inverse := y.Sub(x).VarTimeInverse()
		a0 := y.Mul(inverse).Mul(i.Scalar()).Add(x.Mul(inverse).Neg().Mul(j.Scalar()))
		a.Bytes(a0.Bytes())
	}
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
							a.epochs = append(a.epochs, Epoch{ID: e.ID, Generation: e.Generation, CommitKey: suite.NewAEAD(e.CommitKey), Commits: e.Tree})
						}
					}
				}
			}
		}
		for _, p := range a.epochs {
			for _, sealed := range a.commits {
				c, err := sealed.Open(p.CommitKey, a.space, p.ID)
				if err != nil {
					continue
				}
				id := c.Child(a.space, p.ID, p.Generation+1)
				seed, _, err := p.Commits.Eval(c.Index(), id)
				if err != nil || a.tried[string(id[:])] {
					continue
				}
				for _, share := range a.shares {
					ss, err := c.Follow(a.space, p.ID, a.depth, a.public, share)
					if err != nil {
						continue
					}
					from := suite.Extract(seed, ss)
					key := func(label string) secret.Bytes { return suite.Expand(from, label, id[:], suite.KeySize) }
					header, commit := key(suite.ExpandHeaderKey), key(suite.ExpandCommitKey)
					sender, tree := key(suite.ExpandSenderRoot), key(suite.ExpandCommitRoot)
					a.tried[string(id[:])] = true
					a.Bytes(seed.Expose(), ss.Expose(), header.Expose(), commit.Expose(), sender.Expose(), tree.Expose())
					a.epochs = append(a.epochs, Epoch{
						ID: id, Generation: p.Generation + 1, CommitKey: suite.NewAEAD(commit),
						Commits: pprf.NewCommitTree(tree, a.depth), Senders: pprf.New(sender, a.depth-segmap.IndexBits),
					})
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
	Epoch  proto.EpochID
	Sender dkg.Index
	Number uint32
}

// NewTarget returns the target of a frame, and what a member who read it knows of its place.
func NewTarget(frame []byte, epoch proto.EpochID, sender dkg.Index, number uint32) Target {
	e, err := proto.ParseEnvelope(frame)
	if err != nil {
		panic(err)
	}
	return Target{e, epoch, sender, number}
}

// OpensAsMeant reports whether the attacker can read a message with the keys it has, each in its place.
func (a *Attacker) OpensAsMeant(t Target) bool {
	for _, e := range a.epochs {
		if e.ID != t.Epoch {
			continue
		}
		for _, c := range e.Chains {
			if key, ok := c.key(t.Number); ok && c.Index == t.Sender && a.fits(t, key) {
				return true
			}
		}
		inBlock := []byte{byte(t.Sender << (8 - segmap.IndexBits))}
		for no, tree := range e.Blocks {
			if no == uint32(t.Sender)>>segmap.IndexBits {
				if key, _, err := tree.Eval(inBlock); err == nil && a.climbs(t, key) {
					return true
				}
			}
		}
		if root, _, err := e.Senders.Eval(pprf.Path(t.Sender, a.depth, nil)); err == nil {
			if key, _, err := pprf.New(root, segmap.IndexBits).Eval(inBlock); err == nil && a.climbs(t, key) {
				return true
			}
		}
	}
	return false
}

// OpensByForce reports whether the attacker can read any of some messages of one sender with any 32 bytes in a row that it
// has, taken for a message key, a chain key and, if it is Deep, any node of the sender tree.
func (a *Attacker) OpensByForce(targets ...Target) bool {
	path := pprf.Path(targets[0].Sender, a.depth, nil)
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
	for range t.Number + 1 {
		if chain, key = suite.StepChain(chain); a.fits(t, key) {
			return true
		}
	}
	return false
}

func (a *Attacker) fits(t Target, key secret.Bytes) bool {
	_, err := t.frame.Open(a.space, t.Epoch, key)
	return err == nil
}
