package proto

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"slices"
	"testing"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// badPoints returns encodings of which none is a point that this protocol may take in (§2, scenario 13).
func badPoints(t testing.TB) map[string][]byte {
	t.Helper()
	p := bytes.Repeat([]byte{0xff}, 56) // the prime, 2^448 - 2^224 - 1
	p[28] = 0xfe
	plus := func(low byte) []byte { // p + low
		b := new(big.Int).SetBytes(reversed(p))
		b.Add(b, big.NewInt(int64(low)))
		return append(reversed(b.FillBytes(make([]byte, 56))), 0)
	}
	minusOne := append(bytes.Clone(p), 0)
	minusOne[0]--
	sign := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[56] |= 0x80
		return b
	}
	one, zero := append([]byte{1}, make([]byte, 56)...), make([]byte, 57)
	good := ed448.BaseMult(ed448.RandomScalar()).Bytes()
	bits := bytes.Clone(good)
	bits[56] |= 1
	out := map[string][]byte{
		"identity": one, "identity with sign": sign(one),
		"order 2": minusOne, "order 2 with sign": sign(minusOne),
		"order 4": zero, "order 4 with sign": sign(zero),
		"p": plus(0), "p + 1": plus(1), "p + 3": plus(3),
		"all ones": bytes.Repeat([]byte{0xff}, 57), "unused bits": bits,
	}
	for name, torsion := range map[string][]byte{"P + order 2": minusOne, "P + order 4": zero, "P - order 4": sign(zero)} {
		a, err := goldilocks.FromBytes(good)
		require.NoError(t, err)
		b, err := goldilocks.FromBytes(torsion)
		require.NoError(t, err)
		a.Add(b)
		sum := make([]byte, 57)
		require.NoError(t, a.ToBytes(sum))
		out[name] = sum
	}
	for n := byte(2); len(out) < 17; n++ { // and some y of no point
		b := append([]byte{n}, make([]byte, 56)...)
		if _, err := goldilocks.FromBytes(b); err != nil {
			out["no point "+string(rune('0'+n))] = b
		}
	}
	return out
}

func reversed(b []byte) []byte {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return b
}

// badScalars returns 56 bytes each that are no scalar: q, q + 1, z + q, and what is greater.
func badScalars() map[string][]byte {
	order := goldilocks.Curve{}.Order()
	q := new(big.Int).SetBytes(reversed(order[:]))
	of := func(v *big.Int) []byte { return reversed(v.FillBytes(make([]byte, 56))) }
	sum := func(n int64) []byte { return of(new(big.Int).Add(q, big.NewInt(n))) }
	return map[string][]byte{
		"q": sum(0), "q + 1": sum(1), "q + 2": sum(2), "q + 1000": sum(1000),
		"2q": of(new(big.Int).Lsh(q, 1)), "2q + 1": of(new(big.Int).Add(new(big.Int).Lsh(q, 1), big.NewInt(1))),
		"2^446": of(new(big.Int).Lsh(big.NewInt(1), 446)), "all ones": bytes.Repeat([]byte{0xff}, 56),
	}
}

var badIndices = []uint32{0, 1 << piecesDepth, 1<<piecesDepth + 2, 1 << 20, 1<<20 + 2, 1 << 24, 1 << 31, 1<<32 - 1}

// TestHostileMatrix puts each bad point, scalar and index into each place of each format that takes one (G18).
func TestHostileMatrix(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	reader := w.members[2].share
	c, _ := w.commit(t, 1)
	follow := func(b []byte) error {
		c, err := parseCommit(b)
		if err == nil {
			_, err = c.Follow(w.space, w.id, piecesDepth, w.public, reader)
		}
		return err
	}
	require.NoError(t, follow(c[:]))

	// Where the points and scalars lie in each format.
	find := func(b, part []byte) int {
		at := bytes.Index(b, part)
		require.GreaterOrEqual(t, at, 0)
		return at
	}
	c0, c1 := w.public.Bytes()[:57], w.public.Bytes()[57:]
	template := w.template.Encode().Expose()
	grant := w.members[1].grant.Bytes()
	share := w.members[1].share.Scalar().Bytes()
	type place struct {
		name   string
		b      []byte
		at     int
		accept func([]byte) error
	}
	var points []place
	for _, f := range []place{
		{"template", template, 0, func(b []byte) error { return second(ParseTemplate(b)) }},
		{"common", w.common.Encode(), 0, func(b []byte) error { return second(ParseRootContext(b)) }},
		{"grant", grant, 0, func(b []byte) error { return second(ParseGrant(b)) }},
	} {
		require.NoError(t, f.accept(f.b))
		for _, part := range [][]byte{c0, c1} {
			f.at = find(f.b, part)
			points = append(points, f)
		}
	}
	points = append(points, place{"commit P", c[:], 4, follow}, place{"commit D", c[:], 4 + 57, follow},
		place{"Ed448 key", c0, 0, func(b []byte) error { return second(suite.ParsePublicKey(b)) }})
	update := NewKeyUpdate(w.space, w.id, w.members[1].share, 1, w.members[1].inbox.Public).Encode()
	scalars := []place{
		{"commit z", c[:], CommitSize - 56, follow},
		{"key update", update, len(update) - 56, func(b []byte) error { return second(ParseKeyUpdate(b)) }},
		{"grant share", grant, find(grant, share), func(b []byte) error { return second(ParseGrant(b)) }},
	}
	in := w.members[1].in.Encode()
	indices := []place{
		{"commit", c[:], 0, follow},
		{"grant", grant, find(grant, share) - 4, func(b []byte) error { return second(ParseGrant(b)) }},
		{"roster", w.roster.Encode(), 0, func(b []byte) error { return second(decodeRoster(b)) }},
		{"introduction", in, 32 + 8, func(b []byte) error {
			in, err := ParseIntroduction(b)
			if err == nil {
				_, err = in.Verify(w.space, w.owners, w.policy)
			}
			return err
		}},
	}
	try := func(p place, bad []byte) {
		t.Helper()
		b := bytes.Clone(p.b)
		copy(b[p.at:], bad)
		typed(t, p.accept(b))
	}
	for _, p := range points {
		for name, bad := range badPoints(t) {
			t.Run(p.name+"/"+name, func(t *testing.T) { try(p, bad) })
		}
	}
	for _, p := range scalars {
		for name, bad := range badScalars() {
			t.Run(p.name+"/"+name, func(t *testing.T) { try(p, bad) })
		}
	}
	try(scalars[2], make([]byte, 56)) // a share of zero
	for _, p := range indices {
		for _, bad := range badIndices {
			t.Run(p.name+"/index", func(t *testing.T) { try(p, binary.BigEndian.AppendUint32(nil, bad)) })
		}
	}
}

// TestRosterRefused: a roster lists each index once, in order.
func TestRosterRefused(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	a, b := w.members[1].in.Entry(), w.members[2].in.Entry()
	for name, r := range map[string]Roster{
		"twins": {[]RosterEntry{a, a}}, "order": {[]RosterEntry{b, a}}, "empty": {},
		"schemes": {[]RosterEntry{a, {3, suite.NewSigningKey(suite.Ed448).Public, b.Inbox}}},
	} {
		_, err := parseRoster(r.Encode(), piecesDepth)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	r := Roster{}.With(b).With(a)
	require.Equal(t, []RosterEntry{a, b}, r.Entries)
	require.Equal(t, Bitmap{0x30}, r.Bitmap())
	require.Equal(t, []RosterEntry{b}, r.without(a.Index).Entries)
	require.Len(t, r.With(a).Entries, 2)
	_, ok := r.Find(dkg.Index(7))
	require.False(t, ok)
}
