package invite

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

// Link is the seed of an invite (SPEC §14): who finds one that was not used can take the place, in the sight of all, and reads nothing
// by it. It is secret: it stands in the fragment of a URL, which browsers do not send. It is immutable and shows nothing when printed.
// The zero Link is none.
type Link struct{ bytes secret.Bytes }

// Find takes a link out of what people paste: at most 64 KiB of text with line breaks, quote marks and invisible characters in it,
// or with a sentence around it. Nothing is guessed: what it returns has the checksum of the link that was made. It returns ErrCut
// if the end of the link is missing, ErrAltered if some of it was changed, ErrSeveral for two different links, ErrNotLink if
// nothing in the text begins like one, and state.ErrTooOld or state.ErrTooNew for a link of another version.
func Find(text string) (Link, error) { return newLink(findText(text)) }

// Parse reads exactly what Link.URL returns, in any case of letters. Its errors are those of Find.
func Parse(link string) (Link, error) { return newLink(parseText(link)) }

// FromBytes reads what Bytes returns: 82 or 85 bytes. Its errors are those of Find, but for ErrSeveral.
func FromBytes(b []byte) (Link, error) {
	if err := check(b); err != nil {
		return Link{}, err
	}
	return Link{secret.New(b)}, nil
}

func newLink(b []byte, err error) (Link, error) {
	if err != nil {
		return Link{}, err
	}
	return Link{secret.Own(b)}, nil
}

// URL returns the link behind an address, which may be any absolute URL without a fragment and counts for nothing: 133 or 137
// characters more than the address. It returns ErrBase for another base, and ErrNotLink for the zero Link.
func (l Link) URL(base string) (string, error) {
	if l.bytes.IsZero() {
		return "", ErrNotLink
	}
	if !validBase(base) {
		return "", ErrBase
	}
	return base + "#" + l.Fragment(), nil
}

// Fragment returns what stands behind the sign # of the link's URL, in upper case: 132 or 136 characters of base32, none of the zero
// Link. Who draws a QR code writes it as one alphanumeric segment behind the address, which makes the code smaller.
func (l Link) Fragment() string { return alphabet.EncodeToString(l.bytes.Expose()) }

// Bytes returns what the text holds, 82 or 85 bytes. It is as secret as the link.
func (l Link) Bytes() []byte { return append([]byte(nil), l.bytes.Expose()...) }

// IsZero reports whether there is no link.
func (l Link) IsZero() bool { return l.bytes.IsZero() }

// Kind returns the kind of the invite, 0 of the zero Link.
func (l Link) Kind() dkg.Kind {
	if l.IsZero() {
		return 0
	}
	return dkg.Kind(l.bytes.Expose()[1] >> 4)
}

// Space returns the space that the link leads into. It is no secret.
func (l Link) Space() (id state.ID) {
	if !l.IsZero() {
		copy(id[:], l.bytes.Expose()[2:])
	}
	return id
}

// String says where the link leads and shows nothing of its secret.
func (l Link) String() string { return "link into space " + l.Space().String() }

// GoString is String: %#v shows no more than %v.
func (l Link) GoString() string { return l.String() }
