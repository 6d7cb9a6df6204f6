package ceremony

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorFile = "testdata/generation.json"

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// vector is a whole generation. What parties say in rounds 1 and 2 has random parts; everything after follows from it.
type vector struct {
	Setup, ID       hexBytes
	Key, Transcript hexBytes
	Parties         []vectorParty
}

type vectorParty struct {
	Index         threshold.Index
	Seed, BoxSeed hexBytes
	Coefficients  []hexBytes
	Join, Deal    hexBytes
	Echo, Share   hexBytes
}

func writeVector(t *testing.T) {
	s, err := NewGeneration([]byte("vector"), 2, parties(1, 2, 7))
	require.NoError(t, err)
	w := newWorld(t, s, nil)
	v := vector{Setup: s.Bytes(), ID: s.id[:]}
	begun := w.runs
	w.runs = map[index]Run{}
	for i, r := range begun {
		w.runs[i] = r
	}
	key, shares := w.run().finish()
	terms := key.Terms()
	v.Key, v.Transcript = key.Bytes(), terms.Transcript[:]
	for _, i := range s.indices() {
		p := vectorParty{Index: i, Seed: seedOf(i).Expose(), BoxSeed: begun[i].boxSeed.Expose(), Share: shares[i].Scalar().Bytes()}
		for _, c := range begun[i].dealt.Coefficients() {
			p.Coefficients = append(p.Coefficients, c.Bytes())
		}
		said := w.runs[i].Messages()
		p.Join, p.Deal, p.Echo = said[0], said[1], said[2]
		v.Parties = append(v.Parties, p)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(vectorFile, append(b, '\n'), 0o644))
}

// From what was said in rounds 1 and 2 every party comes to the pinned Echo, key and share.
func TestGenerationVector(t *testing.T) {
	if *update {
		writeVector(t)
	}
	b, err := os.ReadFile(vectorFile)
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var v vector
	require.NoError(t, d.Decode(&v))
	require.Len(t, v.Parties, 3)
	s, err := ParseSetup(v.Setup)
	require.NoError(t, err)
	require.EqualValues(t, v.ID, s.id[:])

	read := func(raw []byte) message {
		m, err := parseMessage(s, raw)
		require.NoError(t, err)
		return m
	}
	for _, p := range v.Parties {
		var coefficients []ed448.Scalar
		for _, c := range p.Coefficients {
			k, err := ed448.ParseScalar(c)
			require.NoError(t, err)
			coefficients = append(coefficients, k)
		}
		begun := edit{Run{setup: s, self: p.Index, phase: Join, identity: secret.New(p.Seed), boxSeed: secret.New(p.BoxSeed), dealt: poly.Of(coefficients),
			messages: map[slot]state.Segment[message]{}}}
		begun.say(Join, begun.join())
		require.EqualValues(t, p.Join, begun.Messages()[0])
		for _, o := range v.Parties {
			begun.put(read(o.Join))
		}
		begun.put(read(p.Deal))
		begun.phase = Deal
		r := begun.Run
		for _, o := range v.Parties {
			r, err = r.Receive(o.Deal)
			require.NoError(t, err)
		}
		require.EqualValues(t, p.Echo, r.Messages()[2])
		for _, o := range v.Parties {
			r, err = r.Receive(o.Echo)
			require.NoError(t, err)
		}
		res, err := r.Result()
		require.NoError(t, err)
		require.EqualValues(t, v.Key, res.Key.Bytes())
		terms := res.Key.Terms()
		require.EqualValues(t, v.Transcript, terms.Transcript[:])
		require.EqualValues(t, p.Share, res.Share.Scalar().Bytes())
	}
}
