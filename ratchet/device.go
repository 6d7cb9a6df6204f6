package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Vouch returns what a further device of this member's person gives to JoinAsDevice with a private link: this member's signature that
// whoever comes by the link is a device of the same person. Link and vouch must reach that device alone. It returns ErrPolicy for a link
// that is not private or of another space, ErrPhase while joining and on a device that another one signed for: the first device of a
// person signs for all others.
func Vouch(s Space, l invite.Link) ([]byte, error) {
	link, err := openLink(l)
	if err != nil {
		return nil, err
	}
	st := s.State()
	me := st.me()
	switch {
	case link.Kind != dkg.Private || link.Space != s.ID():
		return nil, ErrPolicy
	case st.phase != Member || len(me.rest.Person) > 0:
		return nil, ErrPhase
	}
	keys, err := link.Keys()
	if err != nil {
		return nil, err
	}
	return proto.NewVouch(link.Space, me.signing, link.First, keys.Admission.Public).Encode(), nil
}

// JoinAsDevice is Join for a further device of a person, with what Vouch returned on the first one. Members then shows both as one person,
// under the profile that either of them set last. It returns ErrMalformed for what
// is no vouch for this link.
func JoinAsDevice(l invite.Link, now time.Time, profile, vouch []byte) (Space, []byte, error) {
	link, err := openLink(l)
	if err != nil {
		return Space{}, nil, err
	}
	v, err := proto.ParseVouch(vouch)
	if err != nil {
		return Space{}, nil, ErrMalformed
	}
	keys, err := link.Keys()
	if err != nil || v.Verify(link.Space, link.First, keys.Admission.Public) != nil {
		return Space{}, nil, ErrMalformed
	}
	return join(l, now, profile, vouch)
}
