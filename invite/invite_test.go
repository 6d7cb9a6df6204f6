package invite_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

const base = "https://chat.example/join?lang=en"

var now = time.UnixMilli(1_795_000_000_000)

func newSpace(t testing.TB) ratchet.Space {
	s, err := ratchet.NewSpace(now, ratchet.Policy{})
	require.NoError(t, err)
	return s
}

func private(t testing.TB, s ratchet.Space) (ratchet.Space, invite.PrivateLink, string) {
	s, l, err := invite.Private(s, now)
	require.NoError(t, err)
	u, err := l.URL(base)
	require.NoError(t, err)
	return s, l, u
}

// join lets somebody in by a link, with host as the member that answers, and returns both.
func join(t testing.TB, host ratchet.Space, l invite.PrivateLink, name string) (ratchet.Space, ratchet.Space) {
	guest, q, err := ratchet.Join(l.Grant(), now, []byte(name))
	require.NoError(t, err)
	host, ticket, err := ratchet.Admit(host, now, q)
	require.NoError(t, err)
	guest, err = ratchet.Enter(guest, now, ticket)
	require.NoError(t, err)
	guest, e, err := ratchet.Encrypt(guest, now, nil)
	require.NoError(t, err)
	host, _, err = ratchet.Decrypt(host, now, e)
	require.NoError(t, err)
	return host, guest
}

// tell sends a text from one to the other.
func tell(t testing.TB, from, to ratchet.Space, text string) (ratchet.Space, ratchet.Space) {
	from, e, err := ratchet.Encrypt(from, now, []byte(text))
	require.NoError(t, err)
	to, m, err := ratchet.Decrypt(to, now, e)
	require.NoError(t, err)
	require.Equal(t, text, string(m.Plaintext))
	require.True(t, m.Verified)
	return from, to
}

// G20: a link is a URL that carries its secret in the fragment only, and reads back as exactly the same URL.
func TestG20RoundTrip(t *testing.T) {
	s, l, u := private(t, newSpace(t))
	address, fragment, _ := strings.Cut(u, "#")
	require.Equal(t, base, address)
	require.Less(t, len(fragment), 3<<10)
	got, err := invite.ParsePrivate(u)
	require.NoError(t, err)
	require.Equal(t, l.Grant().Bytes(), got.Grant().Bytes())
	require.Equal(t, s.ID(), got.Space())
	require.Equal(t, l.Index(), got.Index())
	for _, other := range []string{"https://chat.example/", "app://join", "https://chat.example", "mailto:a@b.example"} {
		moved, err := got.URL(other)
		require.NoError(t, err)
		require.Equal(t, other+"#"+fragment, moved)
		_, err = invite.ParsePrivate(moved)
		require.NoError(t, err)
	}
	for _, bad := range []string{"", "chat.example/join", "https://chat.example/#", "https://chat.example/#x", "https://chat example/", ":"} {
		_, err := got.URL(bad)
		require.ErrorIs(t, err, invite.ErrBase, bad)
	}
	_, err = invite.PrivateLink{}.URL(base)
	require.ErrorIs(t, err, invite.ErrMalformed)
}

// G20: what is not exactly a link of this kind and version is refused, with an error that says which of these it is.
func TestG20StrictParser(t *testing.T) {
	_, l, u := private(t, newSpace(t))
	head, payload := u[:strings.LastIndex(u, ".")+1], u[strings.LastIndex(u, ".")+1:]
	flipped := l.Grant().Bytes()
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		link string
		want error
	}{
		"empty":           {"", invite.ErrMalformed},
		"no fragment":     {base, invite.ErrMalformed},
		"empty fragment":  {base + "#", invite.ErrMalformed},
		"only payload":    {base + "#" + payload, invite.ErrMalformed},
		"relative":        {strings.TrimPrefix(u, "https://"), invite.ErrMalformed},
		"another library": {strings.Replace(u, "#trefoil.", "#clover.", 1), invite.ErrMalformed},
		"another kind":    {strings.Replace(u, ".private.", ".public.", 1), invite.ErrKind},
		"newer":           {strings.Replace(u, ".private.1.", ".private.2.", 1), state.ErrTooNew},
		"version 01":      {strings.Replace(u, ".private.1.", ".private.01.", 1), invite.ErrMalformed},
		"version x":       {strings.Replace(u, ".private.1.", ".private.x.", 1), invite.ErrMalformed},
		"no version":      {strings.Replace(u, ".private.1.", ".private..", 1), invite.ErrMalformed},
		"upper case":      {strings.Replace(u, "#trefoil", "#Trefoil", 1), invite.ErrMalformed},
		"no payload":      {head, invite.ErrMalformed},
		"cut":             {u[:len(u)-1], invite.ErrMalformed},
		"longer":          {u + "A", invite.ErrMalformed},
		"padded":          {u + "=", invite.ErrMalformed},
		"a space":         {u + " ", invite.ErrMalformed},
		"a line break":    {head + payload[:100] + "\n" + payload[100:], invite.ErrMalformed},
		"another field":   {u + ".x", invite.ErrMalformed},
		"two fragments":   {u + "#x", invite.ErrMalformed},
		"other alphabet":  {head + strings.NewReplacer("-", "+", "_", "/").Replace(payload), invite.ErrMalformed},
		"altered":         {head + base64.RawURLEncoding.EncodeToString(flipped), invite.ErrMalformed},
		"very long":       {head + strings.Repeat("A", 1<<20), invite.ErrMalformed},
	} {
		_, err := invite.ParsePrivate(c.link)
		require.ErrorIs(t, err, c.want, name)
	}
}

// G20: a link works at any time, after any traffic, a reload and other joins, and never turns into another kind.
func TestG20WorksAfterTraffic(t *testing.T) {
	ctx := t.Context()
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	host := newSpace(t)
	host, early, _ := private(t, host)
	var guests []ratchet.Space
	for n := range 3 {
		var l invite.PrivateLink
		host, l, _ = private(t, host)
		var g ratchet.Space
		host, g = join(t, host, l, "guest")
		for range 5 + n {
			host, g = tell(t, host, g, "hello")
			g, host = tell(t, g, host, "hello yourself")
		}
		guests = append(guests, g)

		// The case that started the project: everything is written to disk after a message and comes back whole.
		backend := store.NewMemory()
		v, err := state.Open[ratchet.Space](ctx, backend, key, state.Options{})
		require.NoError(t, err)
		require.NoError(t, v.Create(ctx, host, nil))
		again, err := state.Open[ratchet.Space](ctx, backend, key, state.Options{})
		require.NoError(t, err)
		host, err = again.Load(ctx, host.ID())
		require.NoError(t, err)
	}
	host, late := join(t, host, early, "late")
	_, _ = tell(t, host, late, "welcome")
	require.Len(t, guests, 3)
	require.Len(t, ratchet.Members(host), 5)
}

// G20, G5: the dealer can list what it made, sees who came by which, and can take an unused link back.
func TestG20Ledger(t *testing.T) {
	s := newSpace(t)
	require.Empty(t, invite.List(s))
	s, a, _ := private(t, s)
	s, b, _ := private(t, s)
	s, c, _ := private(t, s)
	s, guest := join(t, s, b, "guest")
	key := ratchet.Info(guest).Key
	s, _, err := ratchet.Revoke(s, now, c.Index())
	require.NoError(t, err)
	require.Equal(t, []invite.Invite{
		{Index: a.Index(), Kind: dkg.Private, Status: invite.Open},
		{Index: b.Index(), Kind: dkg.Private, Status: invite.Used, Member: key},
		{Index: c.Index(), Kind: dkg.Private, Status: invite.Revoked},
	}, invite.List(s))
	require.Empty(t, invite.List(guest), "who deals nothing has nothing to list")

	late, q, err := ratchet.Join(c.Grant(), now, nil)
	require.NoError(t, err)
	require.Equal(t, ratchet.Joining, ratchet.Info(late).Phase)
	_, _, err = ratchet.Admit(s, now, q)
	require.ErrorIs(t, err, ratchet.ErrInviteDead, "a revoked link lets nobody in")

	_, _, err = invite.Private(guest, now)
	require.ErrorIs(t, err, ratchet.ErrPhase, "only the dealer makes links")
}

// G6: links show nothing when printed.
func TestG6LinksShowNothing(t *testing.T) {
	_, l, _ := private(t, newSpace(t))
	var secrets [][]byte
	for _, part := range bytes.Split(l.Grant().Bytes(), []byte{0, 0}) { // runs of zeros stand in any text
		if len(part) >= 16 {
			secrets = append(secrets, part)
		}
	}
	secrettest.Check(t, l, secrets...)
}

func FuzzParsePrivate(f *testing.F) {
	_, _, u := private(f, newSpace(f))
	wiretest.Fuzz(f,
		func(b []byte) (parsed, error) {
			l, err := invite.ParsePrivate(string(b))
			address, _, _ := strings.Cut(string(b), "#")
			return parsed{l, address}, err
		},
		func(p parsed) []byte {
			u, err := p.link.URL(p.base)
			if err != nil {
				panic(err)
			}
			return []byte(u)
		},
		[]byte(u), []byte(base+"#trefoil.private.1.AA"))
}

type parsed struct {
	link invite.PrivateLink
	base string
}
