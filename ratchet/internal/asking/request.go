package asking

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// request is one that was made and whose ticket key is there.
type request struct {
	id        proto.RequestID
	kind      proto.RequestKind
	counter   uint64
	index     dkg.Index
	preferred proto.EpochID // of a member
	ticket    suite.KEMSecret
	binding   proto.Binding // of a joiner
	signature []byte        // of a joiner, to seal it anew
	made      Millis        // pruning clock
	hinted    bool          // a hint "old counter" to it was followed

	answered bool        // a ticket for it was entered
	first    Millis      // pruning clock, when that was
	issuers  []dkg.Index // of its tickets, ascending
	third    bool        // a message of a member other than the issuers was read since
}

// maxIssuers is the number of issuers that are told from a third member. An answer comes from two, and from a few more of those
// who do not hear of it.
const maxIssuers = 64

func (q request) asked(me Self) proto.Asked {
	return proto.Asked{Kind: proto.Join, Ticket: q.ticket.Public, Counter: q.counter, Index: q.index, Binding: q.binding,
		Rest: me.Rest, Inbox: me.Inbox, Signature: q.signature}
}

// withIssuer notes a ticket that was entered.
func (q request) withIssuer(i dkg.Index, age Millis) request {
	if !q.answered {
		q.answered, q.first = true, age
	}
	if at, ok := slices.BinarySearch(q.issuers, i); !ok && len(q.issuers) < maxIssuers {
		q.issuers = slices.Insert(slices.Clone(q.issuers), at, i)
	}
	return q
}

func (q request) encode(e *state.Encoder) {
	e.Fixed(q.id[:])
	e.Uint8(uint8(q.kind))
	e.Uint64(q.counter)
	e.Uint32(uint32(q.index))
	e.Fixed(q.preferred[:])
	e.Uint16(uint16(q.ticket.Public.KEM()))
	e.Fixed(q.ticket.Seed.Expose())
	e.Int64(q.made)
	e.Bool(q.hinted)
	e.Bool(q.third)
	if q.kind == proto.Join {
		e.Bytes(q.binding.Encode())
		e.Bytes(q.signature)
	}
	e.Bool(q.answered)
	e.Int64(q.first)
	e.Uint32(uint32(len(q.issuers)))
	for _, i := range q.issuers {
		e.Uint32(uint32(i))
	}
}

func decodeRequest(d *state.Decoder) (q request, err error) {
	d.Into(q.id[:])
	q.kind = proto.RequestKind(d.Uint8())
	q.counter, q.index = d.Uint64(), dkg.Index(d.Uint32())
	d.Into(q.preferred[:])
	kem, seed := suite.KEM(d.Uint16()), secret.Own(d.Fixed(suite.KEMSecretSize))
	q.made, q.hinted, q.third = d.Int64(), d.Bool(), d.Bool()
	var binding []byte
	if q.kind == proto.Join {
		binding, q.signature = d.Bytes(proto.MaxBinding), d.Bytes(suite.MaxSignature)
	}
	q.answered, q.first = d.Bool(), d.Int64()
	for range d.Count(maxIssuers, 4) {
		q.issuers = append(q.issuers, dkg.Index(d.Uint32()))
	}
	if err := d.Err(); err != nil {
		return request{}, err
	}
	if q.kind == proto.Join {
		if q.binding, err = proto.ParseBinding(binding); err != nil {
			return request{}, err
		}
	}
	if q.ticket, err = suite.ParseKEMSecret(kem, seed); err != nil {
		return request{}, err
	}
	if q.kind != proto.Join && q.kind != proto.Resync || q.counter == 0 || q.index.Check(dkg.MaxDepth) != nil ||
		!q.answered && (q.first != 0 || q.third || len(q.issuers) > 0) || !ascending(q.issuers) {
		return request{}, wire.ErrMalformed
	}
	return q, nil
}

func ascending(all []dkg.Index) bool {
	for k := 1; k < len(all); k++ {
		if all[k-1] >= all[k] {
			return false
		}
	}
	return true
}

// made is the id of a request that was made, whether its key is there or not.
type made struct {
	id      proto.RequestID
	counter uint64
}

// maxMade is the number of them that are remembered, so that a member knows its own requests when others show them.
const maxMade = 256

// history is the requests that were made last. It is stored by itself, since it seldom changes.
type history []made

// Encode implements state.Piece.
func (h history) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(h)))
	for _, m := range h {
		e.Fixed(m.id[:])
		e.Uint64(m.counter)
	}
}

// Decode implements state.Piece.
func (history) Decode(d *state.Decoder) (h history, err error) {
	for range d.Count(maxMade, 40) {
		var m made
		d.Into(m.id[:])
		m.counter = d.Uint64()
		h = append(h, m)
	}
	return h, d.Err()
}
