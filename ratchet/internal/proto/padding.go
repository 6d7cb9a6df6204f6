package proto

import (
	"bytes"

	"github.com/trefoil-im/trefoil/internal/padme"
)

// padMark is the first byte of padding; what follows is zeros.
const padMark = 0x80

// Size returns the length of its content without padding, with a signature of that many bytes.
func (n Inner) Size(signature int) int {
	size := 2 + signature + 1 + 8 + len(n.Plaintext)
	if !n.Introduction.IsZero() {
		size += 2 + len(n.Introduction.Encode())
	}
	if !n.Update.IsZero() {
		size += 2 + len(n.Update.Encode())
	}
	for k, i := range n.Introduced {
		size += 2 + len(i.Encode()) + btoi(k == 0)
	}
	size += 8*btoi(n.Answered != 0) + 8*btoi(n.Expiry != 0)
	for k, s := range n.Shown {
		size += len(s.Encode()) + btoi(k == 0)
	}
	return size
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Pad returns n with the padding that brings its content, with a signature of that many bytes, to a length of Padmé, or to
// room bytes if that is less. Nothing is padded if there is no room for one byte.
func (n Inner) Pad(signature, room int) Inner {
	n.padding = 0
	size := n.Size(signature)
	n.padding = max(0, min(int(padme.Length(int64(size+1))), room)-size)
	return n
}

// unpad returns what stands before the padding, and the length of the padding; 0 if there is none.
func unpad(b []byte) ([]byte, int) {
	text := bytes.TrimRight(b, "\x00")
	if len(text) == 0 || text[len(text)-1] != padMark {
		return nil, 0
	}
	n := len(text) - 1
	return text[:n:n], len(b) - n
}
