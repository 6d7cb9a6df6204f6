package api

import (
	"encoding/binary"
	"fmt"
)

// MessageKind is a kind of message in a mailbox.
type MessageKind uint8

// The kinds. Their numbers are part of the stored form. The data of all but a Frame is a Notice.
const (
	Frame         MessageKind = 1 // what a device has posted to a topic
	SessionBegan  MessageKind = 2 // Initial has the envelope
	MemberRemoved MessageKind = 3 // the device's person has no part in this session, nor in later ones
	MemberLeaves  MessageKind = 4 // the sender's person wants to be left out of the next session
	KeyRequested  MessageKind = 5 // the device is asked for an envelope
	KeyAnswered   MessageKind = 6 // Initial has the envelope that the device asked for
	KeyExpired    MessageKind = 7 // a request of the device was not answered for RequestKeep
)

// Notice is what a mailbox says of a conversation. It holds nothing that Get, Initial and GetRequest would not tell.
type Notice struct {
	Conversation ConversationID
	Number       uint64    // of a session
	Request      RequestID // zero unless it is about a key request
}

// noticeSize is the size of an encoded notice in bytes.
const noticeSize = 1 + 32 + 8 + 32

// noticeVersion is the version of its encoding.
const noticeVersion = 1

// MarshalBinary returns the encoding, 73 bytes: u8 version, conversation, u64 number, request. It does not fail.
func (n Notice) MarshalBinary() ([]byte, error) {
	b := append(make([]byte, 0, noticeSize), noticeVersion)
	b = append(b, n.Conversation[:]...)
	b = binary.BigEndian.AppendUint64(b, n.Number)
	return append(b, n.Request[:]...), nil
}

// ParseNotice reads what MarshalBinary returns, or returns ErrMalformed.
func ParseNotice(b []byte) (n Notice, err error) {
	if len(b) != noticeSize || b[0] != noticeVersion {
		return Notice{}, fmt.Errorf("%w: notice", ErrMalformed)
	}
	copy(n.Conversation[:], b[1:])
	n.Number = binary.BigEndian.Uint64(b[33:])
	copy(n.Request[:], b[41:])
	return n, nil
}
