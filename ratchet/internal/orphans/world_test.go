package orphans_test

import (
	"crypto/sha256"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

const (
	members = 6
	self    = dkg.Index(members) // who reads
	depth   = 4
)

// world is a root whose notice lists all members. It implements proto.RootView.
type world struct {
	t      testing.TB
	rng    *rand.ChaCha8
	space  state.ID
	poly   dkg.Polynomial
	keys   map[dkg.Index]suite.SigningKey
	root   node
	frames map[orphans.FrameName]orphans.Frame
}

func newWorld(t testing.TB) *world {
	w := &world{
		t: t, rng: rand.NewChaCha8([32]byte{7}), space: state.ID{1}, poly: dkg.NewPolynomial(),
		keys: map[dkg.Index]suite.SigningKey{}, frames: map[orphans.FrameName]orphans.Frame{},
	}
	for i := range dkg.Index(members + 1) {
		w.keys[i] = suite.NewSigningKey(suite.Ed25519)
	}
	w.root = newNode(proto.EpochID{9}, proto.EpochID{}, 0, proto.DeriveKeys(secret.Random(64), proto.Place{}))
	return w
}

func (w *world) Space() state.ID                          { return w.space }
func (w *world) ID() proto.EpochID                        { return w.root.ID }
func (w *world) Suite() suite.Suite                       { return suite.Ed25519Hybrid }
func (w *world) Depth() int                               { return depth }
func (w *world) Owner(uint8) (k suite.PublicKey, ok bool) { return k, false }
func (w *world) Listed(i dkg.Index) (suite.PublicKey, bool) {
	k, ok := w.keys[i]
	return k.Public, ok
}
func (w *world) Public(i dkg.Index) (ed448.Point, error) { return w.poly.Commitment().PublicShare(i) }

func (w *world) share(i dkg.Index) dkg.Share {
	s, err := w.poly.Share(i)
	require.NoError(w.t, err)
	return s
}

func (w *world) bytes(n int) []byte {
	b := make([]byte, n)
	w.rng.Read(b)
	return b
}

// node is an epoch with all its keys.
type node struct {
	orphans.Epoch
	parent proto.EpochID
	keys   proto.EpochKeys
}

func newNode(id, parent proto.EpochID, generation uint64, k proto.EpochKeys) node {
	return node{orphans.Epoch{
		ID: id, Generation: generation, Header: suite.NewAEAD(k.Header), Commit: suite.NewAEAD(k.Commit), Readable: true,
	}, parent, k}
}

// child derives the keys of the epoch that a core makes. The seed of its place follows from the parent's root alone: to be
// used up is the business of package epochs.
func (w *world) child(parent node, c proto.Core, ss secret.Bytes) (proto.Place, proto.EpochKeys) {
	place := c.Place(w.space, parent.ID, parent.Generation+1)
	seed := suite.Expand(parent.keys.CommitRoot, "seed", place[:], 32)
	return place, proto.DeriveKeys(proto.EpochSecret(seed, ss), place)
}

// commit makes a commit of a member in an epoch, and its child.
func (w *world) commit(parent node, maker dkg.Index) (proto.Shown, node) {
	core, ss, err := proto.NewCore(w.space, parent.ID, w.poly.Commitment(), w.share(maker))
	require.NoError(w.t, err)
	place, keys := w.child(parent, core, ss)
	c := core.Sign(w.keys[maker], w.space, parent.ID, parent.Generation+1, keys.Check(place))
	return proto.Shown{Commit: c}, newNode(c.Child(w.space, parent.ID, parent.Generation+1), parent.ID, parent.Generation+1, keys)
}

// line makes a way of so many commits of members by turns.
func (w *world) line(from node, n int) (proto.Way, []node) {
	var way proto.Way
	var nodes []node
	for k := range n {
		shown, child := w.commit(from, dkg.Index(1+k%(members-1)))
		way = append(way, shown.Seal(from.Commit, w.space, from.ID))
		nodes = append(nodes, child)
		from = child
	}
	return way, nodes
}

// message makes a frame of a member in an epoch.
func (w *world) message(in node, sender dkg.Index, source string, own proto.Way, others ...proto.Way) orphans.Frame {
	h := proto.Header{Index: sender}.Seal(in.Header, w.space, in.ID)
	return w.frame(source, proto.Envelope{Ways: proto.Ways{Own: own, Others: others}, Header: h, Body: w.bytes(64)})
}

// junk makes a frame that nothing opens, with so many commits.
func (w *world) junk(source string, commits int) orphans.Frame {
	var way proto.Way
	for range commits {
		way = append(way, w.bytes(334))
	}
	return w.frame(source, proto.Envelope{Ways: proto.Ways{Own: way}, Header: proto.SealedHeader(w.bytes(52)), Body: w.bytes(64)})
}

func (w *world) frame(source string, e proto.Envelope) orphans.Frame {
	b := e.Frame()
	f := orphans.Frame{
		Name: sha256.Sum256(b), Size: len(b), Source: orphans.SourceOf(source), Member: source != "", Envelope: e,
	}
	w.frames[f.Name] = f
	return f
}

func (w *world) load(name orphans.FrameName) (orphans.Frame, bool) {
	f, ok := w.frames[name]
	return f, ok
}

// forest holds epochs as a reader does. It implements orphans.Known with the checks of §4, all but those of used places.
type forest struct {
	*world
	held  []node // by number, from 1; dropped ones are zero
	judge func(proto.Shown) error
}

func (w *world) forest(nodes ...node) *forest {
	f := &forest{world: w}
	for _, n := range append([]node{w.root}, nodes...) {
		f.enter(n)
	}
	return f
}

func (f *forest) enter(n node) orphans.Progress {
	f.held = append(f.held, n)
	return orphans.Progress{Entered: []proto.EpochID{n.ID}}
}

func (f *forest) drop(id proto.EpochID) orphans.Progress {
	for k := range f.held {
		if f.held[k].ID == id {
			f.held[k] = node{}
		}
	}
	return orphans.Progress{Dropped: []proto.EpochID{id}}
}

func (f *forest) Newest() uint64 { return uint64(len(f.held)) }

func (f *forest) Near(yield func(orphans.Epoch) bool) {
	n := 0
	for _, e := range f.Down(f.Newest()) {
		if n++; n > 5 || !yield(e) {
			return
		}
	}
}

func (f *forest) Up(first uint64) iter.Seq2[uint64, orphans.Epoch] {
	return func(yield func(uint64, orphans.Epoch) bool) {
		for n := first; n <= f.Newest(); n++ {
			if e := f.held[n-1]; !e.ID.IsZero() && !yield(n, e.Epoch) {
				return
			}
		}
	}
}

func (f *forest) Down(last uint64) iter.Seq2[uint64, orphans.Epoch] {
	return func(yield func(uint64, orphans.Epoch) bool) {
		for n := last; n > 0; n-- {
			if e := f.held[n-1]; !e.ID.IsZero() && !yield(n, e.Epoch) {
				return
			}
		}
	}
}

func (f *forest) Epoch(id proto.EpochID) (orphans.Epoch, bool) {
	at := slices.IndexFunc(f.held, func(n node) bool { return n.ID == id })
	if at < 0 {
		return orphans.Epoch{}, false
	}
	return f.held[at].Epoch, true
}

func (f *forest) Derive(parent proto.EpochID, above *orphans.Candidate, s proto.Shown) (orphans.Candidate, error) {
	var p node
	if above != nil {
		p = newNode(above.ID, above.Parent, above.Generation, above.Keys)
	} else {
		p = f.held[slices.IndexFunc(f.held, func(n node) bool { return n.ID == parent })]
	}
	id := s.Commit.Child(f.space, p.ID, p.Generation+1)
	if _, err := s.VerifyMaker(f.world, id); err != nil {
		return orphans.Candidate{}, err
	}
	if f.judge != nil {
		if err := f.judge(s); err != nil {
			return orphans.Candidate{}, err
		}
	}
	public, err := f.Public(s.Commit.Core.Maker)
	if err == nil {
		err = s.Commit.Core.VerifyProof(f.space, p.ID, public)
	}
	if err != nil {
		return orphans.Candidate{}, orphans.ErrFalse
	}
	ss, err := s.Commit.Core.Follow(f.share(self))
	if errors.Is(err, proto.ErrOwnCommit) {
		return orphans.Candidate{}, err
	}
	require.NoError(f.t, err)
	place, keys := f.child(p, s.Commit.Core, ss)
	if keys.Check(place) != s.Commit.Check {
		return orphans.Candidate{}, orphans.ErrMisled
	}
	return orphans.Candidate{
		ID: id, Parent: p.ID, Root: f.root.ID, Generation: p.Generation + 1, Shown: s, Keys: keys,
	}, nil
}
