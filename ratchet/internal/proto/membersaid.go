package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Leave says that a member goes. It counts for the binding that it names. Epoch is the one in which it was said first.
type Leave struct {
	Index     dkg.Index
	Body      BodyHash
	Root      EpochID
	Epoch     EpochID
	Time      uint64 // milliseconds since 1970, for display only
	Signature []byte
}

// Kind implements Statement.
func (Leave) Kind() StatementKind { return KindLeave }

func (s Leave) signature() []byte              { return s.Signature }
func (s Leave) withSignature(sig []byte) Leave { s.Signature = sig; return s }

func (s Leave) writeBody(w *wire.Writer) {
	w.U32(uint32(s.Index))
	w.Fixed(s.Body[:])
	w.Fixed(s.Root[:])
	w.Fixed(s.Epoch[:])
	w.U64(s.Time)
}

func readLeave(r *wire.Reader) Statement {
	s := Leave{Index: readIndex(r)}
	r.Into(s.Body[:])
	r.Into(s.Root[:])
	r.Into(s.Epoch[:])
	s.Time = r.U64()
	s.Signature = readSignature(r)
	return s
}

// Profile is a member's new application data. It counts for the binding whose key signed it: the greater counter, then the
// smaller hash of the statement.
type Profile struct {
	Index     dkg.Index
	Counter   uint64
	App       []byte // at most MaxApplicationData bytes
	Signature []byte
}

// Kind implements Statement.
func (Profile) Kind() StatementKind { return KindProfile }

func (s Profile) signature() []byte                { return s.Signature }
func (s Profile) withSignature(sig []byte) Profile { s.Signature = sig; return s }

func (s Profile) writeBody(w *wire.Writer) {
	w.U32(uint32(s.Index))
	w.U64(s.Counter)
	w.Vec16(s.App)
}

func readProfile(r *wire.Reader) Statement {
	s := Profile{Index: readIndex(r), Counter: r.U64(), App: r.Vec16(MaxApplicationData)}
	s.Signature = readSignature(r)
	return s
}

// InviteMade tells members of an invite: its record, and m for each other seat, boxed (label HPKEMask). The record carries its
// own signatures.
type InviteMade struct {
	Record Record
	Boxes  []MaskBox // by ascending index, none twice, at most MaxMaskBoxes
}

// MaskBox is m of an invite, boxed to the member in a seat.
type MaskBox struct {
	Index dkg.Index
	Box   []byte
}

// Kind implements Statement.
func (InviteMade) Kind() StatementKind { return KindInvite }

func (s InviteMade) signature() []byte { return nil }

func (s InviteMade) writeBody(w *wire.Writer) {
	s.Record.write(w)
	w.U8(uint8(len(s.Boxes)))
	for _, b := range s.Boxes {
		w.U32(uint32(b.Index))
		w.Vec16(b.Box)
	}
}

func readInviteMade(r *wire.Reader) Statement {
	s := InviteMade{Record: readRecord(r)}
	n := int(r.U8())
	if n > MaxMaskBoxes {
		r.Fail("number of boxes")
	}
	for k := 0; k < n && r.Err() == nil; k++ {
		b := MaskBox{readIndex(r), readBox(r, suite.KeySize+suite.MaxOverhead)}
		if k > 0 && b.Index <= s.Boxes[k-1].Index {
			r.Fail("order of boxes")
		}
		s.Boxes = append(s.Boxes, b)
	}
	readNoSignature(r)
	return s
}

// Purpose says what a member wants a link for.
type Purpose uint8

// The purposes: to hand the link on, where members may invite; and for a further device of the member's person.
const (
	ToHandOn  Purpose = 0
	ForDevice Purpose = 1
)

func readPurpose(r *wire.Reader) Purpose {
	p := Purpose(r.U8())
	if r.Err() == nil && p > ForDevice {
		r.Fail("purpose of a link")
	}
	return p
}

// InviteWanted asks an owner for an invite. Its message says who asks.
type InviteWanted struct {
	Invite dkg.Kind // dkg.Private
	For    Purpose
}

// Kind implements Statement.
func (InviteWanted) Kind() StatementKind { return KindInviteWanted }

func (s InviteWanted) signature() []byte { return nil }

func (s InviteWanted) writeBody(w *wire.Writer) {
	w.U8(uint8(s.Invite))
	w.U8(uint8(s.For))
}

func readInviteWanted(r *wire.Reader) Statement {
	s := InviteWanted{dkg.Kind(r.U8()), readPurpose(r)}
	if r.Err() == nil && s.Invite != dkg.Private {
		r.Fail("kind of an invite")
	}
	readNoSignature(r)
	return s
}

// InviteGiven hands the text of a link to the member that asked for it, boxed (label HPKEInvite), and tells the owners what it is for, and
// of which invite it is. Its message says who gives.
type InviteGiven struct {
	Asker dkg.Index
	For   Purpose
	Index dkg.Index
	Name  InviteName
	Box   []byte
}

// Kind implements Statement.
func (InviteGiven) Kind() StatementKind { return KindInviteGiven }

func (s InviteGiven) signature() []byte { return nil }

func (s InviteGiven) writeBody(w *wire.Writer) {
	w.U32(uint32(s.Asker))
	w.U8(uint8(s.For))
	w.U32(uint32(s.Index))
	w.Fixed(s.Name[:])
	w.Vec16(s.Box)
}

func readInviteGiven(r *wire.Reader) Statement {
	s := InviteGiven{Asker: readIndex(r), For: readPurpose(r), Index: readIndex(r)}
	r.Into(s.Name[:])
	s.Box = readBox(r, maxLinkText+suite.MaxOverhead)
	readNoSignature(r)
	return s
}

// maxLinkText bounds the text of a link that is handed on: a long address and the fragment.
const maxLinkText = 4 << 10

// readBox reads a box behind its length, which is not empty.
func readBox(r *wire.Reader, max int) []byte {
	b := r.Vec16(max)
	if r.Err() == nil && len(b) == 0 {
		r.Fail("an empty box")
	}
	return b
}

// readNoSignature reads the empty signature of what is signed otherwise.
func readNoSignature(r *wire.Reader) { r.Vec16(0) }
