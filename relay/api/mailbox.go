package api

import (
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Item is one entry of a mailbox: a message, or a tombstone for messages that are given up.
type Item struct {
	Seq   uint64 `json:"seq"` // names it in this mailbox; later ones have higher numbers
	Topic string `json:"topic"`

	Kind   MessageKind `json:"kind,omitzero"` // of a message; 0 for a tombstone
	Sender DeviceID    `json:"sender,omitzero"`
	Person key.Address `json:"person,omitzero"` // of the sender
	At     int64       `json:"at,omitzero"`     // when it was stored, in milliseconds since 1970
	Data   []byte      `json:"data,omitempty"`

	Reason Reason `json:"reason,omitzero"` // of a tombstone; 0 for a message
	Count  uint64 `json:"count,omitzero"`  // how many messages of the topic it stands for
}

// Reason says why messages were given up.
type Reason uint8

// The reasons. Their numbers are part of the stored form.
const (
	Expired Reason = 1 // the device did not acknowledge them for as long as messages are kept
	Full    Reason = 2 // the mailbox had the share of the sender's person
)

// Page is a part of a mailbox.
type Page struct {
	Items []Item `json:"items,omitempty"` // in ascending order of Seq
	Next  uint64 `json:"next"`            // to be given as after for the next page
	End   bool   `json:"end"`             // the mailbox holds nothing beyond: the backlog is through
}

// Posted is what became of a frame.
type Posted struct {
	Stored int `json:"stored"` // mailboxes that hold it
	Full   int `json:"full"`   // mailboxes that had the share of the sender's person: they hold a tombstone instead
}

const labelSubscribe = "trefoil/relay subscribe"

// SubscribeProof returns the statement by which the key of a mailbox lets a device subscribe to its address (see session.Pair.Sign).
func SubscribeProof(mailbox key.Address, device DeviceID) []byte {
	return labelled(labelSubscribe, mailbox[:], device[:])
}

// MailboxProof shows whose a mailbox is.
type MailboxProof struct {
	Mailbox   key.VerifyKey `json:"mailbox"`
	Signature []byte        `json:"signature,omitempty"` // by Mailbox, of SubscribeProof
}
