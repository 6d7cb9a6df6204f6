package dkg

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
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

// issueFrom issues from the evals of a space.
func issueFrom(s space, k Kind, admission []byte) (space, Share, error) {
	next, share, err := s.Evals().Issue(k, admission)
	if err != nil {
		return s, Share{}, err
	}
	return s.WithEvals(next), share, nil
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

// rawEvals are the bytes of Evals: the body, and each block by its number.
type rawEvals struct {
	body   []byte
	blocks []rawBlock
}

type rawBlock struct {
	number uint32
	body   []byte
	size   int
}

// A Decoder has to be told how much to read, and Decode is called on the zero value: the next rawEvals to be decoded have
// these sizes.
var reading struct {
	body   int
	blocks []rawBlock
	block  rawBlock
}

const rawOffers = 1<<32 - 1 // stands for the offers, which are no block

func rawName(number uint32) string {
	if number == rawOffers {
		return offersName
	}
	return fmt.Sprintf("%s%x", ledgerName, number)
}

func (r rawEvals) Encode(e *state.Encoder) {
	e.Fixed(r.body)
	for _, b := range r.blocks {
		state.NewSegment(b).Encode(e, rawName(b.number))
	}
}

func (rawEvals) Decode(d *state.Decoder) (r rawEvals, err error) {
	r.body = d.Fixed(reading.body)
	for _, b := range reading.blocks {
		reading.block = b
		s, err := state.DecodeSegment[rawBlock](d, rawName(b.number))
		if err != nil {
			return r, err
		}
		r.blocks = append(r.blocks, s.Value())
	}
	return r, nil
}

func (rawEvals) Succeeds(rawEvals) error { return nil }

func (r rawBlock) Encode(e *state.Encoder) { e.Fixed(r.body) }

func (rawBlock) Decode(d *state.Decoder) (rawBlock, error) {
	return rawBlock{number: reading.block.number, body: d.Fixed(reading.block.size)}, nil
}

func openVault[V state.Value[V]](t testing.TB, backend store.Store) *state.Vault[V] {
	t.Helper()
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	v, err := state.Open[V](t.Context(), backend, key, state.Options{})
	require.NoError(t, err)
	return v
}

// encodeEvals returns the stored bytes of evals: vec16 body, then for each block, and the offers, its number and vec16 body.
func encodeEvals(t testing.TB, e Evals) []byte {
	t.Helper()
	backend := store.NewMemory()
	require.NoError(t, openVault[space](t, backend).Create(t.Context(), spaceOf(t, e), nil))
	reading.body, reading.blocks = 3, nil
	if e.mode != none {
		reading.body += 53
	}
	if e.mode == dealing {
		reading.body += 2 * ed448.ScalarSize
	}
	for r := range e.Records() {
		number := uint32(r.Index) / blockSize
		if n := len(reading.blocks); n == 0 || reading.blocks[n-1].number != number {
			reading.blocks = append(reading.blocks, rawBlock{number: number, size: 4})
			reading.body += 4
		}
		reading.blocks[len(reading.blocks)-1].size += 7 + len(r.Admission)
	}
	if n := len(e.offers.Value()); n > 0 {
		reading.blocks = append(reading.blocks, rawBlock{number: rawOffers, size: 4 + n*offerSize})
	}
	s, err := openVault[rawSpace](t, backend).Load(t.Context(), spaceID)
	require.NoError(t, err)
	var w wire.Writer
	w.Vec16(s.Evals().body)
	for _, b := range s.Evals().blocks {
		w.U32(b.number)
		w.Vec16(b.body)
	}
	return w.Bytes()
}

var errNotStorable = errors.New("not the bytes of a part")

// decodeEvals stores bytes as the evals of a space and loads it.
func decodeEvals(t testing.TB, in []byte) (Evals, error) {
	t.Helper()
	r := wire.NewReader(in)
	raw := rawEvals{body: r.Vec16(1 << 16)}
	seen := map[uint32]bool{}
	for r.Len() > 0 {
		b := rawBlock{number: r.U32(), body: r.Vec16(1 << 16)}
		if seen[b.number] {
			return Evals{}, errNotStorable
		}
		seen[b.number] = true
		raw.blocks = append(raw.blocks, b)
	}
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
	p := Polynomial{ed448.ScalarFromUint32(1), ed448.ScalarFromUint32(2)}
	founder := dealt(t, p, Terms{Root: [32]byte{7}, Held: []Index{1}, Next: 2})
	step := func(e Evals, err error) Evals {
		require.NoError(t, err)
		return e
	}
	take := func(e Evals, k Kind, admission ...byte) Evals {
		next, _, err := e.Issue(k, admission)
		return step(next, err)
	}
	busy := take(take(take(take(founder, Private, 1), Public, 2, 2), Direct, 3, 3, 3), Private, 4)
	busy = step(busy.Redeem(2))
	busy = step(busy.Revoke(3))
	busy = take(step(busy.MoveCursorPast(1000)), Public, make([]byte, maxAdmission)...)
	return map[string]Evals{
		"none":     NoEvals(),
		"founder":  founder,
		"busy":     busy,
		"readonly": busy.ReadOnly(),
	}
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

// G5: 10,000 evals take 168 bytes, of which 112 are the coefficients, and the ledger a few bytes for each block of 128 and a
// small record for each index that was issued.
func TestG5Size(t *testing.T) {
	const fixed, perBlock, perRecord = 2 + 168, 4 + 4 + 2 + 4, 7 + 32
	e := dealt(t, NewPolynomial(), Terms{Held: []Index{1}, Next: 2})
	require.Len(t, encodeEvals(t, e), fixed+perBlock+7)
	for n := 1; n <= 300; n++ {
		var err error
		e, _, err = e.Issue(Public, make([]byte, 32))
		require.NoError(t, err)
		if n%100 == 0 {
			blocks := int(e.Next()-1)/blockSize + 1
			require.Len(t, encodeEvals(t, e), fixed+blocks*perBlock+7+n*perRecord)
		}
	}
}

// Stored bytes that Encode does not write are refused: forged by whoever has the vault's key, or damaged by a mistake.
func TestDecodeRefuses(t *testing.T) {
	busy := encodeEvals(t, samples(t)["busy"])
	const body = 2 // behind the length of the body
	const block = body + 168 + 2*4
	require.Equal(t, []byte{0, 0, 0, 0}, busy[block:block+4], "the number of the first block")
	const record = block + 4 + 2 + 4
	zero := make([]byte, ed448.ScalarSize)
	for name, change := range map[string]struct {
		at   int
		with []byte
	}{
		"mode 0":            {body + 2, []byte{0}},
		"mode 4":            {body + 2, []byte{4}},
		"none with fields":  {body + 2, []byte{byte(none)}},
		"depth 0":           {body + 43, []byte{0}},
		"depth 21":          {body + 43, []byte{21}},
		"capacity 0":        {body + 44, []byte{0, 0, 0, 0}},
		"capacity 2^14":     {body + 44, []byte{0, 0, 0x40, 0}},
		"cursor 0":          {body + 48, []byte{0, 0, 0, 0}},
		"cursor too small":  {body + 48, []byte{0, 0, 3, 0xe9}},
		"cursor over 2^14":  {body + 48, []byte{0, 0, 0x40, 1}},
		"a0 = 0":            {body + 52, zero},
		"a1 = 0":            {body + 108, zero},
		"a0 = q":            {body + 52, ed448test.BadScalars()["q"]},
		"blocks swapped":    {body + 168, []byte{0, 0, 0, 7, 0, 0, 0, 0}},
		"too many blocks":   {body + 164, []byte{0xff, 0xff, 0xff, 0xff}},
		"one block fewer":   {body + 164, []byte{0, 0, 0, 1}},
		"no records":        {block + 6, []byte{0, 0, 0, 0}},
		"too many records":  {block + 6, []byte{0, 0, 0, 129}},
		"index 0":           {record, []byte{0, 0, 0, 0}},
		"index of no block": {record, []byte{0, 0, 0, 128}},
		"index over 2^20":   {record, []byte{0, 0x10, 0, 1}},
		"kind 0":            {record + 4, []byte{0}},
		"kind 5":            {record + 4, []byte{5}},
		"held but issued":   {record + 5, []byte{1}},
		"held with a key":   {record + 6, []byte{1}},
		"index twice":       {record + 7, []byte{0, 0, 0, 1}},
		"free":              {record + 12, []byte{0}},
		"status 4":          {record + 12, []byte{4}},
		"no admission":      {record + 13, []byte{0}},
		"long admission":    {record + 13, []byte{65}},
	} {
		t.Run(name, func(t *testing.T) {
			in := append([]byte(nil), busy...)
			require.NotEqual(t, change.with, in[change.at:change.at+len(change.with)])
			copy(in[change.at:], change.with)
			_, err := decodeEvals(t, in)
			require.ErrorIs(t, err, state.ErrCorrupt)
		})
	}
	for name, in := range map[string][]byte{
		"too old": {0, 3, 0, 0, 1},
		"too new": {0, 3, 0, 3, 1},
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

// G3, G5: a stale copy of a space cannot replace the stored one, and Draw through the vault never repeats an index.
func TestG5StaleCopyIsRefused(t *testing.T) {
	v := openVault[space](t, store.NewMemory())
	old := spaceOf(t, dealt(t, NewPolynomial(), Terms{Held: []Index{1}, Next: 2}))
	require.NoError(t, v.Create(t.Context(), old, nil))
	seen := map[Index]bool{}
	for range 5 {
		require.NoError(t, v.Update(t.Context(), spaceID, func(tx *state.Tx[space]) error {
			next, share, err := issueFrom(tx.Value(), Private, []byte("key"))
			if err != nil {
				return err
			}
			require.False(t, seen[share.Index()])
			seen[share.Index()] = true
			tx.Set(next)
			return nil
		}))
	}
	stored, err := v.Load(t.Context(), spaceID)
	require.NoError(t, err)
	for _, stale := range []space{old, old.WithEvals(NoEvals()), old.WithEvals(old.Evals().ReadOnly())} {
		err := v.Update(t.Context(), spaceID, func(tx *state.Tx[space]) error { tx.Set(stale); return nil })
		require.ErrorIs(t, err, state.ErrStale)
		require.ErrorIs(t, err, ErrLedger)
		now, err := v.Load(t.Context(), spaceID)
		require.NoError(t, err)
		require.True(t, now.Equal(stored))
	}
	ro := stored.WithEvals(stored.Evals().ReadOnly())
	same, _, err := issueFrom(ro, Private, []byte("key"))
	require.ErrorIs(t, err, ErrReadOnly)
	require.True(t, same.Equal(ro), "on error the value passed in comes back")
}
