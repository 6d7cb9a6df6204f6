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
	for name, text := range Renderings(v) {
		for i, s := range secrets {
			require.GreaterOrEqual(t, len(s), window, "secret %d is too short to look for", i)
			if how := Hit(text, s); how != "" {
				t.Errorf("%s of %T shows secret %d %s", name, v, i, how)
			}
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

// numbers finds numbers as fmt writes them: 7, 0x7, 0b111, 0o7.
var numbers = regexp.MustCompile(`0x[0-9a-fA-F]+|0b[01]+|0o[0-7]+|[0-9]+`)

// Hit says how text shows six consecutive bytes of secret, or returns the empty string.
func Hit(text string, secret []byte) string {
	packed := strings.ToLower(strings.Join(strings.Fields(text), ""))
	var listed, binary bytes.Buffer
	for _, tok := range numbers.FindAllString(text, -1) {
		if n, err := strconv.ParseUint(tok, 0, 8); err == nil {
			listed.WriteByte(byte(n))
		} else if n, err := strconv.ParseUint(strings.TrimLeft(tok, "0"), 10, 8); err == nil {
			listed.WriteByte(byte(n))
		}
		if n, err := strconv.ParseUint(tok, 2, 8); err == nil {
			binary.WriteByte(byte(n))
		}
	}
	for i := 0; i+window <= len(secret); i++ {
		w := secret[i : i+window]
		quoted := strconv.Quote(string(w))
		switch {
		case strings.Contains(text, string(w)):
			return "raw"
		case strings.Contains(text, quoted[1:len(quoted)-1]):
			return "quoted"
		case strings.Contains(packed, hex.EncodeToString(w)):
			return "in hex"
		case bytes.Contains(listed.Bytes(), w), bytes.Contains(binary.Bytes(), w):
			return "as numbers"
		}
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if strings.Contains(text, enc.EncodeToString(w)) {
				return "in base64"
			}
		}
	}
	return ""
}
