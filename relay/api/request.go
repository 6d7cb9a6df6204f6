package api

import (
	"crypto/sha256"
	"encoding/binary"
)

// RequestID names a key request: the digest of what its signature covers.
type RequestID [32]byte

// KeyRequest asks one device for an envelope of a session that the requester has no part in, or cannot open. It is kept until it
// is answered, RequestKeep at most; neither device has to be online while the other one is.
type KeyRequest struct {
	Conversation ConversationID `json:"conversation"`
	Number       uint64         `json:"number"`
	Requester    DeviceID       `json:"requester"`
	Target       DeviceID       `json:"target"`              // a device that has part in the session
	Signature    []byte         `json:"signature,omitempty"` // by the requester's mailbox key, of Message: the target sees that the relay did not make it up
}

const labelRequest = "trefoil/relay key request"

// Message returns the statement that the requester signs (see session.Device.Sign).
func (q KeyRequest) Message() []byte {
	return labelled(labelRequest, q.Conversation[:], binary.BigEndian.AppendUint64(nil, q.Number), q.Requester[:], q.Target[:])
}

// ID names the request.
func (q KeyRequest) ID() RequestID { return sha256.Sum256(q.Message()) }
