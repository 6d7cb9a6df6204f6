package ceremony

import (
	"crypto/ed25519"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

type index = threshold.Index

// seedOf returns the seed of the signing key of party i in all tests.
func seedOf(i index) secret.Bytes {
	b := make([]byte, ed25519.SeedSize)
	b[0] = byte(i)
	return secret.Own(b)
}

func keyOf(i index) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seedOf(i).Expose()) }

func parties(indices ...index) (out []Party) {
	for _, i := range indices {
		out = append(out, Party{i, keyOf(i).Public().(ed25519.PublicKey)})
	}
	return out
}

func upTo(n int) (out []index) {
	for i := 1; i <= n; i++ {
		out = append(out, index(i))
	}
	return out
}

// world is parties and a network. Each message goes to everybody, in random order; tamper may replace what one party says to
// another, and a party that is crashing is stored and loaded between any two steps.
type world struct {
	t       testing.TB
	setup   Setup
	runs    map[index]Run
	shares  map[index]threshold.Share
	rand    *rand.Rand
	sent    map[index]int
	queue   []delivery
	tamper  func(to index, m message) []message
	restart func(Run) Run
}

type delivery struct {
	to  index
	raw []byte
}

func newWorld(t testing.TB, s Setup, shares map[index]threshold.Share) *world {
	t.Helper()
	w := &world{t: t, setup: s, runs: make(map[index]Run), sent: make(map[index]int), shares: shares, rand: rand.New(rand.NewPCG(1, 2))}
	for _, m := range s.members {
		r, err := Begin(s, keyOf(m.Index), shares[m.Index])
		require.NoError(t, err)
		w.runs[m.Index] = r
	}
	return w
}

// send puts what a party has newly said on the network.
func (w *world) send(from index) {
	all := w.runs[from].Messages()
	for _, raw := range all[w.sent[from]:] {
		m, err := readMessage(w.setup, raw)
		require.NoError(w.t, err)
		for _, to := range w.setup.indices() {
			if to == from {
				continue
			}
			out := []message{m}
			if w.tamper != nil {
				out = w.tamper(to, m)
			}
			for _, m := range out {
				w.queue = append(w.queue, delivery{to, m.bytes(w.setup)})
			}
		}
	}
	w.sent[from] = len(all)
}

// run delivers until nothing is under way.
func (w *world) run() *world {
	w.t.Helper()
	for _, i := range w.setup.indices() {
		w.send(i)
	}
	for len(w.queue) > 0 {
		n := w.rand.IntN(len(w.queue))
		d := w.queue[n]
		w.queue[n] = w.queue[len(w.queue)-1]
		w.queue = w.queue[:len(w.queue)-1]
		r := w.runs[d.to]
		if w.restart != nil {
			r = w.restart(r)
		}
		before := r
		next, err := r.Receive(d.raw)
		require.NoError(w.t, err)
		if w.restart != nil && w.rand.IntN(3) == 0 {
			w.queue = append(w.queue, d) // it crashed before it stored, and the message comes again
			continue
		}
		require.NoError(w.t, next.Succeeds(before))
		require.Equal(w.t, before.Messages(), next.Messages()[:len(before.Messages())], "what was said stays")
		w.runs[d.to] = next
		w.send(d.to)
	}
	return w
}

// finish returns the shares, after it has checked that all parties have the same result and that the shares fit.
func (w *world) finish() (threshold.Key, map[index]threshold.Share) {
	w.t.Helper()
	var key threshold.Key
	shares := make(map[index]threshold.Share)
	for i, r := range w.runs {
		res, err := r.Result()
		require.NoError(w.t, err, "party %d", i)
		require.Empty(w.t, r.Blamed())
		if key.IsZero() {
			key = res.Key
		}
		require.True(w.t, key.Equal(res.Key))
		if !res.Share.IsZero() {
			require.Equal(w.t, i, res.Share.Index())
			shares[i] = res.Share
		}
	}
	return key, shares
}

// secretOf interpolates the secret key, and checks every share against it.
func secretOf(t testing.TB, key threshold.Key, shares map[index]threshold.Share) ed448.Scalar {
	t.Helper()
	var all []uint8
	for i := range shares {
		all = append(all, uint8(i))
	}
	slices.Sort(all)
	at := func(x uint8, from []uint8) (v ed448.Scalar) {
		for _, i := range from {
			v = v.Add(poly.VarTimeLagrange(x, i, from).Mul(shares[index(i)].Scalar()))
		}
		return v
	}
	quorum := all[:key.Threshold()]
	for _, i := range all {
		require.True(t, at(i, quorum).Equal(shares[index(i)].Scalar()), "the shares are of one polynomial")
	}
	if fewer := all[:key.Threshold()-1]; len(fewer) > 0 {
		require.False(t, ed448.BaseMult(at(0, fewer)).Equal(key.Point()), "fewer than t shares are not the key")
	}
	secret := at(0, quorum)
	require.True(t, ed448.BaseMult(secret).Equal(key.Point()))
	return secret
}

// generated holds the keys that generate made, by threshold and number of holders.
var generated = map[[2]int]holding{}

type holding struct {
	key    threshold.Key
	shares map[index]threshold.Share
}

// generate makes a key that any m of n parties hold. It makes one for all tests.
func generate(t testing.TB, m, n int) (threshold.Key, map[index]threshold.Share) {
	t.Helper()
	made, ok := generated[[2]int{m, n}]
	if !ok {
		s, err := NewGeneration([]byte("test"), m, parties(upTo(n)...))
		require.NoError(t, err)
		made.key, made.shares = newWorld(t, s, nil).run().finish()
		generated[[2]int{m, n}] = made
	}
	return made.key, maps.Clone(made.shares)
}

// blames returns who is blamed by any honest party, by reason.
func (w *world) blames(cheater index) map[index]Reason {
	w.t.Helper()
	out := make(map[index]Reason)
	for i, r := range w.runs {
		if i == cheater {
			continue
		}
		for _, b := range r.Blamed() {
			again, err := w.setup.CheckBlame(b.Evidence)
			require.NoError(w.t, err, "evidence convinces a third party")
			require.Equal(w.t, b, again)
			out[b.Participant] = b.Reason
		}
		_, err := r.Result()
		var e *BlameError
		require.Equal(w.t, len(r.Blamed()) > 0 && errors.Is(err, ErrStopped), errors.As(err, &e))
	}
	return out
}
