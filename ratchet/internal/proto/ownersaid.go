package proto

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Revoke takes indices back for good. Epoch is the one in which it was said first.
type Revoke struct {
	Said
	Epoch   EpochID
	Indices []dkg.Index // ascending, 1 to MaxRevoked
}

// Kind implements Statement.
func (Revoke) Kind() StatementKind { return KindRevoke }

func (s Revoke) withSignature(sig []byte) Revoke { s.Signature = sig; return s }

func (s Revoke) writeBody(w *wire.Writer) {
	w.Fixed(s.Root[:])
	w.Fixed(s.Epoch[:])
	s.writeBy(w)
	w.U32(uint32(len(s.Indices)))
	for _, i := range s.Indices {
		w.U32(uint32(i))
	}
}

func readRevoke(r *wire.Reader) Statement {
	var s Revoke
	r.Into(s.Root[:])
	r.Into(s.Epoch[:])
	s.readBy(r)
	n := r.Count(MaxRevoked, 4)
	if n == 0 {
		r.Fail("a revoke of nobody")
	}
	for k := range n {
		i := readIndex(r)
		if k > 0 && i <= s.Indices[k-1] {
			r.Fail("order of a revoke")
		}
		s.Indices = append(s.Indices, i)
		if r.Err() != nil {
			break
		}
	}
	s.Signature = readSignature(r)
	return s
}

// Bind decides which of the bindings of an index is listed.
type Bind struct {
	Said
	Index dkg.Index
	Body  BodyHash
}

// Kind implements Statement.
func (Bind) Kind() StatementKind { return KindBind }

func (s Bind) withSignature(sig []byte) Bind { s.Signature = sig; return s }

func (s Bind) writeBody(w *wire.Writer) {
	w.Fixed(s.Root[:])
	w.U8(s.By)
	w.U32(uint32(s.Index))
	w.Fixed(s.Body[:])
}

func readBind(r *wire.Reader) Statement {
	var s Bind
	r.Into(s.Root[:])
	s.By = readPlace(r)
	s.Index = readIndex(r)
	r.Into(s.Body[:])
	s.Signature = readSignature(r)
	return s
}

// Close ends an invite of a run.
type Close struct {
	Said
	Invite InviteName
}

// Kind implements Statement.
func (Close) Kind() StatementKind { return KindClose }

func (s Close) withSignature(sig []byte) Close { s.Signature = sig; return s }

func (s Close) writeBody(w *wire.Writer) {
	w.Fixed(s.Root[:])
	w.U8(s.By)
	w.Fixed(s.Invite[:])
}

func readClose(r *wire.Reader) Statement {
	var s Close
	r.Into(s.Root[:])
	s.By = readPlace(r)
	r.Into(s.Invite[:])
	s.Signature = readSignature(r)
	return s
}

// Title names the space. The greater counter counts, then the smaller hash of the statement.
type Title struct {
	Said
	Counter uint64
	Title   []byte // at most MaxTitle bytes
}

// Kind implements Statement.
func (Title) Kind() StatementKind { return KindTitle }

func (s Title) withSignature(sig []byte) Title { s.Signature = sig; return s }

func (s Title) writeBody(w *wire.Writer) {
	w.Fixed(s.Root[:])
	s.writeBy(w)
	w.U64(s.Counter)
	w.Vec16(s.Title)
}

func readTitle(r *wire.Reader) Statement {
	var s Title
	r.Into(s.Root[:])
	s.readBy(r)
	s.Counter = r.U64()
	s.Title = r.Vec16(MaxTitle)
	s.Signature = readSignature(r)
	return s
}

// Current says that a root is the present one at a time (§10). The zero Current is none. Its behaviour is reserved.
type Current struct {
	Root      EpochID
	Time      uint64 // milliseconds since 1970
	Signature []byte
}

// IsZero reports whether there is nothing said.
func (s Current) IsZero() bool { return s.Signature == nil }

// Kind implements Statement.
func (Current) Kind() StatementKind { return KindCurrent }

// RootNamed returns the root that the statement names.
func (s Current) RootNamed() EpochID { return s.Root }

func (s Current) signedBy() uint8                  { return 0 } // it names no place
func (s Current) byRole() Role                     { return Role{} }
func (s Current) signature() []byte                { return s.Signature }
func (s Current) withSignature(sig []byte) Current { s.Signature = sig; return s }

func (s Current) writeBody(w *wire.Writer) {
	w.Fixed(s.Root[:])
	w.U64(s.Time)
}

// Encode returns root id ‖ u64 time ‖ vec16 signature, as a ticket carries it; of the zero Current nothing.
func (s Current) Encode() []byte {
	if s.IsZero() {
		return nil
	}
	return EncodeStatement(s)[1:]
}

func readCurrent(r *wire.Reader) (s Current) {
	r.Into(s.Root[:])
	s.Time = r.U64()
	s.Signature = readSignature(r)
	return s
}

func readCurrentStatement(r *wire.Reader) Statement { return readCurrent(r) }

// names reports whether the statement revokes an index.
func (s Revoke) names(i dkg.Index) bool {
	_, ok := slices.BinarySearch(s.Indices, i)
	return ok
}
