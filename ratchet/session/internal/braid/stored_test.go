package braid

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden returns the pinned sample of a format, after writing it anew if that was asked for.
func golden(t *testing.T, name string, sample []byte) []byte {
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(hex.EncodeToString(sample)+"\n"), 0o644))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.NotEmpty(t, b)
	return b
}

// stages returns both sides in the middle of an offer, after the offer, in the middle of an answer, and before the next epoch.
func stages(t testing.TB) (stages [][2]*end) {
	a, b := newEnds()
	note := func() { stages = append(stages, [2]*end{a.copied(a.b), b.copied(b.b)}) }
	note()
	for n := range 29 {
		b.receive(t, a.send())
		if n == 7 || n == 14 || n == 20 || n == 27 {
			note()
		}
		a.receive(t, b.send())
	}
	return stages
}

// G28: two sides that were stored in the format of 2026-11, in the middle of an answer, complete the exchange with the chunks
// that were in flight.
func TestG28GoldenFormats(t *testing.T) {
	middle := stages(t)[3]
	a, b := middle[0], middle[1]
	chunkToA, chunkToB := b.send().chunk, a.send().chunk
	read := func(e *end, name string) *end {
		stored, err := parseBraid(golden(t, name, e.b.marshal()))
		require.NoError(t, err)
		return e.copied(stored)
	}
	a, b = read(a, "initiator"), read(b, "responder")
	for name, to := range map[string]struct {
		e *end
		c Chunk
	}{"chunk-offer": {b, chunkToB}, "chunk-answer": {a, chunkToA}} {
		c, err := to.e.b.ParseChunk(golden(t, name, to.c.Append(nil)))
		require.NoError(t, err)
		before := to.e.b
		to.e.b = to.e.b.Receive(c)
		require.Equal(t, name == "chunk-offer", to.e.b.Equal(before), "only the answer is still wanted")
	}
	turns(t, a, b, 1)
	agree(t, a, b)
}

func FuzzStored(f *testing.F) {
	var seeds [][]byte
	for _, s := range stages(f) {
		seeds = append(seeds, s[0].b.marshal(), s[1].b.marshal())
	}
	wiretest.Fuzz(f, parseBraid, Braid.marshal, seeds...)
}

func FuzzChunk(f *testing.F) {
	middle := stages(f)[3]
	for _, to := range middle {
		f.Add(to.send().chunk.Append(nil))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, to := range []Braid{Initiator(), Responder()} {
			wiretest.Check(t, in, to.ParseChunk, func(c Chunk) []byte { return c.Append(nil) })
		}
		// Whatever a peer says, a braid goes on, and what it became can be stored.
		for _, s := range middle {
			c, err := s.b.ParseChunk(in)
			if err != nil {
				continue
			}
			next := s.b.Receive(c)
			next, _ = next.Begin()
			next, _ = next.Send()
			back, err := parseBraid(next.marshal())
			require.NoError(t, err)
			require.True(t, back.Equal(next))
		}
	})
}

// What the parts of a stored braid contradict each other is refused.
func TestStoredRefused(t *testing.T) {
	s := stages(t)
	fresh, offering, answering := s[0][0].b, s[1][0].b, s[3][1].b
	for name, spoil := range map[string]func() Braid{
		"role":                      func() Braid { b := fresh; b.role = 3; return b },
		"no role":                   func() Braid { return Braid{} },
		"responder that mixes":      func() Braid { b := answering; b.mixed = true; return b },
		"held of nothing":           func() Braid { b := fresh; b.in.held = all(answerChunks); return b },
		"more sent than there is":   func() Braid { b := offering; b.out.held |= 1 << offerChunks; return b },
		"next beyond the end":       func() Braid { b := offering; b.out.next = offerChunks; return b },
		"answer before the offer":   func() Braid { b := answering; b.in.held = 1; return b },
		"more held than there is":   func() Braid { b := answering; b.in.held |= 1 << offerChunks; return b },
		"held without an object":    func() Braid { b := offering; b.in.held = 1; return b },
		"collecting without a seed": func() Braid { b := s[3][0].b; b.own = object{}; return b },
	} {
		_, err := parseBraid(spoil().marshal())
		require.Error(t, err, name)
	}
}
