package trefoil

import (
	"context"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
)

// SetOwners names the owners of the space, in place of those that there were: members by their places, this one among them, at most 16.
// The device that made the space can do it, or to whom HandOver or PutRootKey gave the root owner key. Run and Sync carry it out once the
// backlog was read; OwnersChanged follows. Errors are ratchet.ErrPhase without the key, and ratchet.ErrPolicy for a list that cannot be.
func (s Space) SetOwners(ctx context.Context, indices ...dkg.Index) error {
	return s.do(ctx, ratchet.SetOwners(indices...))
}

// HandOver gives the root owner key, with which owners are named, to another member. It leaves this device once it is there: HandedOver
// tells both. Errors are ratchet.ErrPhase without the key and while nothing can be sealed to the member yet, and ratchet.ErrPolicy for a
// place at which nobody else is.
func (s Space) HandOver(ctx context.Context, to dkg.Index) error {
	return s.do(ctx, ratchet.HandOver(to))
}

// TakeRootKey takes the root owner key out of this device: a thief of it names no owners then. The function keeps it, before it is erased,
// and may be called again with the same key. It returns the error of the function, and then the key stays; and ratchet.ErrPhase without it.
func (s Space) TakeRootKey(ctx context.Context, keep func(key []byte) error) error {
	return s.do(ctx, ratchet.TakeRootKey(keep))
}

// PutRootKey brings the root owner key that TakeRootKey gave to this device, which need not be that of an owner: SetOwners is possible then,
// also if every owner is lost. Errors are ratchet.ErrPhase while joining, and ratchet.ErrPolicy for another key.
func (s Space) PutRootKey(ctx context.Context, key []byte) error {
	return s.do(ctx, ratchet.PutRootKey(key))
}

// Appoint gives members these rights and no others, as an owner: ratchet.MayInvite, MayRemove and MayTitle. What is added counts at once,
// what is taken back from the next Rekeyed on. RoleChanged follows. Errors are ratchet.ErrPhase for a member that is no owner, and
// ratchet.ErrPolicy for a place at which nobody is, and more than 64 members with a role.
func (s Space) Appoint(ctx context.Context, rights ratchet.Rights, indices ...dkg.Index) error {
	return s.do(ctx, ratchet.Appoint(rights, indices...))
}

// SetPolicy changes how the space works, as an owner; Status has the policy as it is. PolicyChanged follows. Errors are ratchet.ErrPhase
// for a member that is no owner, and ratchet.ErrPolicy for another Scheme or KEM.
func (s Space) SetPolicy(ctx context.Context, p ratchet.Policy) error {
	return s.do(ctx, ratchet.SetPolicy(p))
}
