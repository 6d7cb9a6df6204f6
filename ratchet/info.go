package ratchet

import (
	"errors"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// Summary is where this member stands in a space.
type Summary struct {
	Phase Phase
	// Index and Key are this member's.
	Index dkg.Index
	Key   PublicKey
	// Owner: this member is an owner. HoldsRootKey: it can name the owners.
	Owner, HoldsRootKey bool
	// RootKey is the public half of the root owner key, by which owners are named; zero while joining.
	RootKey PublicKey
	// Sole: the space would be orphaned without this member, so step.Leave refuses.
	Sole bool
	// Policy is how the space works.
	Policy rules.Policy
	// Title is the name that an owner gave the space.
	Title []byte
	// Epoch and Generation name the epoch in which this member sends; zeros if there is none.
	Epoch      [32]byte
	Generation uint64
	// Fingerprint is what people compare out of band: alike exactly for those that know of the same members with the same signing keys.
	// Commits, inbox key updates, profiles and rekeys do not change it. It is no secret. It is zero while there is no epoch.
	Fingerprint [32]byte
	// Authenticator is alike for members that send in one epoch and know of the same members, and is known to nobody else. If it is
	// alike, no server and no insider has split the space. It changes with every epoch, and is zero while there is none.
	Authenticator [32]byte
}

// Info returns where this member stands in a space.
func Info(s Space) Summary {
	d, err := newEdit(s, time.Time{}, Options{})
	if err != nil {
		return Summary{}
	}
	me := d.st.me()
	out := Summary{Phase: d.st.phase, Index: me.index, Key: PublicKey{me.signing.Public}, HoldsRootKey: !d.st.rootOwner.Value().key.IsZero(), RootKey: PublicKey{me.origin.RootOwner}}
	e, r, ok := d.preferred()
	if !ok {
		return out
	}
	_, out.Owner = d.place(r)
	out.Sole, out.Policy = d.sole(r), policyOf(r.Policy(), me.origin.RootOwner.Scheme())
	out.Epoch, out.Generation = e.ID(), e.Generation()
	roster := r.Roster()
	out.Fingerprint, out.Authenticator = roster.Fingerprint(d.st.space), proto.Authenticator(e.Authenticator(), roster, r.GoneSet())
	if t, ok := r.Title(); ok {
		out.Title = append([]byte(nil), t.Title...)
	}
	return out
}

// MemberInfo is what is known of a member.
type MemberInfo struct {
	Index dkg.Index
	Key   PublicKey
	// Person is the signing key of the first device of its person: its own key, unless that device signed for it. Members with one
	// Person are devices of one person, under one profile. Each is removed by itself.
	Person PublicKey
	// Body is H(body) of the binding by which it is listed, by which members are compared.
	Body [32]byte
	// Profile is what it says of itself; nothing if only others named it.
	Profile []byte
	// Conflict: another binding of this index is known. See EventKind.
	Conflict bool
	// Heard: a message of it was read, before or after the last rekey.
	Heard bool
	// Owner: it is an owner. Rights is what its role lets it do beside what all may.
	Owner  bool
	Rights rules.Rights
}

// Members returns who belongs to the space, in ascending order of indices; nobody while joining. A member that left or was removed is
// told who did when it last knew, and is not among them.
func Members(s Space) []MemberInfo {
	d, err := newEdit(s, time.Time{}, Options{})
	if err != nil {
		return nil
	}
	_, r, ok := d.preferred()
	if !ok {
		return nil
	}
	var out []MemberInfo
	newest := make(map[PublicKey]proto.Profile) // of each person, what one of its devices said last
	rights := rightsOf(r)
	for i := range r.All() {
		all := r.Bindings(i)
		if r.Gone(i) || len(all) == 0 || i == d.st.me().index && d.st.phase == Removed {
			continue
		}
		b := all[0]
		m := MemberInfo{Index: i, Key: PublicKey{b.Key}, Person: PublicKey{r.PersonOf(b)}, Body: b.Body, Conflict: len(all) > 1, Heard: b.Met(), Rights: rights[i]}
		_, m.Owner = r.Owners().PlaceOf(b.Key)
		if b.Profiled {
			m.Profile = slices.Clone(b.Rest.App)
		}
		if b.Profile.Signature != nil && b.Profile.Counter > newest[m.Person].Counter {
			newest[m.Person] = b.Profile
		}
		out = append(out, m)
	}
	for k, m := range out {
		if p, ok := newest[m.Person]; ok {
			out[k].Profile = slices.Clone(p.App)
		}
	}
	return out
}

// Export returns n bytes, at most 16,320, that members in one epoch share and nobody else knows, for a purpose that the label and
// the context name, and the id of that epoch (§5). It returns ErrPhase while there is no epoch, and ErrNotYet in one of which
// only tickets told: then the next commit that this member follows or makes brings one.
func Export(s Space, label string, context []byte, n int) (secret []byte, epoch [32]byte, err error) {
	e, ok := stateOf(s).forest.Preferred()
	if !ok {
		return nil, epoch, outcome.ErrPhase
	}
	b, err := e.Export(label, context, n)
	if errors.Is(err, epochs.ErrNoExporter) {
		return nil, epoch, outcome.ErrNotYet
	}
	return b.Expose(), e.ID(), err
}
