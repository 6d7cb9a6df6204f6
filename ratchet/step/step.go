// Package step has the steps that a member takes in a space beside sending messages: it removes somebody, makes an invite, leaves.
// ratchet.Do takes a step in a vault, and ratchet.Take on a value:
//
//	err := vault.Update(ctx, id, ratchet.Do(options, step.Remove(3)))
//
// A step returns ratchet.ErrPhase while joining and after Leave, and ratchet.ErrRemoved after a removal, unless its function says
// otherwise; a step that sends also returns the errors of ratchet.Encrypt. Errors and events that stand here without a package are
// those of package ratchet. On an error nothing has changed.
package step

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// Step is what a member does in a space. It may be taken more than once, in several spaces, and shows nothing of what it holds when it is
// printed. It is safe for concurrent use, unless it writes to an argument (NewInvite, Replace) or calls a function (TakeRootKey). The
// zero Step is none, and returns ErrPolicy.
type Step struct{ by func(Taker) error }

// By has somebody take the step. Most programs call ratchet.Do or ratchet.Take, which call it with the next value of a space.
func (s Step) By(t Taker) error {
	if s.by == nil {
		return outcome.ErrPolicy
	}
	return s.by(t)
}

// String shows nothing of what the step holds.
func (Step) String() string { return "step" }

// GoString is String.
func (s Step) GoString() string { return s.String() }

// Expiring returns the step that sends a message with the wish that programs forget it so long after it was read. It returns ErrPolicy
// for less than a millisecond. Other errors are those of ratchet.Encrypt.
func Expiring(plaintext []byte, after time.Duration) Step {
	plaintext = slices.Clone(plaintext)
	return Step{func(t Taker) error { return t.Expiring(plaintext, after) }}
}

// SetTitle returns the step with which an owner, or a member with the right, names the space: at most 1 KiB. It returns ErrTooLong,
// and ErrPhase for another member.
func SetTitle(title []byte) Step {
	title = slices.Clone(title)
	return Step{func(t Taker) error { return t.SetTitle(title) }}
}

// SetProfile returns the step with which a member changes what others are shown of it: at most ratchet.MaxApplicationData bytes. It
// returns ErrTooLong.
func SetProfile(profile []byte) Step {
	profile = slices.Clone(profile)
	return Step{func(t Taker) error { return t.SetProfile(profile) }}
}

// Leave returns the step with which a member leaves: it sends nothing afterwards, and others do not show it. Until owners rekey it can
// read. It returns ErrPhase, and ErrOrphan for the only owner of a space with others in it and for the member that holds its root owner
// key, unless the flag Orphan is given.
func Leave(flags ...Flag) Step {
	flags = slices.Clone(flags)
	return Step{func(t Taker) error { return t.Leave(flags) }}
}

// Flag confirms a step that is refused otherwise.
type Flag uint8

// Orphan lets the only owner go, or the holder of the root owner key. Without an owner nobody can be removed or invited any more; without
// the key nobody can be made an owner.
const Orphan Flag = 1

// NewInvite returns the step with which an owner makes an invite, which is put into made. Each time the step is taken it is put there anew,
// also where the transaction runs again, so it counts once the transaction has returned no error. It returns ErrPhase for a member that is no
// owner, ErrPolicy for terms of no invite and if made is nil, dkg.ErrExhausted if no place is left or as many invites are open as may
// be, and dkg.ErrReadOnly for an owner that has nothing to deal from in the present root, since it was restored or followed a rekey by
// a ticket: Rekey gives it that.
func NewInvite(terms invite.Terms, made *invite.Made) Step {
	return Step{func(t Taker) error { return t.NewInvite(terms, made) }}
}

// EndInvite returns the step with which an owner takes an invite back, or some places of it: all if none is named. Both are final. It
// returns ErrPhase for a member that is no owner, and ErrPolicy for an invite that is not known, a place that it does not hold, and
// one by which somebody came and was read, before or after a rekey: who is a member is removed by one. The members of a public invite
// stay.
func EndInvite(name [16]byte, places ...dkg.Index) Step {
	places = slices.Clone(places)
	return Step{func(t Taker) error { return t.EndInvite(name, places) }}
}

// WantInvite returns the step with which a member asks an owner for a link to hand on; it comes with the event LinkGiven. It returns
// ErrPolicy where neither members may invite nor this one has the right.
func WantInvite() Step {
	return Step{func(t Taker) error { return t.WantInvite() }}
}

// InviteDevice returns the step with which the first device of a person has a further one, come into the space. The 32 bytes are
// the program's name of that device; a trefoil.Client takes SHA-256("trefoil device " ‖ name of the device) for it.
// An owner makes the invite itself. Another member asks owners for it, and ratchet.Maintain asks again for 30 days, also after it was
// let in itself. ratchet.Entrances has the outcome, and the events DeviceInvited and DeviceNotInvited tell of it. Called again for the
// same device it does nothing before there is an outcome. Errors are those that ratchet.Entrance.Reason can be.
func InviteDevice(device [32]byte) Step {
	return Step{func(t Taker) error { return t.InviteDevice(device) }}
}

// TakeEntrance returns the step that forgets what came of InviteDevice for a device, once it was handed over.
func TakeEntrance(device [32]byte) Step {
	return Step{func(t Taker) error { return t.TakeEntrance(device) }}
}

// Remove returns the step with which an owner removes members: they can read nothing that is sent in the new root that it makes (SPEC
// §10). In a space of more than 512 members ratchet.Maintain makes the rest of the boxes, and ratchet.Due says so. Public invites are
// closed; whoever was invited alone can still come. To remove the index of a direct invite that nobody came by ends the invite: its link
// and ticket together give a member's state. A member with the right removes others than owners: they are none of the space at once, and the next
// owner that is awake makes the new root. It returns ErrPhase for a member without the right, and for an owner that cannot make a
// rekey now; ErrPolicy for an index that is neither shown as a member's nor of a direct invite, and an owner's without the root owner
// key, since the owner could go on, and for no index at all.
func Remove(indices ...dkg.Index) Step {
	indices = slices.Clone(indices)
	return Step{func(t Taker) error { return t.Remove(indices) }}
}

// Replace returns the step with which an owner ends a thief that acts as a member, and lets the member's person in again: it removes
// the member like Remove, and makes a private invite, which is put into made. A lifetime of 0 has no end. Of the invite nothing is
// said in the keys that are replaced: its record goes with the rekey, so whoever holds what the member held learns nothing of it. The
// link must go by another way than the space or a session of the replaced device: the thief holds them, too. Errors are those of
// Remove and NewInvite.
func Replace(i dkg.Index, lifetime time.Duration, made *invite.Made) Step {
	return Step{func(t Taker) error { return t.Replace(i, lifetime, made) }}
}

// Rekey returns the step with which an owner gives all members new shares. It returns ErrPhase like Remove.
func Rekey() Step {
	return Step{func(t Taker) error { return t.Rekey() }}
}

// Appoint returns the step with which an owner gives some members these rights and no others. What it adds counts at once; what it
// takes back, by the rekey that it begins. RoleChanged follows. It returns ErrPhase for a member that is no owner, and ErrPolicy for
// an index that is no member's, unknown rights, and more than 64 members with a role.
func Appoint(rights rules.Rights, indices ...dkg.Index) Step {
	indices = slices.Clone(indices)
	return Step{func(t Taker) error { return t.Appoint(rights, indices) }}
}

// SetPolicy returns the step with which an owner changes how the space works, by the rekey that it begins: the whole policy, of which
// Summary.Policy has the present one. PolicyChanged follows. It returns ErrPhase like Remove, and ErrPolicy for another scheme or KEM
// than the space has, and for one that is none.
func SetPolicy(p rules.Policy) Step {
	return Step{func(t Taker) error { return t.SetPolicy(p) }}
}

// SetOwners returns the step with which the member that holds the root owner key names the owners: at most 16 members, itself among
// them, in place of those that there were. It is a rekey, which ratchet.Maintain finishes once the mailbox was read to its end;
// OwnersChanged follows. The new owners need not be awake. It returns ErrPhase without the root owner key or while no rekey can be
// made, and ErrPolicy for an index that is no member's, too many, or a list without this member.
func SetOwners(indices ...dkg.Index) Step {
	indices = slices.Clone(indices)
	return Step{func(t Taker) error { return t.SetOwners(indices) }}
}

// PutOwners returns the step that puts a list of owners in place, of which ratchet.ProposeOwners gave the bytes and the root owner key
// made the signature. Any member that the list names can take it, owner or not, also where no owner is left. It is a rekey, which
// ratchet.Maintain finishes once the mailbox was read to its end; OwnersChanged follows. It returns ErrPolicy for a signature of
// another key, and for a list that does not name this member or does not count any more since another one took its place: propose
// anew; and ErrPhase while no rekey can be made, and for bytes of a member that is further on.
func PutOwners(message, signature []byte) Step {
	message, signature = slices.Clone(message), slices.Clone(signature)
	return Step{func(t Taker) error { return t.PutOwners(message, signature) }}
}

// HandOver returns the step with which a member gives the root owner key, with which the owners are named, to another one. It is
// erased here once that member has said that it has it: HandedOver tells both. It returns ErrPhase without the key and for a member of
// which no inbox key is known yet, and ErrPolicy for an index that is no other member's.
func HandOver(to dkg.Index) Step {
	return Step{func(t Taker) error { return t.HandOver(to) }}
}

// TakeRootKey returns the step that takes the root owner key away from this device, so that who steals it names no owners. It is given
// to a function that keeps it, on paper say, before it is erased; it may be called again with the same key. PutRootKey brings it back.
// The step returns ErrPhase without the key, ErrPolicy without a function, and the error of the function; all of them change nothing.
func TakeRootKey(keep func(key []byte) error) Step {
	return Step{func(t Taker) error { return t.TakeRootKey(keep) }}
}

// PutRootKey returns the step with which a member, owner or not, comes to hold the root owner key that TakeRootKey gave: it can name
// the owners from then on, also where none of them is left. It returns ErrPhase for who is no member, and ErrPolicy for what is not
// the key of the space.
func PutRootKey(key []byte) Step {
	key = slices.Clone(key)
	return Step{func(t Taker) error { return t.PutRootKey(key) }}
}

// Taker takes steps, each by the method of its name. Package ratchet has the one that counts; a test may have one that notes which steps a
// program takes. The slices are not to be changed. It gains a method with each new step.
type Taker interface {
	Expiring(plaintext []byte, after time.Duration) error
	SetTitle(title []byte) error
	SetProfile(profile []byte) error
	Leave(flags []Flag) error
	NewInvite(terms invite.Terms, made *invite.Made) error
	EndInvite(name [16]byte, places []dkg.Index) error
	WantInvite() error
	InviteDevice(device [32]byte) error
	TakeEntrance(device [32]byte) error
	Remove(indices []dkg.Index) error
	Replace(i dkg.Index, lifetime time.Duration, made *invite.Made) error
	Rekey() error
	Appoint(rights rules.Rights, indices []dkg.Index) error
	SetPolicy(p rules.Policy) error
	SetOwners(indices []dkg.Index) error
	PutOwners(message, signature []byte) error
	HandOver(to dkg.Index) error
	TakeRootKey(keep func(key []byte) error) error
	PutRootKey(key []byte) error
}
