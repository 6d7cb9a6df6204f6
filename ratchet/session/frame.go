package session

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// A frame is what goes through the relay: a version, a kind, and a box or a message.
const frameVersion = 1

// Kinds of frames. They are part of the wire format.
const (
	// frameInitiation is a box for a device's inbox with an initiation of the hybrid form.
	frameInitiation = 1
	// frameMessage is a ratchet's message in binary, between devices that have a session.
	frameMessage = 2
	// frameDeployed is a box as the deployed peer seals it, with JSON in it.
	frameDeployed = 3
)

type frame struct {
	kind    uint8
	box     Box     // unless the kind is frameMessage
	message Message // if it is
}

func (f frame) marshal() []byte {
	if f.kind == frameMessage {
		b := make([]byte, 0, 2+messageOverhead+len(f.message.body))
		return f.message.appendBinary(append(b, frameVersion, f.kind))
	}
	w := wire.NewWriter(2 + boxOverhead + len(f.box.ciphertext))
	w.U8(frameVersion)
	w.U8(f.kind)
	f.box.write(w)
	return w.Bytes()
}

func parseFrame(b []byte) (f frame, err error) {
	r := wire.NewReader(b)
	r.Version8(frameVersion, frameVersion)
	f.kind = r.U8()
	if err := r.Err(); err != nil {
		return frame{}, malformed(err)
	}
	switch f.kind {
	case frameMessage:
		f.message, err = ParseMessage(b[2:])
	case frameInitiation, frameDeployed:
		f.box, err = ParseBox(b[2:])
	default:
		err = fmt.Errorf("%w: kind of frame", ErrMalformed)
	}
	return f, err
}

// DeployedFrame returns the frame of a box that came from the deployed messenger, for Decrypt.
func DeployedFrame(b Box) []byte { return frame{kind: frameDeployed, box: b}.marshal() }

// DeployedBox returns the box of a frame that Encrypt made for the deployed messenger, to be sent in that one's own way, and
// ErrMalformed for any other frame.
func DeployedBox(b []byte) (Box, error) {
	f, err := parseFrame(b)
	if err == nil && f.kind != frameDeployed {
		err = fmt.Errorf("%w: a frame between devices that run trefoil", ErrMalformed)
	}
	return f.box, err
}
