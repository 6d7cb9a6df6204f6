package invite

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// Errors of this package. Making, listing and revoking invites also return those of package ratchet.
var (
	// ErrMalformed: no link of this library, or one that was cut or altered.
	ErrMalformed = errors.New("invite: malformed link")
	// ErrKind: a link of another kind than the one that was asked for.
	ErrKind = errors.New("invite: link of another kind")
	// ErrBase: the address to which a link is to be appended is no absolute URL, or has a fragment already.
	ErrBase = errors.New("invite: not an absolute URL without a fragment")
)

// The fragment of a link's URL is prefix.kind.version.payload; the payload is base64url without padding (RFC 4648, section
// 5). These names are part of the format.
const (
	prefix         = "trefoil"
	kindPrivate    = "private"
	privateVersion = "1"

	// maxURL bounds the length of a URL that is looked at: four times that of the longest link and a long address.
	maxURL = 32 << 10
)

// PrivateLink is a link for one person, who takes the place that it holds in one space. Everything is in it, and nothing of
// it goes to the server: the whole secret is the fragment of its URL, which browsers keep to themselves. A link that leaks
// before it is used lets somebody else take the place, in the sight of all members; it reads nothing by itself.
//
// It is immutable and shows nothing when printed. The zero PrivateLink is none.
type PrivateLink struct{ grant secret.Box[ratchet.Grant] }

// Private makes a private link. It takes one share out of the dealer's evals; the space that comes back must be durable
// before the link leaves the device. A link works at any time and after any traffic, until it is used or revoked or the
// space is rekeyed. Private returns ratchet.ErrPhase for a member that is not the dealer, and dkg.ErrExhausted
// if no share is left.
func Private(s ratchet.Space, now time.Time) (ratchet.Space, PrivateLink, error) {
	next, g, err := ratchet.NewGrant(s, now, dkg.Private)
	if err != nil {
		return s, PrivateLink{}, err
	}
	return next, PrivateLink{secret.Hide(g)}, nil
}

// ParsePrivate reads the URL of a private link and verifies it: the signatures under the owner key that the space's ID
// names, and the share against its commitment. The address before the fragment counts for nothing. It returns ErrKind for a
// link of another kind, state.ErrTooOld or state.ErrTooNew for another version, and ErrMalformed for everything else.
func ParsePrivate(link string) (PrivateLink, error) {
	payload, err := open(link, kindPrivate, privateVersion)
	if err != nil {
		return PrivateLink{}, err
	}
	g, err := ratchet.ParseGrant(payload)
	if err != nil {
		return PrivateLink{}, refused(err)
	}
	return PrivateLink{secret.Hide(g)}, nil
}

// URL returns the link as a URL: the address base, which may be any absolute URL without a fragment, and the secret
// fragment, of about 2.6 KB. It returns ErrBase for another base, and ErrMalformed for the zero PrivateLink.
func (l PrivateLink) URL(base string) (string, error) {
	if l.grant.IsZero() {
		return "", ErrMalformed
	}
	if !validBase(base) {
		return "", ErrBase
	}
	return base + "#" + seal(l.Grant().Bytes(), kindPrivate, privateVersion), nil
}

// Grant returns what the link holds, for ratchet.Join.
func (l PrivateLink) Grant() ratchet.Grant { return l.grant.Expose() }

// Space returns the space that the link leads into.
func (l PrivateLink) Space() state.ID { return l.Grant().Space() }

// Index returns the place that the link holds. It is no secret.
func (l PrivateLink) Index() dkg.Index { return l.Grant().Index() }

// String says where the link leads and shows nothing of its secret.
func (l PrivateLink) String() string {
	if l.grant.IsZero() {
		return "no link"
	}
	return fmt.Sprintf("private link to place %d of space %s", l.Index(), l.Space())
}

// GoString is String: %#v shows no more than %v.
func (l PrivateLink) GoString() string { return l.String() }

// seal returns the fragment for a payload.
func seal(payload []byte, kind, version string) string {
	return strings.Join([]string{prefix, kind, version, base64.RawURLEncoding.EncodeToString(payload)}, ".")
}

// open takes the payload out of a URL.
func open(link, kind, version string) ([]byte, error) {
	if len(link) > maxURL {
		return nil, fmt.Errorf("%w: too long", ErrMalformed)
	}
	base, fragment, found := strings.Cut(link, "#")
	fields := strings.Split(fragment, ".")
	if !found || !validBase(base) || len(fields) != 4 || fields[0] != prefix {
		return nil, ErrMalformed
	}
	if fields[1] != kind {
		return nil, ErrKind
	}
	if fields[2] != version {
		return nil, otherVersion(fields[2])
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(fields[3])
	if err != nil || seal(payload, kind, version) != fragment { // the decoder passes over line breaks
		return nil, ErrMalformed
	}
	return payload, nil
}

// otherVersion returns the error for a version that is not read: there is none older than the first.
func otherVersion(v string) error {
	if v == "" || v[0] == '0' || len(v) > 9 || strings.Trim(v, "0123456789") != "" {
		return ErrMalformed
	}
	return state.ErrTooNew
}

// validBase reports whether a fragment can be appended to base.
func validBase(base string) bool {
	u, err := url.Parse(base)
	return err == nil && u.IsAbs() && !strings.Contains(base, "#")
}

// refused keeps errors of versions apart from the rest.
func refused(err error) error {
	if errors.Is(err, state.ErrTooOld) || errors.Is(err, state.ErrTooNew) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}
