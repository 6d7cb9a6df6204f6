package api

import (
	"encoding/hex"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// ConversationID names a conversation: 32 random bytes that who creates it draws.
type ConversationID [32]byte

// String returns the ID as 64 hexadecimal digits. It is the topic of the notices of the conversation.
func (c ConversationID) String() string { return hex.EncodeToString(c[:]) }

// Kind is a kind of conversation.
type Kind uint8

// The kinds. Their numbers are part of the stored form.
const (
	Direct Kind = 1 // of two people, who have no other one
	Group  Kind = 2 // of up to MaxMembers people
)

// Conversation is what a member may know of a conversation.
type Conversation struct {
	ID      ConversationID `json:"id"`
	Kind    Kind           `json:"kind"`
	Number  uint64         `json:"number"` // of the current session
	Members []key.Address  `json:"members,omitempty"`
	Leaving []key.Address  `json:"leaving,omitempty"` // members that asked to be left out of the next session
	// Due is how the current session differs from one that would be made now: devices that have no part in it and should have,
	// and devices that have one and should not, because they were revoked or their person leaves. If it is not empty, a member
	// should begin the next session.
	Due DevicesError `json:"due,omitzero"`
}

// Begun is what became of a proposal.
type Begun struct {
	Conversation ConversationID `json:"conversation"` // of the pair, if it had one already
	Number       uint64         `json:"number"`       // of the session; of the current one if the proposal was not adopted
	Adopted      bool           `json:"adopted"`      // the proposed session was written
}

// Initial is what a device needs to take part in a session.
type Initial struct {
	Number    uint64      `json:"number"`
	Initiator DeviceID    `json:"initiator"`
	Person    key.Address `json:"person"`             // of the initiator
	Identity  []byte      `json:"identity,omitempty"` // the initiator's identity key when it began the session, 57 bytes
	// Envelopes are for the calling device: that of the initiator, unless the device came later, then those that answered its
	// key requests. There are none for the initiator itself, which made the session.
	Envelopes []Received `json:"envelopes,omitempty"`
}

// Received is an envelope, and the device that sealed it, as the relay knows it. Who it really was, the seal tells.
type Received struct {
	By       DeviceID    `json:"by"`
	Person   key.Address `json:"person"` // of that device
	Envelope Envelope    `json:"envelope"`
}
