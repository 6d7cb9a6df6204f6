package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/api"
)

// A body has each name once, in its own spelling, at every depth, and is one value.
func TestStrict(t *testing.T) {
	var got PostRequest
	require.NoError(t, strict([]byte(` {"topic": "a", "data": "Yg=="} `), &got))
	require.Equal(t, PostRequest{Topic: "a", Data: []byte("b")}, got)
	for _, bad := range []string{
		`{"topic":"a","topic":"b"}`, `{"topic":"a","top\u0069c":"b"}`, `{"Topic":"a"}`, `{"topic":"a","TOPIC":"b"}`, `{"more":1}`,
		`{"topic":"a"}{}`, `{"topic":"a"`, `[]`, ``, `{"topic":"a"},`, `{"topic":["a"}`, `{"topic":}`, "{\"topic\":\"\xff\"}",
	} {
		require.ErrorIs(t, strict([]byte(bad), new(PostRequest)), api.ErrMalformed, bad)
	}
	for _, bad := range []string{`{"envelopes":[{"sealed":"","sealed":""}]}`, `{"envelopes":[{"Sealed":""}]}`, `{"envelopes":[{},{"sealed":"","sealed":""}]}`} {
		require.ErrorIs(t, strict([]byte(bad), new(api.Proposal)), api.ErrMalformed, bad)
	}
	require.NoError(t, strict([]byte(`{"envelopes":[{"sealed":"YQ=="},{"sealed":"Yg=="}],"members":[]}`), new(api.Proposal)), "in two objects")
}
