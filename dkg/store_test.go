package dkg

import (
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// plain is a part without content, in the place of a ratchet state or a template.
type plain struct{}

func (plain) Encode(e *state.Encoder)                { e.Version(1) }
func (plain) Decode(d *state.Decoder) (plain, error) { d.Version(1, 1); return plain{}, nil }
func (plain) Succeeds(plain) error                   { return nil }

type (
	space = state.SpaceEncryptionState[plain, plain, Evals]
	// rawSpace is a space whose evals are bytes. It is stored in the same rows, so that the tests see and forge what Evals
	// write; programs cannot, as they have no key but the vault's and no way around it.
	rawSpace = state.SpaceEncryptionState[plain, plain, rawEvals]
)

var spaceID = state.ID{1}

func spaceOf(t testing.TB, e Evals) space {
	t.Helper()
	s, err := state.New(spaceID, plain{}, plain{}, e)
	require.NoError(t, err)
	return s
}

// same reports whether evals would be stored as the same bytes.
func same(t testing.TB, a, b Evals) bool { return spaceOf(t, a).Equal(spaceOf(t, b)) }

// dealt returns evals under terms with defaults.
func dealt(t testing.TB, p Polynomial, terms Terms) Evals {
	t.Helper()
	if terms.Depth == 0 {
		terms.Depth = DefaultDepth
	}
	if terms.Capacity == 0 {
		terms.Capacity = DefaultCapacity
	}
	e, err := p.Evals(terms)
	require.NoError(t, err)
	return e
}

// rawEvals are the bytes of Evals: the body, and the segment of the offers if there is one.
type rawEvals struct {
	body   []byte
	offers rawOffers
}

type rawOffers []byte

// A Decoder has to be told how much to read, and Decode is called on the zero value: the next rawEvals to be decoded have
// these sizes.
var reading struct{ body, offers int }

func (r rawEvals) Encode(e *state.Encoder) {
	e.Fixed(r.body)
	if len(r.offers) > 0 {
		state.NewSegment(r.offers).Encode(e, offersName)
	}
}

func (rawEvals) Decode(d *state.Decoder) (r rawEvals, err error) {
	r.body = d.Fixed(reading.body)
	if reading.offers > 0 {
		s, err := state.DecodeSegment[rawOffers](d, offersName)
		if err != nil {
			return r, err
		}
		r.offers = s.Value()
	}
	return r, nil
}

func (rawEvals) Succeeds(rawEvals) error { return nil }

func (r rawOffers) Encode(e *state.Encoder) { e.Fixed(r) }

func (rawOffers) Decode(d *state.Decoder) (rawOffers, error) { return d.Fixed(reading.offers), nil }

func openVault[V state.Value[V]](t testing.TB, backend store.Store) *state.Vault[V] {
	t.Helper()
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	v, err := state.Open[V](t.Context(), backend, key, state.Options{})
	require.NoError(t, err)
	return v
}

// encodeEvals returns the stored bytes of evals: vec16 body, then the offers if there are some.
func encodeEvals(t testing.TB, e Evals) []byte {
	t.Helper()
	backend := store.NewMemory()
	require.NoError(t, openVault[space](t, backend).Create(t.Context(), spaceOf(t, e), nil))
	reading.body, reading.offers = 3, 0
	if e.mode != none {
		reading.body += 50
	}
	if e.mode == dealing {
		reading.body += 2 * ed448.ScalarSize
	}
	if n := len(e.offers.Value()); n > 0 {
		reading.offers = 4 + n*offerSize
	}
	s, err := openVault[rawSpace](t, backend).Load(t.Context(), spaceID)
	require.NoError(t, err)
	var w wire.Writer
	w.Vec16(s.Evals().body)
	w.Fixed(s.Evals().offers)
	return w.Bytes()
}

var errNotStorable = errors.New("not the bytes of a part")

// decodeEvals stores bytes as the evals of a space and loads it.
func decodeEvals(t testing.TB, in []byte) (Evals, error) {
	t.Helper()
	r := wire.NewReader(in)
	raw := rawEvals{body: r.Vec16(1 << 16)}
	raw.offers = r.Fixed(r.Len())
	if r.Done() != nil {
		return Evals{}, errNotStorable
	}
	backend := store.NewMemory()
	s, err := state.New(spaceID, plain{}, plain{}, raw)
	require.NoError(t, err)
	require.NoError(t, openVault[rawSpace](t, backend).Create(t.Context(), s, nil))
	out, err := openVault[space](t, backend).Load(t.Context(), spaceID)
	if err != nil {
		return Evals{}, err
	}
	return out.Evals(), nil
}

// samples are evals of each kind, always the same.
func samples(t testing.TB) map[string]Evals {
	t.Helper()
	founder := dealt(t, Polynomial{ed448.ScalarFromUint32(1), ed448.ScalarFromUint32(2)}, Terms{Root: [32]byte{7}, Next: 2})
	return map[string]Evals{"none": NoEvals(), "founder": founder, "readonly": founder.ReadOnly(), "offered": offered(t, founder)}
}

// pinned compares what is stored of evals with a file below testdata, and what it decodes to with the evals. It returns the bytes.
func pinned(t *testing.T, file string, e Evals) []byte {
	t.Helper()
	got := encodeEvals(t, e)
	path := filepath.Join("testdata", file)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(hex.EncodeToString(got)+"\n"), 0o644))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(string(text)), hex.EncodeToString(got))
	back, err := decodeEvals(t, got)
	require.NoError(t, err)
	require.True(t, same(t, e, back))
	return got
}

// G1, G28: what is stored is pinned byte by byte, decodes to the same evals, and encodes to the same bytes again.
func TestG28StoredFormat(t *testing.T) {
	for name, e := range samples(t) {
		t.Run(name, func(t *testing.T) {
			pinned(t, "evals-v1-"+name+".hex", e)
		})
	}
}

// G5: 10,000 evals take 165 bytes, of which 112 are the coefficients, and some for each offer that is open.
func TestG5Size(t *testing.T) {
	e := dealt(t, NewPolynomial(), Terms{Next: 2})
	require.Len(t, encodeEvals(t, e), 2+165)
	for n := range 3 {
		var err error
		e, _, err = e.Offer(private(byte(n)), 0, 1)
		require.NoError(t, err)
		require.Len(t, encodeEvals(t, e), 2+165+4+(n+1)*offerSize)
	}
}

// Stored bytes that Encode does not write are refused: forged by whoever has the vault's key, or damaged by a mistake.
func TestDecodeRefuses(t *testing.T) {
	valid := encodeEvals(t, samples(t)["offered"])
	const body = 2 // behind the length of the body
	zero := make([]byte, ed448.ScalarSize)
	for name, change := range map[string]struct {
		at   int
		with []byte
	}{
		"mode 0":           {body + 2, []byte{0}},
		"mode 4":           {body + 2, []byte{4}},
		"none with fields": {body + 2, []byte{byte(none)}},
		"depth 0":          {body + 43, []byte{0}},
		"depth 21":         {body + 43, []byte{21}},
		"capacity 0":       {body + 44, []byte{0, 0, 0, 0}},
		"capacity 2^14":    {body + 44, []byte{0, 0, 0x40, 0}},
		"cursor 0":         {body + 48, []byte{0, 0, 0, 0}},
		"cursor too small": {body + 48, []byte{0, 0, 1, 0xf4}},
		"cursor over 2^14": {body + 48, []byte{0, 0, 0x40, 1}},
		"a0 = 0":           {body + 52, zero},
		"a1 = 0":           {body + 108, zero},
		"a0 = q":           {body + 52, ed448test.BadScalars()["q"]},
		"no offers":        {body + 164, []byte{0}},
		"no flag":          {body + 164, []byte{2}},
	} {
		t.Run(name, func(t *testing.T) {
			in := append([]byte(nil), valid...)
			require.NotEqual(t, change.with, in[change.at:change.at+len(change.with)])
			copy(in[change.at:], change.with)
			_, err := decodeEvals(t, in)
			require.ErrorIs(t, err, state.ErrCorrupt)
		})
	}
	for name, in := range map[string][]byte{
		"too old": {0, 3, 0, 0, 1},
		"too new": {0, 3, 0, 2, 1},
	} {
		_, err := decodeEvals(t, in)
		want := map[string]error{"too old": state.ErrTooOld, "too new": state.ErrTooNew}[name]
		require.ErrorIs(t, err, want)
	}
	_, err := state.New(spaceID, plain{}, plain{}, Evals{})
	require.ErrorIs(t, err, state.ErrIncomplete, "zero evals are never stored")
}

// FuzzEvals feeds the decoder of the stored format through a vault.
func FuzzEvals(f *testing.F) {
	for _, e := range samples(f) {
		f.Add(encodeEvals(f, e))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		wiretest.Check(t, in, func(in []byte) (Evals, error) { return decodeEvals(t, in) },
			func(e Evals) []byte { return encodeEvals(t, e) })
	})
}

// G3, G5: a stale copy of a space cannot replace the stored one, and offers through the vault never repeat an index.
func TestG5StaleCopyIsRefused(t *testing.T) {
	v := openVault[space](t, store.NewMemory())
	old := spaceOf(t, dealt(t, NewPolynomial(), Terms{Next: 2}))
	require.NoError(t, v.Create(t.Context(), old, nil))
	seen := map[Index]bool{}
	for n := range 5 {
		require.NoError(t, v.Update(t.Context(), spaceID, func(tx *state.Tx[space]) error {
			next, o, err := tx.Value().Evals().Offer(private(byte(n)), 0, 1)
			if err != nil {
				return err
			}
			require.False(t, seen[o.First])
			seen[o.First] = true
			tx.Set(tx.Value().WithEvals(next))
			return nil
		}))
	}
	stored, err := v.Load(t.Context(), spaceID)
	require.NoError(t, err)
	for _, stale := range []space{old, old.WithEvals(NoEvals()), old.WithEvals(old.Evals().ReadOnly())} {
		err := v.Update(t.Context(), spaceID, func(tx *state.Tx[space]) error { tx.Set(stale); return nil })
		require.ErrorIs(t, err, state.ErrStale)
		require.ErrorIs(t, err, ErrOrder)
		now, err := v.Load(t.Context(), spaceID)
		require.NoError(t, err)
		require.True(t, now.Equal(stored))
	}
}
