package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// viewOf returns the view of a root with another id, depth, suite or owners.
type viewOf struct {
	RootView
	id     EpochID
	depth  int
	suite  suite.Suite
	owners OwnerList
}

func (v viewOf) ID() EpochID                               { return v.id }
func (v viewOf) Depth() int                                { return v.depth }
func (v viewOf) Suite() suite.Suite                        { return v.suite }
func (v viewOf) Owner(place uint8) (suite.PublicKey, bool) { return v.owners.At(place) }

func (p pieces) viewOf(change func(*viewOf)) RootView {
	return with(viewOf{p.view(), p.id, piecesDepth, p.suite, p.owners}, change)
}

// TestCertificates: a certificate is right under the root that it names, by the owner at its place there, inside the depth.
func TestCertificates(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	run := p.joiners[2].record.Certificate
	require.NoError(t, run.Verify(p.view()))
	stranger, err := NewOwnerList(p.rootKey, p.origin, 4, 0, suite.NewSigningKey(suite.Ed25519).Public)
	require.NoError(t, err)
	for name, err := range map[string]error{
		"none":      Certificate{}.Verify(p.view()),
		"root":      run.Verify(p.viewOf(func(v *viewOf) { v.id = EpochID{1} })),
		"depth":     run.Verify(p.viewOf(func(v *viewOf) { v.depth = 6 })),
		"suite":     run.Verify(p.viewOf(func(v *viewOf) { v.suite = suite.Ed448Hybrid })),
		"owner":     run.Verify(p.viewOf(func(v *viewOf) { v.owners = stranger })),
		"place":     with(run, func(c *Certificate) { c.Owner = 9 }).Verify(p.view()),
		"run":       with(run, func(c *Certificate) { c.Count = 48 }).Verify(p.view()),
		"expires":   with(run, func(c *Certificate) { c.Expires++ }).Verify(p.view()),
		"signature": with(run, func(c *Certificate) { c.Signature = p.joiners[0].record.Certificate.Signature }).Verify(p.view()),
	} {
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
	for name, change := range map[string]func(*Certificate){
		"kind 1":       func(c *Certificate) { c.Kind = 1 },
		"kind 5":       func(c *Certificate) { c.Kind = 5 },
		"none of them": func(c *Certificate) { c.Count = 0 },
		"15":           func(c *Certificate) { c.Count = 15 },
		"17":           func(c *Certificate) { c.Count = 17 },
		"step 0":       func(c *Certificate) { c.Step = 0 },
		"step 17":      func(c *Certificate) { c.Step = 17 },
		"first 0":      func(c *Certificate) { c.First = 0 },
		"too long":     func(c *Certificate) { c.First, c.Count, c.Step = 2, 1<<20-16, 2 },
		"count wraps":  func(c *Certificate) { c.Count = 1<<32 - 16 },
		"private run":  func(c *Certificate) { c.Kind = dkg.Private },
		"owner 16":     func(c *Certificate) { c.Owner = 16 },
	} {
		_, err := ParseCertificate(with(run, change).Encode())
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
}

// TestCovers: a run covers the indices that its first, number and step give, and no others.
func TestCovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Certificate{Kind: dkg.Public, First: dkg.Index(rapid.IntRange(1, 40).Draw(t, "first")),
			Count: 16 * rapid.Uint32Range(1, 3).Draw(t, "count"), Step: rapid.Uint8Range(1, maxStep).Draw(t, "step")}
		in := map[dkg.Index]bool{}
		for k := range c.Count {
			in[c.First+dkg.Index(k)*dkg.Index(c.Step)] = true
		}
		for i := range dkg.Index(1000) {
			require.Equal(t, in[i], c.Covers(i), i)
		}
		require.Equal(t, in[c.last()], true)
	})
	require.False(t, Certificate{}.Covers(0))
	c := Certificate{Kind: dkg.Private, First: 2, Count: 1, Step: 1, Expires: 10}
	require.False(t, c.ExpiredAt(10*3_600_000-1))
	require.True(t, c.ExpiredAt(10*3_600_000))
	require.False(t, with(c, func(c *Certificate) { c.Expires = 0 }).ExpiredAt(1<<63), "0 is never")
}

// TestCredentials: certificate and binding are of one admission key, index and root, and both signatures of the binding count.
func TestCredentials(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	good, other := p.joiners[0].credential(), p.joiners[1].credential()
	require.NoError(t, good.Verify(p.view()))
	founder := Credential{good.Certificate, p.founder.binding}
	for name, c := range map[string]Credential{
		"none":                 {},
		"certificate":          {other.Certificate, good.Binding},
		"founder":              founder,
		"founder as a member":  with(founder, func(c *Credential) { c.Binding.Index = 2 }),
		"index":                with(good, func(c *Credential) { c.Binding.Index = 3 }),
		"rest":                 with(good, func(c *Credential) { c.Binding.Rest[0] ^= 1 }),
		"signing key":          with(good, func(c *Credential) { c.Binding.Signing = other.Key() }),
		"admitter's signature": with(good, func(c *Credential) { c.Binding.SignedByAdmitter = c.Binding.SignedByMember }),
		"member's signature":   with(good, func(c *Credential) { c.Binding.SignedByMember = c.Binding.SignedByAdmitter }),
		"another scheme": {good.Certificate, NewBinding(p.space, 2, good.Binding.Rest, p.joiners[0].keys.Admission,
			suite.NewSigningKey(suite.Ed448))},
	} {
		require.ErrorIs(t, c.Verify(p.view()), suite.ErrInvalid, name)
	}
	require.ErrorIs(t, p.founder.binding.Verify(p.space, p.suite), suite.ErrInvalid, "a founder's is not right in itself")
	require.Equal(t, good.Binding.Hash(), HashOfBody(2, good.Key(), good.Binding.Rest, good.Binding.Admission))
}

// TestIntroductions: rest and inbox key are those of the binding, and the inbox key can be boxed to.
func TestIntroductions(t *testing.T) {
	for _, s := range suite.Suites() {
		p := newPieces(t, s)
		good, other := p.joiners[0].introduction(), p.joiners[1].introduction()
		require.NoError(t, good.Verify(p.view()))
		for name, i := range map[string]Introduction{
			"none":       {},
			"rest":       with(good, func(i *Introduction) { i.Rest = other.Rest }),
			"inbox":      with(good, func(i *Introduction) { i.Inbox = other.Inbox }),
			"credential": with(good, func(i *Introduction) { i.Credential = other.Credential }),
		} {
			require.ErrorIs(t, i.Verify(p.view()), suite.ErrInvalid, name)
		}
	}
	// A key that nothing can be boxed to, rightly signed.
	p := newPieces(t, suite.Ed25519X25519)
	m := p.joiners[0]
	dead, err := suite.LoadKEMKey(make([]byte, 32))
	require.NoError(t, err)
	m.rest.Inbox = HashOfInbox(dead)
	m.binding = NewBinding(p.space, 2, m.rest.Hash(), m.keys.Admission, m.signing)
	require.ErrorIs(t, Introduction{m.credential(), m.rest, dead}.Verify(p.view()), suite.ErrInvalid)
	u := NewUpdate(p.space, 2, 1, dead, m.signing)
	require.NoError(t, u.VerifySignature(p.space, m.signing.Public))
	require.ErrorIs(t, u.Verify(p.space, m.signing.Public, p.suite), suite.ErrInvalid)
}

// TestUpdates: an update belongs to the key that signed it; of two one counts, whatever the order in which they come.
func TestUpdates(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	m := p.joiners[0]
	u := NewUpdate(p.space, 2, 7, m.inbox.Public, m.signing)
	require.NoError(t, u.Verify(p.space, m.signing.Public, p.suite))
	for name, err := range map[string]error{
		"key":     u.Verify(p.space, p.joiners[1].signing.Public, p.suite),
		"space":   u.Verify(state.ID{}, m.signing.Public, p.suite),
		"suite":   u.Verify(p.space, m.signing.Public, suite.Ed25519Hybrid),
		"counter": with(u, func(u *Update) { u.Counter++ }).Verify(p.space, m.signing.Public, p.suite),
		"index":   with(u, func(u *Update) { u.Index++ }).Verify(p.space, m.signing.Public, p.suite),
		"inbox":   with(u, func(u *Update) { u.Inbox = p.founder.inbox.Public }).Verify(p.space, m.signing.Public, p.suite),
	} {
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
	later, twin := NewUpdate(p.space, 2, 8, m.inbox.Public, m.signing), NewUpdate(p.space, 2, 7, p.founder.inbox.Public, m.signing)
	require.True(t, later.Newer(u))
	require.False(t, u.Newer(later))
	require.NotEqual(t, u.Newer(twin), twin.Newer(u))
	require.False(t, u.Newer(u))
	require.True(t, NewUpdate(p.space, 2, 0, m.inbox.Public, m.signing).Newer(Update{}))
	require.False(t, Update{}.Newer(Update{}))
}

// TestRecords: a record is its owner's word, with the masked share and without; a seed opens the masked share and nothing else.
func TestRecords(t *testing.T) {
	for _, s := range []suite.Suite{suite.Ed25519Hybrid, suite.Ed448X25519} {
		p := newPieces(t, s)
		for _, m := range []piecesMember{p.joiners[0], p.joiners[2]} {
			x := m.record
			require.NoError(t, x.Verify(p.view()))
			require.NoError(t, x.Used().Verify(p.view()))
			require.False(t, x.Used().IsOpen())
			require.Equal(t, m.keys.Tag, x.Tag(p.space))
			mask := MaskOf(m.keys.M, p.space, p.poly.Commitment())
			share, err := mask.OpenShare(x.Masked, m.binding.Index)
			require.NoError(t, err)
			require.True(t, share.Equal(m.share))
			wrong, err := MaskOf(p.joiners[1].keys.M, p.space, p.poly.Commitment()).OpenShare(x.Masked, m.binding.Index)
			require.True(t, err != nil || p.poly.Commitment().Verify(wrong) != nil)
			for name, x := range map[string]Record{
				"request key": with(x, func(x *Record) { x.RequestKey = secret.Random(32) }),
				"hash":        with(x.Used(), func(x *Record) { x.MaskedHash[0] ^= 1 }),
				"v":           with(x, func(x *Record) { x.Masked = p.joiners[1].record.Masked }),
				"certificate": with(x, func(x *Record) { x.Certificate = p.joiners[1].record.Certificate }),
				"signature":   with(x, func(x *Record) { x.Signature = x.Certificate.Signature }),
			} {
				require.ErrorIs(t, x.Verify(p.view()), suite.ErrInvalid, name)
			}
		}
		for name, x := range map[string]Record{
			"length": with(p.joiners[0].record, func(x *Record) { x.Masked = p.joiners[2].record.Masked }),
			"scalar": with(p.joiners[0].record, func(x *Record) { x.Masked = secret.New(bytesOf(0xff, 56)) }),
		} {
			_, err := ParseRecord(x.Encode().Expose())
			require.ErrorIs(t, err, wire.ErrMalformed, name)
		}
	}
	_, err := KeysOfInvite(secret.Random(31), state.ID{}, suite.Ed25519Hybrid)
	require.ErrorIs(t, err, suite.ErrInvalid)
	_, err = KeysOfInvite(secret.Random(32), state.ID{}, 5)
	require.ErrorIs(t, err, suite.ErrInvalid)
}

func bytesOf(v byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = v
	}
	return b
}
