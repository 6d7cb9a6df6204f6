package api

import (
	"encoding"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each value has one text, and nothing else is read as it.
func TestTexts(t *testing.T) {
	for _, v := range []any{DeviceID{1}, ConversationID{2, 255}, RequestID{3}, RequestKey{4}, BlobAddress{5}, Hash{6},
		Direct, Group, Frame, SessionBegan, MemberRemoved, MemberLeaves, KeyRequested, KeyAnswered, KeyExpired, Expired, Full,
		Added, Renewed, Revoked} {
		text, err := v.(encoding.TextMarshaler).MarshalText()
		require.NoError(t, err)
		out := reflect.New(reflect.TypeOf(v))
		read := out.Interface().(encoding.TextUnmarshaler)
		require.NoError(t, read.UnmarshalText(text))
		require.Equal(t, v, out.Elem().Interface())
		for _, bad := range []string{"", strings.ToUpper(string(text)) + "A", string(text[1:]), string(text) + " ", strings.Repeat("g", len(text))} {
			require.ErrorIs(t, read.UnmarshalText([]byte(bad)), ErrMalformed, "%T: %q", v, bad)
		}
	}
	for _, v := range []encoding.TextMarshaler{Kind(0), Kind(3), MessageKind(8), Reason(3), ChangeKind(4)} {
		_, err := v.MarshalText()
		require.ErrorIs(t, err, ErrMalformed)
	}
}
