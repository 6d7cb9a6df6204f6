package members

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// PersonOf returns the signing key of the first device of the person that a binding belongs to: its own key, unless another one signed for
// it. A field that says nothing, or that is false, says that the device stands for itself; whoever claims to be of a person that did
// not sign is shown alone.
func (r Root) PersonOf(b Binding) suite.PublicKey {
	if !b.Profiled || len(b.Rest.Person) == 0 || b.admission().IsZero() {
		return b.Key
	}
	v, err := proto.ParseVouch(b.Rest.Person)
	if err != nil || v.Verify(r.Space(), b.Index, b.admission()) != nil {
		return b.Key
	}
	return v.Signing
}

// CameBy reports whether the key of an invite admitted a binding, as far as that is known.
func (b Binding) CameBy(n proto.InviteName) bool {
	k := b.admission()
	return !k.IsZero() && proto.NameOfInvite(k) == n
}

// Devices returns the indices of a person that are not gone, in ascending order.
func (r Root) Devices(person suite.PublicKey) (out []dkg.Index) {
	for i := range r.All() {
		if b, ok := r.ListedBinding(i); ok && !r.Gone(i) && b.names(person) && r.PersonOf(b) == person {
			out = append(out, i)
		}
	}
	return out
}

// names reports whether a binding is of a person if what it says is right. No signature is checked: most members are of others.
func (b Binding) names(person suite.PublicKey) bool {
	if b.Key == person {
		return true
	}
	v, err := proto.ParseVouch(b.Rest.Person)
	return err == nil && v.Signing == person
}
