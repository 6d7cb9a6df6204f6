package proto

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TestEnvelopeRoundTrip reads a message with every field.
func TestEnvelopeRoundTrip(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	sent, want, h := w.envelope(t, "hello")
	e, err := ParseEnvelope(sent.Bytes())
	require.NoError(t, err)
	key := suite.NewAEAD(w.key)
	got, err := OpenHeader(key, w.space, w.id, piecesDepth, e.Header)
	require.NoError(t, err)
	require.Equal(t, h, got)
	c, err := e.Commits[0].Open(key, w.space, w.id)
	require.NoError(t, err)
	require.EqualValues(t, 2, c.Index())
	body, err := e.Open(w.space, w.id, w.key)
	require.NoError(t, err)
	require.Equal(t, want, body)
	require.NoError(t, body.Verify(w.members[1].signing.Public, w.space, w.id, h, e.Bound))
}

// TestEnvelopeFlipped: whatever byte is flipped, parsing, the header, a sealed commit or the body refuses it, and a body
// does not go under another header or other commits (scenario 12).
func TestEnvelopeFlipped(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	sent, _, _ := w.envelope(t, "hello")
	b := sent.Bytes()
	for i := range b {
		b[i] ^= 1 << (i % 8)
		e, err := ParseEnvelope(b)
		if err == nil {
			_, err = e.Open(w.space, w.id, w.key)
			require.ErrorIs(t, err, suite.ErrNotOpened, "byte %d", i)
		} else if !errors.Is(err, wire.ErrTooNew) && !errors.Is(err, wire.ErrTooOld) {
			require.ErrorIs(t, err, wire.ErrMalformed, "byte %d", i)
		}
		b[i] ^= 1 << (i % 8)
	}
	_, err := sent.Open(state.ID{}, w.id, w.key)
	require.ErrorIs(t, err, suite.ErrNotOpened)
	_, err = sent.Open(w.space, EpochID{}, w.key)
	require.ErrorIs(t, err, suite.ErrNotOpened)
}

// TestHeaders: a header opens in its epoch only, and says an index of that epoch.
func TestHeaders(t *testing.T) {
	space, id := state.ID{1}, EpochID{2}
	key := suite.NewAEAD(secret.Random(suite.KeySize))
	sealed := Header{5, 9}.Seal(key, space, id)
	require.Len(t, sealed, 52)
	h, err := OpenHeader(key, space, id, piecesDepth, sealed)
	require.NoError(t, err)
	require.Equal(t, Header{5, 9}, h)
	for name, err := range map[string]error{
		"key":   second(OpenHeader(suite.NewAEAD(secret.Random(suite.KeySize)), space, id, piecesDepth, sealed)),
		"space": second(OpenHeader(key, state.ID{2}, id, piecesDepth, sealed)),
		"epoch": second(OpenHeader(key, space, EpochID{3}, piecesDepth, sealed)),
	} {
		require.ErrorIs(t, err, suite.ErrNotOpened, name)
	}
	for i := range sealed {
		flipped := sealed
		flipped[i] ^= 1
		_, err := OpenHeader(key, space, id, piecesDepth, flipped)
		require.ErrorIs(t, err, suite.ErrNotOpened)
	}
	for _, h := range []Header{{0, 0}, {1 << piecesDepth, 0}, {1 << 31, 0}} {
		_, err := OpenHeader(key, space, id, piecesDepth, h.Seal(key, space, id))
		require.ErrorIs(t, err, wire.ErrMalformed)
	}
	// The zeros make trial decryption committing: a header that opens without them is no header, whoever made it.
	for i := 8; i < headerSize; i++ {
		plain := make([]byte, headerSize)
		plain[3], plain[i] = 5, 1
		aad := epochAAD(space, id)
		_, err := OpenHeader(key, space, id, piecesDepth, SealedHeader(key.Seal(nil, plain, aad[:])))
		require.ErrorIs(t, err, suite.ErrNotOpened)
	}
}

// TestContentProperty: contents read as they were written, and a signature covers every field of them.
func TestContentProperty(t *testing.T) {
	k := suite.NewSigningKey(suite.Ed25519)
	space, id, h, bound := state.ID{1}, EpochID{2}, Header{3, 4}, suite.Digest{5}
	optional := rapid.Custom(func(t *rapid.T) []byte {
		if rapid.Bool().Draw(t, "absent") {
			return nil
		}
		return rapid.SliceOfN(rapid.Byte(), 1, 60).Draw(t, "field")
	})
	rapid.Check(t, func(t *rapid.T) {
		c := Content{
			Introduction: optional.Draw(t, "introduction"), KeyUpdate: optional.Draw(t, "key update"),
			Statement: rapid.Bool().Draw(t, "control"), Answers: rapid.Bool().Draw(t, "answers"),
			Plaintext: rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "plaintext"),
		}
		if c.Answers {
			c.Answered = rapid.Uint64().Draw(t, "answered")
		}
		require.ErrorIs(t, c.Verify(k.Public, space, id, h, bound), suite.ErrInvalid, "unsigned")
		c = c.Sign(k, space, id, h, bound)
		b, err := c.Encode()
		require.NoError(t, err)
		got, err := parseContent(b)
		require.NoError(t, err)
		require.Equal(t, c, got)
		require.NoError(t, got.Verify(k.Public, space, id, h, bound))

		for name, change := range map[string]func(*Content){
			"introduction": func(c *Content) { c.Introduction = append([]byte{1}, c.Introduction...) },
			"key update":   func(c *Content) { c.KeyUpdate = append([]byte{1}, c.KeyUpdate...) },
			"control":      func(c *Content) { c.Statement = !c.Statement },
			"answers":      func(c *Content) { c.Answers = !c.Answers },
			"plaintext":    func(c *Content) { c.Plaintext = append([]byte{1}, c.Plaintext...) },
		} {
			d := c
			change(&d)
			require.ErrorIs(t, d.Verify(k.Public, space, id, h, bound), suite.ErrInvalid, name)
		}
		require.ErrorIs(t, c.Verify(k.Public, state.ID{}, id, h, bound), suite.ErrInvalid)
		require.ErrorIs(t, c.Verify(k.Public, space, EpochID{}, h, bound), suite.ErrInvalid)
		require.ErrorIs(t, c.Verify(k.Public, space, id, Header{3, 5}, bound), suite.ErrInvalid)
		require.ErrorIs(t, c.Verify(k.Public, space, id, Header{4, 4}, bound), suite.ErrInvalid)
		require.ErrorIs(t, c.Verify(k.Public, space, id, h, suite.Digest{}), suite.ErrInvalid)
	})
}

// TestContentRefused: unknown flags, empty fields, and what is beyond a limit (G25).
func TestContentRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"unknown flag":       {0x20},
		"high flag":          {0x80},
		"empty introduction": {flagIntroduction, 0, 0},
		"empty key update":   {flagKeyUpdate, 0, 0},
		"empty signature":    {flagSignature, 0, 0},
		"long introduction":  append([]byte{flagIntroduction, 0x10, 0x01}, make([]byte, 0x1001)...),
		"short counter":      {flagAnswered, 0, 0, 0, 0, 0, 0, 0},
		"long plaintext":     make([]byte, 1+MaxPlaintext+1),
	} {
		_, err := parseContent(b)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	for name, c := range map[string]Content{
		"plaintext":    {Plaintext: make([]byte, MaxPlaintext+1)},
		"introduction": {Introduction: make([]byte, MaxIntroduction+1)},
		"empty":        {Signature: []byte{}},
	} {
		_, err := c.Encode()
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	longest := Content{Introduction: make([]byte, MaxIntroduction), KeyUpdate: make([]byte, maxKeyUpdate),
		Signature: make([]byte, suite.MaxSignature), Answers: true, Plaintext: make([]byte, MaxPlaintext)}
	b, err := longest.Encode()
	require.NoError(t, err)
	require.Len(t, b, maxContent)
	e, err := NewEnvelope(SealedHeader{}, make([]SealedCommit, MaxCommits)).Seal(state.ID{}, EpochID{}, secret.Random(suite.KeySize), longest)
	require.NoError(t, err)
	_, err = ParseEnvelope(e.Bytes())
	require.NoError(t, err, "the longest message")
	_, err = NewEnvelope(SealedHeader{}, make([]SealedCommit, MaxCommits+1)).Seal(state.ID{}, EpochID{}, secret.Random(suite.KeySize), Content{})
	require.ErrorIs(t, err, wire.ErrMalformed)
}

// TestFrameTypes: the first byte says version and type.
func TestFrameTypes(t *testing.T) {
	for b := range 256 {
		got, err := ParseType([]byte{byte(b)})
		switch {
		case b>>4 < Version:
			require.ErrorIs(t, err, wire.ErrTooOld)
		case b>>4 > Version:
			require.ErrorIs(t, err, wire.ErrTooNew)
		case b&0xf > int(TypeBoxes):
			require.ErrorIs(t, err, wire.ErrMalformed)
		default:
			require.NoError(t, err)
			require.Equal(t, byte(b), got.first())
		}
	}
	_, err := ParseType(nil)
	require.ErrorIs(t, err, wire.ErrMalformed)
}
