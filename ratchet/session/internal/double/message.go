package double

import (
	"encoding/binary"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/strictjson"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// header says which message of which chain a message is. It travels encrypted.
type header struct {
	key      [key.PublicKeySize]byte // the sender's ratchet key
	previous uint32                  // messages in the sender's chain before
	n        uint32                  // number of the message in its chain, from 0
}

const (
	headerSize       = key.PublicKeySize + 4 + 4
	headerSealedSize = headerSize + aead.TagSize
)

func (h header) bytes() [headerSize]byte {
	var b [headerSize]byte
	copy(b[:], h.key[:])
	binary.BigEndian.PutUint32(b[key.PublicKeySize:], h.previous)
	binary.BigEndian.PutUint32(b[key.PublicKeySize+4:], h.n)
	return b
}

func parseHeader(b []byte) (h header) {
	copy(h.key[:], b)
	h.previous = binary.BigEndian.Uint32(b[key.PublicKeySize:])
	h.n = binary.BigEndian.Uint32(b[key.PublicKeySize+4:])
	return h
}

// Message is an encrypted header and an encrypted body. It is immutable.
type Message struct {
	headerNonce      [aead.NonceSize]byte
	headerAssociated []byte
	header           []byte // ciphertext
	bodyNonce        [aead.NonceSize]byte
	body             []byte // ciphertext
	bodyAssociated   []byte // as the JSON repeats it; a receiver computes its own
}

// messageVersion is the version of a Message in binary.
const messageVersion = 1

// MessageOverhead is how many bytes longer a message in binary is than its plaintext.
const MessageOverhead = 1 + aead.AssociatedSize + aead.NonceSize + headerSealedSize + aead.NonceSize + aead.TagSize

// MarshalBinary returns the compact form: 154 bytes and the plaintext's. It leaves out what the receiver computes. It
// fails for a Message that has no compact form: the zero Message, or one that was read from JSON with other lengths.
func (m Message) MarshalBinary() ([]byte, error) {
	if len(m.headerAssociated) != aead.AssociatedSize || len(m.header) != headerSealedSize || len(m.body) < aead.TagSize {
		return nil, fmt.Errorf("%w: no compact form", key.ErrArgument)
	}
	b := make([]byte, 0, MessageOverhead+len(m.body))
	return m.AppendBinary(b), nil
}

// BinarySize returns the size of the compact form in bytes.
func (m Message) BinarySize() int { return MessageOverhead - aead.TagSize + len(m.body) }

// AppendBinary appends the compact form of a message that Encrypt made.
func (m Message) AppendBinary(b []byte) []byte {
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
	m.headerAssociated = r.Fixed(aead.AssociatedSize)
	r.Into(m.headerNonce[:])
	m.header = r.Fixed(headerSealedSize)
	r.Into(m.bodyNonce[:])
	if n := r.Len(); n < aead.TagSize || n > maxBody {
		r.Fail("length of a message")
	}
	m.body = r.Rest()
	if err := r.Done(); err != nil {
		return Message{}, key.Malformed(err)
	}
	return m, nil
}

// maxBody is the size of the largest encrypted body in bytes.
const maxBody = MaxPlaintext + aead.TagSize

// protocolDoubleRatchet is the deployed client's number for this protocol.
const protocolDoubleRatchet = 512

type jsonMessage struct {
	Protocol int            `json:"protocol_identifier"`
	Header   strictjson.Box `json:"message_header"`
	Body     strictjson.Box `json:"message_body"`
}

// JSON returns the message as the deployed client writes it. The associated data of the body is there only if the message
// was written here or read from JSON.
func (m Message) JSON() []byte {
	return strictjson.Write(jsonMessage{protocolDoubleRatchet,
		strictjson.Box{Ciphertext: m.header, Nonce: m.headerNonce[:], Associated: m.headerAssociated},
		strictjson.Box{Ciphertext: m.body, Nonce: m.bodyNonce[:], Associated: m.bodyAssociated}})
}

// ParseMessageJSON reads a message as the deployed client writes it.
func ParseMessageJSON(in []byte) (Message, error) {
	var j jsonMessage
	if err := strictjson.Read(in, &j, strictjson.Exact); err != nil {
		return Message{}, err
	}
	if j.Protocol != protocolDoubleRatchet || len(j.Header.Nonce) != aead.NonceSize || len(j.Body.Nonce) != aead.NonceSize ||
		len(j.Header.Ciphertext) != headerSealedSize || len(j.Body.Ciphertext) < aead.TagSize || len(j.Body.Ciphertext) > maxBody {
		return Message{}, fmt.Errorf("%w: message", key.ErrMalformed)
	}
	return Message{
		headerNonce:      [aead.NonceSize]byte(j.Header.Nonce),
		headerAssociated: j.Header.Associated,
		header:           j.Header.Ciphertext,
		bodyNonce:        [aead.NonceSize]byte(j.Body.Nonce),
		body:             j.Body.Ciphertext,
		bodyAssociated:   j.Body.Associated,
	}, nil
}
