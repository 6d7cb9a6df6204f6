package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// vouch returns what a member signs for whoever comes by a link.
func (x *node) vouch(l invite.Link) ([]byte, error) {
	d, err := newEdit(x.space, x.net.now, Options{})
	require.NoError(x.net.t, err)
	return d.vouch(l)
}

// device lets a further device of a member in by a link, with what the member signed for it.
func (n *network) device(first *node, l invite.Link, name string) *node {
	vouch, err := first.vouch(l)
	require.NoError(n.t, err)
	x := n.enters(Entrance{Link: l, Vouch: vouch, Profile: []byte(name)}, name)
	n.settle()
	require.Equal(n.t, Member, x.phase(), name)
	return x
}

// enters has a further device ask to be let in.
func (n *network) enters(e Entrance, name string) *node {
	s, request, err := JoinAsDevice(e, n.now)
	require.NoError(n.t, err)
	x := n.node(name, s)
	x.post(request)
	return x
}

// persons returns which members each device shows as one person, by the index of the first that it names.
func (x *node) persons() map[dkg.Index][]dkg.Index {
	first := make(map[PublicKey]dkg.Index)
	for _, m := range Members(x.space) {
		first[m.Key] = m.Index
	}
	out := make(map[dkg.Index][]dkg.Index)
	for _, m := range Members(x.space) {
		out[first[m.Person]] = append(out[first[m.Person]], m.Index)
	}
	return out
}

// Two devices of one person are shown as one by everybody, those that come later and those in a new root included. Each has an index and
// keys of its own; the profile that either sets is that of both; one is removed and the other stays.
func TestTwoDevicesAreOnePerson(t *testing.T) {
	n, all := five(t, 91)
	founder, ann := all[0], all[1]
	ann.do(step.SetProfile([]byte("Ann")))
	n.settle()
	laptop := n.device(ann, founder.invite(invite.Private(0)), "Ann, of a link")
	laptop.send("from the laptop")
	n.settle()
	a, l := dkg.Index(ann.index()), dkg.Index(laptop.index())
	check := func(everybody []*node, profile string, devices ...dkg.Index) {
		for _, x := range everybody {
			require.Equal(t, devices, x.persons()[a], x.name)
			for _, m := range Members(x.space) {
				if m.Index == a || m.Index == l {
					require.Equal(t, profile, string(m.Profile), x.name)
				}
			}
		}
	}
	check(append(all, laptop), "Ann", a, l)
	require.NotEqual(t, stateOf(ann.space).me().signing, stateOf(laptop.space).me().signing)
	laptop.do(step.SetProfile([]byte("Ann Other")))
	n.settle()
	late := n.member(founder, "late")
	n.settle()
	check(append(all, laptop, late), "Ann Other", a, l)
	founder.do(step.Rekey())
	later := n.member(founder, "later")
	n.settle()
	laptop.restart()
	check(append(all, laptop, late, later), "Ann Other", a, l)

	founder.do(step.Remove(l))
	n.settle()
	require.Equal(t, Removed, laptop.phase())
	check(all, "Ann", a)
	ann.send("I am still here")
	n.settle()
	require.Contains(t, founder.texts(), "2: I am still here")
}

// Nobody is shown as a device of a person that did not sign for it: not with a signature for another link or of another space, nor one by
// a member that was removed and names another, nor with the signature of a person under one's own link.
func TestNobodyClaimsAnotherPerson(t *testing.T) {
	n, all := five(t, 92)
	founder, ann, eve := all[0], all[1], all[2]
	first, second, third := founder.invite(invite.Private(0)), founder.invite(invite.Private(0)), founder.invite(invite.Private(0))
	public := founder.invite(invite.Public(16, 0))
	n.settle()
	vouch, err := ann.vouch(first)
	require.NoError(t, err)
	_, _, err = JoinAsDevice(Entrance{Link: second, Vouch: vouch}, n.now)
	require.ErrorIs(t, err, ErrMalformed, "for another link")
	_, _, err = JoinAsDevice(Entrance{Link: first, Vouch: append(vouch, 0)}, n.now)
	require.ErrorIs(t, err, ErrMalformed)
	_, err = ann.vouch(public)
	require.ErrorIs(t, err, ErrPolicy)

	claim := func(l invite.Link, vouch []byte, name string) *node {
		s, request, err := join(l, n.now, []byte(name), vouch)
		require.NoError(t, err)
		x := n.node(name, s)
		x.post(request)
		n.settle()
		require.Equal(t, Member, x.phase())
		x.send("I am of Ann")
		n.settle()
		return x
	}
	alone := claim(second, vouch, "with a signature for another link")
	forged, err := eve.vouch(third)
	require.NoError(t, err)
	copy(forged[1+2:], stateOf(ann.space).me().signing.Public.Bytes())
	alone2 := claim(third, forged, "with the name of another")
	for _, x := range all {
		require.Equal(t, []dkg.Index{dkg.Index(ann.index())}, x.persons()[dkg.Index(ann.index())], x.name)
		for _, c := range []*node{alone, alone2} {
			require.Equal(t, []dkg.Index{dkg.Index(c.index())}, x.persons()[dkg.Index(c.index())], x.name)
		}
	}
	laptop := n.device(ann, first, "laptop")
	_, err = laptop.vouch(founder.invite(invite.Private(time.Hour)))
	require.ErrorIs(t, err, ErrPhase, "only the first device signs for others")
}
