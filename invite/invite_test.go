package invite_test

import (
	"encoding/base32"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

const base = "https://chat.example/join?lang=en"

// kinds are terms of each kind.
var kinds = []invite.Terms{invite.Private(0), invite.Public(invite.Unit, 0), invite.Direct(0)}

// newGroup returns the founder of a space, alone.
func newGroup(t testing.TB) *ratchettest.Group { return ratchettest.NewGroup(t, 1, rules.Policy{}) }

// ledger returns what the founder knows of its invites.
func ledger(g *ratchettest.Group) []invite.Invite { return ratchet.Invites(g.Peers[0].Space, g.Now) }

// end takes an invite back.
func end(g *ratchettest.Group, name [16]byte, places ...dkg.Index) {
	g.Deliver(g.Step(g.Peers[0], step.EndInvite(name, places...)), g.Others(g.Peers[0])...)
}

// G20: a link is a URL that carries its secret in the fragment only, and reads back as exactly the same URL.
func TestG20RoundTrip(t *testing.T) {
	g := newGroup(t)
	for _, terms := range kinds {
		l := g.Invite(terms)
		require.Equal(t, terms.Kind(), l.Kind())
		require.Equal(t, g.Peers[0].Space.ID(), l.Space())
		u, err := l.URL(base)
		require.NoError(t, err)
		address, fragment, _ := strings.Cut(u, "#")
		require.Equal(t, base, address)
		require.Equal(t, l.Fragment(), fragment)
		require.Len(t, fragment, map[dkg.Kind]int{dkg.Private: 132, dkg.Public: 136, dkg.Direct: 132}[terms.Kind()])
		for _, read := range []func(string) (invite.Link, error){invite.Parse, invite.Find} {
			got, err := read(u)
			require.NoError(t, err)
			require.Equal(t, l.Bytes(), got.Bytes())
			for _, other := range []string{"https://chat.example/", "app://join", "https://chat.example", "mailto:a@b.example"} {
				moved, err := got.URL(other)
				require.NoError(t, err)
				require.Equal(t, other+"#"+fragment, moved)
				_, err = read(moved)
				require.NoError(t, err)
			}
		}
		for _, bad := range []string{"", "chat.example/join", "https://chat.example/#", "https://chat.example/#x", "https://chat example/", ":"} {
			_, err := l.URL(bad)
			require.ErrorIs(t, err, invite.ErrBase, bad)
		}
	}
}

// G20: Parse refuses what is not exactly a link of this version, with an error that says which of these it is.
func TestG20StrictParser(t *testing.T) {
	l := newGroup(t).Invite(invite.Private(0))
	u, err := l.URL(base)
	require.NoError(t, err)
	head, fragment := base+"#", l.Fragment()
	flipped := l.Bytes()
	flipped[40] ^= 1
	newer := l.Bytes()
	newer[0]++
	for name, c := range map[string]struct {
		link string
		want error
	}{
		"empty":          {"", invite.ErrNotLink},
		"no fragment":    {base, invite.ErrNotLink},
		"empty fragment": {head, invite.ErrNotLink},
		"only fragment":  {"#" + fragment, invite.ErrNotLink},
		"relative":       {strings.TrimPrefix(u, "https://"), invite.ErrNotLink},
		"other library":  {head + "clover" + fragment[6:], invite.ErrNotLink},
		"newer":          {head + text(newer), state.ErrTooNew},
		"cut":            {u[:len(u)-1], invite.ErrCut},
		"longer":         {u + "A", invite.ErrAltered},
		"padded":         {u + "=", invite.ErrAltered},
		"a blank":        {u + " ", invite.ErrAltered},
		"a line break":   {head + fragment[:100] + "\n" + fragment[100:], invite.ErrCut},
		"two fragments":  {u + "#x", invite.ErrAltered},
		"altered":        {head + text(flipped), invite.ErrAltered},
		"very long":      {head + strings.Repeat("A", 1<<20), invite.ErrNotLink},
	} {
		_, err := invite.Parse(c.link)
		require.ErrorIs(t, err, c.want, name)
	}
	for name, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"none": {nil, invite.ErrNotLink}, "newer": {newer, state.ErrTooNew}, "altered": {flipped, invite.ErrAltered},
		"cut": {l.Bytes()[:81], invite.ErrCut}, "longer": {append(l.Bytes(), 0), invite.ErrAltered},
	} {
		_, err := invite.FromBytes(c.bytes)
		require.ErrorIs(t, err, c.want, name)
	}
}

// G20: a link works at any time, after any traffic, a reload and other joins.
func TestG20WorksAfterTraffic(t *testing.T) {
	ctx := t.Context()
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	g := newGroup(t)
	early := g.Invite(invite.Private(0))
	run := g.Invite(invite.Public(invite.Unit, 0))
	for n := range 3 {
		l := run
		if n == 1 {
			l = g.Invite(invite.Private(0))
		}
		g.JoinWith(l, g.Peers[n])
		g.Rounds(2 + n)

		// The case that started the project: everything is written to disk after a message and comes back whole.
		backend := store.NewMemory()
		v, err := state.Open[ratchet.Space](ctx, backend, key, state.Options{})
		require.NoError(t, err)
		require.NoError(t, v.Create(ctx, g.Peers[0].Space, nil))
		again, err := state.Open[ratchet.Space](ctx, backend, key, state.Options{})
		require.NoError(t, err)
		g.Peers[0].Space, err = again.Load(ctx, g.Peers[0].Space.ID())
		require.NoError(t, err)
	}
	g.JoinWith(early, g.Peers[0])
	g.Rounds(1)
	g.RequireConverged()
	require.Len(t, ratchet.Members(g.Peers[0].Space), 5)
}

// G20, G5: the owner can list what it made, sees who came by which, and can take back what nobody used.
func TestG20Ledger(t *testing.T) {
	g := newGroup(t)
	require.Empty(t, ledger(g))
	a, b, c, run := g.Invite(invite.Private(0)), g.Invite(invite.Private(0)), g.Invite(invite.Private(0)), g.Invite(invite.Public(16, time.Hour))
	guest := g.JoinWith(b, g.Peers[0])
	g.JoinWith(run, g.Peers[0])
	first := ledger(g)
	require.Len(t, first, 4)
	for k, want := range []invite.Invite{
		{Kind: dkg.Private, Status: invite.Open, First: 2, Count: 1, Step: 1},
		{Kind: dkg.Private, Status: invite.Used, First: 3, Count: 1, Step: 1, Members: []dkg.Index{3}},
		{Kind: dkg.Private, Status: invite.Open, First: 4, Count: 1, Step: 1},
		{
			Kind: dkg.Public, Status: invite.Open, First: 5, Count: 16, Step: 1, Members: []dkg.Index{ratchet.Info(g.Peers[2].Space).Index},
			Expires: time.UnixMilli((g.Now.UnixMilli() + 2*3_600_000 - 1) / 3_600_000 * 3_600_000),
		},
	} {
		want.Name = first[k].Name
		require.Equal(t, want, first[k])
	}
	require.Equal(t, dkg.Index(3), ratchet.Info(guest.Space).Index)
	require.Empty(t, ratchet.Invites(guest.Space, g.Now), "who is no owner has nothing to list")
	_, _, err := ratchet.Take(guest.Space, g.Now, step.NewInvite(invite.Private(0), &invite.Made{}))
	require.ErrorIs(t, err, ratchet.ErrPhase, "only owners make links")

	end(g, first[2].Name)
	end(g, first[3].Name, 5+(first[3].Members[0]-4)%16) // a place that nobody came by
	require.Equal(t, invite.Ended, ledger(g)[2].Status)
	require.Equal(t, invite.Open, ledger(g)[3].Status, "of a run that has lost a place")
	_, _, err = ratchet.Take(g.Peers[0].Space, g.Now, step.EndInvite(first[1].Name))
	require.ErrorIs(t, err, ratchet.ErrPolicy, "somebody came by it")
	_, _, err = ratchet.Take(g.Peers[0].Space, g.Now, step.EndInvite([16]byte{1}))
	require.ErrorIs(t, err, ratchet.ErrPolicy, "it is not known")

	late, request := g.Join(c)
	require.Equal(t, ratchet.Joining, ratchet.Info(late.Space).Phase)
	for _, refusal := range g.Admit(g.Peers[0], request) {
		require.NoError(t, late.Receive(g, refusal))
	}
	require.Equal(t, ratchet.Joining, ratchet.Info(late.Space).Phase, "a link that was taken back lets nobody in")
	require.Contains(t, late.Events, ratchet.Event{Kind: ratchet.Refused, Reason: ratchet.ErrInviteDead})

	g.Now = g.Now.Add(3 * time.Hour)
	require.Equal(t, invite.Expired, ledger(g)[3].Status)
	end(g, first[3].Name)
	require.Equal(t, invite.Ended, ledger(g)[3].Status)
	require.Equal(t, invite.Open, ledger(g)[0].Status)
	require.Equal(t, a.Space(), g.Peers[0].Space.ID())
}

// G20: making an invite of one kind never answers with another.
func TestG20KindsAreApart(t *testing.T) {
	g := newGroup(t)
	for _, terms := range append(kinds, kinds...) {
		require.Equal(t, terms.Kind(), g.Invite(terms).Kind())
	}
	for _, bad := range []invite.Terms{{}, invite.Public(0, 0), invite.Public(17, 0), invite.Private(-time.Hour)} {
		next, frames, err := ratchet.Take(g.Peers[0].Space, g.Now, step.NewInvite(bad, &invite.Made{}))
		require.ErrorIs(t, err, ratchet.ErrPolicy)
		require.Empty(t, frames)
		require.Len(t, ratchet.Invites(next, g.Now), 6)
	}
}

// G6: links show nothing when printed.
func TestG6LinksShowNothing(t *testing.T) {
	l := newGroup(t).Invite(invite.Private(0))
	secrettest.Check(t, l, l.Bytes()[38:70])
}

// text returns the text of bytes.
func text(b []byte) string { return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b) }

// FuzzParse: what Parse takes in upper case is written again as it was.
func FuzzParse(f *testing.F) {
	u, err := sample(f, 2, "a").URL(base)
	if err != nil {
		f.Fatal(err)
	}
	wiretest.Fuzz(f,
		func(b []byte) (parsed, error) {
			l, err := invite.Parse(string(b))
			address, fragment, _ := strings.Cut(string(b), "#")
			if err == nil && fragment != strings.ToUpper(fragment) {
				err = errLower
			}
			return parsed{l, address}, err
		},
		func(p parsed) []byte {
			u, err := p.link.URL(p.base)
			if err != nil {
				panic(err)
			}
			return []byte(u)
		},
		[]byte(u), []byte(base+"#AIAA"))
}

type parsed struct {
	link invite.Link
	base string
}

// errLower is of a link that is right and not in the case in which links are written.
var errLower = errors.New("lower case")
