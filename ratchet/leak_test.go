package ratchet_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// G6: whatever is done to a value to show it, no key appears.
func TestNothingLeaks(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchet.Policy{})
	late := g.Send(g.Peers[1], "late")
	_ = late
	g.Deliver(g.Send(g.Peers[1], "skips one"), g.Peers[0])
	grant := g.Grant()
	joining, q, err := ratchet.Join(grant, g.Now, nil)
	require.NoError(t, err)
	ticket := g.Admit(g.Peers[0], q)
	joined, err := ratchet.Enter(joining, g.Now, ticket)
	require.NoError(t, err)
	e := g.Send(g.Peers[0], "text")

	var secrets [][]byte
	for _, s := range []ratchet.Space{g.Peers[0].Space, g.Peers[1].Space, joining, joined} {
		secrets = append(secrets, ratchet.Secrets(s)...)
	}
	require.Greater(t, len(secrets), 30)
	// The grant itself is a secret that leaves, by Bytes and by nothing else.
	for _, v := range []any{
		g.Peers[0].Space, g.Peers[0].Space.State(), g.Peers[0].Space.Template(), g.Peers[0].Space.Evals(),
		joining, joining.State(), joining.Template(), joined, joined.State(),
		grant, q, ticket, e, ratchet.Members(joined), ratchet.Due(joined, g.Now), ratchet.Policy{},
		ratchet.Conflict{Index: 2}, ratchet.ErrForged,
	} {
		for name, shown := range shows(v) {
			for _, s := range secrets {
				for _, form := range forms(s) {
					if strings.Contains(shown, form) {
						t.Fatalf("%T shows a key through %s", v, name)
					}
				}
			}
		}
	}
}

// shows returns all the ways in which a value may end up in a log.
func shows(v any) map[string]string {
	out := map[string]string{}
	type nested struct{ hidden any }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out[verb] = fmt.Sprintf(verb, v)
		out["nested "+verb] = fmt.Sprintf(verb, nested{v})
		out["pointer "+verb] = fmt.Sprintf(verb, &nested{&v})
	}
	if b, err := json.Marshal(v); err == nil {
		out["json"] = string(b)
	}
	var b bytes.Buffer
	if gob.NewEncoder(&b).Encode(v) == nil {
		out["gob"] = b.String()
	}
	b.Reset()
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	out["slog"] = b.String()
	var diff recorder
	assert.Equal(&diff, nested{v}, nested{1})
	out["testify"] = diff.String()
	return out
}

type recorder struct{ strings.Builder }

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(r, format, args...) }

// forms returns how bytes look when they are printed, from 16 of them on.
func forms(s []byte) []string {
	s = s[:16]
	return []string{
		string(s), hex.EncodeToString(s), strings.ToUpper(hex.EncodeToString(s)), base64.StdEncoding.EncodeToString(s[:15]),
		strings.Trim(fmt.Sprint(s), "[]"), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", s), "[]byte{"), "}"),
	}
}
