// Package frame is what goes through a relay between two devices: a version, a kind, and a sealed box or a message.
package frame

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

const version = 1

// Kinds of frames. They are part of the wire format.
const (
	// Initiation is a box for a device's inbox with an initiation of the hybrid suite.
	Initiation = 1
	// Message is a ratchet's message in its compact form, between devices that have a session of the hybrid suite.
	Message = 2
	// Classic is a box as the deployed client seals it, with JSON in it.
	Classic = 3
	// Notice is a box for a device's inbox with a notice that its messages are not read, between the same.
	Notice = 4
)

// Frame is a parsed frame.
type Frame struct {
	Kind    uint8
	Box     box.Box        // unless Kind is Message
	Message double.Message // if Kind is Message
}

// Marshal returns what Parse reads.
func (f Frame) Marshal() []byte {
	if f.Kind == Message {
		return f.Message.AppendBinary(append(make([]byte, 0, 2+f.Message.BinarySize()), version, f.Kind))
	}
	w := wire.NewWriter(2 + f.Box.Size())
	w.U8(version)
	w.U8(f.Kind)
	f.Box.Write(w)
	return w.Bytes()
}

// Parse reads a frame, or returns key.ErrMalformed or key.ErrTooNew.
func Parse(b []byte) (f Frame, err error) {
	r := wire.NewReader(b)
	r.Version8(version, version)
	f.Kind = r.U8()
	if err := r.Err(); err != nil {
		return Frame{}, key.Malformed(err)
	}
	switch f.Kind {
	case Message:
		f.Message, err = double.ParseMessage(b[2:])
	case Initiation, Classic, Notice:
		f.Box, err = box.Parse(b[2:])
	default:
		err = fmt.Errorf("%w: kind of frame", key.ErrMalformed)
	}
	return f, err
}
