package invite

import (
	"bytes"
	"crypto/sha512"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/trefoil-im/trefoil/state"
)

// Errors of links, besides state.ErrTooOld and state.ErrTooNew.
var (
	// ErrNotLink: nothing in it begins like a link.
	ErrNotLink = errors.New("invite: not a link")
	// ErrCut: a link whose end is missing.
	ErrCut = errors.New("invite: link is cut off")
	// ErrAltered: a link of which something was changed. Nothing is guessed.
	ErrAltered = errors.New("invite: link was altered")
	// ErrSeveral: two different links.
	ErrSeveral = errors.New("invite: several links")
	// ErrBase: the address that a link is to stand behind is no absolute URL, or has a fragment already.
	ErrBase = errors.New("invite: not an absolute URL without a fragment")
)

// Lengths of a link: bytes, and characters of the text behind the sign #.
const (
	singleSize  = 82 // of kinds private and direct
	publicSize  = 85
	singleText  = 132
	publicText  = 136
	cutFrom     = 20  // fewer are not taken for the beginning of a link
	versionFrom = 100 // fewer are not taken for a link of another version
)

// maxText bounds what is searched for a link, in bytes: a long message.
const maxText = 64 << 10

// textVersion is the first byte of a link, and publicKind the high half of the second byte of a public one.
const (
	textVersion = 2
	publicKind  = 3
)

// alphabet is that of RFC 4648, section 6: upper case, so that a QR code holds the text in its alphanumeric mode, and so that
// it survives programs that change case.
var alphabet = base32.StdEncoding.WithPadding(base32.NoPadding)

// checksumSize is the length of a link's last field.
const checksumSize = 4

// checksum returns the checksum of a link's other bytes.
func checksum(b []byte) []byte {
	d := sha512.Sum512(append([]byte("trefoil/2 link"), b...))
	return d[:checksumSize]
}

// check returns the error for bytes that are no link of this version, by version, length and checksum.
func check(b []byte) error {
	n := singleSize
	switch {
	case len(b) < 2:
		return ErrNotLink
	case b[0] != textVersion:
		return otherVersion(b[0])
	case b[1]>>4 == publicKind:
		n = publicSize
	}
	switch {
	case len(b) < n:
		return ErrCut
	case len(b) > n || !bytes.Equal(checksum(b[:n-checksumSize]), b[n-checksumSize:]):
		return ErrAltered
	}
	return nil
}

// parseText reads exactly what writeText writes, in any case of letters, and returns the bytes, whose checksum and length are
// right.
func parseText(text string) ([]byte, error) {
	base, fragment, found := strings.Cut(text, "#")
	if !found || len(text) > maxText || !validBase(base) {
		return nil, ErrNotLink
	}
	b, n, err := readRun(fragment)
	if err == nil && n != len(fragment) {
		err = ErrAltered
	}
	return b, err
}

// findText takes a link out of what people paste: with line breaks, quote marks and invisible characters in it, text around it,
// or parameters behind it.
func findText(text string) ([]byte, error) {
	if len(text) > maxText {
		return nil, ErrNotLink
	}
	var found []byte
	failed := ErrNotLink
	for _, piece := range strings.Split(clean(text), "#")[1:] {
		b, _, err := readRun(piece)
		switch {
		case err != nil:
			failed = graver(failed, err)
		case found != nil && !bytes.Equal(found, b):
			return nil, ErrSeveral
		default:
			found = b
		}
	}
	if found == nil {
		return nil, failed
	}
	return found, nil
}

// graver returns the error that says more of what was pasted.
func graver(a, b error) error {
	for _, e := range []error{ErrAltered, ErrCut, state.ErrTooNew, state.ErrTooOld} {
		if errors.Is(a, e) {
			return a
		}
		if errors.Is(b, e) {
			return b
		}
	}
	return a
}

// numberSigns are the ways in which programs write the sign #, longest first.
var numberSigns = strings.NewReplacer("%252523", "#", "%2523", "#", "%23", "#", "&#35;", "#", "&#x23;", "#", "&#X23;", "#")

// clean returns the text without what programs put into a link: blanks and line breaks, with the marks of a quoted mail, format
// and control characters, quote marks, dashes, and marks of emphasis.
func clean(text string) string {
	lineStart := true
	return strings.Map(func(c rune) rune {
		quoted := lineStart && c == '>'
		lineStart = c == '\n' || c == '\r' || lineStart && (quoted || unicode.IsSpace(c))
		if quoted || unicode.IsSpace(c) || unicode.In(c, unicode.Cf, unicode.Cc, unicode.Pd, unicode.Pi, unicode.Pf, unicode.Mn) ||
			strings.ContainsRune("\"'`*_~„‚‛‟´", c) {
			return -1
		}
		return c
	}, numberSigns.Replace(text))
}

// readRun reads the link at the beginning of a text that was cleaned, and returns how long it is. What stands behind it is no
// part of it: the kind says how many characters it has, and the checksum that these are they.
func readRun(text string) ([]byte, int, error) {
	run := text
	if end := strings.IndexFunc(text, func(c rune) bool { return !isAlphanumeric(c) }); end >= 0 {
		run = text[:end]
	}
	head, ok := decodeHead(run)
	if !ok {
		return nil, 0, ErrNotLink
	}
	if version := head[0]; version != textVersion {
		return nil, 0, otherTextVersion(run, version)
	}
	n := singleText
	if head[1]>>4 == publicKind {
		n = publicText
	}
	own := run[:ownPart(run)]
	if len(run) < n {
		return nil, 0, short(own)
	}
	b, err := alphabet.DecodeString(strings.ToUpper(run[:n]))
	if err == nil && alphabet.EncodeToString(b) == strings.ToUpper(run[:n]) && check(b) == nil {
		return b, n, nil
	}
	if len(own) < n {
		return nil, 0, short(own)
	}
	return nil, 0, ErrAltered
}

// short returns the error of the beginning of a link.
func short(run string) error {
	switch {
	case inAlphabet(run) < len(run) && len(run) >= cutFrom:
		return ErrAltered
	case len(run) >= cutFrom:
		return ErrCut
	}
	return ErrNotLink
}

// otherTextVersion returns the error of a text that begins like a link of another version.
func otherTextVersion(run string, version byte) error {
	if inAlphabet(run) < versionFrom {
		return ErrNotLink
	}
	return otherVersion(version)
}

// otherVersion returns the error of a link of another version.
func otherVersion(version byte) error {
	switch {
	case version == 0 || version > 15:
		return ErrNotLink
	case version < textVersion:
		return fmt.Errorf("invite: link: %w", state.ErrTooOld)
	}
	return fmt.Errorf("invite: link: %w", state.ErrTooNew)
}

// decodeHead returns the first two bytes of a link.
func decodeHead(run string) (head [2]byte, ok bool) {
	const characters = 8 // of 5 bytes
	if len(run) < characters {
		return head, false
	}
	b, err := alphabet.DecodeString(strings.ToUpper(run[:characters]))
	if err != nil {
		return head, false
	}
	return [2]byte(b), true
}

// isAlphanumeric reports whether c is a letter or digit of ASCII, of which some are in the alphabet of links.
func isAlphanumeric(c rune) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
}

// inAlphabet returns how many characters from the beginning on are of the alphabet.
func inAlphabet(run string) int {
	for i, c := range run {
		if strings.ContainsRune("0189", c) {
			return i
		}
	}
	return len(run)
}

// ownPart returns how many characters from the beginning on may be of the link, by their case: a sentence that stands directly
// behind it has letters of the other case, and of that alone.
func ownPart(run string) int {
	lower, end := run[0] >= 'a', len(run)
	for i, c := range run {
		switch {
		case c < 'A':
		case (c >= 'a') != lower:
			end = min(end, i)
		case end < len(run):
			return len(run)
		}
	}
	return end
}

// validBase reports whether a fragment can be appended to base.
func validBase(base string) bool {
	u, err := url.Parse(base)
	return err == nil && u.IsAbs() && !strings.Contains(base, "#")
}
