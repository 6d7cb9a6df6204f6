package ceremony

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/threshold"
)

// resigned returns a message of a cheater with another body.
func resigned(s Setup, m message, body []byte) message {
	return newMessage(s, keyOf(m.maker), m.round, m.maker, body)
}

// scene is a ceremony and its cheater.
type scene struct {
	name    string
	setup   Setup
	shares  map[index]threshold.Share
	cheater index
}

func scenes(t testing.TB) []scene {
	generation, err := NewGeneration([]byte("hostile"), 3, parties(1, 2, 3, 4))
	require.NoError(t, err)
	key, shares := generate(t, 3, 4)
	resharing, err := NewResharing(nil, key, 2, parties(1, 2, 3), parties(2, 4, 9))
	require.NoError(t, err)
	repair, err := NewRepair(nil, key, parties(4)[0], parties(1, 2, 3))
	require.NoError(t, err)
	return []scene{
		{"generation", generation, nil, 2},
		{"resharing, dealer", resharing, shares, 2},
		{"resharing, receiver", resharing, shares, 9},
		{"repair, helper", repair, shares, 2},
		{"repair, lost", repair, shares, 4},
	}
}

// Whatever byte of whatever message a cheater signs is wrong, to all or to one party: only the cheater is ever blamed;
// and either it is blamed by somebody, or all honest parties finish with the same key.
func TestEveryCorruptionIsBlamedOnItsMaker(t *testing.T) {
	stride := 4
	switch {
	case os.Getenv("TREFOIL_LONG") != "":
		stride = 1
	case testing.Short():
		stride = 8
	}
	for _, c := range scenes(t) {
		for round := Join; round <= Hand; round++ {
			if !slices.Contains(c.setup.speakers(round), c.cheater) {
				continue
			}
			for _, only := range []bool{false, true} {
				for n := 0; ; n++ {
					if n > 2 && n%stride != 0 {
						continue
					}
					size := 0
					w := newWorld(t, c.setup, c.shares)
					victim := without(c.setup.indices(), c.cheater)[n%(len(c.setup.members)-1)]
					w.tamper = func(to index, m message) []message {
						if m.maker != c.cheater || m.round != round || only && to != victim {
							return []message{m}
						}
						size = len(m.body)
						return []message{resigned(c.setup, m, corrupt(m.body, n))}
					}
					w.run()
					if n > 2 && at(n) >= size {
						break
					}
					name := fmt.Sprintf("%s, %v, corruption %d, one victim %v", c.name, round, n, only)
					blamed := w.blames(c.cheater)
					require.False(t, n <= 2 && !only && len(blamed) == 0, name)
					if len(blamed) == 0 {
						requireFinished(t, w, c.cheater, name)
						continue
					}
					require.Len(t, blamed, 1, name)
					require.Contains(t, blamed, c.cheater, name)
				}
			}
		}
	}
}

// corrupt returns a body with the n-th corruption: cut, lengthened, emptied, or one bit changed at a place that is at(n)
// bytes from the start.
func corrupt(body []byte, n int) []byte {
	switch n {
	case 0:
		return body[:len(body)-1]
	case 1:
		return append(bytes.Clone(body), 0)
	case 2:
		return nil
	}
	out := bytes.Clone(body)
	if at(n) < len(out) {
		out[at(n)] ^= 1 << (n % 8)
	}
	return out
}

func at(n int) int { return (n - 3) * 41 }

func requireFinished(t testing.TB, w *world, cheater index, name string) {
	t.Helper()
	var key threshold.Key
	for i, r := range w.runs {
		if i == cheater {
			continue
		}
		res, err := r.Result()
		require.NoError(t, err, name)
		require.True(t, key.IsZero() || key.Equal(res.Key), name)
		key = res.Key
	}
}
