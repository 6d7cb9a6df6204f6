package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// frameType says what a frame is: the low half of its first byte. The high half is the version of the protocol.
type frameType uint8

// The types of frames (§7).
const (
	frameMessage frameType = 0
	frameRekey   frameType = 1
	frameTicket  frameType = 2
	frameRequest frameType = 3
	frameBoxes   frameType = 4
)

// frameVersion is the version of the protocol as it stands in the high half of a frame's first byte.
const frameVersion = 2

// first returns the first byte of a frame of this type.
func (t frameType) first() byte { return frameVersion<<4 | byte(t) }

// parseFrameType reads the first byte of a frame: wire.ErrTooOld, wire.ErrTooNew or wire.ErrMalformed if it is none of
// this protocol.
func parseFrameType(b []byte) (frameType, error) {
	if len(b) == 0 {
		return 0, fmt.Errorf("%w: empty frame", wire.ErrMalformed)
	}
	r := wire.NewReader([]byte{b[0] >> 4})
	r.Version8(frameVersion, frameVersion)
	if err := r.Done(); err != nil {
		return 0, err
	}
	t := frameType(b[0] & 0xf)
	if t > frameBoxes {
		return 0, fmt.Errorf("%w: type of a frame", wire.ErrMalformed)
	}
	return t, nil
}

// newFrameReader returns a Reader of what follows the first byte, which has to be of type t.
func newFrameReader(b []byte, t frameType) (*wire.Reader, error) {
	got, err := parseFrameType(b)
	if err != nil {
		return nil, err
	}
	if got != t {
		return nil, fmt.Errorf("%w: type of a frame", wire.ErrMalformed)
	}
	return wire.NewReader(b[1:]), nil
}

// Envelope is a sealed message as it goes over the network. It is immutable; the zero Envelope is none.
type Envelope struct {
	_       [0]func()
	commits []sealedCommit
	header  sealedHeader
	bound   digest // H(headerCT ‖ sealed commits)
	body    []byte
}

// newEnvelope begins an envelope: everything but the body, which is bound to the rest.
func newEnvelope(header sealedHeader, commits []sealedCommit) Envelope {
	e := Envelope{commits: commits, header: header}
	joined := make([]byte, 0, sealedHeaderSize+len(commits)*sealedCommitSize)
	joined = append(joined, header[:]...)
	for i := range commits {
		joined = append(joined, commits[i][:]...)
	}
	e.bound = hash(joined)
	return e
}

// bodyAAD is the additional data of a body: space ‖ id_e ‖ H(headerCT ‖ sealed commits).
func (e Envelope) bodyAAD(space state.ID, id epochID) (aad [64 + hashSize]byte) {
	copy(aad[:], space[:])
	copy(aad[32:], id[:])
	copy(aad[64:], e.bound[:])
	return aad
}

// seal returns the envelope with the content sealed under its message key. It returns wire.ErrMalformed for a content
// beyond its limits.
func (e Envelope) seal(space state.ID, id epochID, message secret.Bytes, c content) (Envelope, error) {
	if len(e.commits) > maxCommits {
		return Envelope{}, fmt.Errorf("%w: number of sealed commits", wire.ErrMalformed)
	}
	plain, err := c.encode()
	if err != nil {
		return Envelope{}, err
	}
	aad := e.bodyAAD(space, id)
	e.body = newSealer(message).seal(make([]byte, 0, len(plain)+aeadExtra), plain, aad[:])
	return e, nil
}

// open opens the body with a message key of the epoch whose header key opened the header. It returns errNotOpened if it
// is not this message's, and wire.ErrMalformed if the key fits but the content is none.
func (e Envelope) open(space state.ID, id epochID, message secret.Bytes) (content, error) {
	aad := e.bodyAAD(space, id)
	plain, err := newSealer(message).open(nil, e.body, aad[:])
	if err != nil {
		return content{}, err
	}
	return parseContent(plain)
}

// maxBody bounds a sealed body.
const maxBody = maxContent + aeadExtra

// ParseEnvelope reads an envelope: u8(0x20) ‖ u8 number of sealed commits ‖ each, 234 bytes ‖ headerCT, 52 bytes ‖ vec32
// body. Its bytes may come from anywhere: nothing in them is believed before Decrypt. It returns ErrMalformed, or
// state.ErrTooOld or state.ErrTooNew for another version of the protocol.
func ParseEnvelope(b []byte) (Envelope, error) {
	e, err := parseEnvelope(b)
	return e, malformed(err)
}

func parseEnvelope(b []byte) (Envelope, error) {
	r, err := newFrameReader(b, frameMessage)
	if err != nil {
		return Envelope{}, err
	}
	n := int(r.U8())
	if r.Len() < n*sealedCommitSize {
		r.Fail("too short")
		n = 0
	}
	var commits []sealedCommit
	if n > 0 {
		commits = make([]sealedCommit, n)
	}
	for i := range commits {
		r.Into(commits[i][:])
	}
	var h sealedHeader
	r.Into(h[:])
	body := r.Vec32(maxBody)
	if len(body) <= aeadExtra {
		r.Fail("too short")
	}
	if err := r.Done(); err != nil {
		return Envelope{}, err
	}
	e := newEnvelope(h, commits)
	e.body = body
	return e, nil
}

// Bytes returns what is to be sent, nil for the zero Envelope.
func (e Envelope) Bytes() []byte {
	if e.IsZero() {
		return nil
	}
	w := wire.NewWriter(1 + 1 + len(e.commits)*sealedCommitSize + sealedHeaderSize + 4 + len(e.body))
	w.U8(frameMessage.first())
	w.U8(uint8(len(e.commits)))
	for i := range e.commits {
		w.Fixed(e.commits[i][:])
	}
	w.Fixed(e.header[:])
	w.Vec32(e.body)
	return w.Bytes()
}

// name names a message by all that is in it.
func (e Envelope) name() [32]byte {
	d := hash(e.bound[:], e.body)
	return [32]byte(d[:32])
}

// IsZero reports whether there is no envelope.
func (e Envelope) IsZero() bool { return e.body == nil }
