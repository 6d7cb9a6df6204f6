package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
)

// Summary is where this member stands in a space.
type Summary struct {
	Phase Phase
	// Index and Key are this member's.
	Index dkg.Index
	Key   PublicKey
	// Owner: this device holds an owner's keys.
	Owner bool
	// Epoch and Generation name the epoch in which this member sends; zeros if there is none.
	Epoch      [32]byte
	Generation uint64
	// Authenticator is a value that members of one epoch share and nobody else knows, to be compared out of band: if it is
	// alike, no server and no insider has split the space. It is zero while there is no epoch of which it is known.
	Authenticator [32]byte
}

// Info returns where this member stands in a space.
func Info(s Space) Summary {
	st := s.State()
	if st.self.IsZero() {
		return Summary{}
	}
	me := st.self.Value()
	out := Summary{Phase: st.phase, Index: me.index, Key: PublicKey{me.signing.Public}, Owner: !st.owner.Value().isNone()}
	if e, ok := st.epoch(st.preferred); ok {
		out.Epoch, out.Generation = e.id, e.generation
		if !e.auth.IsZero() {
			out.Authenticator = [32]byte(e.auth.Expose())
		}
	}
	return out
}

// MemberInfo is what is known of a member.
type MemberInfo struct {
	Index dkg.Index
	Key   PublicKey
	App   []byte // application data of its introduction; empty for the founder, and if only a signed roster named it
	Left  bool   // it said so
}

// Members returns who belongs to the space, in ascending order of indices; nobody while joining.
func Members(s Space) []MemberInfo {
	d, err := newEdit(s, time.Time{})
	if err != nil {
		return nil
	}
	_, r, _, ok := d.preferred()
	if !ok {
		return nil
	}
	var out []MemberInfo
	for m := range r.members.All() {
		out = append(out, MemberInfo{m.Index, PublicKey{m.signingKey()}, append([]byte(nil), m.app...), m.left})
	}
	return out
}
