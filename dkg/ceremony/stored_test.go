package ceremony

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// rawRun is a run that is bytes: the part, and each of its messages. It is stored in the rows of runs, so that tests see and
// forge what Run writes.
type rawRun struct {
	body     []byte
	messages []rawMessage
}

type rawMessage struct {
	at    slot
	bytes []byte
}

func (r rawRun) Encode(e *state.Encoder) {
	e.Fixed(r.body)
	for _, m := range r.messages {
		state.NewSegment(m).Encode(e, m.at.String())
	}
}

func (m rawMessage) Encode(e *state.Encoder)                   { e.Fixed(m.bytes) }
func (rawMessage) Decode(d *state.Decoder) (rawMessage, error) { return rawMessage{}, d.Err() }
func (rawRun) Succeeds(rawRun) error                           { return nil }
func (rawRun) Decode(d *state.Decoder) (r rawRun, err error)   { return r, readAll(d, &lastBody) }

// lastBody is the body of the rawRun that was decoded last. What follows it is not read, so that no rawRun can be loaded.
var lastBody []byte

var errRead = errors.New("read")

// readAll reads a part to its end, which is where reading fails.
func readAll(d *state.Decoder, to *[]byte) error {
	*to = nil
	for {
		b := d.Uint8()
		if d.Err() != nil {
			return errRead
		}
		*to = append(*to, b)
	}
}

func openRuns[P state.Part[P]](t testing.TB, s store.Store) *state.Vault[state.One[P]] {
	t.Helper()
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	v, err := state.Open[state.One[P]](t.Context(), s, key, state.Options{})
	require.NoError(t, err)
	return v
}

var runID = state.ID{1}

// encodeRun returns the stored bytes of a run: vec32 body, then for each message its round, its maker and vec32 message.
func encodeRun(t testing.TB, r Run) []byte {
	t.Helper()
	backend := store.NewMemory()
	o, err := state.NewOne(runID, r)
	require.NoError(t, err)
	require.NoError(t, openRuns[Run](t, backend).Create(t.Context(), o, nil))
	_, err = openRuns[rawRun](t, backend).Load(t.Context(), runID)
	require.Error(t, err)
	var w wire.Writer
	w.Vec32(lastBody)
	for _, at := range slices.SortedFunc(maps.Keys(r.messages), func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.round, b.round), cmp.Compare(a.maker, b.maker))
	}) {
		m := r.messages[at].Value()
		var raw wire.Writer
		raw.U8(uint8(m.round))
		raw.U8(uint8(m.maker))
		raw.Fixed(m.sig[:])
		raw.Vec32(m.body)
		w.U8(uint8(at.round))
		w.U8(uint8(at.maker))
		w.Vec32(raw.Bytes())
	}
	return w.Bytes()
}

var errNotStorable = errors.New("not the bytes of a part")

// decodeRun stores bytes as a run and loads it.
func decodeRun(t testing.TB, in []byte) (Run, error) {
	t.Helper()
	r := wire.NewReader(in)
	raw := rawRun{body: r.Vec32(1 << 16)}
	seen := map[slot]bool{}
	for r.Len() > 0 {
		m := rawMessage{at: slot{Round(r.U8()), index(r.U8())}, bytes: r.Vec32(1 << 16)}
		if seen[m.at] {
			return Run{}, errNotStorable
		}
		seen[m.at] = true
		raw.messages = append(raw.messages, m)
	}
	if r.Done() != nil {
		return Run{}, errNotStorable
	}
	backend := store.NewMemory()
	o, err := state.NewOne(runID, raw)
	require.NoError(t, err)
	require.NoError(t, openRuns[rawRun](t, backend).Create(t.Context(), o, nil))
	back, err := openRuns[Run](t, backend).Load(t.Context(), runID)
	if err != nil {
		// The run, its setup and its key have versions of their own.
		require.True(t, errors.Is(err, state.ErrCorrupt) || errors.Is(err, state.ErrTooOld) || errors.Is(err, state.ErrTooNew), err)
		return Run{}, err
	}
	return back.Part(), nil
}

// moments returns runs of the first party of a generation: after it began, in the middle, and at the end.
func moments(t testing.TB) map[string]Run {
	t.Helper()
	s, err := NewGeneration([]byte("stored"), 2, parties(1, 2, 3))
	require.NoError(t, err)
	w := newWorld(t, s, nil)
	begun := w.runs[1]
	half := begun
	for _, i := range []index{2, 3} {
		half, err = half.Receive(w.runs[i].Messages()[0])
		require.NoError(t, err)
	}
	return map[string]Run{"begun": begun, "half": half, "ended": w.run().runs[1]}
}

// G28: the stored bytes of runs are pinned: they are read, and written as they were.
func TestG28StoredRuns(t *testing.T) {
	if *update {
		for name, r := range moments(t) {
			require.NoError(t, os.WriteFile(runFile(name), []byte(hex.EncodeToString(encodeRun(t, r))+"\n"), 0o644))
		}
	}
	for name, phase := range map[string]Round{"begun": Join, "half": Deal, "ended": done} {
		text, err := os.ReadFile(runFile(name))
		require.NoError(t, err)
		stored, err := hex.DecodeString(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		r, err := decodeRun(t, stored)
		require.NoError(t, err, name)
		require.Equal(t, phase, r.phase, name)
		require.Equal(t, stored, encodeRun(t, r), name)
		_, err = r.Result()
		require.Equal(t, phase == done, err == nil, name)
	}
}

// G28: a stored run whose version, or whose setup's version, is not read is of another release, and not damaged.
func TestG28StoredRunOfAnotherRelease(t *testing.T) {
	stored := encodeRun(t, moments(t)["begun"])
	const run, setup = 4 + 1, 4 + 2 + 4 // the last bytes of the versions, behind the lengths of the body and of the setup
	for version, want := range map[byte]error{0: state.ErrTooOld, 0xff: state.ErrTooNew} {
		for _, at := range []int{run, setup} {
			in := bytes.Clone(stored)
			in[at] = version
			_, err := decodeRun(t, in)
			require.ErrorIs(t, err, want, at)
			require.NotErrorIs(t, err, state.ErrCorrupt, at)
		}
	}
}

func runFile(name string) string { return filepath.Join("testdata", "run-v1-"+name+".hex") }

// FuzzRun feeds the decoder of stored runs through a vault.
func FuzzRun(f *testing.F) {
	for _, r := range moments(f) {
		f.Add(encodeRun(f, r))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		wiretest.Check(t, in, func(in []byte) (Run, error) { return decodeRun(t, in) }, func(r Run) []byte { return encodeRun(t, r) })
	})
}
