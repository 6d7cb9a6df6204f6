package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
)

// Event is something that happened beside the results of calls (state.Event). Kind says what, and which fields are set.
type Event struct {
	Kind  EventKind
	Index dkg.Index // of the member that it is about; 0 if it is about the space
	// Key is the member's signing key: of Arrived, Conflict and Resynced.
	Key PublicKey
	// Own: it is about this member itself, of Conflict and Gone.
	Own bool
	// Old and New are H(body) of the bindings, of KeyChanged.
	Old, New [32]byte
	// First and End are the numbers, without End, of own messages in Epoch that nobody can read any more, of Unread.
	Epoch      [32]byte
	First, End uint32
	// Count is how many, of EpochsGivenUp and Rekeyed; how many epochs were cut down or left out, of TicketCut.
	Count int
	// Since is the time in milliseconds since 1970, of StillWaiting and MailboxNotRead.
	Since int64
	// Reason is of StatementRefused, Hint, Refused and DeviceNotInvited.
	Reason error
	// Link is of LinkGiven. It shows nothing when printed.
	Link invite.Link
}

// EventKind says what an Event is about.
type EventKind uint8

// The kinds of events.
const (
	// Arrived: the first message of a member was read.
	Arrived EventKind = iota + 1
	// Joined: this member was let in.
	Joined
	// StillWaiting: nobody answered yet. Hint: somebody said why, without proof. Refused: it is proven that nobody will.
	StillWaiting
	Hint
	Refused
	// Conflict: two things that say they are of one member contradict each other: two bindings of an index, two commits from
	// one parent, or something of one's own that one does not know. It is no proof against anyone.
	Conflict
	// KeyChanged: a member is listed under another binding than before.
	KeyChanged
	// Resynced: a member asked for a ticket: it comes back from a backup or a long absence, or somebody has its state.
	Resynced
	// Impersonated: somebody used this member's own key.
	Impersonated
	// Gone: a member left or was taken back. LeavePending is for owners: it can read until they rekey. LetInGone is for owners,
	// too: it was let in by a member that had not heard.
	Gone
	LeavePending
	LetInGone
	// Withheld: a message of a member that was gone when it was sent was read, and is not delivered.
	Withheld
	// Misled: a member made a commit from a node that was false: somebody lied to it when it joined or asked.
	Misled
	// Alone: two members do not hold the branch in which this one was; it left it.
	Alone
	// Unread: nobody can read what this member sent.
	Unread
	// EpochsGivenUp: more epochs are open than are held.
	EpochsGivenUp
	// MailboxNotRead: the end of the mailbox was not reached for two weeks.
	MailboxNotRead
	// StatementRefused: a message was read, and the statement, introduction or key update in it was refused.
	StatementRefused
	// TicketCut: a ticket was made that does not say all: the trees of its epochs take more than 4 MiB.
	TicketCut
	// InviteDead: an invite of this owner ended although nobody used it: a rekey of another owner crossed it, and it could not be made anew (§9).
	// Index is its first.
	InviteDead
	// Rekeyed: a rekey was made or followed: what is sent from now on is for its members, of which there are Count.
	Rekeyed
	// WasRemoved: a rekey removed this member. What it read stays.
	WasRemoved
	// LinkGiven: an owner gave the link that this member asked for, to be handed on.
	LinkGiven
	// OwnersChanged: the space has other owners. RoleChanged: a member has other rights. PolicyChanged: the space works otherwise.
	OwnersChanged
	RoleChanged
	PolicyChanged
	// HandedOver: the root owner key is with the member now.
	HandedOver
	// TitleChanged: an owner named the space. ProfileChanged: a member changed what it says of itself.
	TitleChanged
	ProfileChanged
	// DeviceInvited: an owner gave the invite for a further device of this member's person. DeviceNotInvited: there is none, for Reason.
	// Entrances has it.
	DeviceInvited
	DeviceNotInvited
)

var eventNames = [...]string{
	Arrived: "arrived", Joined: "joined", StillWaiting: "still waiting", Hint: "hint", Refused: "refused", Conflict: "conflict",
	KeyChanged: "key changed", Resynced: "resynced", Impersonated: "impersonated", Gone: "gone", LeavePending: "left, rekey due",
	LetInGone: "let in although gone", Withheld: "message withheld", Misled: "misled", Alone: "alone", Unread: "own messages unread",
	EpochsGivenUp: "epochs given up", MailboxNotRead: "mailbox not read", StatementRefused: "statement refused",
	TicketCut: "ticket cut", InviteDead: "invite dead", Rekeyed: "rekeyed", WasRemoved: "removed from the space", LinkGiven: "link given",
	OwnersChanged: "owners changed", RoleChanged: "role changed", PolicyChanged: "policy changed", HandedOver: "root owner key handed over",
	TitleChanged: "title changed", ProfileChanged: "profile changed",
	DeviceInvited: "device invited", DeviceNotInvited: "device not invited",
}

// String returns the kind in words.
func (k EventKind) String() string {
	if int(k) >= len(eventNames) || k == 0 {
		return "no event"
	}
	return eventNames[k]
}

// String implements state.Event: it returns one line for a log.
func (e Event) String() string {
	s := e.Kind.String()
	if e.Index != 0 {
		s += fmt.Sprintf(": member %d", e.Index)
	}
	if !e.Key.IsZero() {
		s += fmt.Sprintf(" (key %s)", e.Key)
	}
	if e.Own {
		s += ", this member itself"
	}
	if e.Kind == KeyChanged {
		s += fmt.Sprintf(" from %x to %x", e.Old[:4], e.New[:4])
	}
	if e.End != 0 {
		s += fmt.Sprintf(", %d to %d in epoch %x", e.First, e.End, e.Epoch[:4])
	}
	if e.Count != 0 {
		s += fmt.Sprintf(", %d", e.Count)
	}
	if e.Since != 0 {
		s += fmt.Sprintf(" since %d", e.Since)
	}
	if e.Reason != nil {
		s += fmt.Sprintf(": %v", e.Reason)
	}
	return s
}
