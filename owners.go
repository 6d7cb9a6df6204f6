package trefoil

import (
	"context"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// SetOwners names the owners of the space, in place of those that there were: members by their places, this one among them, at most 16.
// The device that made the space can do it, or to whom HandOver or PutRootKey gave the root owner key. Run and Sync carry it out once the
// backlog was read; event.OwnersChanged follows. Errors are ratchet.ErrPhase without the key, and ratchet.ErrPolicy for a list that cannot be.
func (s Space) SetOwners(ctx context.Context, indices ...dkg.Index) error {
	return s.do(ctx, step.SetOwners(indices...))
}

// HandOver gives the root owner key, with which owners are named, to another member. It leaves this device once it is there: event.HandedOver
// tells both. Errors are ratchet.ErrPhase without the key and while nothing can be sealed to the member yet, and ratchet.ErrPolicy for a
// place at which nobody else is.
func (s Space) HandOver(ctx context.Context, to dkg.Index) error {
	return s.do(ctx, step.HandOver(to))
}

// TakeRootKey takes the root owner key out of this device: a thief of it names no owners then. The function keeps it, before it is erased,
// and may be called again with the same key. It returns the error of the function, and then the key stays; and ratchet.ErrPhase without it.
func (s Space) TakeRootKey(ctx context.Context, keep func(key []byte) error) error {
	return s.do(ctx, step.TakeRootKey(keep))
}

// PutRootKey brings the root owner key that TakeRootKey gave to this device, which need not be that of an owner: SetOwners is possible then,
// also if every owner is lost. Errors are ratchet.ErrPhase while joining, and ratchet.ErrPolicy for another key.
func (s Space) PutRootKey(ctx context.Context, key []byte) error {
	return s.do(ctx, step.PutRootKey(key))
}

// ProposeOwners returns the bytes that the root owner key is to sign so that these members are the owners, and no others: for a root owner
// key that several people hold (Policy.RootScheme), of whom some sign with package frost. TakeRootKey begins it: threshold.Whole makes a
// share of the key, and ceremony.NewResharing shares for others. Errors are ratchet.ErrPhase while joining, and ratchet.ErrPolicy for a list that cannot be.
func (s Space) ProposeOwners(ctx context.Context, indices ...dkg.Index) ([]byte, error) {
	v, err := s.Load(ctx)
	if err != nil {
		return nil, err
	}
	return ratchet.ProposeOwners(v, indices...)
}

// ProposedOwners returns whom such bytes name, for whoever is asked to sign them. Errors are ratchet.ErrPolicy for bytes that name strangers,
// are of another space or came too late, and ratchet.ErrPhase for bytes of a member that is further on: sign once Sync or Run read the rest.
func (s Space) ProposedOwners(ctx context.Context, message []byte) ([]dkg.Index, error) {
	v, err := s.Load(ctx)
	if err != nil {
		return nil, err
	}
	return ratchet.ProposedOwners(v, message)
}

// PutOwners puts what ProposeOwners returned in place, with its signature, on the device of one of the members that it names, which need be no
// owner before: so a space whose owners are lost gets others. Run and Sync carry it out once the backlog was read; event.OwnersChanged follows.
// Errors are ratchet.ErrPolicy for another signature, a list that does not name this device, and one that others have overtaken; and
// ratchet.ErrPhase while it cannot be done.
func (s Space) PutOwners(ctx context.Context, message, signature []byte) error {
	return s.do(ctx, step.PutOwners(message, signature))
}

// Appoint gives members these rights and no others, as an owner: rules.MayInvite, MayRemove and MayTitle. What is added counts at once,
// what is taken back from the next event.Rekeyed on. event.RoleChanged follows. Errors are ratchet.ErrPhase for a member that is no owner, and
// ratchet.ErrPolicy for a place at which nobody is, and more than 64 members with a role.
func (s Space) Appoint(ctx context.Context, rights rules.Rights, indices ...dkg.Index) error {
	return s.do(ctx, step.Appoint(rights, indices...))
}

// SetPolicy changes how the space works, as an owner; Status has the policy as it is. event.PolicyChanged follows. Errors are ratchet.ErrPhase
// for a member that is no owner, and ratchet.ErrPolicy for another Scheme, RootScheme or KEM.
func (s Space) SetPolicy(ctx context.Context, p rules.Policy) error {
	return s.do(ctx, step.SetPolicy(p))
}
