package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// requestKind says who asks for a ticket.
type requestKind uint8

// The kinds of request.
const (
	requestIntroduction requestKind = 1 // a joiner
	requestResync       requestKind = 2 // a member out of step
)

// label returns the label of the box.
func (k requestKind) label() string {
	if k == requestResync {
		return boxResync
	}
	return boxIntroduction
}

// Request asks the members of a space for a ticket, as it goes over the network: a box to the space's config key. It is
// immutable; the zero Request is none.
type Request struct {
	_    [0]func()
	kind requestKind
	box  []byte
}

// ParseRequest reads a request: u8(0x23) ‖ u8 kind ‖ vec32 box. It returns ErrMalformed, or state.ErrTooOld or
// state.ErrTooNew for another version of the protocol.
func ParseRequest(b []byte) (Request, error) {
	q, err := parseRequest(b)
	return q, malformed(err)
}

func parseRequest(b []byte) (q Request, err error) {
	r, err := newFrameReader(b, frameRequest)
	if err != nil {
		return Request{}, err
	}
	q.kind = requestKind(r.U8())
	q.box = r.Vec32(maxRequest + maxBoxOverhead)
	if q.kind != requestIntroduction && q.kind != requestResync {
		r.Fail("kind of a request")
	}
	if err = r.Done(); err != nil {
		return Request{}, err
	}
	return q, nil
}

// Bytes returns what is to be sent, nil for the zero Request.
func (q Request) Bytes() []byte {
	if q.IsZero() {
		return nil
	}
	w := wire.NewWriter(2 + 4 + len(q.box))
	w.U8(frameRequest.first())
	w.U8(uint8(q.kind))
	w.Vec32(q.box)
	return w.Bytes()
}

// IsZero reports whether there is no request.
func (q Request) IsZero() bool { return q.kind == 0 }

// hash returns H(request), over the whole frame.
func (q Request) hash() digest { return hash(q.Bytes()) }

// requestBody is what a request holds.
type requestBody struct {
	kind         requestKind
	ticket       boxKey // one-time key to which the ticket is boxed
	introduction []byte // of a joiner; a removed member's resync may carry one, else empty
	resync       resync // of requestResync
}

// resync is what a member says of itself in a request.
type resync struct {
	index     dkg.Index
	rekey     uint64
	root      epochID
	preferred epochID
	counter   uint64 // grows with every request of the member
	time      int64  // milliseconds since 1970, for display only
	signature []byte
}

// newIntroductionRequest boxes a joiner's request. It has no counter: it counts until the joiner was heard.
func newIntroductionRequest(space state.ID, config, ticket boxKey, in introduction) (Request, error) {
	return requestBody{kind: requestIntroduction, ticket: ticket, introduction: in.encode()}.seal(space, config)
}

// newResyncRequest signs and boxes a member's request. introduction is nil unless the member is removed.
func newResyncRequest(space state.ID, config, ticket boxKey, rs resync, introduction []byte, member signingKey) (Request, error) {
	b := requestBody{kind: requestResync, ticket: ticket, introduction: introduction, resync: rs}
	b.resync.signature = member.sign(signResync, space[:], b.body())
	return b.seal(space, config)
}

func (b requestBody) seal(space state.ID, config boxKey) (Request, error) {
	if len(b.introduction) > maxIntroduction {
		return Request{}, ErrTooLong
	}
	box, err := config.seal(b.kind.label(), space, 0, b.encode())
	if err != nil {
		return Request{}, err
	}
	return Request{kind: b.kind, box: box}, nil
}

// open opens a request with a config key: errNotOpened if it is boxed to another, wire.ErrMalformed or errInvalid if it
// holds no sound request. The introduction is neither parsed nor verified. The ticket key is tried.
func (q Request) open(space state.ID, config boxSecret) (requestBody, error) {
	plain, err := config.open(q.kind.label(), space, 0, q.box)
	if err != nil {
		return requestBody{}, err
	}
	b, err := parseRequestBody(q.kind, plain.Expose())
	if err == nil && b.ticket.kem != config.public.kem {
		err = fmt.Errorf("%w: ticket key of another policy", errInvalid)
	}
	if err != nil {
		return requestBody{}, err
	}
	return b, nil
}

// verifyIntroduction parses and verifies the introduction, and that it is of the same request.
func (b requestBody) verifyIntroduction(space state.ID, owners ownerList, p Policy) (introduction, boxKey, error) {
	in, err := parseIntroduction(b.introduction)
	if err != nil {
		return introduction{}, boxKey{}, err
	}
	if in.ticket != b.ticket.digest() {
		return introduction{}, boxKey{}, fmt.Errorf("%w: introduction of another request", errInvalid)
	}
	inbox, err := in.verify(space, owners, p)
	return in, inbox, err
}

// verifyResync checks the signature of a resync request with the member's signing key.
func (b requestBody) verifyResync(space state.ID, member PublicKey) error {
	return member.verify(b.resync.signature, signResync, space[:], b.body())
}

// body returns vec16 ticket key ‖ vec16 introduction, and for a resync, which signs it all, before that u32 index ‖
// u64 rekey generation ‖ root id ‖ preferred id ‖ u64 counter ‖ u64 time.
func (b requestBody) body() []byte {
	w := wire.NewWriter(maxRequest)
	if b.kind == requestResync {
		w.U32(uint32(b.resync.index))
		w.U64(b.resync.rekey)
		w.Fixed(b.resync.root[:])
		w.Fixed(b.resync.preferred[:])
		w.U64(b.resync.counter)
		w.U64(uint64(b.resync.time))
	}
	w.Vec16(b.ticket.raw)
	w.Vec16(b.introduction)
	return w.Bytes()
}

// encode returns body, and for a resync vec16 signature.
func (b requestBody) encode() []byte {
	body := b.body()
	if b.kind != requestResync {
		return body
	}
	w := wire.NewWriter(2 + maxSignature)
	w.Vec16(b.resync.signature)
	return append(body, w.Bytes()...)
}

// parseRequestBody reads what encode returned for a request of the same kind. It verifies no signature.
func parseRequestBody(kind requestKind, plain []byte) (requestBody, error) {
	r := wire.NewReader(plain)
	b := requestBody{kind: kind}
	if kind == requestResync {
		b.resync.index = readIndex(r, dkg.MaxDepth)
		b.resync.rekey = r.U64()
		r.Into(b.resync.root[:])
		r.Into(b.resync.preferred[:])
		b.resync.counter = r.U64()
		b.resync.time = int64(r.U64())
	}
	b.ticket = readNested(r, r.Vec16(maxBoxKey), parseBoxKey)
	b.introduction = r.Vec16(maxIntroduction)
	if kind == requestResync {
		b.resync.signature = r.Vec16(maxSignature)
	}
	if err := r.Done(); err != nil {
		return requestBody{}, err
	}
	return b, nil
}
