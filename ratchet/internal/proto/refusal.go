package proto

import (
	"math"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Refusal is an answer to a request other than a ticket (§9): Taken, Dead or Hint.
type Refusal interface {
	kind() uint8
	write(*wire.Writer)
}

// Taken says that another signing key is bound to the asker's index. Bind is the word of an owner for that binding: a member that was
// decided against stands below commits of its own index, which it cannot follow, or in a root that others have left, and may read it
// nowhere else. The zero Bind is none. Beside one the Binding may be zero: of a member that a notice lists none may be known.
type Taken struct {
	Binding Binding
	Free    dkg.Index // an index of the run that is free, or 0
	Bind    Bind
}

// Dead says that the invite, or the index, was ended.
type Dead struct {
	Origin    Origin
	Owners    OwnerList
	Statement OwnerStatement // Revoke or Close
}

// Hint says why no ticket comes, without a proof.
type Hint struct {
	Reason HintReason
	Value  uint64 // of HintOldCounter: the counter that is known; of HintNotListed: an index of the run that is free, or 0; else 0
}

// HintReason says what a hint is about.
type HintReason uint8

// The reasons of hints.
const (
	HintExpired     HintReason = 1
	HintClosed      HintReason = 2
	HintOldCounter  HintReason = 3
	HintNotListed   HintReason = 4
	HintOwnerNeeded HintReason = 5
)

// greatest returns the greatest value of a hint: a counter, a free index of a run, or 0.
func (r HintReason) greatest() uint64 {
	switch r {
	case HintOldCounter:
		return math.MaxUint64
	case HintNotListed:
		return uint64(dkg.MaxIndex)
	}
	return 0
}

// MaxHintCounter is the greatest counter that a hint is believed of: it has no proof, and nobody may use up a counter.
const MaxHintCounter = 1 << 48

// Kinds of refusals.
const (
	refusalTaken = 1
	refusalDead  = 2
	refusalHint  = 3
)

func (Taken) kind() uint8 { return refusalTaken }
func (Dead) kind() uint8  { return refusalDead }
func (Hint) kind() uint8  { return refusalHint }

// Verify checks what makes the refusal more than a hint: a right binding of the asker's index under the asker's admission key,
// with another signing key. It returns suite.ErrInvalid.
func (t Taken) Verify(space state.ID, s suite.Suite, own Binding) error {
	if t.Binding.Index != own.Index || t.Binding.Admission != own.Admission || t.Binding.Signing == own.Signing {
		return invalid("no other binding of this index")
	}
	return t.Binding.Verify(space, s)
}

// Verify checks what makes the refusal more than a hint: the origin gives the space, the root owner key signed the list, its
// counter is not below the given one, an owner in it signed the statement, and this names the index or the invite. It returns
// suite.ErrInvalid.
func (d Dead) Verify(space state.ID, counter uint64, i dkg.Index, invite InviteName) error {
	if d.Origin.Space() != space || d.Owners.Counter < counter {
		return invalid("owners of another space or time")
	}
	if err := d.Owners.Verify(d.Origin); err != nil {
		return err
	}
	if !d.names(i, invite) {
		return invalid("statement about somebody else")
	}
	for _, k := range d.Owners.Keys {
		if VerifyStatement(d.Statement, space, k) == nil {
			return nil
		}
	}
	return invalid("no owner's statement")
}

func (d Dead) names(i dkg.Index, invite InviteName) bool {
	switch s := d.Statement.(type) {
	case Revoke:
		return s.names(i)
	case Close:
		return s.Invite == invite
	}
	return false
}

func (t Taken) write(w *wire.Writer) {
	if t.Binding.IsZero() {
		w.Vec16(nil)
	} else {
		w.Vec16(t.Binding.Encode())
	}
	w.U32(uint32(t.Free))
	if len(t.Bind.Signature) == 0 {
		w.Vec16(nil)
		return
	}
	w.Vec16(EncodeStatement(t.Bind))
}

func (d Dead) write(w *wire.Writer) {
	d.Origin.write(w)
	w.Vec16(d.Owners.Encode())
	w.Vec16(EncodeStatement(d.Statement))
}

func (h Hint) write(w *wire.Writer) {
	w.U8(uint8(h.Reason))
	w.U64(h.Value)
}

// encodeRefusal returns y: u8 kind and what the kind has.
func encodeRefusal(y Refusal) []byte {
	return encode(256, func(w *wire.Writer) {
		w.U8(y.kind())
		y.write(w)
	})
}

// maxBind bounds a bind: its kind, root, place, index, body and signature.
const maxBind = 1 + 32 + 1 + 4 + 32 + 2 + suite.MaxSignature

// maxRefusal bounds y: an owner list and the longest revoke.
const maxRefusal = 1 + 2 + suite.MaxPublicKey + 32 + 2 + maxOwnerList + 2 + maxRevoke

func readRefusal(r *wire.Reader) Refusal {
	switch r.U8() {
	case refusalTaken:
		var t Taken
		if b := r.Vec16(MaxBinding); len(b) > 0 {
			t.Binding = readNested(r, b, readBinding)
		}
		t.Free = dkg.Index(r.U32())
		if r.Err() == nil && t.Free > dkg.MaxIndex {
			r.Fail("index")
		}
		if b := r.Vec16(maxBind); r.Err() == nil && len(b) > 0 {
			s, err := ParseStatement(b)
			bind, ok := s.(Bind)
			if err != nil || !ok || len(bind.Signature) == 0 {
				r.Fail("statement of a refusal")
			}
			t.Bind = bind
		}
		if r.Err() == nil && t.Binding.IsZero() && len(t.Bind.Signature) == 0 {
			r.Fail("a refusal that names nobody")
		}
		return t
	case refusalDead:
		d := Dead{Origin: readOrigin(r), Owners: readNested(r, r.Vec16(maxOwnerList), readOwnerList)}
		b := r.Vec16(maxRevoke)
		if r.Err() != nil {
			return d
		}
		s, err := ParseStatement(b)
		switch s := s.(type) {
		case Revoke:
			d.Statement = s
		case Close:
			d.Statement = s
		default:
			r.Fail("statement of a refusal")
		}
		if err != nil {
			r.Fail(err.Error())
		}
		return d
	case refusalHint:
		h := Hint{Reason: HintReason(r.U8()), Value: r.U64()}
		if r.Err() == nil && (h.Reason < HintExpired || h.Reason > HintOwnerNeeded || h.Value > h.Reason.greatest()) {
			r.Fail("reason of a hint")
		}
		return h
	}
	r.Fail("kind of a refusal")
	return nil
}

// SealedRefusal is a refusal as it goes over the network.
type SealedRefusal struct {
	Name Name
	Box  []byte
}

// SealRefusal boxes a refusal to the ticket key of the request with a name. It returns suite.ErrInvalid for a key that cannot
// be boxed to.
func SealRefusal(space state.ID, name Name, ticket suite.KEMKey, y Refusal) (SealedRefusal, error) {
	box, err := ticket.Seal(suite.HPKERefusal, space, 0, encodeRefusal(y))
	return SealedRefusal{name, box}, err
}

// Open opens a refusal with the ticket key of one's own request: suite.ErrNotOpened, or wire.ErrMalformed. Nothing is verified.
func (s SealedRefusal) Open(space state.ID, ticket suite.KEMSecret) (Refusal, error) {
	plain, err := ticket.Open(suite.HPKERefusal, space, 0, s.Box)
	if err != nil {
		return nil, err
	}
	return parseAll(plain.Expose(), maxRefusal, readRefusal)
}

// Frame returns u8(0x22) ‖ u8(1) ‖ name ‖ vec16 box.
func (s SealedRefusal) Frame() []byte {
	return encode(1+1+16+2+len(s.Box), func(w *wire.Writer) {
		w.U8(TypeTicket.first())
		w.U8(bodyRefusal)
		w.Fixed(s.Name[:])
		w.Vec16(s.Box)
	})
}

// IsRefusal reports whether a frame of type TypeTicket holds a refusal.
func IsRefusal(frame []byte) bool { return len(frame) > 1 && frame[1] == bodyRefusal }

// ParseSealedRefusal reads a frame of type TypeTicket that is a refusal.
func ParseSealedRefusal(frame []byte) (SealedRefusal, error) {
	return parseFrame(frame, TypeTicket, LargestMaxFrame, func(r *wire.Reader) (s SealedRefusal) {
		if r.U8() != bodyRefusal {
			r.Fail("kind of a ticket")
		}
		r.Into(s.Name[:])
		s.Box = readBox(r, maxRefusal+suite.MaxOverhead)
		return s
	})
}
