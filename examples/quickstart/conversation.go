package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the size of the longest name in bytes.
const maxName = 64

// line is one line of a conversation.
type line struct {
	number int // from 1
	name   string
	text   string
}

// parseConversation reads lines of the form name, tab, text. The first tab separates; the text may hold anything but a
// newline. The newline at the end may be missing. The error names the line that is malformed.
func parseConversation(file []byte) ([]line, error) {
	if len(file) == 0 {
		return nil, fmt.Errorf("line 1: the conversation is empty")
	}
	var lines []line
	for i, raw := range bytes.Split(bytes.TrimSuffix(file, []byte("\n")), []byte("\n")) {
		l := line{number: i + 1}
		if !utf8.Valid(raw) {
			return nil, fmt.Errorf("line %d: not valid UTF-8", l.number)
		}
		var found bool
		if l.name, l.text, found = strings.Cut(string(raw), "\t"); !found {
			return nil, fmt.Errorf("line %d: no tab between name and text", l.number)
		}
		if err := checkName(l.name); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.number, err)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// checkName returns an error unless name can be the name of a member and of its files.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name is empty")
	case len(name) > maxName:
		return fmt.Errorf("the name has more than %d bytes", maxName)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the name has a control character")
	case strings.ContainsAny(name, `/\`):
		return fmt.Errorf("the name has a slash or backslash")
	case name == ".", name == "..":
		return fmt.Errorf("the name cannot be %q", name)
	}
	return nil
}

// names returns the names in the order in which they first speak.
func names(lines []line) (out []string) {
	seen := make(map[string]bool)
	for _, l := range lines {
		if !seen[l.name] {
			seen[l.name] = true
			out = append(out, l.name)
		}
	}
	return out
}

// kick is a removal: of whom, and before which line.
type kick struct {
	name   string
	before int
}

// parseKick reads NAME@LINE. A name may hold an @ itself.
func parseKick(s string) (kick, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return kick{}, fmt.Errorf("%q is not of the form NAME@LINE", s)
	}
	n, err := strconv.Atoi(s[at+1:])
	if err != nil || n < 1 {
		return kick{}, fmt.Errorf("%q: %q is not the number of a line", s, s[at+1:])
	}
	return kick{s[:at], n}, checkName(s[:at])
}

// checkKicks returns an error unless everybody is a member when it is to be removed, and not the owner, and is removed once.
func checkKicks(kicks []kick, lines []line) error {
	removed := make(map[string]bool)
	for _, k := range kicks {
		first := slices.IndexFunc(lines, func(l line) bool { return l.name == k.name })
		switch {
		case k.before > len(lines):
			return fmt.Errorf("there is no line %d, before which %s could be removed", k.before, k.name)
		case first < 0:
			return fmt.Errorf("%s is nobody in this conversation", k.name)
		case first == 0:
			return fmt.Errorf("%s is the owner, who cannot be removed", k.name)
		case k.before <= lines[first].number:
			return fmt.Errorf("%s cannot be removed before line %d, since it comes with line %d", k.name, k.before, lines[first].number)
		case removed[k.name]:
			return fmt.Errorf("%s cannot be removed twice", k.name)
		}
		removed[k.name] = true
	}
	return nil
}
