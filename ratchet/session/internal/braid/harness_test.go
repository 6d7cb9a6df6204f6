package braid

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// message is what of a message of the Double Ratchet concerns a braid: its chain, counted over both sides, and the chunk.
type message struct {
	chain int
	chunk Chunk
}

// end is one side, with as much of a Double Ratchet as decides when chains begin: a side begins one when it sends after it
// read a message of the other's newest chain.
type end struct {
	b       Braid
	own     int  // chain that it sends on
	read    int  // newest chain of the other's that it read
	pending bool // the next message begins a chain
	mixed   map[int]secret.Bytes
}

func newEnds() (a, b *end) {
	return &end{b: Initiator(), pending: true, mixed: map[int]secret.Bytes{}}, &end{b: Responder(), mixed: map[int]secret.Bytes{}}
}

// copied returns a side that goes on by itself from here, with a braid.
func (e *end) copied(b Braid) *end {
	next := *e
	next.b, next.mixed = b, maps.Clone(e.mixed)
	return &next
}

// send returns the next message.
func (e *end) send() message {
	if e.pending {
		e.own, e.pending = e.read+1, false
		e.b, e.mixed[e.own] = e.b.Begin()
	}
	var c Chunk
	e.b, c = e.b.Send()
	return message{e.own, c}
}

// receive reads a message, which went over the wire.
func (e *end) receive(t require.TestingT, m message) {
	c, err := e.b.ParseChunk(m.chunk.Append(nil))
	require.NoError(t, err)
	require.Equal(t, m.chunk, c)
	if m.chain > e.read {
		next, mixed, err := e.b.Follow(c)
		require.NoError(t, err)
		e.b, e.mixed[m.chain] = next, mixed
		e.read, e.pending = m.chain, true
	}
	if m.chain == e.read { // chunks of older chains are not taken
		e.b = e.b.Receive(c)
	}
}

// restart stores the braid and reads it back.
func (e *end) restart(t require.TestingT) {
	stored := e.b.marshal()
	require.LessOrEqual(t, len(stored), MaxStored)
	back, err := parseBraid(stored)
	require.NoError(t, err)
	require.True(t, back.Equal(e.b))
	e.b = back
}

// agree checks that both sides mixed the same secrets into the same chains, and that the epochs are what the specification
// allows. It returns how many secrets were mixed.
func agree(t require.TestingT, a, b *end) (count uint32) {
	for chain, sent := range a.mixed {
		if !sent.IsZero() {
			count++
		}
		if read, ok := b.mixed[chain]; ok {
			require.True(t, sent.Equal(read), "chain %d", chain)
		}
	}
	require.LessOrEqual(t, count, a.b.Epoch())
	require.Contains(t, []uint32{b.b.Epoch(), b.b.Epoch() + 1}, a.b.Epoch())
	for chain, sent := range b.mixed {
		if chain%2 == 0 {
			require.True(t, sent.IsZero(), "the responder mixes nothing into its own chains")
		}
	}
	return count
}

// turns lets both sides speak in turn until the responder has come to an epoch, and returns how many messages each sent.
func turns(t testing.TB, a, b *end, epoch uint32) (n int) {
	for ; b.b.Epoch() < epoch; n++ {
		require.Less(t, n, 100*int(epoch), "no progress")
		b.receive(t, a.send())
		if b.b.Epoch() < epoch {
			a.receive(t, b.send())
		}
	}
	return n
}
