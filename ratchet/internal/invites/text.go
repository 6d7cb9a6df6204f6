package invites

import (
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// maxText is the longest text of a link that is handed on, in bytes.
const maxText = 4 << 10

// alphabet is that of §14: upper case, without padding.
var alphabet = base32.StdEncoding.WithPadding(base32.NoPadding)

// ErrText: a text that is not exactly a link. Package invite reads what people paste.
var ErrText = errors.New("ratchet: no link")

// Text returns the text of a link: the base, and the secret behind the sign #.
func Text(base string, l proto.Link) string {
	return base + "#" + alphabet.EncodeToString(l.Encode().Expose())
}

// ParseText reads what Text returns, in any case of letters.
func ParseText(text string) (proto.Link, error) {
	_, fragment, ok := strings.Cut(text, "#")
	if !ok || len(text) > maxText {
		return proto.Link{}, ErrText
	}
	b, err := alphabet.DecodeString(strings.ToUpper(fragment))
	if err != nil || alphabet.EncodeToString(b) != strings.ToUpper(fragment) {
		return proto.Link{}, ErrText
	}
	l, err := proto.ParseLink(b)
	if err != nil {
		return proto.Link{}, fmt.Errorf("%w: %w", ErrText, err)
	}
	return l, nil
}

// Give returns what hands the text of a link to the member that asked for it, or ErrMember if its inbox key is not known.
func Give(r members.Root, asker dkg.Index, text string) (proto.InviteGiven, error) {
	b, ok := r.ListedBinding(asker)
	if !ok || len(text) > maxText {
		return proto.InviteGiven{}, ErrMember
	}
	k, ok := b.InboxKey()
	if !ok {
		return proto.InviteGiven{}, ErrMember
	}
	box, err := k.Seal(suite.HPKEInvite, r.Space(), uint32(asker), []byte(text))
	return proto.InviteGiven{Asker: asker, Box: box}, err
}

// Given returns the text of a link that a member gave. It counts from a member with a seat only, and if the link is of this space
// and of an open invite (D73): everybody can box a text. It returns ErrForged.
func Given(r members.Root, s proto.InviteGiven, from, self dkg.Index, inboxes []suite.KEMSecret) (string, error) {
	if s.Asker != self || !slices.Contains(others(r, 0), from) {
		return "", fmt.Errorf("%w: by a member without a seat", ErrForged)
	}
	var text secret.Bytes
	for _, k := range inboxes {
		if opened, err := k.Open(suite.HPKEInvite, r.Space(), uint32(self), s.Box); err == nil {
			text = opened
			break
		}
	}
	l, err := ParseText(string(text.Expose()))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrForged, err)
	}
	keys, err := l.Keys()
	if err != nil || l.Space != r.Space() {
		return "", fmt.Errorf("%w: of another space", ErrForged)
	}
	x, ok := record(r, proto.NameOfInvite(keys.Admission.Public))
	if !ok || !x.IsOpen() {
		return "", fmt.Errorf("%w: of no invite that is open", ErrForged)
	}
	return string(text.Expose()), nil
}
