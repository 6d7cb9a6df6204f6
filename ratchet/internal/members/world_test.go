package members_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

const (
	now      = int64(1_795_000_000_000) // when everything happens, in milliseconds since 1970
	hour     = int64(3_600_000)
	depth    = dkg.DefaultDepth
	ofSuite  = suite.Ed25519X25519 // its inbox keys are quick to try
	runFirst = dkg.Index(101)
)

// world is a space with two owners. The founder has index 1.
type world struct {
	t       testing.TB
	rootKey suite.SigningKey
	owners  []suite.SigningKey // the founder's first
	origin  proto.Origin
	space   state.ID
	poly    dkg.Polynomial
	founder person
	terms   members.Terms
	epoch   proto.EpochID
	reads   uint64 // number of the last first reading
}

// person is one that is or may become a member.
type person struct {
	index   dkg.Index
	signing suite.SigningKey
	inbox   suite.KEMSecret
	ticket  suite.KEMSecret
	rest    proto.Rest
	binding proto.Binding
	record  proto.Record // of its invite
	keys    proto.InviteKeys
}

func newPerson(i dkg.Index) person {
	p := person{index: i, signing: suite.NewSigningKey(ofSuite.Scheme()), inbox: suite.NewKEMSecret(ofSuite.KEM()), ticket: suite.NewKEMSecret(ofSuite.KEM())}
	p.rest = proto.Rest{Inbox: proto.HashOfInbox(p.inbox.Public), Time: uint64(now)}
	return p
}

func (p person) maker() members.Maker { return members.Maker{Index: p.index, Key: p.signing.Public} }
func (p person) credential() proto.Credential {
	return proto.Credential{Certificate: p.record.Certificate, Binding: p.binding}
}
func (p person) introduction() proto.Introduction {
	return proto.Introduction{Credential: p.credential(), Rest: p.rest, Inbox: p.inbox.Public}
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, rootKey: suite.NewSigningKey(suite.Ed25519), poly: dkg.NewPolynomial()}
	w.owners = []suite.SigningKey{suite.NewSigningKey(suite.Ed25519), suite.NewSigningKey(suite.Ed25519)}
	w.origin = proto.NewOrigin(w.rootKey.Public)
	w.space = w.origin.Space()
	w.founder = newPerson(1)
	w.founder.signing = w.owners[0]
	w.founder.binding = proto.NewBinding(w.space, 1, w.founder.rest.Hash(), suite.SigningKey{}, w.founder.signing)
	w.terms = w.root(0, w.owners, proto.Roster{{Index: 1, Signing: w.founder.signing.Public, Body: w.founder.binding.Hash()}}, nil)
	w.epoch = proto.EpochID{42}
	return w
}

// root returns the terms of a root with these owners and members.
func (w *world) root(rekey uint64, owners []suite.SigningKey, roster proto.Roster, gone proto.Bitmap) members.Terms {
	n, t := w.notice(rekey, owners, roster, gone)
	terms, err := members.NewTerms(w.origin, n, t, roster)
	require.NoError(w.t, err)
	return terms
}

// notice returns the notice of such a root, signed by the first of the owners, and the template.
func (w *world) notice(rekey uint64, owners []suite.SigningKey, roster proto.Roster, gone proto.Bitmap) (proto.Notice, proto.Template) {
	var keys []suite.PublicKey
	for _, k := range owners {
		keys = append(keys, k.Public)
	}
	list, err := proto.NewOwnerList(w.rootKey, w.origin, rekey+1, rekey, keys...)
	require.NoError(w.t, err)
	t := proto.Template{Owners: list, Policy: proto.Policy{Suite: ofSuite}, Rekey: rekey, Public: w.poly.Commitment(), Depth: depth, K: secret.Random(suite.KeySize)}
	c := proto.Common{Space: w.space, Rekey: rekey, Public: w.poly.Commitment(), Depth: depth, Cursor: 2, Template: t.Hash(), Roster: roster.Digest(gone)}
	if rekey > 0 {
		c.Parent = proto.EpochID{byte(rekey)}
	}
	k := proto.DeriveKeys(secret.Random(64), c.Place())
	n, err := proto.Notice{Common: c, Check: k.Check(c.Place()), Members: roster.Bitmap(), Gone: gone, Owners: list}.Sign(owners[0])
	require.NoError(w.t, err)
	return n, t
}

// place returns where an owner stands in the list of a root.
func place(t members.Terms, k suite.SigningKey) uint8 {
	for p := range uint8(proto.MaxOwners) {
		if o, ok := t.Owner(p); ok && o == k.Public {
			return p
		}
	}
	return 0
}

// invite returns the record of an invite of a kind, made by the founder: for one index, or a run from there on.
func (w *world) invite(t members.Terms, kind dkg.Kind, i dkg.Index) (proto.Record, proto.InviteKeys) {
	keys, err := proto.KeysOfInvite(secret.Random(suite.KeySize), w.space, ofSuite)
	require.NoError(w.t, err)
	c := proto.Certificate{Kind: kind, Root: t.ID(), Owner: place(t, w.owners[0]), First: i, Count: 1, Step: 1,
		Expires: uint32(now/hour) + 24, Admission: keys.Admission.Public}
	mask := proto.MaskOf(keys.M, w.space, w.poly.Commitment())
	share, err := w.poly.Share(i)
	require.NoError(w.t, err)
	v := mask.HideShare(share)
	if kind == dkg.Public {
		c.Count, v = 64, mask.HidePolynomial(w.poly)
	}
	return proto.NewRecord(w.owners[0], w.space, c.Sign(w.owners[0], w.space), keys.RequestKey, v), keys
}

// bind returns a person that binds itself to an index by an invite.
func (w *world) bind(x proto.Record, keys proto.InviteKeys, i dkg.Index) person {
	p := newPerson(i)
	p.record, p.keys = x, keys
	p.binding = proto.NewBinding(w.space, i, p.rest.Hash(), keys.Admission, p.signing)
	return p
}

// join returns a person with a private invite of its own.
func (w *world) join(i dkg.Index) person {
	x, keys := w.invite(w.terms, dkg.Private, i)
	return w.bind(x, keys, i)
}

// joinAs returns a person with a private invite of its own and a key that is there.
func (w *world) joinAs(i dkg.Index, k suite.SigningKey) person {
	p := w.join(i)
	p.signing = k
	p.binding = proto.NewBinding(w.space, i, p.rest.Hash(), p.keys.Admission, k)
	return p
}

// twins returns so many bindings of one index of a run.
func (w *world) twins(n int) (out []person) {
	x, keys := w.invite(w.terms, dkg.Public, runFirst)
	for range n {
		out = append(out, w.bind(x, keys, runFirst))
	}
	return out
}

// member takes a person in: its record, its introduction, and one message of it.
func (w *world) member(r members.Root, p person) members.Root {
	r, _, err := r.AddRecord(p.record, 1)
	if err != nil {
		require.ErrorIs(w.t, err, members.ErrStale)
	}
	return w.read(w.introduce(r, p), p)
}

func (w *world) introduce(r members.Root, p person) members.Root {
	r, _, err := r.Introduce(p.introduction(), members.Via{})
	require.NoError(w.t, err)
	return r
}

// read has a message of a person be read for the first time, after all that were read before, in whatever root.
func (w *world) read(r members.Root, p person) members.Root {
	r, _, err := r.ReadFrom(p.maker(), w.reads)
	require.NoError(w.t, err)
	w.reads = max(w.reads, r.Reads())
	return r
}

// meet takes in what was read of the first index of the run in an older root.
func (w *world) meet(r, old members.Root) members.Root {
	r, _, _ = r.Meet(old, runFirst, now)
	return r
}

func (w *world) apply(r members.Root, s proto.Statement) (members.Root, members.Change) {
	r, c, err := r.Apply(s, members.Older, now)
	require.NoError(w.t, err)
	return r, c
}

func (w *world) revoke(t members.Terms, owner suite.SigningKey, indices ...dkg.Index) proto.Revoke {
	return proto.Sign(proto.Revoke{Said: proto.Said{Root: t.ID(), By: place(t, owner)}, Epoch: w.epoch, Indices: indices}, w.space, owner)
}

func (w *world) bound(t members.Terms, owner suite.SigningKey, p person) proto.Bind {
	return proto.Sign(proto.Bind{Said: proto.Said{Root: t.ID(), By: place(t, owner)}, Index: p.index, Body: p.binding.Hash()}, w.space, owner)
}

func (w *world) leave(p person) proto.Leave {
	return proto.Sign(proto.Leave{Index: p.index, Body: p.binding.Hash(), Root: w.terms.ID(), Epoch: w.epoch}, w.space, p.signing)
}

// ask returns a joiner's request.
func (w *world) ask(p person, counter int64) proto.Asked {
	return proto.Asked{Kind: proto.Join, Ticket: p.ticket.Public, Counter: uint64(counter), Index: p.index,
		Binding: p.binding, Rest: p.rest, Inbox: p.inbox.Public}.Sign(p.signing, w.space)
}

// resync returns a member's request under a root.
func (w *world) resync(p person, root proto.EpochID, c proto.Credential, counter int64) proto.Asked {
	u := proto.NewUpdate(w.space, p.index, 7, p.inbox.Public, p.signing)
	return proto.Asked{Kind: proto.Resync, Ticket: p.ticket.Public, Counter: uint64(counter), Index: p.index, Root: root,
		Preferred: w.epoch, Credential: c, Update: u}.Sign(p.signing, w.space)
}
