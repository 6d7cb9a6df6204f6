package proto

import (
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Capabilities say what a member's program can read (§9).
type Capabilities struct {
	Newest   uint8    // newest version of the protocol
	Features []uint16 // ascending, at most MaxCapabilities
}

// Rest is what a member says of itself when it joins (§9). A binding names its hash, so it can be left out where nobody looks
// at it. The inbox key travels beside it.
type Rest struct {
	Inbox        InboxHash
	Capabilities Capabilities
	Person       []byte // of a further device of a person: a Vouch; else empty. What is no right one says nothing
	App          []byte
	Time         uint64 // milliseconds since 1970, for display only
}

// HashOfInbox returns the hash by which a Rest names an inbox key.
func HashOfInbox(k suite.KEMKey) InboxHash { return hash32(k.Bytes()) }

// Hash returns H(rest)[:32].
func (x Rest) Hash() RestHash { return hash32(x.Encode()) }

// Encode returns H(inbox key)[:32] ‖ vec8 capabilities ‖ vec16 person ‖ vec16 application data ‖ u64 time.
func (x Rest) Encode() []byte {
	return encode(64+2*len(x.Capabilities.Features)+len(x.Person)+len(x.App), x.write)
}

func (x Rest) write(w *wire.Writer) {
	w.Fixed(x.Inbox[:])
	w.Vec8(encode(2+2*len(x.Capabilities.Features), x.Capabilities.write))
	w.Vec16(x.Person)
	w.Vec16(x.App)
	w.U64(x.Time)
}

func (c Capabilities) write(w *wire.Writer) {
	w.U8(c.Newest)
	w.U8(uint8(len(c.Features)))
	for _, f := range c.Features {
		w.U16(f)
	}
}

func readCapabilities(r *wire.Reader) (c Capabilities) {
	c.Newest = r.U8()
	n := int(r.U8())
	if n > MaxCapabilities {
		r.Fail("number of capabilities")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		f := r.U16()
		if i > 0 && f <= c.Features[i-1] {
			r.Fail("order of capabilities")
		}
		c.Features = append(c.Features, f)
	}
	return c
}

func readRest(r *wire.Reader) (x Rest) {
	r.Into(x.Inbox[:])
	x.Capabilities = readNested(r, r.Vec8(2+2*MaxCapabilities), readCapabilities)
	x.Person = r.Vec16(MaxRest)
	x.App = r.Vec16(MaxApplicationData)
	x.Time = r.U64()
	return x
}

// ParseRest reads a rest.
func ParseRest(b []byte) (Rest, error) { return parseAll(b, MaxRest, readRest) }
