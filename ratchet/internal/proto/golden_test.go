package proto

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

var update = flag.Bool("update", false, "write the golden files anew")

// codec is one wire format: how it is read and written again, and a sample of it.
type codec struct {
	name   string
	sample func(testing.TB, pieces) []byte
	check  func(t testing.TB, in []byte) // wiretest.Check
	accept func(in []byte) error         // as a decoder
	fuzz   func(*testing.F, ...[]byte)
}

func newCodec[T any](name string, decode func([]byte) (T, error), encode func(T) []byte, sample func(testing.TB, pieces) T) codec {
	return codec{
		name:   name,
		sample: func(t testing.TB, p pieces) []byte { return encode(sample(t, p)) },
		check:  func(t testing.TB, in []byte) { wiretest.Check(t, in, decode, encode) },
		accept: func(in []byte) error { _, err := decode(in); return err },
		fuzz:   func(f *testing.F, seeds ...[]byte) { wiretest.Fuzz(f, decode, encode, seeds...) },
	}
}

// goldenSuites are the suites that formats are pinned under, with the suffix of their files.
var goldenSuites = map[string]suite.Suite{"": suite.Ed25519Hybrid, "-ed448": suite.Ed448X25519}

// golden compares got with a golden file, or writes it. The files are hexadecimal digits, 32 bytes a line.
func golden(t testing.TB, name string, got []byte) {
	t.Helper()
	if *update {
		var b strings.Builder
		for rest := got; len(rest) > 0; {
			n := min(len(rest), 32)
			b.WriteString(hex.EncodeToString(rest[:n]) + "\n")
			rest = rest[n:]
		}
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(filepath.Join("testdata", name+".hex"), []byte(b.String()), 0o644))
	}
	require.Equal(t, hex.EncodeToString(readGolden(t, name)), hex.EncodeToString(got))
}

func readGolden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	require.NoError(t, err)
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	require.NoError(t, err)
	return b
}

// TestGolden pins every wire format: what is written today has these bytes, and these bytes are read and written again
// unchanged.
func TestGolden(t *testing.T) {
	for suffix, s := range goldenSuites {
		for _, c := range codecs() {
			t.Run(c.name+suffix, func(t *testing.T) {
				cryptotest.SetGlobalRandom(t, 1)
				golden(t, c.name+suffix, c.sample(t, newPieces(t, s)))
				pinned := readGolden(t, c.name+suffix)
				require.NoError(t, c.accept(pinned))
				c.check(t, pinned)
			})
		}
	}
}

// openEnded are formats of which any end may be left out, or any byte added: what they end with is text, or sealed.
var openEnded = map[string]bool{"content": true, "request": true}

// TestTruncatedAndExtended: no decoder accepts an encoding that lacks its end or goes on after it.
func TestTruncatedAndExtended(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, func(t *testing.T) {
			pinned := readGolden(t, c.name)
			for _, n := range []int{0, 1, 2} {
				typed(t, c.accept(pinned[:n]))
			}
			if !openEnded[c.name] {
				typed(t, c.accept(pinned[:len(pinned)/3]))
				typed(t, c.accept(pinned[:len(pinned)/2+1]))
				typed(t, c.accept(pinned[:len(pinned)-1]))
				typed(t, c.accept(append(pinned[:len(pinned):len(pinned)], 0)))
			}
		})
	}
}

// TestEveryByteMatters flips each byte of short encodings: what is still accepted re-encodes to itself, and what is refused is
// refused with an error of a class.
func TestEveryByteMatters(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, func(t *testing.T) {
			pinned := readGolden(t, c.name)
			for at := 0; at < len(pinned); at += 1 + len(pinned)/256 {
				in := append([]byte(nil), pinned...)
				in[at] ^= 0xff
				if err := c.accept(in); err != nil {
					typed(t, err)
				} else {
					c.check(t, in)
				}
			}
		})
	}
}

// typed requires an error of one of the classes that decoders have.
func typed(t testing.TB, err error) {
	t.Helper()
	require.Error(t, err)
	for _, class := range []error{wire.ErrMalformed, wire.ErrTooOld, wire.ErrTooNew, suite.ErrInvalid, suite.ErrNotOpened,
		dkg.ErrIndex, dkg.ErrShare, dkg.ErrCommitment, ed448.ErrPoint, ed448.ErrScalar} {
		if errors.Is(err, class) {
			return
		}
	}
	require.Fail(t, "error of no class", "%v", err)
}

// TestVersions: another version of the protocol is told apart from garbage.
func TestVersions(t *testing.T) {
	for _, c := range codecs() {
		switch c.name {
		case "envelope", "request", "ticket-part", "rekey-part", "refusal-frame", "link":
			b := readGolden(t, c.name)
			old, next := byte(0x10)|b[0]&0xf, byte(0x30)|b[0]&0xf
			if c.name == "link" {
				old, next = 1, 3
			}
			b[0] = old
			require.ErrorIs(t, c.accept(b), wire.ErrTooOld, c.name)
			b[0] = next
			require.ErrorIs(t, c.accept(b), wire.ErrTooNew, c.name)
		case "template", "ticket-body":
			b := readGolden(t, c.name)
			b[0] = 2
			require.ErrorIs(t, c.accept(b), wire.ErrTooNew, c.name)
		}
	}
	_, err := ParseStatement([]byte{byte(kindPerson), 0, 0})
	require.ErrorIs(t, err, wire.ErrTooNew)
	for _, kind := range []byte{0, 3, 15, 255} {
		_, err := ParseStatement([]byte{kind, 0, 0})
		require.ErrorIs(t, err, wire.ErrMalformed, fmt.Sprint(kind))
	}
	for _, name := range []string{"revoke", "bind", "close", "title", "role"} {
		b := readGolden(t, "statement-"+name)
		at := 1 + 32
		if name == "revoke" {
			at += 32
		}
		for _, by := range []byte{MaxOwners, bySomeRole} {
			b[at] = by
			_, err = ParseStatement(b)
			require.ErrorIs(t, err, wire.ErrMalformed, name)
		}
	}
}
