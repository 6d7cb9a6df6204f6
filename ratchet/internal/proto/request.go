package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// RequestKind says who asks.
type RequestKind uint8

// The kinds of requests.
const (
	Join   RequestKind = 1 // with the request key of an invite
	Resync RequestKind = 2 // with the resync key of a root
)

// Asked is what a request asks (§9): a ticket, boxed to a fresh key. A joiner gives Binding, Rest and Inbox; a member that asks
// gives Root, Preferred and Update, and Credential if the notice of that root does not list it.
type Asked struct {
	Kind       RequestKind
	Ticket     suite.KEMKey
	Counter    uint64 // not 0
	Index      dkg.Index
	Root       EpochID
	Preferred  EpochID
	Binding    Binding
	Rest       Rest
	Inbox      suite.KEMKey
	Credential Credential
	Update     Update
	Signature  []byte
}

// maxAsked bounds x with its signature.
const maxAsked = MaxRequest - 1 - 1 - 16 - suite.AEADOverhead

// Sign returns what is asked with the signature of the member's key.
func (a Asked) Sign(member suite.SigningKey, space state.ID) Asked {
	a.Signature = member.Sign(suite.SignRequest, space[:], a.signed())
	return a
}

// signed returns u8 kind ‖ u32(j) ‖ u64 counter ‖ request id.
func (a Asked) signed() []byte {
	return ShownRequest{Kind: a.Kind, Index: a.Index, Counter: a.Counter, Request: a.ID()}.signed()
}

// ID names what is asked. A request that is sealed anew has the same id.
func (a Asked) ID() RequestID { return suite.HashID(suite.HashRequest, []byte{byte(a.Kind)}, a.x()) }

// Shown returns what others are shown of the request.
func (a Asked) Shown() ShownRequest {
	return ShownRequest{a.Kind, a.Index, a.Counter, a.ID(), a.Signature}
}

// Verify checks the signature of the request, or returns suite.ErrInvalid.
func (a Asked) Verify(space state.ID, member suite.PublicKey) error {
	return member.Verify(a.Signature, suite.SignRequest, space[:], a.signed())
}

// VerifyJoin makes the checks of §9 steps 5 and 6 of a joiner: the certificate of the record that has the request's tag covers
// the index, the binding is right under it, its hashes fit, something can be boxed to the inbox key, and the binding's key
// signed the request. It returns suite.ErrInvalid, or wire.ErrMalformed for the inbox key. The certificate was verified before.
func (a Asked) VerifyJoin(space state.ID, s suite.Suite, record Certificate) error {
	if a.Kind != Join || a.Ticket.KEM() != s.KEM() {
		return invalid("kind or ticket key of a request")
	}
	if err := (Credential{record, a.Binding}).verifyMatch(); err != nil {
		return err
	}
	if err := verifyProfile(a.Binding, a.Rest, a.Inbox, s); err != nil {
		return err
	}
	if err := a.Binding.Verify(space, s); err != nil {
		return err
	}
	if err := a.Verify(space, a.Binding.Signing); err != nil {
		return err
	}
	return a.Inbox.Try()
}

// VerifyResync makes the checks of §9 steps 5 and 6 of a member that asks under a signing key: the one that a notice lists, or
// that of the binding in the request, whose certificate the caller verifies (step 5a). It returns suite.ErrInvalid, or
// wire.ErrMalformed for the inbox key.
func (a Asked) VerifyResync(space state.ID, s suite.Suite, member suite.PublicKey) error {
	switch {
	case a.Kind != Resync || a.Ticket.KEM() != s.KEM():
		return invalid("kind or ticket key of a request")
	case a.Update.Index != a.Index:
		return invalid("update of another index")
	case !a.Credential.IsZero() && (a.Credential.Index() != a.Index || a.Credential.Key() != member):
		return invalid("credential of another member")
	}
	if !a.Credential.IsZero() {
		if err := a.Credential.Binding.Verify(space, s); err != nil {
			return err
		}
	}
	if err := a.Verify(space, member); err != nil {
		return err
	}
	return a.Update.Verify(space, member, s)
}

// x returns vec16 ticket key ‖ u64 counter ‖ u32(j) ‖ root id ‖ preferred id ‖ vec16(binding; or credential) ‖ vec16(rest ‖ vec16
// inbox key; or update).
func (a Asked) x() []byte { return encode(maxAsked, a.writeX) }

func (a Asked) writeX(w *wire.Writer) {
	w.Vec16(a.Ticket.Bytes())
	w.U64(a.Counter)
	w.U32(uint32(a.Index))
	w.Fixed(a.Root[:])
	w.Fixed(a.Preferred[:])
	if a.Kind == Join {
		w.Vec16(a.Binding.Encode())
		w.Vec16(encode(MaxRest+2+suite.MaxKEMKey, func(w *wire.Writer) {
			a.Rest.write(w)
			w.Vec16(a.Inbox.Bytes())
		}))
		return
	}
	w.Vec16(a.Credential.encodeOptional())
	w.Vec16(a.Update.Encode())
}

// encode returns x ‖ vec16 signature.
func (a Asked) encode() []byte {
	return encode(maxAsked, func(w *wire.Writer) {
		a.writeX(w)
		w.Vec16(a.Signature)
	})
}

func askedReader(kind RequestKind) func(*wire.Reader) Asked {
	return func(r *wire.Reader) Asked {
		a := Asked{Kind: kind, Ticket: readKEMKey(r), Counter: readNonZero(r), Index: readIndex(r)}
		r.Into(a.Root[:])
		r.Into(a.Preferred[:])
		if kind == Join {
			a.Binding = readNested(r, r.Vec16(MaxBinding), readBinding)
			profile := r.Vec16(MaxRest + 2 + suite.MaxKEMKey)
			a = readNested(r, profile, func(r *wire.Reader) Asked {
				a.Rest, a.Inbox = readRest(r), readKEMKey(r)
				return a
			})
			if r.Err() == nil && (!a.Root.IsZero() || !a.Preferred.IsZero() || a.Binding.Index != a.Index || a.Binding.Admission.IsZero()) {
				r.Fail("request of a joiner")
			}
		} else {
			a.Credential = readOptionalCredential(r)
			a.Update = readNested(r, r.Vec16(maxUpdate), readUpdate)
		}
		a.Signature = readSignature(r)
		return a
	}
}

// Request is a request as it goes over the network. The tag says under which key it opens.
type Request struct {
	Kind RequestKind
	Tag  Tag
	Box  []byte
}

// Seal seals what is asked under the request key of an invite or the resync key of a root.
func (a Asked) Seal(space state.ID, key suite.AEAD, tag Tag) Request {
	q := Request{Kind: a.Kind, Tag: tag}
	plain, aad := a.encode(), q.aad(space)
	q.Box = key.Seal(make([]byte, 0, len(plain)+suite.AEADOverhead), plain, aad)
	return q
}

// Open opens a request with the key of its tag. It returns suite.ErrNotOpened if the key is another's, and wire.ErrMalformed if
// it fits but this is no request. Nothing is verified.
func (q Request) Open(space state.ID, key suite.AEAD) (Asked, error) {
	plain, err := key.Open(nil, q.Box, q.aad(space))
	if err != nil {
		return Asked{}, err
	}
	return parseAll(plain, maxAsked, askedReader(q.Kind))
}

// aad is space ‖ u8 kind ‖ tag.
func (q Request) aad(space state.ID) []byte {
	return encode(32+1+16, func(w *wire.Writer) {
		w.Fixed(space[:])
		w.U8(uint8(q.Kind))
		w.Fixed(q.Tag[:])
	})
}

// Frame returns u8(0x23) ‖ u8 kind ‖ tag ‖ box.
func (q Request) Frame() []byte {
	return encode(1+1+16+len(q.Box), func(w *wire.Writer) {
		w.U8(TypeRequest.first())
		w.U8(uint8(q.Kind))
		w.Fixed(q.Tag[:])
		w.Fixed(q.Box)
	})
}

func readRequest(r *wire.Reader) Request {
	q := Request{Kind: RequestKind(r.U8())}
	r.Into(q.Tag[:])
	q.Box = r.Rest()
	if r.Err() == nil && (q.Kind != Join && q.Kind != Resync || len(q.Box) <= suite.AEADOverhead) {
		r.Fail("request")
	}
	return q
}

// ParseRequest reads a frame of type TypeRequest.
func ParseRequest(frame []byte) (Request, error) {
	return parseFrame(frame, TypeRequest, MaxRequest-1, readRequest)
}

// ShownRequest is what a member that answered a request shows of it to all (§9): nobody can make one up.
type ShownRequest struct {
	Kind      RequestKind
	Index     dkg.Index
	Counter   uint64
	Request   RequestID
	Signature []byte
}

// maxShown bounds its encoding.
const maxShown = 1 + 4 + 8 + 32 + 2 + suite.MaxSignature

// Verify checks that a binding's key signed the request, or returns suite.ErrInvalid.
func (s ShownRequest) Verify(space state.ID, member suite.PublicKey) error {
	return member.Verify(s.Signature, suite.SignRequest, space[:], s.signed())
}

func (s ShownRequest) signed() []byte { return encode(maxShown, s.writeSigned) }

func (s ShownRequest) writeSigned(w *wire.Writer) {
	w.U8(uint8(s.Kind))
	w.U32(uint32(s.Index))
	w.U64(s.Counter)
	w.Fixed(s.Request[:])
}

// write appends u8 kind ‖ u32(j) ‖ u64 counter ‖ request id ‖ vec16 signature.
func (s ShownRequest) write(w *wire.Writer) {
	s.writeSigned(w)
	w.Vec16(s.Signature)
}

func readShownRequest(r *wire.Reader) ShownRequest {
	s := ShownRequest{Kind: RequestKind(r.U8()), Index: readIndex(r), Counter: readNonZero(r)}
	r.Into(s.Request[:])
	s.Signature = readSignature(r)
	if r.Err() == nil && s.Kind != Join && s.Kind != Resync {
		r.Fail("kind of a request")
	}
	return s
}

// Encode returns what a message carries of the request.
func (s ShownRequest) Encode() []byte { return encode(maxShown, s.write) }

// ParseShownRequest reads what Encode wrote, without verifying it.
func ParseShownRequest(b []byte) (ShownRequest, error) {
	return parseAll(b, maxShown, readShownRequest)
}
