package invite_test

import (
	"bytes"
	"crypto/sha3"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state"
)

const textBase = "https://chat.example"

// writeText returns the link of some bytes.
func writeText(base string, link []byte) string { return base + "#" + text(link) }

// find and parse return the bytes of what Find and Parse return.
func find(text string) ([]byte, error) {
	l, err := invite.Find(text)
	return l.Bytes(), err
}

func parse(text string) ([]byte, error) {
	l, err := invite.Parse(text)
	return l.Bytes(), err
}

// sampleLink returns the bytes of a link of a kind (SPEC §9): of what the fields hold, the text knows only the first two bytes.
func sampleLink(kind byte, seed string) []byte {
	n := 82
	if kind == 3 {
		n = 85
	}
	b := append([]byte{2, kind<<4 | 1}, sha3.SumSHAKE256([]byte(seed), n-6)...)
	checksum := sha512.Sum512(append([]byte("trefoil/2 link"), b...))
	return append(b, checksum[:4]...)
}

// sample returns such a link.
func sample(t testing.TB, kind byte, seed string) invite.Link {
	l, err := invite.FromBytes(sampleLink(kind, seed))
	require.NoError(t, err)
	return l
}

// TestTextForm: a link is its base and one text of fixed length in upper case, and reads back in either case.
func TestTextForm(t *testing.T) {
	for kind, length := range map[byte]int{2: 132, 3: 136, 4: 132} {
		b := sampleLink(kind, "a")
		text := writeText(textBase, b)
		require.Len(t, text, len(textBase)+1+length)
		require.LessOrEqual(t, len(text), 160)
		require.Regexp(t, "^A[I-L][A-Z2-7]+$", text[len(textBase)+1:])
		for _, form := range []string{text, strings.ToLower(text)} {
			got, err := parse(form)
			require.NoError(t, err)
			require.Equal(t, b, got)
		}
		for name, form := range map[string]string{
			"a blank": text + " ", "a word": text + "A", "a parameter": text + "&x=1", "a line break": text[:60] + "\n" + text[60:],
			"relative": text[8:], "no base": text[20:], "only the text": text[21:],
		} {
			_, err := parse(form)
			require.Error(t, err, name)
		}
	}
}

// pasted are the ways in which a link arrives. %s stands for it, and ⏎ is put into the middle of it.
var pasted = map[string]func(link string) string{
	"as it is":       func(l string) string { return l },
	"lower case":     strings.ToLower,
	"sentence":       func(l string) string { return "Join us here: " + l + ". See you there!" },
	"in brackets":    func(l string) string { return "(" + l + ")" },
	"angle brackets": func(l string) string { return "<" + l + ">" },
	"quoted":         func(l string) string { return "“" + l + "”, she said" },
	"straight":       func(l string) string { return `"` + l + `"` },
	"comma":          func(l string) string { return l + ", and bring cake" },
	"two lines":      func(l string) string { return wrap(l, "\n") },
	"mail":           func(l string) string { return "> " + wrap(l, "\r\n> ") + "\r\n> regards" },
	"blanks":         func(l string) string { return wrap(l, " ") },
	"hyphens":        func(l string) string { return wrap(l, "-") },
	"soft hyphens":   func(l string) string { return wrap(l, "\u00ad") },
	"zero width":     func(l string) string { return wrap(l, "\u200b") + "\ufeff" },
	"left to right":  func(l string) string { return "\u2066" + l + "\u2069" },
	"no-break":       func(l string) string { return wrap(l, "\u00a0") },
	"percent":        func(l string) string { return strings.Replace(l, "#", "%23", 1) },
	"twice percent":  func(l string) string { return strings.Replace(l, "#", "%2523", 1) },
	"HTML":           func(l string) string { return strings.Replace(l, "#", "&#35;", 1) },
	"redirect":       func(l string) string { return "https://out.example/?to=" + strings.Replace(l, "#", "%23", 1) + "&s=1" },
	"parameters":     func(l string) string { return l + "?utm_source=mail&x=#y" },
	"text fragment":  func(l string) string { return l + ":~:text=join" },
	"Markdown":       func(l string) string { return "[join](" + l + ") **now**" },
	"Markdown bold":  func(l string) string { return "**" + l + "**" },
	"Markdown code":  func(l string) string { return "`" + l + "`" },
	"Markdown both":  func(l string) string { return "[" + l + "](" + l + ")" },
	"word behind":    func(l string) string { return l + " please" },
	"word glued":     func(l string) string { return l + "PLEASE" },
	"hashtag before": func(l string) string { return "#general #ai2026 " + l },
	"hashtag behind": func(l string) string { return l + " #general" },
	"line below":     func(l string) string { return l + "\nSent from my phone" },
	"twice":          func(l string) string { return l + "\n" + l },
}

// wrap puts something into a link every 30 characters.
func wrap(link, between string) string {
	var lines []string
	for len(link) > 30 {
		lines, link = append(lines, link[:30]), link[30:]
	}
	return strings.Join(append(lines, link), between)
}

// TestFindPasted: a link is found in whatever people paste, and is the one that was sent.
func TestFindPasted(t *testing.T) {
	for _, kind := range []byte{2, 3, 4} {
		b := sampleLink(kind, "a")
		for name, paste := range pasted {
			for _, base := range []string{textBase, "trefoil:join", "https://xn--e1afmkfd.example/a_b/~c?lang=en&x=%20"} {
				got, err := find(paste(writeText(base, b)))
				require.NoError(t, err, "%s: %s", name, paste(writeText(base, b)))
				require.Equal(t, b, got, name)
			}
		}
	}
	_, err := find(writeText(textBase, sampleLink(2, "a")) + " or " + writeText(textBase, sampleLink(3, "b")))
	require.ErrorIs(t, err, invite.ErrSeveral)
	got, err := find(writeText(textBase, sampleLink(2, "a")) + " not " + writeText(textBase, sampleLink(3, "b"))[:90])
	require.NoError(t, err, "a right link beside one that is cut")
	require.Equal(t, sampleLink(2, "a"), got)
}

// TestFindTellsCutFromAltered: what lacks its end is cut, what has a wrong character is altered, and neither is guessed.
func TestFindTellsCutFromAltered(t *testing.T) {
	for _, kind := range []byte{2, 3, 4} {
		text := writeText(textBase, sampleLink(kind, "a"))
		head := len(textBase) + 1
		for n := head; n < len(text); n++ {
			want := invite.ErrCut
			if n-head < 20 {
				want = invite.ErrNotLink
			}
			for _, cut := range []string{text[:n], strings.ToLower(text[:n]), text[:n] + "…", text[:n] + " and so on and on, " + strings.Repeat("and on ", 40)} {
				_, err := find(cut)
				require.ErrorIs(t, err, want, cut)
			}
		}
		for at := head + 8; at < len(text); at++ {
			for _, c := range "A7Zq018" {
				if altered := text[:at] + string(c) + text[at+1:]; !strings.EqualFold(altered, text) {
					_, err := find(altered)
					last := c == 'q' && at >= head+123 // lower case at the end: a sentence, or nothing but digits behind it
					require.True(t, errors.Is(err, invite.ErrAltered) || last && errors.Is(err, invite.ErrCut), "%v %s", err, altered)
				}
			}
		}
		swapped := []byte(text)
		swapped[head+40], swapped[head+41] = swapped[head+41], swapped[head+40]
		if !bytes.Equal(swapped, []byte(text)) {
			_, err := find(string(swapped))
			require.ErrorIs(t, err, invite.ErrAltered)
		}
	}
	for _, text := range []string{"", "#", "hello", "https://chat.example/#section-2", "#aimlessness", "#" + strings.Repeat("Z", 200), strings.Repeat("#", 1000),
		textBase + "#trefoil.private.1.AAAA", strings.Repeat("x", 64<<10+1)} {
		_, err := find(text)
		require.ErrorIs(t, err, invite.ErrNotLink, text)
	}
	for version := range byte(17) {
		b := sampleLink(2, "a")
		b[0] = version
		_, err := find(writeText(textBase, b))
		switch {
		case version == 2:
			require.NoError(t, err)
		case version == 0 || version > 15:
			require.ErrorIs(t, err, invite.ErrNotLink)
		case version < 2:
			require.ErrorIs(t, err, state.ErrTooOld)
		default:
			require.ErrorIs(t, err, state.ErrTooNew)
		}
	}
}

// TestFindIsNeverWrong: whatever is done to a text, what is found is a link that stood in it.
func TestFindIsNeverWrong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := sampleLink(rapid.SampledFrom([]byte{2, 3, 4}).Draw(t, "kind"), fmt.Sprint(rapid.Byte().Draw(t, "seed")))
		text := []rune(writeText(textBase, b))
		noise := []rune("AZ27 0\n#%\u200b-_>.&é")
		for range rapid.IntRange(0, 6).Draw(t, "changes") {
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			text = append(text[:at:at], append([]rune{rapid.SampledFrom(noise).Draw(t, "noise")}, text[at:]...)...)
		}
		got, err := find(string(text))
		if err == nil {
			require.Equal(t, b, got)
		}
	})
}

func FuzzFind(f *testing.F) {
	for name, paste := range pasted {
		f.Add(paste(writeText(textBase, sampleLink(2, name))))
		f.Add(paste(writeText(textBase, sampleLink(3, name))))
	}
	f.Add(writeText(textBase, sampleLink(2, "cut"))[:80])
	f.Fuzz(func(t *testing.T, text string) {
		b, err := find(text)
		if err != nil {
			return
		}
		got, err := parse(writeText(textBase, b))
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("found what is no link: %x", b)
		}
	})
}
