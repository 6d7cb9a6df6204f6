package main

import (
	"bytes"
	"fmt"
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
