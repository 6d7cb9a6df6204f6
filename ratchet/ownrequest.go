package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// request is one's own request while a ticket may still come in.
type request struct {
	key     suite.KEMSecret // one-time ticket key; zero if there is no request
	hash    suite.Digest
	earlier []suite.Digest // of the same introduction, oldest first
	kind    proto.RequestKind
	count   uint64    // its counter
	serial  uint64    // of the epoch entered last when it was made: what came later is newer than what it asks for
	opened  int64     // ms; when the first ticket was entered, 0 before
	issuer  dkg.Index // of that ticket
}

func (r request) isOpen() bool { return !r.key.IsZero() }

// is reports whether a request is this one, or one that it repeats.
func (r request) is(h suite.Digest) bool {
	return r.isOpen() && (r.hash == h || slices.Contains(r.earlier, h))
}

// answeredBy returns which of these requests a ticket says that it answers.
func (r request) answeredBy(t proto.Ticket) (suite.Digest, bool) {
	for _, h := range append(r.earlier[:len(r.earlier):len(r.earlier)], r.hash) {
		if r.isOpen() && t.AnswersTo(h) {
			return h, true
		}
	}
	return suite.Digest{}, false
}

// again returns the request as it is after it was repeated.
func (r request) again(h suite.Digest) request {
	if len(r.earlier) == maxEarlier {
		r.earlier = r.earlier[1:]
	}
	r.earlier = append(slices.Clone(r.earlier), r.hash)
	r.hash = h
	return r
}

// maxEarlier bounds the requests of a joiner that tickets may answer: those of a month.
const maxEarlier = 32

func (r request) encode(e *state.Encoder) {
	e.Bool(r.isOpen())
	if !r.isOpen() {
		return
	}
	encodeBoxSecret(e, r.key)
	e.Fixed(r.hash[:])
	e.Uint32(uint32(len(r.earlier)))
	for _, h := range r.earlier {
		e.Fixed(h[:])
	}
	e.Uint8(uint8(r.kind))
	e.Uint64(r.count)
	e.Uint64(r.serial)
	e.Int64(r.opened)
	e.Uint32(uint32(r.issuer))
}

func decodeOwnRequest(d *state.Decoder) (r request, err error) {
	if !d.Bool() {
		return request{}, d.Err()
	}
	if r.key, err = decodeBoxSecret(d); err != nil {
		return request{}, err
	}
	d.Into(r.hash[:])
	r.earlier = make([]suite.Digest, d.Count(maxEarlier, suite.HashSize))
	for i := range r.earlier {
		d.Into(r.earlier[i][:])
	}
	r.kind = proto.RequestKind(d.Uint8())
	r.count = d.Uint64()
	r.serial = d.Uint64()
	r.opened = d.Int64()
	r.issuer = dkg.Index(d.Uint32())
	return r, d.Err()
}
