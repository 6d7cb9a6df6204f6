package proto

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/padme"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TestMessage: what a sender seals is read as it was said, by who has header and message key; its signature holds for this place
// and envelope alone.
func TestMessage(t *testing.T) {
	for _, s := range suite.Suites() {
		p := newPieces(t, s)
		n := p.inner(t)
		e, ctx, said := p.envelope(t, n)
		got, err := ParseEnvelope(e.Frame())
		require.NoError(t, err)
		require.Equal(t, ctx.Bound, got.Bound())
		require.Equal(t, len(e.Frame()), got.Size(len(got.Body)-suite.AEADOverhead))
		h, err := got.Header.Open(suite.NewAEAD(p.keys.Header), p.space, p.id)
		require.NoError(t, err)
		require.Equal(t, ctx.Header, h)
		c, err := got.Open(ctx, p.keys.Header)
		require.NoError(t, err)
		require.Equal(t, n.encode(), c.Inner.encode())
		require.Equal(t, said.ID(ctx), c.ID(ctx))
		key := p.joiners[0].signing.Public
		require.NoError(t, c.Verify(key, ctx))
		for name, err := range map[string]error{
			"key":    c.Verify(p.joiners[1].signing.Public, ctx),
			"space":  c.Verify(key, with(ctx, func(c *MessageContext) { c.Space = state.ID{} })),
			"epoch":  c.Verify(key, with(ctx, func(c *MessageContext) { c.Epoch = EpochID{} })),
			"index":  c.Verify(key, with(ctx, func(c *MessageContext) { c.Header.Index++ })),
			"number": c.Verify(key, with(ctx, func(c *MessageContext) { c.Header.Number++ })),
			"bound":  c.Verify(key, with(ctx, func(c *MessageContext) { c.Bound[0]++ })),
		} {
			require.ErrorIs(t, err, suite.ErrInvalid, name)
		}
		for name, err := range map[string]error{
			"key":   second(got.Open(ctx, p.keys.Commit)),
			"bound": second(got.Open(with(ctx, func(c *MessageContext) { c.Bound[0]++ }), p.keys.Header)),
			"body":  second(with(got, func(e *Envelope) { e.Body = bytes.Clone(e.Body); e.Body[20] ^= 1 }).Open(ctx, p.keys.Header)),
		} {
			require.ErrorIs(t, err, suite.ErrNotOpened, name)
		}
	}
}

// TestBoundCoversWays: two ways of writing the same commits have two bounds.
func TestBoundCoversWays(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	e, _, _ := p.envelope(t, Inner{})
	a, b := e.Others[0][0], e.Others[1][0]
	seen := map[Digest]bool{}
	for _, y := range []Ways{{}, {Own: Way{a}}, {Others: []Way{{a}}}, {Own: Way{a, b}}, {Own: Way{a}, Others: []Way{{b}}},
		{Others: []Way{{a, b}}}, {Others: []Way{{a}, {b}}}, {Others: []Way{{b}, {a}}}} {
		d := Envelope{Ways: y, Header: e.Header}.Bound()
		require.False(t, seen[d])
		seen[d] = true
	}
}

// TestMessageIDCoversTheText: two bodies behind one header are two messages.
func TestMessageIDCoversTheText(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	_, ctx, one := p.seal(t, Envelope{}, Inner{Time: 1, Plaintext: []byte("one")})
	two, err := Inner{Time: 1, Plaintext: []byte("two")}.Sign(p.joiners[0].signing, ctx)
	require.NoError(t, err)
	require.NotEqual(t, one.ID(ctx), two.ID(ctx))
	unsigned := one
	unsigned.signature = bytes.Clone(one.signature)
	unsigned.signature[0] ^= 1
	require.NotEqual(t, one.ID(ctx), unsigned.ID(ctx), "a text alone does not give its ID")
}

// TestInnerRefused: contents that no honest sender writes.
func TestInnerRefused(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	one, two := p.joiners[0].introduction(), p.joiners[1].introduction()
	shown := p.resync(t).Shown()
	var many []Introduction
	for k := range uint32(MaxIntroduced + 1) {
		many = append(many, with(one, func(i *Introduction) { i.Credential.Binding.Index += dkg.Index(k) }))
	}
	for name, n := range map[string]Inner{
		"too long":       {Plaintext: make([]byte, MaxPlaintext+1)},
		"order":          {Introduced: []Introduction{two, one}},
		"twice":          {Introduced: []Introduction{one, one}},
		"order of shown": {Shown: []ShownRequest{shown, shown}},
		"too many":       {Introduced: many},
	} {
		_, err := n.Sign(p.joiners[0].signing, MessageContext{})
		require.ErrorIs(t, err, wire.ErrMalformed, name)
		_, err = parseInner(n.encode())
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	time := make([]byte, 8)
	for name, b := range map[string][]byte{
		"empty":               {},
		"no time":             {0, 0},
		"empty introduction":  append([]byte{flagIntroduction}, append(time, 0, 0)...),
		"empty update":        append([]byte{flagUpdate}, append(time, 0, 0)...),
		"no introductions":    append([]byte{flagIntroduced}, append(time, 0)...),
		"none answered":       append([]byte{flagAnswered}, append(time, time...)...),
		"no expiry":           append([]byte{flagExpiry}, append(time, time...)...),
		"none shown":          append([]byte{flagShown}, append(time, 0)...),
		"nine shown":          append([]byte{flagShown}, append(time, 9)...),
		"no statement":        append([]byte{flagStatement}, time...),
		"not padded":          append([]byte{flagPadded}, time...),
		"padded with text":    append([]byte{flagPadded}, append(time, "text"...)...),
		"padded with nothing": append([]byte{flagPadded}, append(time, 0, 0, 0)...),
	} {
		_, err := parseInner(b)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
}

// TestWaysRefused: more lines or commits than a frame carries, and commits of lengths that none has.
func TestWaysRefused(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	s := Sealed(make([]byte, minSealed))
	lines := func(n int) (out []Way) {
		for range n {
			out = append(out, Way{s})
		}
		return out
	}
	line := func(n int) (out Way) {
		for range n {
			out = append(out, s)
		}
		return out
	}
	for name, y := range map[string]Ways{
		"8 others":     {Others: lines(MaxWays)},
		"an empty way": {Others: []Way{{}}},
		"256 commits":  {Own: line(200), Others: []Way{line(56)}},
		"short":        {Own: Way{s[1:]}},
		"long":         {Own: Way{make(Sealed, MaxSealedCommit+1)}},
	} {
		e := Envelope{Ways: y, Body: make([]byte, 100)}
		_, err := e.Seal(MessageContext{}, p.keys.Header, Content{})
		require.ErrorIs(t, err, wire.ErrMalformed, name)
		_, err = ParseEnvelope(e.Frame())
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	e := Envelope{Ways: Ways{Own: line(200), Others: append(lines(MaxWays-2), line(49))}, Body: make([]byte, 100)}
	back, err := ParseEnvelope(e.Frame())
	require.NoError(t, err)
	require.Equal(t, MaxCommits, back.Commits())
	for name, frame := range map[string][]byte{"no body": with(e, func(e *Envelope) { e.Body = make([]byte, 28) }).Frame(),
		"too long": make([]byte, LargestMaxFrame+1), "type 4": {0x24}, "empty": {}} {
		_, err := ParseEnvelope(frame)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
}

// TestPadding: padded contents have lengths of Padmé, at most 12 % longer, and read as what was padded.
func TestPadding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0x80, 'a'}), 0, 5000).Draw(t, "text")
		room := rapid.IntRange(0, 8000).Draw(t, "room")
		plain := Inner{Time: 7, Plaintext: text}
		n := plain.Pad(64, room)
		size, bare := 66+len(n.encode()), 66+len(plain.encode())
		if room > bare {
			require.LessOrEqual(t, size, room)
			require.Contains(t, []int{room, int(padme.Length(int64(bare + 1)))}, size)
			require.LessOrEqual(t, float64(size), 1.12*float64(bare+1)+1)
		} else {
			require.Equal(t, bare, size)
		}
		back, err := parseInner(n.encode())
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, back.Plaintext))
		require.Equal(t, n.encode(), back.encode())
		require.Equal(t, n.encode(), n.Pad(64, room).encode(), "padding is made anew, not added")
	})
	long := Inner{Plaintext: make([]byte, MaxPlaintext), padding: 1 << 20}
	_, err := parseInner(long.encode())
	require.NoError(t, err, "readers accept any number of zeros")
}

// TestHeaderMadeForTwoKeys: without its zeros a header does not open, and another epoch's key does not open it.
func TestHeaderMadeForTwoKeys(t *testing.T) {
	key, aad := suite.NewAEAD(secret.Random(32)), epochAAD(state.ID{1}, EpochID{2})
	h := Header{7, 9}.Seal(key, state.ID{1}, EpochID{2})
	got, err := h.Open(key, state.ID{1}, EpochID{2})
	require.NoError(t, err)
	require.Equal(t, Header{7, 9}, got)
	for name, err := range map[string]error{
		"epoch": second(h.Open(key, state.ID{1}, EpochID{3})),
		"space": second(h.Open(key, state.ID{2}, EpochID{2})),
		"key":   second(h.Open(suite.NewAEAD(secret.Random(32)), state.ID{1}, EpochID{2})),
	} {
		require.ErrorIs(t, err, suite.ErrNotOpened, name)
	}
	plain := make([]byte, headerSize)
	plain[headerSize-1] = 1
	var sealed SealedHeader
	key.Seal(sealed[:0], plain, aad[:])
	_, err = sealed.Open(key, state.ID{1}, EpochID{2})
	require.ErrorIs(t, err, suite.ErrNotOpened)
	require.NotEqual(t, h.Tag(), sealed.Tag())
}

func (n Inner) encode() []byte { return encode(0, n.write) }
