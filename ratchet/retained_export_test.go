package ratchet

import (
	"math/rand/v2"
	"time"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Follows returns how many commits are followed to try a message, and to hold it.
func Follows(s Space, frame []byte) (try, hold int) {
	e := parsed(proto.ParseEnvelope(frame))
	d, _ := newEdit(s, time.Time{})
	d.receive(e)
	try = d.resolved
	d, _ = newEdit(s, time.Time{})
	d.addOrphan("mailbox", e)
	return try, d.resolved
}

// WithHeaders returns the space as if so many messages had been held of a mailbox, one a millisecond.
func WithHeaders(rng *rand.ChaCha8, s Space, source string, n int, from time.Time) Space {
	d, _ := newEdit(s, from)
	for range n {
		d.now++
		d.evictHeader(source)
		h := orphanHeader{source: source, arrived: d.now}
		rng.Read(h.id[:])
		d.st.headers = d.st.headers.Put(h)
	}
	return d.space()
}

// HoldsHeader reports whether a space knows of a message that is retained.
func HoldsHeader(s Space, frame []byte) bool {
	e := parsed(proto.ParseEnvelope(frame))
	return s.State().headers.Has(segmap.ByID(e.Name()))
}

// OwnEvery returns how long after its last commit a member of a space of so many commits again.
func OwnEvery(members int) time.Duration { return commitOwnEvery(members) }
