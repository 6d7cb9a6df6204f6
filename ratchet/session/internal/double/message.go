package double

import (
	"encoding/binary"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/braid"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/strictjson"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// header says which message of which chain a message is. It travels encrypted.
type header struct {
	key      [key.PublicKeySize]byte // the sender's ratchet key
	previous uint32                  // messages in the sender's chain before
	n        uint32                  // number of the message in its chain, from 0
	chunk    braid.Chunk             // in the braided form
}

// headerSize is the size of a header in the classic form in bytes.
const headerSize = key.PublicKeySize + 4 + 4

// headerSealedSize is the size of an encrypted header in bytes.
func (f Form) headerSealedSize() int {
	if f == Braided {
		return headerSize + braid.ChunkSize + aead.TagSize
	}
	return headerSize + aead.TagSize
}

// append appends the header in a form.
func (h header) append(b []byte, f Form) []byte {
	b = append(b, h.key[:]...)
	b = binary.BigEndian.AppendUint32(b, h.previous)
	b = binary.BigEndian.AppendUint32(b, h.n)
	if f == Braided {
		b = h.chunk.Append(b)
	}
	return b
}

// parseHeader reads a header of the right size in the form of the ratchet.
func (r Ratchet) parseHeader(b []byte) (h header, err error) {
	copy(h.key[:], b)
	h.previous = binary.BigEndian.Uint32(b[key.PublicKeySize:])
	h.n = binary.BigEndian.Uint32(b[key.PublicKeySize+4:])
	if r.Form() == Braided {
		h.chunk, err = r.braid.ParseChunk(b[headerSize:])
	}
	return h, key.Malformed(err)
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

// messageVersion is the version of a Message in binary, which is in the braided form.
const messageVersion = 2

// MessageOverhead is how many bytes longer a message in binary is than its plaintext.
const MessageOverhead = 1 + aead.AssociatedSize + aead.NonceSize + headerSize + braid.ChunkSize + aead.TagSize + aead.NonceSize + aead.TagSize

// MarshalBinary returns the compact form: 241 bytes and the plaintext's. It leaves out what the receiver computes. It
// fails for a Message that has no compact form: the zero Message, or one of a ratchet in the classic form.
func (m Message) MarshalBinary() ([]byte, error) {
	if len(m.headerAssociated) != aead.AssociatedSize || len(m.header) != Braided.headerSealedSize() || len(m.body) < aead.TagSize {
		return nil, fmt.Errorf("%w: no compact form", key.ErrArgument)
	}
	b := make([]byte, 0, MessageOverhead+len(m.body))
	return m.AppendBinary(b), nil
}

// BinarySize returns the size of the compact form in bytes.
func (m Message) BinarySize() int { return MessageOverhead - aead.TagSize + len(m.body) }

// AppendBinary appends the compact form of a message that Encrypt made, in the braided form.
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
	m.header = r.Fixed(Braided.headerSealedSize())
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
		len(j.Header.Ciphertext) != Classic.headerSealedSize() || len(j.Body.Ciphertext) < aead.TagSize || len(j.Body.Ciphertext) > maxBody {
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
