package session

import (
	"encoding/binary"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// header is what says where in the conversation a message stands. It travels encrypted.
type header struct {
	key      [PublicKeySize]byte // the sender's ratchet key
	previous uint32              // messages in the sender's chain before
	n        uint32              // number of the message in its chain, from 0
}

const (
	headerSize       = PublicKeySize + 4 + 4
	headerSealedSize = headerSize + tagSize
)

func (h header) bytes() [headerSize]byte {
	var b [headerSize]byte
	copy(b[:], h.key[:])
	binary.BigEndian.PutUint32(b[PublicKeySize:], h.previous)
	binary.BigEndian.PutUint32(b[PublicKeySize+4:], h.n)
	return b
}

func parseHeader(b []byte) (h header) {
	copy(h.key[:], b)
	h.previous = binary.BigEndian.Uint32(b[PublicKeySize:])
	h.n = binary.BigEndian.Uint32(b[PublicKeySize+4:])
	return h
}

// Message is what a Ratchet writes: an encrypted header and an encrypted body. It is immutable.
type Message struct {
	headerNonce      [nonceSize]byte
	headerAssociated []byte
	header           []byte // ciphertext
	bodyNonce        [nonceSize]byte
	body             []byte // ciphertext
	bodyAssociated   []byte // as the JSON repeats it; a receiver computes its own
}

// messageVersion is the version of a Message in binary.
const messageVersion = 1

// messageOverhead is how much longer a message in binary is than its plaintext.
const messageOverhead = 1 + associatedSize + nonceSize + headerSealedSize + nonceSize + tagSize

// MarshalBinary returns the compact form: 154 bytes and the plaintext's. It leaves out what the receiver computes. It
// fails for a Message that has no compact form: the zero Message, or one that was read from JSON with other lengths.
func (m Message) MarshalBinary() ([]byte, error) {
	if len(m.headerAssociated) != associatedSize || len(m.header) != headerSealedSize || len(m.body) < tagSize {
		return nil, fmt.Errorf("%w: no compact form", ErrNotReady)
	}
	b := make([]byte, 0, messageOverhead+len(m.body))
	return m.appendBinary(b), nil
}

// appendBinary is MarshalBinary for a message that Encrypt made.
func (m Message) appendBinary(b []byte) []byte {
	b = append(b, messageVersion)
	b = append(b, m.headerAssociated...)
	b = append(b, m.headerNonce[:]...)
	b = append(b, m.header...)
	b = append(b, m.bodyNonce[:]...)
	return append(b, m.body...)
}

// ParseMessage reads the compact form.
func ParseMessage(in []byte) (m Message, err error) {
	r := wire.NewReader(in)
	r.Version8(messageVersion, messageVersion)
	m.headerAssociated = r.Fixed(associatedSize)
	r.Into(m.headerNonce[:])
	m.header = r.Fixed(headerSealedSize)
	r.Into(m.bodyNonce[:])
	if n := r.Len(); n < tagSize || n > maxBody {
		r.Fail("length of a message")
	}
	m.body = r.Rest()
	if err := r.Done(); err != nil {
		return Message{}, malformed(err)
	}
	return m, nil
}

// maxBody is the size of the largest encrypted body: the plaintext, what a session puts before it, and the tag.
const maxBody = MaxPlaintext + contentOverhead + tagSize

// protocolDoubleRatchet is the deployed peer's number for this protocol.
const protocolDoubleRatchet = 512

type jsonMessage struct {
	Protocol int     `json:"protocol_identifier"`
	Header   jsonBox `json:"message_header"`
	Body     jsonBox `json:"message_body"`
}

// JSON returns the message as the deployed peer writes it. The associated data of the body is there only if the message
// was written here or read from JSON.
func (m Message) JSON() []byte {
	return writeJSON(jsonMessage{protocolDoubleRatchet,
		jsonBox{m.header, m.headerNonce[:], m.headerAssociated},
		jsonBox{m.body, m.bodyNonce[:], m.bodyAssociated}})
}

// ParseMessageJSON reads a message as the deployed peer writes it.
func ParseMessageJSON(in []byte) (Message, error) {
	var j jsonMessage
	if err := readJSON(in, &j, exact); err != nil {
		return Message{}, err
	}
	if j.Protocol != protocolDoubleRatchet || len(j.Header.Nonce) != nonceSize || len(j.Body.Nonce) != nonceSize ||
		len(j.Header.Ciphertext) != headerSealedSize || len(j.Body.Ciphertext) < tagSize || len(j.Body.Ciphertext) > maxBody {
		return Message{}, fmt.Errorf("%w: message", ErrMalformed)
	}
	return Message{
		headerNonce:      [nonceSize]byte(j.Header.Nonce),
		headerAssociated: j.Header.Associated,
		header:           j.Header.Ciphertext,
		bodyNonce:        [nonceSize]byte(j.Body.Nonce),
		body:             j.Body.Ciphertext,
		bodyAssociated:   j.Body.Associated,
	}, nil
}
