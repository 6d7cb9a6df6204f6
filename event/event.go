// Package event has what a program is told by its trefoil.Client: the messages of its chats, and what became of members, devices and
// frames. Each is a type, and all of them come to trefoil.Options.Handle and InCommit: of one chat one after the other, and at least
// once each, under the same Stamp.
package event

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// Event is something that a program is told of: a Message, or one of the other types that embed a Stamp. docs/EVENTS.md says what
// to show a user for each, and what to do. Printed, none shows what was written.
type Event interface {
	String() string
	// About returns the chat and the ID.
	About() Stamp
}

// Stamp says which event it is, and in which chat. A program that is told of an event again gets the same Stamp.
type Stamp struct {
	Chat state.ID
	ID   ID
}

// About implements Event.
func (s Stamp) About() Stamp { return s }

func (s Stamp) line(format string, args ...any) string {
	return fmt.Sprintf("%v %.8s: %s", s.ID, s.Chat, fmt.Sprintf(format, args...))
}

// ID names an event. All members have the same for a message, and nobody can make another's. IDs are no order.
type ID [16]byte

// String returns 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Message is what a member wrote.
type Message struct {
	Stamp
	// From is the signing key of the member, and Index its place.
	From  ratchet.PublicKey
	Index dkg.Index
	// Person is who wrote it, in a direct conversation; From and Index are those of a space.
	Person key.Address
	// Own says that this user wrote it: in a space this member, here or in a state that was lost since; in a direct conversation this
	// person, on any of its devices.
	Own bool
	// Sent is when it was written, by the clock of its writer: to be shown, and no order.
	Sent time.Time
	// AfterRemoval says that the member is gone, and that nobody can tell whether it wrote before.
	AfterRemoval bool
	Body         []byte
}

// String says whose message it is and shows nothing of its body.
func (m Message) String() string {
	if !m.Person.IsZero() {
		return m.line("message of %v, %d bytes", m.Person, len(m.Body))
	}
	return m.line("message of member %d, %d bytes", m.Index, len(m.Body))
}

// Format implements fmt.Formatter: every verb shows what String does.
func (m Message) Format(f fmt.State, _ rune) { io.WriteString(f, m.String()) }

// LogValue implements slog.LogValuer.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }

// Joined: this device was let into the space. What it wrote before is sent now. It is told again if the device has to take another
// place, since two devices chose one of a public link; and after Refused, if owners contradicted each other and it has its place after all.
type Joined struct{ Stamp }

// String implements Event.
func (e Joined) String() string { return e.line("joined") }

// StillWaiting: this device asked to be let in, or to be brought back into step, and nobody answered yet. It goes on asking.
type StillWaiting struct {
	Stamp
	Since time.Time
}

// String implements Event.
func (e StillWaiting) String() string { return e.line("still waiting since %v", e.Since) }

// Hint: a member says why this device is not let in. It has no proof, so the device goes on asking, less often.
type Hint struct {
	Stamp
	Reason error // one of ratchet.ErrHintExpired to ErrHintOwnerNeeded
}

// String implements Event.
func (e Hint) String() string { return e.line("hint: %v", e.Reason) }

// Refused: this device is not let into the space, for certain; or, of a member, an owner decided that another device has its place.
type Refused struct {
	Stamp
	Reason error // ratchet.ErrInviteDead or ratchet.ErrInviteTaken
}

// String implements Event.
func (e Refused) String() string { return e.line("refused: %v", e.Reason) }

// Arrived: a member was read for the first time. It was let in; or this device was, and the member was there before.
type Arrived struct {
	Stamp
	Index dkg.Index
}

// String implements Event.
func (e Arrived) String() string { return e.line("member %d arrived", e.Index) }

// Left: a member said that it leaves, was removed, or its place was taken back. It can read on until the space is rekeyed.
type Left struct {
	Stamp
	Index dkg.Index
}

// String implements Event.
func (e Left) String() string { return e.line("member %d left", e.Index) }

// LetInGone: a member that was gone was let in, by one that had not heard of it. Owners are told. It can read until the space is
// rekeyed.
type LetInGone struct {
	Stamp
	Index dkg.Index
}

// String implements Event.
func (e LetInGone) String() string { return e.line("member %d let in although gone", e.Index) }

// InviteDead: an invite that this owner made has ended although nobody came by it, since another owner rekeyed the space just then. Whoever
// has the link needs another one.
type InviteDead struct {
	Stamp
	Index dkg.Index // First of the Invite
}

// String implements Event.
func (e InviteDead) String() string { return e.line("invite of place %d dead", e.Index) }

// TitleChanged: an owner named the space. Space.Status has the title.
type TitleChanged struct{ Stamp }

// String implements Event.
func (e TitleChanged) String() string { return e.line("title changed") }

// OwnersChanged: the space has other owners than before. Space.Members has them.
type OwnersChanged struct{ Stamp }

// String implements Event.
func (e OwnersChanged) String() string { return e.line("owners changed") }

// RoleChanged: owners gave a member other rights than before. Space.Members has them.
type RoleChanged struct {
	Stamp
	Index dkg.Index
}

// String implements Event.
func (e RoleChanged) String() string { return e.line("role of member %d changed", e.Index) }

// PolicyChanged: an owner changed how the space works. Space.Status has the policy.
type PolicyChanged struct{ Stamp }

// String implements Event.
func (e PolicyChanged) String() string { return e.line("policy changed") }

// HandedOver: the root owner key is with a member now: this one, to which it was given, or the one to which this one gave it.
type HandedOver struct {
	Stamp
	Index dkg.Index
}

// String implements Event.
func (e HandedOver) String() string { return e.line("root owner key with member %d", e.Index) }

// ProfileChanged: a member changed what it says of itself. Space.Members has its profile.
type ProfileChanged struct {
	Stamp
	Index dkg.Index
}

// String implements Event.
func (e ProfileChanged) String() string { return e.line("profile of member %d changed", e.Index) }

// LinkGiven: an owner gave the link that this device asked for, to be handed on.
type LinkGiven struct {
	Stamp
	Link invite.Link // it shows nothing when printed
}

// String implements Event.
func (e LinkGiven) String() string { return e.line("link to hand on given") }

// Removed: this device is no member any more. What was read stays.
type Removed struct{ Stamp }

// String implements Event.
func (e Removed) String() string { return e.line("removed") }

// Rekeyed: an owner made the keys of the space anew. What is sent from now on is for the members that there are now, and for nobody
// that was removed or holds something stolen.
type Rekeyed struct {
	Stamp
	Members int
}

// String implements Event.
func (e Rekeyed) String() string { return e.line("rekeyed for %d members", e.Members) }

// Conflict: two things that say they are of one member contradict each other, which is no proof against it: its device was
// restored from a copy, two devices used one link or chose one place of a public link, or somebody has its keys.
type Conflict struct {
	Stamp
	Index dkg.Index
	Own   bool // it is about this member itself
}

// String implements Event.
func (e Conflict) String() string { return e.line("conflict about member %d", e.Index) }

// DevicesChanged: the person that this device has a direct conversation with has other devices than when it was written to last, or one
// of them has other keys. The person has signed them. Direct.Fingerprint is another one.
type DevicesChanged struct {
	Stamp
	Devices int // that it has now
}

// String implements Event.
func (e DevicesChanged) String() string { return e.line("has %d devices now", e.Devices) }

// LinkDigits: this device and the one to be linked have found each other. Both show the digits, and Client.ConfirmDevice is to be called on
// both, with what the other one shows.
type LinkDigits struct {
	Stamp
	Digits string // six, in two groups
}

// String implements Event. It does not show the digits.
func (e LinkDigits) String() string { return e.line("digits to compare") }

// Linked: the further device belongs to the person now. Both devices are told.
type Linked struct{ Stamp }

// String implements Event.
func (e Linked) String() string { return e.line("device linked") }

// DeviceInvited: an owner gave the invite by which a further device of this person comes into the space, and that device is handed it. With
// a Reason there is none.
type DeviceInvited struct {
	Stamp
	Reason error // nil, ratchet.ErrPolicy, dkg.ErrExhausted, ratchet.ErrHintOwnerNeeded, ratchet.ErrHintExpired, ratchet.ErrRemoved or ratchet.ErrPhase
}

// String implements Event.
func (e DeviceInvited) String() string {
	if e.Reason != nil {
		return e.line("further device not invited: %v", e.Reason)
	}
	return e.line("further device invited")
}

// SpaceAwaited: this further device waits for an owner of a space that its person is in to let it in; Joined of that space follows. With
// a Reason it waits no more.
type SpaceAwaited struct {
	Stamp
	Space  state.ID
	Title  string
	Reason error // as of DeviceInvited
}

// String implements Event.
func (e SpaceAwaited) String() string {
	if e.Reason != nil {
		return e.line("space %.8s not opened: %v", e.Space, e.Reason)
	}
	return e.line("space %.8s awaited", e.Space)
}

// LinkEnded: the linking of a device has ended without success. Nothing was given away.
type LinkEnded struct {
	Stamp
	Reason error // linking.ErrDigits, linking.ErrTwice, linking.ErrExpired, or ratchet.ErrMalformed
}

// String implements Event.
func (e LinkEnded) String() string { return e.line("linking ended: %v", e.Reason) }

// KeyChanged: an owner decided that a member is another device than the one that was known.
type KeyChanged struct {
	Stamp
	Index dkg.Index
}

// String implements Event.
func (e KeyChanged) String() string { return e.line("key of member %d changed", e.Index) }

// Resynced: a member asked to be brought back into step: it comes from a backup or a long absence, or somebody has its keys.
type Resynced struct {
	Stamp
	Index dkg.Index
}

// String implements Event.
func (e Resynced) String() string { return e.line("member %d resynced", e.Index) }

// Impersonated: somebody asked under this device's own key. A copy of its state is in use.
type Impersonated struct{ Stamp }

// String implements Event.
func (e Impersonated) String() string { return e.line("somebody uses this device's key") }

// Lost: messages of this device that nobody can read, since it encrypted them with keys that the others do not have.
type Lost struct {
	Stamp
	Messages int // those of the ratchet's own included, which say nothing
}

// String implements Event.
func (e Lost) String() string { return e.line("%d own messages that nobody can read", e.Messages) }

// MailboxNotRead: what is stored at the relay was not read to its end for two weeks. It is told every day then.
type MailboxNotRead struct {
	Stamp
	Since time.Time
}

// String implements Event.
func (e MailboxNotRead) String() string { return e.line("mailbox not read since %v", e.Since) }

// Unread: a message came that can never be read.
type Unread struct {
	Stamp
	Reason error // ratchet.ErrLost, ratchet.ErrForged, state.ErrTooNew, state.ErrTooOld or ratchet.ErrMalformed
}

// String implements Event.
func (e Unread) String() string { return e.line("unread: %v", e.Reason) }

// GivenUp: the relay dropped frames for this device, which did not fetch them in time or whose mailbox was full.
type GivenUp struct {
	Stamp
	Frames int
}

// String implements Event.
func (e GivenUp) String() string { return e.line("%d frames given up by the relay", e.Frames) }

// Rejected: the relay refused a frame of this device for good. Nobody will receive it.
type Rejected struct {
	Stamp
	Reason string // of the relay
}

// String implements Event.
func (e Rejected) String() string { return e.line("rejected by the relay: %q", e.Reason) }

// NotSent: a message that waited to be sent never will be.
type NotSent struct {
	Stamp
	Message ID
	Reason  error // ratchet.ErrRemoved, ratchet.ErrPhase after leaving, ratchet.ErrTooLong, ErrNobody, or session.ErrUnverified
}

// String implements Event.
func (e NotSent) String() string { return e.line("message %v not sent: %v", e.Message, e.Reason) }
