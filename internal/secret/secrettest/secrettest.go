// Package secrettest looks for key bytes in everything a program might print.
package secrettest

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// window is how many consecutive bytes of a secret count as a hit.
const window = 6

// Check fails if any rendering of v, of a pointer to it or of a struct that hides it shows six consecutive bytes of one of
// the secrets: raw, quoted, in hex, in base64 or as a list of numbers.
func Check[T any](t *testing.T, v T, secrets ...[]byte) {
	t.Helper()
	require.NotEmpty(t, secrets)
	for i, s := range secrets {
		require.GreaterOrEqual(t, len(s), window, "secret %d is too short to look for", i)
	}
	f := newFinder(secrets...)
	looked := map[string]bool{} // many ways of printing give the same text
	for name, text := range Renderings(v) {
		if looked[text] {
			continue
		}
		looked[text] = true
		if i, how := f.find(text); how != "" {
			t.Errorf("%s of %T shows secret %d %s", name, v, i, how)
		}
	}
}

// Renderings returns v as text in every way that a program or a test is likely to use, by the name of the way.
func Renderings[T any](v T) map[string]string {
	type outer struct {
		Name   string
		hidden T
	}
	p := &v
	out := make(map[string]string)
	for _, shape := range []struct {
		name  string
		value any
	}{
		{"value", v}, {"pointer", p}, {"pointer to pointer", &p}, {"outer", outer{"outer", v}}, {"pointer to outer", &outer{"outer", v}},
		{"slice", []T{v}}, {"map", map[string]T{"key": v}}, {"interface", []any{v, p}},
	} {
		render(out, shape.name, shape.value)
	}
	return out
}

func render(out map[string]string, name string, v any) {
	for _, verb := range strings.Fields("%v %+v %#v %s %q %#q %x %X %#x %d %t %b %o %O %c %U %e %f %g %p %T %z") {
		out[verb+" of "+name] = fmt.Sprintf(verb, v)
	}
	out["% x of "+name] = fmt.Sprintf("% x", v)
	out["Print of "+name] = fmt.Sprint(v)
	out["error with "+name] = errors.Join(fmt.Errorf("failed with %v", v), fmt.Errorf("and %#v", v)).Error()

	var text, asJSON bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Error("message", "value", v, slog.Any("again", v), slog.Group("group", "value", v))
	slog.New(slog.NewJSONHandler(&asJSON, nil)).Error("message", "value", v, slog.Any("again", v), slog.Group("group", "value", v))
	out["slog text of "+name] = text.String()
	out["slog JSON of "+name] = asJSON.String()

	if b, err := json.Marshal(v); err != nil {
		out["JSON error of "+name] = err.Error()
	} else {
		out["JSON of "+name] = string(b)
	}
	var g bytes.Buffer
	if err := gob.NewEncoder(&g).Encode(v); err != nil {
		out["gob error of "+name] = err.Error()
	}
	out["gob of "+name] = g.String()

	var rec recorder
	assert.Equal(&rec, v, "something else")
	assert.Equal(&rec, v, new(struct{ X int }))
	assert.Nil(&rec, v)
	assert.Empty(&rec, v)
	assert.Contains(&rec, []any{"a"}, v)
	func() {
		defer func() { _ = recover() }()
		require.Equal(&rec, []any{v}, []any{"something else"})
	}()
	out["test failure with "+name] = rec.String()
}

// recorder collects what a failing test prints.
type recorder struct{ strings.Builder }

// Errorf implements testify's TestingT.
func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(r, format, args...) }

// FailNow implements testify's TestingT.
func (r *recorder) FailNow() { panic("failed") }

// Hit says how text shows six consecutive bytes of secret, or returns the empty string.
func Hit(text string, secret []byte) string {
	_, how := newFinder(secret).find(text)
	return how
}

// finder knows every window of some secrets, and so looks at a text once, however many there are.
type finder struct {
	windows map[[window]byte]int // the secret each is of
	begins  *[1 << 16]bool       // how windows begin
	base64  map[string]int       // of the windows
	digits  *[1 << 16]bool       // how those begin
}

// begin returns the first two bytes as an index.
func begin[T string | []byte](b T) int { return int(b[0])<<8 | int(b[1]) }

// base64Window is the length of a window in base64.
const base64Window = window * 4 / 3

func newFinder(secrets ...[]byte) finder {
	f := finder{make(map[[window]byte]int), new([1 << 16]bool), make(map[string]int), new([1 << 16]bool)}
	for n, s := range secrets {
		for i := 0; i+window <= len(s); i++ {
			w := [window]byte(s[i:])
			f.windows[w] = n
			f.begins[begin(w[:])] = true
			for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
				digits := e.EncodeToString(w[:])
				f.base64[digits] = n
				f.digits[begin(digits)] = true
			}
		}
	}
	return f
}

// find returns which secret a text shows, and how.
func (f finder) find(text string) (secret int, how string) {
	tokens := numbers.FindAllString(text, -1)
	for _, form := range []struct {
		how   string
		bytes []byte
	}{
		{"raw", []byte(text)}, {"as characters", characters(text)}, {"quoted", unquoted(text)},
		{"as numbers", listed(tokens, 0)}, {"as binary numbers", listed(tokens, 2)},
	} {
		if n, ok := f.shown(form.bytes); ok {
			return n, form.how
		}
	}
	packed := strings.Join(strings.Fields(text), "")
	for _, digits := range strings.FieldsFunc(packed, func(c rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", c) }) {
		for _, from := range []int{0, 1} { // a byte may begin at each digit
			b, _ := hex.DecodeString(digits[min(from, len(digits)):]) // up to an odd digit
			if n, ok := f.shown(b); ok {
				return n, "in hex"
			}
		}
	}
	for i := 0; i+base64Window <= len(text); i++ {
		if !f.digits[begin(text[i:])] {
			continue
		}
		if n, ok := f.base64[text[i:i+base64Window]]; ok {
			return n, "in base64"
		}
	}
	return 0, ""
}

// shown returns which secret has a window in b.
func (f finder) shown(b []byte) (secret int, ok bool) {
	for i := 0; i+window <= len(b); i++ {
		if !f.begins[begin(b[i:])] {
			continue
		}
		if n, ok := f.windows[[window]byte(b[i:])]; ok {
			return n, true
		}
	}
	return 0, false
}

// characters returns the bytes that a text's characters stand for if each is one byte.
func characters(text string) (out []byte) {
	for _, c := range text {
		out = append(out, byte(c))
	}
	return out
}

// unquoted returns a text with the escapes of Go's and of JSON's strings resolved.
func unquoted(text string) (out []byte) {
	for len(text) > 0 {
		c, multi, rest, err := strconv.UnquoteChar(text, 0)
		if err != nil {
			c, multi, rest = rune(text[0]), false, text[1:]
		}
		if multi && c > 0xff {
			out = append(out, string(c)...)
		} else {
			out = append(out, byte(c))
		}
		text = rest
	}
	return out
}

// numbers finds numbers as fmt writes them: 7, 0x7, 0b111, 0o7.
var numbers = regexp.MustCompile(`0x[0-9a-fA-F]+|0b[01]+|0o[0-7]+|[0-9]+`)

// listed returns the numbers that are bytes; base 0 takes each as it is written.
func listed(tokens []string, base int) (out []byte) {
	for _, tok := range tokens {
		n, err := strconv.ParseUint(tok, base, 8)
		if err != nil && base == 0 {
			n, err = strconv.ParseUint(strings.TrimLeft(tok, "0"), 10, 8)
		}
		if err == nil {
			out = append(out, byte(n))
		}
	}
	return out
}
