package ratchet

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// TestEnvelopeRoundTrip reads a message with every field.
func TestEnvelopeRoundTrip(t *testing.T) {
	w := newPieces(t, Policy{KEM: X25519})
	sent, want, h := w.envelope(t, "hello")
	e, err := ParseEnvelope(sent.Bytes())
	require.NoError(t, err)
	key := newSealer(w.key)
	got, err := openHeader(key, w.space, w.id, piecesDepth, e.header)
	require.NoError(t, err)
	require.Equal(t, h, got)
	c, err := e.commits[0].open(key, w.space, w.id)
	require.NoError(t, err)
	require.EqualValues(t, 2, c.index())
	body, err := e.open(w.space, w.id, w.key)
	require.NoError(t, err)
	require.Equal(t, want, body)
	require.NoError(t, body.verify(w.members[1].signing.public, w.space, w.id, h, e.bound))
}

// TestEnvelopeFlipped: whatever byte is flipped, parsing, the header, a sealed commit or the body refuses it, and a body
// does not go under another header or other commits (scenario 12).
func TestEnvelopeFlipped(t *testing.T) {
	w := newPieces(t, Policy{KEM: X25519})
	sent, _, _ := w.envelope(t, "hello")
	b := sent.Bytes()
	for i := range b {
		b[i] ^= 1 << (i % 8)
		e, err := ParseEnvelope(b)
		if err == nil {
			_, err = e.open(w.space, w.id, w.key)
			require.ErrorIs(t, err, errNotOpened, "byte %d", i)
		} else if !errors.Is(err, wire.ErrTooNew) && !errors.Is(err, wire.ErrTooOld) {
			require.ErrorIs(t, err, ErrMalformed, "byte %d", i)
		}
		b[i] ^= 1 << (i % 8)
	}
	_, err := sent.open(state.ID{}, w.id, w.key)
	require.ErrorIs(t, err, errNotOpened)
	_, err = sent.open(w.space, epochID{}, w.key)
	require.ErrorIs(t, err, errNotOpened)
}

// TestHeaders: a header opens in its epoch only, and says an index of that epoch.
func TestHeaders(t *testing.T) {
	space, id := state.ID{1}, epochID{2}
	key := newSealer(secret.Random(keySize))
	sealed := header{5, 9}.seal(key, space, id)
	require.Len(t, sealed, 52)
	h, err := openHeader(key, space, id, piecesDepth, sealed)
	require.NoError(t, err)
	require.Equal(t, header{5, 9}, h)
	for name, err := range map[string]error{
		"key":   second(openHeader(newSealer(secret.Random(keySize)), space, id, piecesDepth, sealed)),
		"space": second(openHeader(key, state.ID{2}, id, piecesDepth, sealed)),
		"epoch": second(openHeader(key, space, epochID{3}, piecesDepth, sealed)),
	} {
		require.ErrorIs(t, err, errNotOpened, name)
	}
	for i := range sealed {
		flipped := sealed
		flipped[i] ^= 1
		_, err := openHeader(key, space, id, piecesDepth, flipped)
		require.ErrorIs(t, err, errNotOpened)
	}
	for _, h := range []header{{0, 0}, {1 << piecesDepth, 0}, {1 << 31, 0}} {
		_, err := openHeader(key, space, id, piecesDepth, h.seal(key, space, id))
		require.ErrorIs(t, err, wire.ErrMalformed)
	}
	// The zeros make trial decryption committing: a header that opens without them is no header, whoever made it.
	for i := 8; i < headerSize; i++ {
		plain := make([]byte, headerSize)
		plain[3], plain[i] = 5, 1
		aad := epochAAD(space, id)
		_, err := openHeader(key, space, id, piecesDepth, sealedHeader(key.seal(nil, plain, aad[:])))
		require.ErrorIs(t, err, errNotOpened)
	}
}

// TestContentProperty: contents read as they were written, and a signature covers every field of them.
func TestContentProperty(t *testing.T) {
	k := newSigningKey(Ed25519)
	space, id, h, bound := state.ID{1}, epochID{2}, header{3, 4}, digest{5}
	optional := rapid.Custom(func(t *rapid.T) []byte {
		if rapid.Bool().Draw(t, "absent") {
			return nil
		}
		return rapid.SliceOfN(rapid.Byte(), 1, 60).Draw(t, "field")
	})
	rapid.Check(t, func(t *rapid.T) {
		c := content{
			introduction: optional.Draw(t, "introduction"), keyUpdate: optional.Draw(t, "key update"),
			control: rapid.Bool().Draw(t, "control"), answers: rapid.Bool().Draw(t, "answers"),
			plaintext: rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "plaintext"),
		}
		if c.answers {
			c.answered = rapid.Uint64().Draw(t, "answered")
		}
		require.ErrorIs(t, c.verify(k.public, space, id, h, bound), errInvalid, "unsigned")
		c = c.sign(k, space, id, h, bound)
		b, err := c.encode()
		require.NoError(t, err)
		got, err := parseContent(b)
		require.NoError(t, err)
		require.Equal(t, c, got)
		require.NoError(t, got.verify(k.public, space, id, h, bound))

		for name, change := range map[string]func(*content){
			"introduction": func(c *content) { c.introduction = append([]byte{1}, c.introduction...) },
			"key update":   func(c *content) { c.keyUpdate = append([]byte{1}, c.keyUpdate...) },
			"control":      func(c *content) { c.control = !c.control },
			"answers":      func(c *content) { c.answers = !c.answers },
			"plaintext":    func(c *content) { c.plaintext = append([]byte{1}, c.plaintext...) },
		} {
			d := c
			change(&d)
			require.ErrorIs(t, d.verify(k.public, space, id, h, bound), errInvalid, name)
		}
		require.ErrorIs(t, c.verify(k.public, state.ID{}, id, h, bound), errInvalid)
		require.ErrorIs(t, c.verify(k.public, space, epochID{}, h, bound), errInvalid)
		require.ErrorIs(t, c.verify(k.public, space, id, header{3, 5}, bound), errInvalid)
		require.ErrorIs(t, c.verify(k.public, space, id, header{4, 4}, bound), errInvalid)
		require.ErrorIs(t, c.verify(k.public, space, id, h, digest{}), errInvalid)
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
	for name, c := range map[string]content{
		"plaintext":    {plaintext: make([]byte, MaxPlaintext+1)},
		"introduction": {introduction: make([]byte, maxIntroduction+1)},
		"empty":        {signature: []byte{}},
	} {
		_, err := c.encode()
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	longest := content{introduction: make([]byte, maxIntroduction), keyUpdate: make([]byte, maxKeyUpdate),
		signature: make([]byte, maxSignature), answers: true, plaintext: make([]byte, MaxPlaintext)}
	b, err := longest.encode()
	require.NoError(t, err)
	require.Len(t, b, maxContent)
	e, err := newEnvelope(sealedHeader{}, make([]sealedCommit, maxCommits)).seal(state.ID{}, epochID{}, secret.Random(keySize), longest)
	require.NoError(t, err)
	_, err = ParseEnvelope(e.Bytes())
	require.NoError(t, err, "the longest message")
	_, err = newEnvelope(sealedHeader{}, make([]sealedCommit, maxCommits+1)).seal(state.ID{}, epochID{}, secret.Random(keySize), content{})
	require.ErrorIs(t, err, wire.ErrMalformed)
}

// TestFrameTypes: the first byte says version and type.
func TestFrameTypes(t *testing.T) {
	for b := range 256 {
		got, err := parseFrameType([]byte{byte(b)})
		switch {
		case b>>4 < frameVersion:
			require.ErrorIs(t, err, wire.ErrTooOld)
		case b>>4 > frameVersion:
			require.ErrorIs(t, err, wire.ErrTooNew)
		case b&0xf > int(frameBoxes):
			require.ErrorIs(t, err, wire.ErrMalformed)
		default:
			require.NoError(t, err)
			require.Equal(t, byte(b), got.first())
		}
	}
	_, err := parseFrameType(nil)
	require.ErrorIs(t, err, wire.ErrMalformed)
}
