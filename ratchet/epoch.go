package ratchet

import (
	"encoding/hex"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// epoch is one epoch held (§5), in the pieces that change apart from each other. It is immutable.
type epoch struct {
	*epochMeta
	commits     pprf.CommitTree
	senders     pprf.Frontier          // the sender tree down to the roots of blocks
	blocks      segmap.Map[chainBlock] // below them
	received    uint32                 // messages read in it, one's own included
	lastUsed    int64                  // of the pruning clock, ms: when it was entered, or preferred last
	quarantined bool                   // a ticket knew nothing of it: others may not follow what is made here, so it is never preferred
	stored      epochSegments          // what of this is stored already
}

// epochMeta is what is fixed when an epoch is entered. It is shared by all later values of the epoch.
type epochMeta struct {
	id         proto.EpochID
	parent     proto.EpochID // zero for a genesis
	root       proto.EpochID // the genesis or rekey it descends from
	generation uint64        // root: 0
	commit     proto.Commit  // that made it of its parent; none for a root
	serial     uint64        // order in which this state came to hold its epochs
	attributed dkg.Index     // whose signed message brought it first; 0 if unsigned
	entered    int64         // ms
	depth      int           // of its trees
	headerKey  secret.Bytes  // empty: it came with a ticket, nothing in it can be read
	commitKey  secret.Bytes
	auth       secret.Bytes // authenticator, empty if it came with a ticket
	header     suite.AEAD
	sealing    suite.AEAD // of commits
}

// epochSegments are the pieces stored by themselves beside the blocks.
type epochSegments struct {
	meta    state.Segment[*epochMeta]
	commits state.Segment[storedCommits]
	senders state.Segment[storedSenders]
}

// epochSecrets is what an epoch's secret expands to (§5).
type epochSecrets struct{ header, commit, sender, commits, auth secret.Bytes }

func expandEpoch(from secret.Bytes, id proto.EpochID) epochSecrets {
	get := func(label string) secret.Bytes { return suite.Expand(from, label, id[:], suite.KeySize) }
	return epochSecrets{
		header: get(suite.ExpandHeaderKey), commit: get(suite.ExpandCommitKey), sender: get(suite.ExpandSenderRoot),
		commits: get(suite.ExpandCommitRoot), auth: get(suite.ExpandAuthenticator),
	}
}

// newEpoch returns an epoch as it is entered. The secrets are used up.
func newEpoch(b epochMeta, s epochSecrets) epoch {
	b.headerKey, b.commitKey, b.auth = s.header, s.commit, s.auth
	b.prepare()
	return epoch{
		epochMeta: &b,
		commits:   pprf.NewCommitTree(s.commits, b.depth),
		senders:   pprf.New(s.sender, b.depth-segmap.IndexBits),
	}.segment()
}

// prepare makes the sealers.
func (b *epochMeta) prepare() {
	if !b.headerKey.IsZero() {
		b.header = suite.NewAEAD(b.headerKey)
	}
	b.sealing = suite.NewAEAD(b.commitKey)
}

// derived reports whether messages in the epoch can be read at all.
func (b *epochMeta) derived() bool { return !b.headerKey.IsZero() }

// isRoot reports whether no commit made the epoch.
func (b *epochMeta) isRoot() bool { return b.id == b.root }

// child returns the id of the epoch that a commit makes of this one.
func (b *epochMeta) child(space state.ID, c proto.Commit) proto.EpochID {
	return c.Child(space, b.id, b.generation+1)
}

// maker returns the index whose commit made the epoch, 0 for a root.
func (b *epochMeta) maker() dkg.Index { return b.commit.Index() }

// segment makes segments of what changed.
func (e epoch) segment() epoch {
	if e.stored.meta.IsZero() {
		e.stored.meta = state.NewSegment(e.epochMeta)
	}
	e.stored.commits = state.NewSegment(storedCommits{e.commits, e.depth})
	e.stored.senders = state.NewSegment(storedSenders{e.senders, e.depth})
	return e
}

// withCommits returns the epoch with another commit tree.
func (e epoch) withCommits(t pprf.CommitTree) epoch {
	e.commits = t
	e.stored.commits = state.NewSegment(storedCommits{t, e.depth})
	return e
}

// chain returns the chain of member i, and the epoch in which it has begun.
func (e epoch) chain(i dkg.Index) (chain, epoch, error) {
	b, ok := e.blocks.Get(segmap.Key{Block: blockOf(i)})
	if !ok {
		root, top, err := e.senders.Eval(pprf.Path(i, e.depth, nil))
		if err != nil {
			return chain{}, e, outcome.ErrExpired
		}
		e.senders = top
		e.stored.senders = state.NewSegment(storedSenders{top, e.depth})
		b = chainBlock{no: blockOf(i), tree: pprf.New(root, segmap.IndexBits)}
	}
	c, b, err := b.chain(i)
	if err != nil {
		return chain{}, e, err
	}
	e.blocks = e.blocks.Put(b)
	return c, e, nil
}

// withChain returns the epoch with c in place of the chain of the same member, which has begun.
func (e epoch) withChain(c chain) epoch {
	b, _ := e.blocks.Get(segmap.Key{Block: blockOf(c.index)})
	e.blocks = e.blocks.Put(b.with(c))
	return e
}

// epochRow is an epoch in the table of a state.
type epochRow struct {
	id     proto.EpochID
	record state.Segment[epochRecord]
}

func (r epochRow) Key() segmap.Key { return segmap.ByID(r.id) }

func (r epochRow) epoch() epoch { return r.record.Value().epoch }

// segmentName is the name of an epoch's segment: the whole id, as nobody may be able to make two of one name.
func segmentName(id proto.EpochID) string { return hex.EncodeToString(id[:]) }

// Encode implements state.Piece.
func (r epochRow) Encode(e *state.Encoder) {
	e.Fixed(r.id[:])
	r.record.Encode(e, segmentName(r.id))
}

// Decode implements state.Piece.
func (epochRow) Decode(d *state.Decoder) (r epochRow, err error) {
	d.Into(r.id[:])
	if r.record, err = state.DecodeSegment[epochRecord](d, segmentName(r.id)); err == nil && r.epoch().id != r.id {
		err = segmap.ErrDisorder
	}
	return r, err
}

// epochRecord is the stored form of an epoch: what changes with every message, and the list of the other pieces.
type epochRecord struct{ epoch }

// Encode implements state.Piece.
func (e epochRecord) Encode(enc *state.Encoder) {
	enc.Uint32(e.received)
	enc.Int64(e.lastUsed)
	enc.Bool(e.quarantined)
	e.stored.meta.Encode(enc, "birth")
	e.stored.commits.Encode(enc, "commits")
	e.stored.senders.Encode(enc, "senders")
	e.blocks.Encode(enc, "chains")
}

// Decode implements state.Piece.
func (epochRecord) Decode(d *state.Decoder) (r epochRecord, err error) {
	r.received = d.Uint32()
	r.lastUsed = d.Int64()
	r.quarantined = d.Bool()
	if r.stored.meta, err = state.DecodeSegment[*epochMeta](d, "birth"); err != nil {
		return epochRecord{}, err
	}
	r.epochMeta = r.stored.meta.Value()
	if r.stored.commits, err = state.DecodeSegment[storedCommits](d, "commits"); err != nil {
		return epochRecord{}, err
	}
	if r.stored.senders, err = state.DecodeSegment[storedSenders](d, "senders"); err != nil {
		return epochRecord{}, err
	}
	r.commits, r.senders = r.stored.commits.Value().tree, r.stored.senders.Value().tree
	if r.stored.commits.Value().depth != r.depth || r.stored.senders.Value().depth != r.depth {
		return epochRecord{}, segmap.ErrDisorder
	}
	r.blocks, err = segmap.Decode[chainBlock](d, "chains")
	return r, err
}

// Encode implements state.Piece.
func (b *epochMeta) Encode(e *state.Encoder) {
	e.Fixed(b.id[:])
	e.Fixed(b.parent[:])
	e.Fixed(b.root[:])
	e.Uint64(b.generation)
	e.Fixed(b.commit[:])
	e.Uint64(b.serial)
	e.Uint32(uint32(b.attributed))
	e.Int64(b.entered)
	e.Uint8(uint8(b.depth))
	e.Bytes(b.headerKey.Expose())
	e.Fixed(b.commitKey.Expose())
	e.Bytes(b.auth.Expose())
}

// Decode implements state.Piece.
func (*epochMeta) Decode(d *state.Decoder) (*epochMeta, error) {
	b := new(epochMeta)
	d.Into(b.id[:])
	d.Into(b.parent[:])
	d.Into(b.root[:])
	b.generation = d.Uint64()
	d.Into(b.commit[:])
	b.serial = d.Uint64()
	b.attributed = dkg.Index(d.Uint32())
	b.entered = d.Int64()
	b.depth = int(d.Uint8())
	b.headerKey = optional(d.Bytes(suite.KeySize))
	b.commitKey = secret.Own(d.Fixed(suite.KeySize))
	b.auth = optional(d.Bytes(suite.KeySize))
	if err := d.Err(); err != nil {
		return nil, err
	}
	if b.depth < segmap.IndexBits || b.depth > dkg.MaxDepth ||
		b.headerKey.Len()%suite.KeySize != 0 || b.auth.Len() != b.headerKey.Len() {
		return nil, segmap.ErrDisorder
	}
	b.prepare()
	return b, nil
}

// optional returns a holder of b, or the empty one if b is empty.
func optional(b []byte) secret.Bytes {
	if len(b) == 0 {
		return secret.Bytes{}
	}
	return secret.Own(b)
}

// storedCommits and storedSenders are the trees as pieces. Each says its depth, without which it cannot be read.
type storedCommits struct {
	tree  pprf.CommitTree
	depth int
}

// Encode implements state.Piece.
func (s storedCommits) Encode(e *state.Encoder) {
	e.Uint8(uint8(s.depth))
	e.Bytes(s.tree.Encode())
}

// Decode implements state.Piece.
func (storedCommits) Decode(d *state.Decoder) (s storedCommits, err error) {
	s.depth = treeDepth(d)
	s.tree, err = pprf.DecodeCommitTree(d.Bytes(pprf.MaxSize), s.depth)
	return s, err
}

type storedSenders struct {
	tree  pprf.Frontier
	depth int
}

// Encode implements state.Piece.
func (s storedSenders) Encode(e *state.Encoder) {
	e.Uint8(uint8(s.depth))
	e.Bytes(s.tree.Encode())
}

// Decode implements state.Piece.
func (storedSenders) Decode(d *state.Decoder) (s storedSenders, err error) {
	s.depth = treeDepth(d)
	s.tree, err = pprf.Decode(d.Bytes(pprf.MaxSize), s.depth-segmap.IndexBits)
	return s, err
}

// treeDepth reads the depth of a tree.
func treeDepth(d *state.Decoder) int {
	n := int(d.Uint8())
	if n < segmap.IndexBits || n > dkg.MaxDepth {
		return dkg.MaxDepth // no tree of this depth follows; its decoder refuses
	}
	return n
}
