package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Link is what the link of an invite holds (§14): the seed of a place in a space, or of a run of places. It holds no share and
// reads nothing; with it members that are in the space let somebody in. It is secret, immutable, and shows nothing when printed.
// The zero Link is none.
type Link struct{ link secret.Box[proto.Link] }

func newLink(l proto.Link) Link { return Link{secret.Hide(l)} }

// ParseLink reads what Link.Bytes returns: 82 or 85 bytes, which package invite takes out of a text. It returns ErrMalformed, with
// state.ErrTooOld or state.ErrTooNew for a link of another version.
func ParseLink(b []byte) (Link, error) {
	l, err := proto.ParseLink(b)
	if err != nil {
		return Link{}, outcome.Malformed(err)
	}
	return newLink(l), nil
}

// Bytes returns the encoding. It is as secret as the link.
func (l Link) Bytes() []byte {
	if l.IsZero() {
		return nil
	}
	return l.link.Expose().Encode().Expose()
}

// Text returns the link as a URL: an address, which counts for nothing, and the secret behind the sign #, where browsers do not send
// it: 133 or 137 characters more than the address.
func (l Link) Text(base string) string {
	if l.IsZero() {
		return ""
	}
	return invites.Text(base, l.link.Expose())
}

// Space returns the space that the link leads into, and Kind the kind of the invite. Neither is secret.
func (l Link) Space() state.ID { return l.link.Expose().Space }

// Kind returns the kind of the invite: dkg.Private for one person, dkg.Public for a run of places that whoever has the link can
// take, dkg.Direct for a person that a session leads to.
func (l Link) Kind() dkg.Kind { return l.link.Expose().Kind }

// IsZero reports whether there is no link.
func (l Link) IsZero() bool { return l.link.IsZero() }

// String says where the link leads and shows nothing of its secret.
func (l Link) String() string { return "link into space " + l.Space().String() }

// GoString is String: %#v shows no more than %v.
func (l Link) GoString() string { return l.String() }

// opened returns the link that this member opened, with its seed. It is not ok once the seed was erased.
func (d *edit) opened() (proto.Link, bool) {
	b := d.tp.link.Value().bytes
	if b.IsZero() {
		return proto.Link{}, false
	}
	l, err := proto.ParseLink(b.Expose())
	return l, err == nil
}
