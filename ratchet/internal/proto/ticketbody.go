package proto

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// TicketRoot is what makes a root: its notice, and the members that it lists.
type TicketRoot struct {
	Notice Notice
	Roster Roster
}

// IsZero reports whether there is no root.
func (t TicketRoot) IsZero() bool { return t.Roster == nil }

// Verify checks that notice and roster are one root of the origin's space, for members of a suite (§9 steps 2 to 4). It
// returns suite.ErrInvalid.
func (t TicketRoot) Verify(o Origin, s suite.Suite) error {
	if err := t.Notice.Verify(o); err != nil {
		return err
	}
	return t.Notice.VerifyRoster(t.Roster, s)
}

// ShareForm says how a ticket gives the asker its share, where the masked one of an invite does not.
type ShareForm uint8

// The forms.
const (
	NoShare    ShareForm = 0
	RekeyShare ShareForm = 1 // the box of the rekey (label HPKERekey), handed on
	BoxedShare ShareForm = 2 // boxed by an owner (label HPKEShare)
)

// Answered says that requests of the listed binding of an index were answered up to a counter.
type Answered struct {
	Index   dkg.Index
	Counter uint64
}

// TicketBody is what a ticket tells (§9).
type TicketBody struct {
	Issuer         dkg.Index
	Origin         Origin
	Root           TicketRoot
	Template       Template
	Earlier        TicketRoot   // the root before; zero: not told
	Certificate    Certificate  // of the asker; zero: none
	Masked         secret.Bytes // v of its invite; empty: none
	HoldsPreferred bool         // the issuer holds the preferred epoch that the asker named
	Update         Update       // newest of the asker's binding that the issuer knows; zero: none
	ShareForm      ShareForm
	ShareBox       []byte
	Current        Current  // newest; zero: none
	Statements     [][]byte // for ParseStatement; those that are too new are left out by their reader
	Members        []TicketMember
	Answered       []Answered // ascending
	Records        []Record
	Returned       []Returned    // commits of the asker's index
	Epochs         []TicketEpoch // the preferred one first
}

// ticketVersion is the version of its encoding.
const ticketVersion = 1

func (b TicketBody) encodeEarlier() []byte {
	if b.Earlier.IsZero() {
		return nil
	}
	return encode(4096, func(w *wire.Writer) {
		w.Vec32(b.Earlier.Notice.Encode())
		w.Vec32(b.Earlier.Roster.Encode())
	})
}

// Encode returns the body as §9 gives it.
func (b TicketBody) Encode() secret.Bytes {
	return secret.Own(encode(64<<10, func(w *wire.Writer) {
		w.U8(ticketVersion)
		w.U32(uint32(b.Issuer))
		b.Origin.write(w)
		w.Vec32(b.Root.Notice.Encode())
		w.Vec16(b.Template.Encode().Expose())
		w.Vec32(b.Root.Roster.Encode())
		w.Vec32(b.encodeEarlier())
		w.Vec16(b.Certificate.Encode())
		w.Vec8(b.Masked.Expose())
		w.Bool(b.HoldsPreferred)
		w.Vec16(b.Update.Encode())
		w.U8(uint8(b.ShareForm))
		if b.ShareForm != NoShare {
			w.Vec16(b.ShareBox)
		}
		w.Vec16(b.Current.Encode())
		b.writeLists(w)
	}))
}

func (b TicketBody) writeLists(w *wire.Writer) {
	w.U32(uint32(len(b.Statements)))
	for _, s := range b.Statements {
		w.Vec16(s)
	}
	w.U32(uint32(len(b.Members)))
	for _, m := range b.Members {
		m.write(w)
	}
	w.U32(uint32(len(b.Answered)))
	for _, a := range b.Answered {
		w.U32(uint32(a.Index))
		w.U64(a.Counter)
	}
	w.U16(uint16(len(b.Records)))
	for _, x := range b.Records {
		w.Vec16(x.Encode().Expose())
	}
	w.U8(uint8(len(b.Returned)))
	for _, x := range b.Returned {
		x.write(w)
	}
	w.U8(uint8(len(b.Epochs)))
	for _, e := range b.Epochs {
		w.Vec32(e.encode())
	}
}

// readTicketRoot reads a root whose notice is there already.
func readTicketRoot(r *wire.Reader, n Notice) TicketRoot {
	roster := r.Vec32(MaxRoster)
	return TicketRoot{n, readNested(r, roster, rosterReader(n.Common.Depth))}
}

func readTicketBody(r *wire.Reader) (b TicketBody) {
	r.Version8(ticketVersion, ticketVersion)
	b.Issuer = readIndex(r)
	b.Origin = readOrigin(r)
	notice := readNested(r, r.Vec32(maxNotice), readNotice)
	b.Template = readNested(r, r.Vec16(maxTemplate), readTemplate)
	b.Root = readTicketRoot(r, notice)
	if earlier := r.Vec32(maxNotice + MaxRoster + 8); len(earlier) > 0 {
		b.Earlier = readNested(r, earlier, func(r *wire.Reader) TicketRoot {
			return readTicketRoot(r, readNested(r, r.Vec32(maxNotice), readNotice))
		})
	}
	b.Certificate = readOptionalCertificate(r)
	b.Masked = readOptionalMasked(r)
	b.HoldsPreferred = r.Bool()
	b.Update = readOptionalUpdate(r)
	b.ShareForm = ShareForm(r.U8())
	switch b.ShareForm {
	case NoShare:
	case RekeyShare:
		b.ShareBox = readBox(r, maxRekeyBox)
	case BoxedShare:
		b.ShareBox = readBox(r, maxShare)
	default:
		r.Fail("form of a share")
	}
	if current := r.Vec16(maxCurrent); len(current) > 0 {
		b.Current = readNested(r, current, readCurrent)
	}
	b.readLists(r)
	return b
}

func (b *TicketBody) readLists(r *wire.Reader) {
	for n := r.Count(MaxTicketBody, 2); n > 0 && r.Err() == nil; n-- {
		b.Statements = append(b.Statements, r.Vec16(maxStatement))
	}
	members := r.Count(MaxTicketBody, 4+1)
	b.Members = slices.Grow(b.Members, min(members, 1<<10))
	for ; members > 0 && r.Err() == nil; members-- {
		b.Members = append(b.Members, readTicketMember(r))
	}
	for n := r.Count(1<<dkg.MaxDepth, 4+8); n > 0 && r.Err() == nil; n-- {
		a := Answered{readIndex(r), r.U64()}
		if k := len(b.Answered); k > 0 && b.Answered[k-1].Index >= a.Index {
			r.Fail("order of answered counters")
		}
		b.Answered = append(b.Answered, a)
	}
	for n := int(r.U16()); n > 0 && r.Err() == nil; n-- {
		b.Records = append(b.Records, readNested(r, r.Vec16(maxRecord), readRecord))
	}
	n := int(r.U8())
	if n > MaxReturned {
		r.Fail("number of commits")
	}
	for ; n > 0 && r.Err() == nil; n-- {
		b.Returned = append(b.Returned, readReturned(r))
	}
	if n = int(r.U8()); n > MaxTicketEpochs {
		r.Fail("number of epochs")
	}
	for ; n > 0 && r.Err() == nil; n-- {
		epoch := r.Vec32(MaxTicketBody)
		b.Epochs = append(b.Epochs, readNested(r, epoch, ticketEpochReader(b.Template.Depth)))
	}
}

// readOptionalMasked reads the masked share of an invite, or nothing for an empty field.
func readOptionalMasked(r *wire.Reader) secret.Bytes {
	v := r.Vec8(2 * ed448.ScalarSize)
	if len(v) == 0 {
		return secret.Bytes{}
	}
	if len(v) != ed448.ScalarSize && len(v) != 2*ed448.ScalarSize {
		r.Fail("masked share")
	}
	return secret.Own(v)
}

// ParseTicketBody reads a body without verifying it.
func ParseTicketBody(b []byte) (TicketBody, error) { return parseAll(b, MaxTicketBody, readTicketBody) }
