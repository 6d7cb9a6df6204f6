package braid

import (
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/sha512"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
)

// In a conversation by turns the first exchange takes 29 messages of the initiator and each one after it 28: 14 or 15 with
// the offer, the last of which the first chunk of the answer replies to, and 14 until the one that begins the next epoch,
// which also carries the first chunk of the next offer.
func TestExchanges(t *testing.T) {
	a, b := newEnds()
	for epoch := range uint32(3) {
		require.Equal(t, 29-int(min(epoch, 1)), turns(t, a, b, epoch+1))
		require.Equal(t, epoch+1, a.b.Epoch())
		require.Equal(t, epoch+1, agree(t, a, b))
	}
	seen := map[string]bool{}
	for _, s := range a.mixed {
		if !s.IsZero() {
			require.Len(t, s.Expose(), secretSize)
			require.False(t, seen[string(s.Expose())])
			seen[string(s.Expose())] = true
		}
	}
	require.Len(t, seen, 3)
}

// A side that never answers, and one that only sends, leave the epoch as it is.
func TestSilence(t *testing.T) {
	a, b := newEnds()
	for range 100 {
		b.receive(t, a.send())
		a.send() // lost
	}
	require.True(t, b.b.in.complete())
	require.True(t, b.b.own.IsZero(), "nothing is drawn for reading alone")
	for range 100 {
		a.receive(t, b.send())
	}
	require.Zero(t, a.b.Epoch())
	require.True(t, a.b.in.complete())
	b.receive(t, a.send())
	require.Equal(t, uint32(1), b.b.Epoch())
	require.Equal(t, uint32(1), agree(t, a, b))
}

// What an exchange was made with is gone when its secret was given out.
func TestNothingIsLeft(t *testing.T) {
	a, b := newEnds()
	for b.b.own.IsZero() || !a.b.in.complete() {
		b.receive(t, a.send())
		a.receive(t, b.send())
	}
	seed, mixed := a.b.own, b.b.own
	b.receive(t, a.send())
	require.Equal(t, uint32(1), b.b.Epoch())
	for _, e := range []*end{a, b} {
		require.NotContains(t, string(e.b.marshal()), string(seed.Expose()))
		require.NotContains(t, string(e.b.marshal()), string(mixed.Expose()))
	}
}

// spoils are what somebody with the keys of a session can put into a chunk of the offer, or else of the answer.
var spoils = map[string]func(offer bool, c *Chunk){
	"offer":         func(offer bool, c *Chunk) { c.data[0] ^= bit(offer) },
	"no offer":      func(offer bool, c *Chunk) { c.data = [dataSize]byte{0: 0xff, 1: 0xff, 2: 0xff} },
	"end of offer":  func(offer bool, c *Chunk) { c.data[dataSize-1] ^= bit(offer && c.index == offerChunks-1) },
	"answer":        func(offer bool, c *Chunk) { c.data[0] ^= bit(!offer) },
	"end of answer": func(offer bool, c *Chunk) { c.data[dataSize-1] ^= bit(!offer) },
	"none":          func(offer bool, c *Chunk) { *c = Chunk{epoch: c.epoch, mixed: c.mixed, index: noIndex, held: c.held} },
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// spoiled lets both sides speak in turns, with every chunk spoiled, or with one.
func spoiled(t *testing.T, a, b *end, rounds int, spoil func(offer bool, c *Chunk)) {
	for range rounds {
		for _, pair := range [][2]*end{{a, b}, {b, a}} {
			m := pair[0].send()
			if spoil(pair[0] == a, &m.chunk); m.chunk.index == noIndex {
				m.chunk.data = [dataSize]byte{}
			}
			pair[1].receive(t, m)
			pair[1].restart(t)
		}
	}
}

// Spoiled chunks end an exchange without a secret. Nothing else happens: both sides go on, nobody mixes what the other does not
// have, and as soon as nothing is spoiled any more an exchange gives a secret.
func TestSpoiledChunks(t *testing.T) {
	for name, spoil := range spoils {
		t.Run(name, func(t *testing.T) {
			a, b := newEnds()
			spoiled(t, a, b, 100, spoil)
			require.Zero(t, agree(t, a, b))
			require.Equal(t, name != "none", a.b.Epoch() > 0)
			turns(t, a, b, b.b.Epoch()+2)
			require.NotZero(t, agree(t, a, b))
		})
	}
}

// One message of somebody who stole the keys of a session, at any time, does not keep exchanges from giving secrets later.
func TestOneSpoiledChunk(t *testing.T) {
	spoils := maps.Clone(spoils)
	spoils["held all of it"] = func(offer bool, c *Chunk) { c.held = all(offerChunks - bit(offer)) }
	spoils["held none of it"] = func(offer bool, c *Chunk) { c.held = 0 }
	for name, spoil := range spoils {
		for at := 0; at < 30; at += 2 {
			a, b := newEnds()
			spoiled(t, a, b, at, func(bool, *Chunk) {})
			spoiled(t, a, b, 1, spoil)
			turns(t, a, b, b.b.Epoch()+2)
			require.NotZero(t, agree(t, a, b), "%s at %d", name, at)
		}
	}
}

// Chunks that no chain of the other side can begin with are refused, and change nothing.
func TestFollowRefuses(t *testing.T) {
	a, b := newEnds()
	refuse := func(e *end, c Chunk) {
		t.Helper()
		next, mixed, err := e.b.Follow(c)
		require.ErrorIs(t, err, ErrMalformed)
		require.True(t, mixed.IsZero())
		require.True(t, next.Equal(e.b))
	}
	refuse(b, Chunk{epoch: 1, mixed: true}) // it has not answered
	refuse(a, Chunk{epoch: 1})
	turns(t, a, b, 2)
	for _, epoch := range []uint32{0, 1, 4, ^uint32(0)} {
		refuse(a, Chunk{epoch: epoch})
		refuse(b, Chunk{epoch: epoch})
		refuse(b, Chunk{epoch: epoch, mixed: true})
	}
	refuse(a, Chunk{epoch: 3})
	refuse(b, Chunk{epoch: 3, mixed: true})
	_, mixed, err := b.b.Follow(Chunk{epoch: 3}) // the exchange gave no secret
	require.NoError(t, err)
	require.True(t, mixed.IsZero())
}

// The secret and the tag are what SPEC §19.1 says.
func TestDerive(t *testing.T) {
	seed, offer := newOffer()
	mixed, answer := newAnswer(0x01020304, offer)
	key, err := mlkem.NewDecapsulationKey768(seed.Expose())
	require.NoError(t, err)
	ciphertext, tag := answer.Expose()[:1088], answer.Expose()[1088:]
	shared, err := key.Decapsulate(ciphertext)
	require.NoError(t, err)
	hash := sha512.Sum512(slices.Concat(offer.Expose()[:1184], ciphertext))
	want, err := hkdf.Key(sha512.New, shared, nil, "trefoil/session braid\x00\x01\x02\x03\x04"+string(hash[:]), 64)
	require.NoError(t, err)
	require.True(t, mixed.Equal(secret.New(want[:32])))
	require.Equal(t, want[32:], tag)
	again, ok := openAnswer(0x01020304, seed, answer)
	require.True(t, ok)
	require.True(t, again.Equal(mixed))
	_, ok = openAnswer(0x01020305, seed, answer)
	require.False(t, ok)
}

// A chunk of another epoch, and a second one of the same index, change nothing.
func TestLateChunks(t *testing.T) {
	a, b := newEnds()
	first := a.send()
	b.receive(t, first)
	before := b.b
	b.receive(t, first)
	require.True(t, b.b.Equal(before))
	other := first
	other.chunk.data[0] ^= 1
	b.receive(t, other)
	require.True(t, b.b.Equal(before))

	turns(t, a, b, 1)
	before = b.b
	b.receive(t, first)
	require.True(t, b.b.Equal(before))
}

func TestChunksRefused(t *testing.T) {
	for _, to := range []Braid{Initiator(), Responder()} {
		out, from := to.role.chunks()
		for name, c := range map[string]Chunk{
			"index":         {index: from},
			"data of none":  {index: noIndex, data: [dataSize]byte{dataSize - 1: 1}},
			"held too many": {index: noIndex, held: 1 << out},
		} {
			_, err := to.ParseChunk(c.Append(nil))
			require.ErrorIs(t, err, ErrMalformed, name)
		}
		_, err := to.ParseChunk(Chunk{index: noIndex, mixed: true}.Append(nil))
		require.Equal(t, to.role == initiator, err != nil, "only the initiator mixes")
		ok := Chunk{epoch: 7, index: from - 1, held: all(out), data: [dataSize]byte{1}}
		_, err = to.ParseChunk(ok.Append(nil))
		require.NoError(t, err)
		for _, in := range [][]byte{nil, ok.Append(nil)[1:], ok.Append([]byte{0})} {
			_, err := to.ParseChunk(in)
			require.ErrorIs(t, err, ErrMalformed)
		}
	}
	require.Equal(t, 87, ChunkSize)
}

// The report of what is held makes up for an erasure code: with a tenth of all messages lost an exchange takes about a tenth
// longer than without loss. Without the report it would take twice as long.
func TestLossCostsWhatIsLost(t *testing.T) {
	const seed, exchanges = 12, 40
	measure := func(percent int, report bool) float64 {
		r := rand.New(rand.NewPCG(seed, uint64(percent)))
		a, b := newEnds()
		n := 0
		for ; b.b.Epoch() < exchanges; n++ {
			require.Less(t, n, 1000*exchanges, "seed %d", seed)
			for _, pair := range [][2]*end{{a, b}, {b, a}} {
				m := pair[0].send()
				if !report {
					m.chunk.held = 0
				}
				if r.IntN(100) >= percent {
					pair[1].receive(t, m)
				}
			}
		}
		agree(t, a, b)
		return float64(n) / exchanges
	}
	none := measure(0, true)
	for _, percent := range []int{0, 10, 30} {
		with, without := measure(percent, true), measure(percent, false)
		t.Logf("%d %% lost: %.1f messages of each side for an exchange, %.1f without the report", percent, with, without)
		require.LessOrEqual(t, with, none*100/float64(100-percent)*1.15+1, "seed %d", seed)
	}
}

// G6: a braid shows none of its secrets.
func TestG6NothingLeaks(t *testing.T) {
	a, b := newEnds()
	for b.b.own.IsZero() {
		b.receive(t, a.send())
		a.receive(t, b.send())
	}
	for _, e := range []*end{a, b} {
		secrettest.Check(t, e.b, e.b.own.Expose())
		_, err := parseBraid(e.b.marshal()[:100])
		secrettest.Check(t, err, e.b.own.Expose())
	}
}

// The zero Braid has nothing to say.
func TestZero(t *testing.T) {
	var none Braid
	require.True(t, none.IsZero())
	require.False(t, Initiator().IsZero())
	next, mixed := none.Begin()
	require.True(t, next.IsZero())
	require.True(t, mixed.Equal(secret.Bytes{}))
	_, mixed, err := none.Follow(Chunk{})
	require.NoError(t, err)
	require.True(t, mixed.IsZero())
}
