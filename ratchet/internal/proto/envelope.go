package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Envelope is a sealed message as it goes over the network. It is immutable; the zero Envelope is none.
type Envelope struct {
	_       [0]func()
	Commits []SealedCommit
	Header  SealedHeader
	Bound   suite.Digest // H(headerCT ‖ sealed commits)
	Body    []byte
}

// NewEnvelope begins an envelope: everything but the body, which is bound to the rest.
func NewEnvelope(header SealedHeader, commits []SealedCommit) Envelope {
	e := Envelope{Commits: commits, Header: header}
	joined := make([]byte, 0, sealedHeaderSize+len(commits)*sealedCommitSize)
	joined = append(joined, header[:]...)
	for i := range commits {
		joined = append(joined, commits[i][:]...)
	}
	e.Bound = suite.Hash(joined)
	return e
}

// bodyAAD is the additional data of a body: space ‖ id_e ‖ H(headerCT ‖ sealed commits).
func (e Envelope) bodyAAD(space state.ID, id EpochID) (aad [64 + suite.HashSize]byte) {
	copy(aad[:], space[:])
	copy(aad[32:], id[:])
	copy(aad[64:], e.Bound[:])
	return aad
}

// Seal returns the envelope with the content sealed under its message key. It returns wire.ErrMalformed for a content
// beyond its limits.
func (e Envelope) Seal(space state.ID, id EpochID, message secret.Bytes, c Content) (Envelope, error) {
	if len(e.Commits) > MaxCommits {
		return Envelope{}, fmt.Errorf("%w: number of sealed commits", wire.ErrMalformed)
	}
	plain, err := c.Encode()
	if err != nil {
		return Envelope{}, err
	}
	aad := e.bodyAAD(space, id)
	e.Body = suite.NewAEAD(message).Seal(make([]byte, 0, len(plain)+suite.AEADOverhead), plain, aad[:])
	return e, nil
}

// Open opens the body with a message key of the epoch whose header key opened the header. It returns suite.ErrNotOpened if it
// is not this message's, and wire.ErrMalformed if the key fits but the content is none.
func (e Envelope) Open(space state.ID, id EpochID, message secret.Bytes) (Content, error) {
	aad := e.bodyAAD(space, id)
	plain, err := suite.NewAEAD(message).Open(nil, e.Body, aad[:])
	if err != nil {
		return Content{}, err
	}
	return parseContent(plain)
}

// maxBody bounds a sealed body.
const maxBody = maxContent + suite.AEADOverhead

// ParseEnvelope reads an envelope: u8(0x20) ‖ u8 number of sealed commits ‖ each, 234 bytes ‖ headerCT, 52 bytes ‖ vec32
// body. Its bytes may come from anywhere: nothing in them is believed before Decrypt. It returns ErrMalformed, or
// state.ErrTooOld or state.ErrTooNew for another version of the protocol.
func ParseEnvelope(b []byte) (Envelope, error) {
	r, err := frameReader(b, TypeMessage)
	if err != nil {
		return Envelope{}, err
	}
	n := int(r.U8())
	if r.Len() < n*sealedCommitSize {
		r.Fail("too short")
		n = 0
	}
	var commits []SealedCommit
	if n > 0 {
		commits = make([]SealedCommit, n)
	}
	for i := range commits {
		r.Into(commits[i][:])
	}
	var h SealedHeader
	r.Into(h[:])
	body := r.Vec32(maxBody)
	if len(body) <= suite.AEADOverhead {
		r.Fail("too short")
	}
	if err := r.Done(); err != nil {
		return Envelope{}, err
	}
	e := NewEnvelope(h, commits)
	e.Body = body
	return e, nil
}

// Bytes returns what is to be sent, nil for the zero Envelope.
func (e Envelope) Bytes() []byte {
	if e.IsZero() {
		return nil
	}
	w := wire.NewWriter(1 + 1 + len(e.Commits)*sealedCommitSize + sealedHeaderSize + 4 + len(e.Body))
	w.U8(TypeMessage.first())
	w.U8(uint8(len(e.Commits)))
	for i := range e.Commits {
		w.Fixed(e.Commits[i][:])
	}
	w.Fixed(e.Header[:])
	w.Vec32(e.Body)
	return w.Bytes()
}

// Name names a message by all that is in it.
func (e Envelope) Name() [32]byte {
	d := suite.Hash(e.Bound[:], e.Body)
	return [32]byte(d[:32])
}

// IsZero reports whether there is no envelope.
func (e Envelope) IsZero() bool { return e.Body == nil }
