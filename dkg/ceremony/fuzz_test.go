package ceremony

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

// finished returns a ceremony of each kind that is over.
func finished(t testing.TB) (out []*world) {
	for _, c := range scenes(t) {
		out = append(out, newWorld(t, c.setup, c.shares).run())
	}
	return out
}

func FuzzSetup(f *testing.F) {
	var seeds [][]byte
	for _, c := range scenes(f) {
		seeds = append(seeds, c.setup.Bytes())
	}
	wiretest.Fuzz(f, ParseSetup, Setup.Bytes, seeds...)
}

func FuzzMessage(f *testing.F) {
	w := finished(f)[0]
	wiretest.Fuzz(f, func(b []byte) (message, error) { return readMessage(w.setup, b) },
		func(m message) []byte { return m.bytes(w.setup) }, w.runs[1].Messages()...)
}

// fuzzBody fuzzes the body of a round as party 2 would send it in a repair, where every round has a body.
func fuzzBody[T any](f *testing.F, round Round, read func(Setup, threshold.Index, *wire.Reader) T, write func(Setup, T) []byte) {
	w := finished(f)[3]
	good, ok := w.runs[2].get(round, 2)
	require.True(f, ok)
	wiretest.Fuzz(f, func(b []byte) (T, error) { return parseBody(w.setup, message{header{maker: 2}, b}, read) },
		func(v T) []byte { return write(w.setup, v) }, good.body)
}

func FuzzJoin(f *testing.F) {
	fuzzBody(f, Join, readJoin, func(s Setup, b joinBody) []byte { return b.bytes(s, 2) })
}

func FuzzDeal(f *testing.F) {
	fuzzBody(f, Deal, readDeal, func(_ Setup, b dealBody) []byte { return b.bytes() })
}

func FuzzEcho(f *testing.F) {
	fuzzBody(f, Echo, readEcho, func(_ Setup, b echoBody) []byte { return b.bytes() })
}

func FuzzHand(f *testing.F) {
	fuzzBody(f, Hand, readHand, func(_ Setup, b handBody) []byte { return b.bytes() })
}

func FuzzEvidence(f *testing.F) {
	w := finished(f)[0]
	j := w.runs[1].own(Join)
	wiretest.Fuzz(f, w.setup.parseEvidence, func(ev evidence) []byte { return ev.bytes(w.setup) },
		evidence{reason: Twice, headers: []header{j.header, j.header}}.bytes(w.setup),
		evidence{reason: BadShare, messages: []message{w.runs[1].own(Deal), j}, key: make([]byte, 32)}.bytes(w.setup))
}

// FuzzReceive gives a run whatever a party signs: it neither panics nor blames anybody else, and goes on succeeding itself.
func FuzzReceive(f *testing.F) {
	for _, w := range finished(f)[:4] {
		for round := Join; round <= Accusation; round++ {
			m, _ := w.runs[2].get(round, 2)
			f.Add(uint8(round), m.body)
		}
	}
	cs := scenes(f)
	f.Fuzz(func(t *testing.T, round uint8, body []byte) {
		for _, c := range cs {
			r, err := Begin(c.setup, keyOf(1), c.shares[1])
			if err != nil {
				continue
			}
			m := newMessage(c.setup, keyOf(2), Round(round), 2, body)
			next, err := r.Receive(m.bytes(c.setup))
			if err != nil {
				require.ErrorIs(t, err, ErrMessage)
				continue
			}
			require.NoError(t, next.Succeeds(r))
			for _, b := range next.Blamed() {
				require.EqualValues(t, 2, b.Participant)
			}
		}
	})
}
