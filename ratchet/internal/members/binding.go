package members

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Maker is a member as its signatures show it: two keys of one index are two makers.
type Maker = proto.Maker

// Identity is a binding, with what its key said since. What one says does not count for a twin (D61).
type Identity struct {
	Maker
	Body       proto.BodyHash
	Credential proto.Credential // zero: the notice lists it
	Admission  suite.PublicKey  // of one that the notice lists, with its rest; zero: the founder's, or not known
	Rest       proto.Rest       // with Profiled
	Profiled   bool
	Inbox      suite.KEMKey // of the introduction; zero if not known
	Update     proto.Update // the newest
	Profile    proto.Profile
	Leave      proto.Leave // with a signature if it left
}

// Binding is a binding as a root knows it. Its Identity is stored apart, since it is long and seldom changes.
type Binding struct {
	Identity
	Answered uint64 // the greatest counter of a request that it said was answered

	first      uint64    // order in which bindings were first read, in this root or another that is not newer, 0 if none of its messages was
	heard      bool      // a message of it was read in this root
	came       uint64    // order in which it came to be known
	introducer dkg.Index // who introduced it, 0 for itself or a notice
	stored     state.Segment[Identity]
}

// with returns the binding with another Identity.
func (b Binding) with(i Identity) Binding {
	b.Identity, b.stored = i, state.NewSegment(i)
	return b
}

// Heard reports whether a message of it was read in this root, and Met whether one was in this root or another that is not newer.
func (b Binding) Heard() bool { return b.heard }
func (b Binding) Met() bool   { return b.first > 0 }

// Left reports whether it said that it leaves.
func (b Identity) Left() bool { return b.Leave.Signature != nil }

// admission returns the key that admitted the binding.
func (b Identity) admission() suite.PublicKey {
	if !b.Credential.IsZero() {
		return b.Credential.Binding.Admission
	}
	return b.Admission
}

// InboxKey returns the key to which what is for this member is boxed: the newest update's, or that of the introduction.
func (b Identity) InboxKey() (suite.KEMKey, bool) {
	if !b.Update.IsZero() {
		return b.Update.Inbox, true
	}
	return b.Inbox, !b.Inbox.IsZero()
}

// maxAnswered is how far ahead of one's own time a counter is believed, in milliseconds.
const maxAnswered = 3_600_000

// Encode implements state.Piece.
func (b Identity) Encode(e *state.Encoder) {
	e.Uint32(uint32(b.Index))
	e.Bytes(b.Key.Bytes())
	e.Fixed(b.Body[:])
	e.Bytes(b.Credential.Certificate.Encode())
	if !b.Credential.IsZero() {
		e.Bytes(b.Credential.Binding.Encode())
	}
	e.Bytes(b.Admission.Bytes())
	e.Bool(b.Profiled)
	if b.Profiled {
		e.Bytes(b.Rest.Encode())
	}
	e.Bytes(b.Inbox.Bytes())
	e.Bytes(b.Update.Encode())
	e.Bytes(encodeSigned(b.Profile, b.Profile.Signature))
	e.Bytes(encodeSigned(b.Leave, b.Leave.Signature))
}

func (b Binding) encode(e *state.Encoder) {
	e.Uint64(b.Answered)
	e.Uint64(b.first)
	e.Bool(b.heard)
	e.Uint64(b.came)
	e.Uint32(uint32(b.introducer))
	b.stored.Encode(e, fmt.Sprintf("%x.%x", b.Index, b.came))
}

func decodeBinding(d *state.Decoder, i dkg.Index) (b Binding, err error) {
	b.Answered = d.Uint64()
	b.first, b.heard, b.came, b.introducer = d.Uint64(), d.Bool(), d.Uint64(), dkg.Index(d.Uint32())
	if b.stored, err = state.DecodeSegment[Identity](d, fmt.Sprintf("%x.%x", i, b.came)); err != nil {
		return Binding{}, err
	}
	if b.Identity = b.stored.Value(); b.Index != i || b.heard && b.first == 0 {
		return Binding{}, wire.ErrMalformed
	}
	return b, d.Err()
}

// encodeSigned encodes a statement that is there if it has a signature.
func encodeSigned(s proto.Statement, signature []byte) []byte {
	if signature == nil {
		return nil
	}
	return proto.EncodeStatement(s)
}

// maxField bounds each field of a stored binding: an introduction, an update or a profile.
const maxField = proto.MaxIntroduction

// Decode implements state.Piece.
func (Identity) Decode(d *state.Decoder) (b Identity, err error) {
	b.Index = dkg.Index(d.Uint32())
	field(d, &err, func(raw []byte) (err error) { b.Key, err = suite.LoadPublicKey(raw); return })
	d.Into(b.Body[:])
	certificate := d.Bytes(maxField)
	if len(certificate) > 0 {
		load(d, &err, &b.Credential.Binding, proto.ParseBinding)
		if err == nil {
			b.Credential.Certificate, err = proto.ParseCertificate(certificate)
		}
	}
	optional(d, &err, &b.Admission, suite.LoadPublicKey)
	if b.Profiled = d.Bool(); b.Profiled {
		load(d, &err, &b.Rest, proto.ParseRest)
	}
	optional(d, &err, &b.Inbox, suite.LoadKEMKey)
	optional(d, &err, &b.Update, proto.ParseUpdate)
	optional(d, &err, &b.Profile, parseStatement[proto.Profile])
	optional(d, &err, &b.Leave, parseStatement[proto.Leave])
	if err != nil {
		return Identity{}, err
	}
	return b, d.Err()
}

// field reads a field of at most maxField bytes, unless something failed before.
func field(d *state.Decoder, err *error, read func([]byte) error) {
	raw := d.Bytes(maxField)
	if *err == nil {
		if *err = d.Err(); *err == nil {
			*err = read(raw)
		}
	}
}

func load[T any](d *state.Decoder, err *error, to *T, parse func([]byte) (T, error)) {
	field(d, err, func(raw []byte) (err error) { *to, err = parse(raw); return })
}

// optional is load for a field that may be empty.
func optional[T any](d *state.Decoder, err *error, to *T, parse func([]byte) (T, error)) {
	field(d, err, func(raw []byte) (err error) {
		if len(raw) > 0 {
			*to, err = parse(raw)
		}
		return
	})
}

func parseStatement[S proto.Statement](raw []byte) (out S, err error) {
	s, err := proto.ParseStatement(raw)
	if err != nil {
		return out, err
	}
	out, ok := s.(S)
	if !ok {
		return out, wire.ErrMalformed
	}
	return out, nil
}

// before reports whether b is listed before o by what was read of them: the one that was read first, in this root or another that is not newer, then the
// smaller H(body).
func (b Binding) before(o Binding) bool {
	if b.Met() != o.Met() {
		return b.Met()
	}
	return cmp.Or(cmp.Compare(b.first, o.first), bytes.Compare(b.Body[:], o.Body[:])) < 0
}
