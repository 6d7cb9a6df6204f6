package asking_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

const (
	start   = int64(1_795_000_000_000)
	hour    = int64(3_600_000)
	day     = 24 * hour
	ofSuite = suite.Ed25519X25519
)

// world is an owner, and a device that opened a link.
type world struct {
	t       testing.TB
	rootKey suite.SigningKey
	owner   suite.SigningKey
	origin  proto.Origin
	owners  proto.OwnerList
	link    proto.Link
	keys    proto.InviteKeys
	self    asking.Self
}

func newWorld(t testing.TB, kind dkg.Kind) *world {
	w := &world{t: t, rootKey: suite.NewSigningKey(suite.Ed25519), owner: suite.NewSigningKey(suite.Ed25519)}
	w.origin = proto.NewOrigin(w.rootKey.Public)
	var err error
	w.owners, err = proto.NewOwnerList(w.rootKey, w.origin, 3, 0, w.owner.Public)
	require.NoError(t, err)
	w.link = proto.Link{Kind: kind, Suite: ofSuite, Space: w.origin.Space(), First: 21, Count: 1, Step: 1, Seed: secret.Random(suite.KeySize), Owners: 3}
	if kind == dkg.Public {
		w.link.Count, w.link.Step = 64, 2
	}
	w.keys, err = w.link.Keys()
	require.NoError(t, err)
	inbox := suite.NewKEMSecret(ofSuite.KEM())
	w.self = asking.Self{Space: w.link.Space, Suite: ofSuite, Signing: suite.NewSigningKey(ofSuite.Scheme()),
		Rest: proto.Rest{Inbox: proto.HashOfInbox(inbox.Public), Time: uint64(start)}, Inbox: inbox.Public}
	return w
}

func at(wall int64) asking.Clock { return asking.Clock{Wall: start + wall, Age: wall} }

func (w *world) join() (asking.Asking, proto.Asked) {
	a, ch, err := asking.Join(w.self, w.link, at(0))
	require.NoError(w.t, err)
	return a, w.open(ch)
}

// open returns what a posted frame asks, which is right under the link.
func (w *world) open(ch asking.Change) proto.Asked {
	require.NotNil(w.t, ch.Post)
	q, err := proto.ParseRequest(ch.Post)
	require.NoError(w.t, err)
	require.Equal(w.t, w.keys.Tag, q.Tag)
	x, err := q.Open(w.link.Space, suite.NewAEAD(w.keys.RequestKey))
	require.NoError(w.t, err)
	c := proto.Certificate{Kind: w.link.Kind, First: w.link.First, Count: w.link.Count, Step: w.link.Step, Admission: w.keys.Admission.Public}
	require.NoError(w.t, x.VerifyJoin(w.link.Space, ofSuite, c))
	return x
}

func (w *world) tick(a asking.Asking, wall int64) (asking.Asking, asking.Change) {
	a, ch, err := a.Tick(w.self, w.link, false, at(wall))
	require.NoError(w.t, err)
	return a, ch
}

// refuse answers a request with a refusal.
func (w *world) refuse(a asking.Asking, x proto.Asked, y proto.Refusal, wall int64) (asking.Asking, asking.Change) {
	s, err := proto.SealRefusal(w.link.Space, x.ID().Name(), x.Ticket, y)
	require.NoError(w.t, err)
	a, ch, err := a.Refused(w.self, w.link, s, at(wall))
	require.NoError(w.t, err)
	return a, ch
}

// taken returns the proof that somebody else is bound to an index.
func (w *world) taken(i, free dkg.Index) proto.Taken {
	k := suite.NewSigningKey(ofSuite.Scheme())
	return proto.Taken{Binding: proto.NewBinding(w.link.Space, i, w.self.Rest.Hash(), w.keys.Admission, k), Free: free}
}

func (w *world) said() proto.Said { return proto.Said{Root: proto.EpochID{1}, By: 0} }

func (w *world) dead(s proto.OwnerStatement) proto.Dead {
	return proto.Dead{Origin: w.origin, Owners: w.owners, Statement: s}
}

func (w *world) revoke(i dkg.Index) proto.Dead {
	return w.dead(proto.Sign(proto.Revoke{Said: w.said(), Indices: []dkg.Index{i}}, w.link.Space, w.owner))
}

func (w *world) close() proto.Dead {
	return w.dead(proto.Sign(proto.Close{Said: w.said(), Invite: proto.NameOfInvite(w.keys.Admission.Public)}, w.link.Space, w.owner))
}

// part is an Asking as the part of a stored value.
type part struct{ asking.Asking }

func (p part) Encode(e *state.Encoder) { p.Asking.Encode(e) }
func (part) Decode(d *state.Decoder) (p part, err error) {
	p.Asking, err = p.Asking.Decode(d)
	return p, err
}
func (part) Succeeds(part) error { return nil }

// reload takes an Asking through a vault and requires it to be the same.
func reload(t testing.TB, a asking.Asking) asking.Asking {
	v, err := state.NewOne(state.ID{1}, part{a})
	require.NoError(t, err)
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	backend := store.NewMemory()
	vault, err := state.Open[state.One[part]](t.Context(), backend, key, state.Options{})
	require.NoError(t, err)
	require.NoError(t, vault.Create(t.Context(), v, nil))
	vault, err = state.Open[state.One[part]](t.Context(), backend, key, state.Options{})
	require.NoError(t, err)
	got, err := vault.Load(t.Context(), state.ID{1})
	require.NoError(t, err)
	require.True(t, got.Equal(v))
	return got.Part().Asking
}
