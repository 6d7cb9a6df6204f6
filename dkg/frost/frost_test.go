package frost

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	circl "github.com/cloudflare/circl/sign/ed448"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

func deal(t testing.TB, m, n int) (threshold.Key, []threshold.Share) {
	t.Helper()
	p := poly.New(ed448.RandomScalar(), m)
	var holders []threshold.Index
	for i := 1; i <= n; i++ {
		holders = append(holders, threshold.Index(i))
	}
	k, err := threshold.NewKey(threshold.Terms{Holders: holders}, p.Commitments())
	require.NoError(t, err)
	var shares []threshold.Share
	for _, i := range holders {
		s, err := threshold.NewShare(k, i, p.At(uint8(i)))
		require.NoError(t, err)
		shares = append(shares, s)
	}
	return k, shares
}

func roundOne(shares []threshold.Share) (nonces []*Nonce, commitments []Commitment) {
	for _, s := range shares {
		n, c := Commit(s)
		nonces, commitments = append(nonces, n), append(commitments, c)
	}
	return nonces, commitments
}

func roundTwo(t testing.TB, nonces []*Nonce, p Package) (parts []SignatureShare) {
	for _, n := range nonces {
		z, err := n.Sign(p)
		require.NoError(t, err)
		parts = append(parts, z)
	}
	return parts
}

// Any t or more holders sign, for all t ≤ n ≤ 7, in any order, and others accept the signature.
func TestAnyQuorumSigns(t *testing.T) {
	for n := 2; n <= 7; n++ {
		for m := 2; m <= n; m++ {
			seed := uint64(100*n + m)
			r := rand.New(rand.NewPCG(seed, 0))
			key, shares := deal(t, m, n)
			for range 5 {
				r.Shuffle(n, func(i, j int) { shares[i], shares[j] = shares[j], shares[i] })
				message := fmt.Appendf(nil, "message %d", r.Uint64())
				nonces, commitments := roundOne(shares[:m+r.IntN(n-m+1)])
				p, err := NewPackage(key, message, commitments)
				require.NoError(t, err)
				parts := roundTwo(t, nonces, p)
				r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
				sig, err := p.Aggregate(parts)
				require.NoError(t, err, "seed %d", seed)
				require.True(t, circl.Verify(circl.PublicKey(key.Public()), message, sig, ""), "seed %d", seed)
				require.False(t, key.Verify(append(message, 1), sig))
			}
		}
	}
}

// Whoever sends a wrong share is named, and nobody else.
func TestCheatersAreNamed(t *testing.T) {
	key, shares := deal(t, 3, 5)
	for _, cheaters := range [][]int{{0}, {2}, {1, 3}, {0, 1, 2, 3}} {
		nonces, commitments := roundOne(shares[:4])
		p, err := NewPackage(key, []byte("message"), commitments)
		require.NoError(t, err)
		parts := roundTwo(t, nonces, p)
		var want []threshold.Index
		for _, i := range cheaters {
			parts[i].z = parts[i].z.Add(ed448.ScalarFromUint32(1))
			want = append(want, parts[i].index)
		}
		_, err = p.Aggregate(parts)
		var e *CheaterError
		require.ErrorAs(t, err, &e)
		require.Equal(t, want, e.Participants)
	}
}

// A nonce signs once, whoever asks, and is kept when what it was to sign was refused.
func TestNonceSignsOnce(t *testing.T) {
	key, shares := deal(t, 2, 3)
	nonces, commitments := roundOne(shares[:2])
	first, err := NewPackage(key, []byte("first"), commitments)
	require.NoError(t, err)
	second, err := NewPackage(key, []byte("second"), commitments)
	require.NoError(t, err)

	_, others := roundOne(shares[:2])
	foreign, err := NewPackage(key, []byte("first"), others)
	require.NoError(t, err)
	_, err = nonces[0].Sign(foreign)
	require.ErrorIs(t, err, ErrPackage)
	_, err = nonces[0].Sign(Package{})
	require.ErrorIs(t, err, ErrPackage)

	var wait sync.WaitGroup
	results := make([]error, 16)
	for i := range results {
		wait.Go(func() { _, results[i] = nonces[0].Sign([]Package{first, second}[i%2]) })
	}
	wait.Wait()
	signed := slices.DeleteFunc(slices.Clone(results), func(err error) bool { return err != nil })
	require.Len(t, signed, 1)
	for _, err := range results {
		if err != nil {
			require.ErrorIs(t, err, ErrNonceUsed)
		}
	}
}

// No encoding brings a nonce back, so that no restored backup can sign with one again.
func TestNonceHasNoEncoding(t *testing.T) {
	key, shares := deal(t, 2, 2)
	nonces, c := roundOne(shares)
	p, err := NewPackage(key, nil, c)
	require.NoError(t, err)
	var v any = nonces[0]
	for _, encodes := range []bool{
		is[encoding.BinaryMarshaler](v), is[encoding.TextMarshaler](v), is[json.Marshaler](v), is[gob.GobEncoder](v),
	} {
		require.False(t, encodes)
	}
	require.Error(t, gob.NewEncoder(new(bytes.Buffer)).Encode(v))
	_, err = new(Nonce).Sign(p)
	require.ErrorIs(t, err, ErrPackage)
	_, err = nonces[0].Sign(p)
	require.NoError(t, err)
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

func TestPackageRefuses(t *testing.T) {
	key, shares := deal(t, 2, 3)
	_, other := deal(t, 2, 4)
	nonces, c := roundOne(shares)
	_, foreign := Commit(other[3])
	for name, commitments := range map[string][]Commitment{
		"none": nil, "too few": c[:1], "twice": {c[0], c[0]}, "thrice": {c[0], c[1], c[0]}, "no holder": {c[0], foreign}, "zero": {c[0], {}},
	} {
		_, err := NewPackage(key, nil, commitments)
		require.ErrorIs(t, err, ErrPackage, name)
	}
	_, err := NewPackage(threshold.Key{}, nil, c)
	require.ErrorIs(t, err, ErrPackage)
	_, err = Package{}.Aggregate(nil)
	require.ErrorIs(t, err, ErrPackage)
	p, err := NewPackage(key, nil, c[:2])
	require.NoError(t, err)
	parts := roundTwo(t, nonces[:2], p)
	for name, s := range map[string][]SignatureShare{
		"none": nil, "too few": parts[:1], "twice": {parts[0], parts[0]}, "no signer": {parts[0], {3, parts[1].z}}, "zero": {parts[0], {}},
	} {
		_, err := p.Aggregate(s)
		require.ErrorIs(t, err, ErrPackage, name)
	}
	require.Panics(t, func() { Commit(threshold.Share{}) })
}

func TestParsersRefuseHostileEncodings(t *testing.T) {
	_, shares := deal(t, 2, 2)
	_, c := Commit(shares[0])
	good := c.Bytes()
	for name, bad := range ed448test.BadPoints(t) {
		_, err := ParseCommitment(slices.Concat(good[:1], bad, good[1+ed448.PointSize:]))
		require.ErrorIs(t, err, ErrCommitment, name)
		_, err = ParseCommitment(slices.Concat(good[:1+ed448.PointSize], bad))
		require.ErrorIs(t, err, ErrCommitment, name)
	}
	for name, bad := range ed448test.BadScalars() {
		_, err := ParseSignatureShare(slices.Concat([]byte{1}, bad, []byte{0}))
		require.ErrorIs(t, err, ErrSignatureShare, name)
	}
	_, err := ParseSignatureShare(append(SignatureShare{1, ed448.Scalar{}}.Bytes()[:SignatureShareSize-1], 1))
	require.ErrorIs(t, err, ErrSignatureShare)
}

func FuzzCommitment(f *testing.F) {
	_, shares := deal(f, 2, 2)
	_, c := Commit(shares[0])
	wiretest.Fuzz(f, ParseCommitment, Commitment.Bytes, c.Bytes())
}

func FuzzSignatureShare(f *testing.F) {
	wiretest.Fuzz(f, ParseSignatureShare, SignatureShare.Bytes, SignatureShare{7, ed448.RandomScalar()}.Bytes())
}

func TestNothingShowsANonce(t *testing.T) {
	key, shares := deal(t, 2, 2)
	nonces, c := roundOne(shares)
	pair := nonces[0].secrets.Load().Expose()
	secrets := [][]byte{pair.hiding.Bytes(), pair.binding.Bytes(), shares[0].Scalar().Bytes()}
	secrettest.Check(t, nonces[0], secrets...)
	p, err := NewPackage(key, nil, c)
	require.NoError(t, err)
	secrettest.Check(t, p, secrets...)
	_, err = nonces[0].Sign(Package{})
	secrettest.Check(t, err, secrets...)
}
