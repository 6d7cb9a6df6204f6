package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseConversation(t *testing.T) {
	got, err := parseConversation([]byte("ann\thello\nbob\ta\ttab and \r\nann\t\n名前\t…"))
	require.NoError(t, err)
	require.Equal(t, []line{{1, "ann", "hello"}, {2, "bob", "a\ttab and \r"}, {3, "ann", ""}, {4, "名前", "…"}}, got)
	require.Equal(t, []string{"ann", "bob", "名前"}, names(got))

	again, err := parseConversation([]byte("ann\thello\nbob\ta\ttab and \r\nann\t\n名前\t…\n"))
	require.NoError(t, err)
	require.Equal(t, got, again)

	long := strings.Repeat("x", maxName)
	_, err = parseConversation([]byte(long + "\ta\n..a\tb\na b\tc\n-\td\n"))
	require.NoError(t, err)
}

func TestMalformedConversations(t *testing.T) {
	for name, c := range map[string]struct{ file, where string }{
		"empty":         {"", "line 1"},
		"only newline":  {"\n", "line 1"},
		"no tab":        {"ann\thello\nbob hello\n", "line 2"},
		"blank line":    {"ann\thello\n\nbob\thello\n", "line 2"},
		"two newlines":  {"ann\thello\n\n", "line 2"},
		"no name":       {"\thello\n", "line 1"},
		"long name":     {strings.Repeat("x", maxName+1) + "\thello", "line 1"},
		"control":       {"a\x01b\thello", "line 1"},
		"delete":        {"a\x7fb\thello", "line 1"},
		"C1 control":    {"a\u0085b\thello", "line 1"},
		"slash":         {"ann\thello\na/b\thello", "line 2"},
		"backslash":     {`a\b` + "\thello", "line 1"},
		"dot":           {".\thello", "line 1"},
		"dots":          {"..\thello", "line 1"},
		"UTF-8 in name": {"a\xff\thello", "line 1"},
		"UTF-8 in text": {"a\tb\na\t\xc3\x28", "line 2"},
	} {
		_, err := parseConversation([]byte(c.file))
		require.ErrorContains(t, err, c.where+":", name)
	}
}
