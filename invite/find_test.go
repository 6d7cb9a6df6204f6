package invite_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
)

// A link that was found can be written again, tells its space and kind, and shows nothing when printed.
func TestLink(t *testing.T) {
	_, err := invite.Parse("nothing")
	require.ErrorIs(t, err, invite.ErrNotLink)

	l := sample(t, 3, "a")
	require.Equal(t, dkg.Public, l.Kind())
	url, err := l.URL("https://chat.example/j")
	require.NoError(t, err)
	require.LessOrEqual(t, len(url), 160)
	got, err := invite.Find("Come in: " + url + " (till Friday)")
	require.NoError(t, err)
	require.Equal(t, l.Bytes(), got.Bytes())
	require.Equal(t, l.Space(), got.Space())
	got, err = invite.Parse(url)
	require.NoError(t, err)
	require.Equal(t, l.Bytes(), got.Bytes())
	secret := fmt.Sprintf("%x", l.Bytes()[38:70])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		require.NotContains(t, fmt.Sprintf(verb, l), secret)
		require.NotContains(t, fmt.Sprintf(verb, &l), secret)
	}

	_, err = l.URL("chat.example")
	require.ErrorIs(t, err, invite.ErrBase)
	_, err = invite.Link{}.URL("https://chat.example")
	require.ErrorIs(t, err, invite.ErrNotLink)
	require.True(t, invite.Link{}.IsZero())
	require.Zero(t, invite.Link{}.Kind())
	require.Empty(t, invite.Link{}.Bytes())
}
