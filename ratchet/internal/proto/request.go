package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// RequestKind says who asks for a ticket.
type RequestKind uint8

// The kinds of request.
const (
	KindIntroduction RequestKind = 1 // a joiner
	KindResync       RequestKind = 2 // a member out of step
)

// Label returns the label of the box.
func (k RequestKind) Label() string {
	if k == KindResync {
		return suite.HPKEResync
	}
	return suite.HPKEIntroduction
}

// Request asks the members of a space for a ticket, as it goes over the network: a box to the space's config key. It is
// immutable; the zero Request is none.
type Request struct {
	_    [0]func()
	Kind RequestKind
	Box  []byte
}

// ParseRequest reads a request: u8(0x23) ‖ u8 kind ‖ vec32 box. It returns ErrMalformed, or state.ErrTooOld or
// state.ErrTooNew for another version of the protocol.
func ParseRequest(b []byte) (q Request, err error) {
	r, err := frameReader(b, TypeRequest)
	if err != nil {
		return Request{}, err
	}
	q.Kind = RequestKind(r.U8())
	q.Box = r.Vec32(maxRequest + suite.MaxOverhead)
	if q.Kind != KindIntroduction && q.Kind != KindResync {
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
	w := wire.NewWriter(2 + 4 + len(q.Box))
	w.U8(TypeRequest.first())
	w.U8(uint8(q.Kind))
	w.Vec32(q.Box)
	return w.Bytes()
}

// IsZero reports whether there is no request.
func (q Request) IsZero() bool { return q.Kind == 0 }

// Hash returns H(request), over the whole frame.
func (q Request) Hash() suite.Digest { return suite.Hash(q.Bytes()) }

// RequestBody is what a request holds.
type RequestBody struct {
	kind         RequestKind
	Ticket       suite.KEMKey // one-time key to which the ticket is boxed
	Introduction []byte       // of a joiner; a removed member's resync may carry one, else empty
	Resync       Resync       // of KindResync
}

// Resync is what a member says of itself in a request.
type Resync struct {
	Index     dkg.Index
	Rekey     uint64
	Root      EpochID
	Preferred EpochID
	Counter   uint64 // grows with every request of the member
	Time      int64  // milliseconds since 1970, for display only
	signature []byte
}

// NewIntroductionRequest boxes a joiner's request. It has no counter: it counts until the joiner was heard.
func NewIntroductionRequest(space state.ID, config, ticket suite.KEMKey, in Introduction) (Request, error) {
	return RequestBody{kind: KindIntroduction, Ticket: ticket, Introduction: in.Encode()}.seal(space, config)
}

// NewResyncRequest signs and boxes a member's request. introduction is nil unless the member is removed.
func NewResyncRequest(space state.ID, config, ticket suite.KEMKey, rs Resync, introduction []byte, member suite.SigningKey) (Request, error) {
	b := RequestBody{kind: KindResync, Ticket: ticket, Introduction: introduction, Resync: rs}
	b.Resync.signature = member.Sign(suite.SignResync, space[:], b.body())
	return b.seal(space, config)
}

func (b RequestBody) seal(space state.ID, config suite.KEMKey) (Request, error) {
	if len(b.Introduction) > MaxIntroduction {
		return Request{}, outcome.ErrTooLong
	}
	box, err := config.Seal(b.kind.Label(), space, 0, b.Encode())
	if err != nil {
		return Request{}, err
	}
	return Request{Kind: b.kind, Box: box}, nil
}

// Open opens a request with a config key: suite.ErrNotOpened if it is boxed to another, wire.ErrMalformed or suite.ErrInvalid if it
// holds no sound request. The introduction is neither parsed nor verified. The ticket key is tried.
func (q Request) Open(space state.ID, config suite.KEMSecret) (RequestBody, error) {
	plain, err := config.Open(q.Kind.Label(), space, 0, q.Box)
	if err != nil {
		return RequestBody{}, err
	}
	b, err := parseRequestBody(q.Kind, plain.Expose())
	if err == nil && b.Ticket.KEM() != config.Public.KEM() {
		err = fmt.Errorf("%w: ticket key of another policy", suite.ErrInvalid)
	}
	if err != nil {
		return RequestBody{}, err
	}
	return b, nil
}

// VerifyIntroduction parses and verifies the introduction, and that it is of the same request.
func (b RequestBody) VerifyIntroduction(space state.ID, owners OwnerList, p Policy) (Introduction, suite.KEMKey, error) {
	in, err := ParseIntroduction(b.Introduction)
	if err != nil {
		return Introduction{}, suite.KEMKey{}, err
	}
	if in.Ticket != b.Ticket.Digest() {
		return Introduction{}, suite.KEMKey{}, fmt.Errorf("%w: introduction of another request", suite.ErrInvalid)
	}
	inbox, err := in.Verify(space, owners, p)
	return in, inbox, err
}

// VerifyResync checks the signature of a resync request with the member's signing key.
func (b RequestBody) VerifyResync(space state.ID, member suite.PublicKey) error {
	return member.Verify(b.Resync.signature, suite.SignResync, space[:], b.body())
}

// body returns vec16 ticket key ‖ vec16 introduction, and for a resync, which signs it all, before that u32 index ‖
// u64 rekey generation ‖ root id ‖ preferred id ‖ u64 counter ‖ u64 time.
func (b RequestBody) body() []byte {
	w := wire.NewWriter(maxRequest)
	if b.kind == KindResync {
		w.U32(uint32(b.Resync.Index))
		w.U64(b.Resync.Rekey)
		w.Fixed(b.Resync.Root[:])
		w.Fixed(b.Resync.Preferred[:])
		w.U64(b.Resync.Counter)
		w.U64(uint64(b.Resync.Time))
	}
	w.Vec16(b.Ticket.Bytes())
	w.Vec16(b.Introduction)
	return w.Bytes()
}

// Encode returns body, and for a resync vec16 signature.
func (b RequestBody) Encode() []byte {
	body := b.body()
	if b.kind != KindResync {
		return body
	}
	w := wire.NewWriter(2 + suite.MaxSignature)
	w.Vec16(b.Resync.signature)
	return append(body, w.Bytes()...)
}

// parseRequestBody reads what encode returned for a request of the same kind. It verifies no signature.
func parseRequestBody(kind RequestKind, plain []byte) (RequestBody, error) {
	r := wire.NewReader(plain)
	b := RequestBody{kind: kind}
	if kind == KindResync {
		b.Resync.Index = ReadIndex(r, dkg.MaxDepth)
		b.Resync.Rekey = r.U64()
		r.Into(b.Resync.Root[:])
		r.Into(b.Resync.Preferred[:])
		b.Resync.Counter = r.U64()
		b.Resync.Time = int64(r.U64())
	}
	b.Ticket = readNested(r, r.Vec16(suite.MaxKEMKey), suite.ParseKEMKey)
	b.Introduction = r.Vec16(MaxIntroduction)
	if kind == KindResync {
		b.Resync.signature = r.Vec16(suite.MaxSignature)
	}
	if err := r.Done(); err != nil {
		return RequestBody{}, err
	}
	return b, nil
}
