package members

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

func hint(reason proto.HintReason, value uint64) proto.Refusal {
	return proto.Hint{Reason: reason, Value: value}
}

func hints(reason proto.HintReason, value uint64) func() proto.Refusal {
	return func() proto.Refusal { return hint(reason, value) }
}

func (w Answerer) free(c proto.Certificate) dkg.Index {
	if w.Free == nil || c.Kind != dkg.Public {
		return 0
	}
	return w.Free(c)
}

// dead reports whether the asker's index is gone, or its invite revoked or closed.
func (r Root) dead(q proto.Asked, x proto.Record) bool {
	if r.Gone(q.Index) {
		return true
	}
	_, closed := r.closed(x.Certificate.Name())
	return q.Kind == proto.Join && closed && !r.Heard(q.Index)
}

// deathOf returns the refusal that proves it: a statement; or, of an index that is gone by a leave or the notice, the binding
// that is gone; else a hint.
func (r Root) deathOf(q proto.Asked, x proto.Record, k Maker) proto.Refusal {
	dead := proto.Dead{Origin: r.origin, Owners: r.notice.Owners}
	if s := r.revokes(q.Index); len(s) > 0 {
		dead.Statement = s[0]
		return dead
	}
	if s, ok := r.closed(x.Certificate.Name()); ok && q.Kind == proto.Join {
		dead.Statement = s
		return dead
	}
	for _, b := range r.Bindings(q.Index) {
		if b.Maker != k && !b.Credential.IsZero() {
			return proto.Taken{Binding: b.Credential.Binding, Bind: r.bindOf(q.Index, b.Body)}
		}
	}
	return hint(proto.HintClosed, 0)
}

// notListed returns the refusal of a member that the root does not list: the word of an owner if the notice lists another binding of its
// index, as far as there is one, else a hint.
func (r Root) notListed(q proto.Asked, k Maker, who Answerer) proto.Refusal {
	if e, ok := r.roster.Find(q.Index); ok {
		if b := r.word(q, k, e.Body, who); len(b.Signature) > 0 {
			return proto.Taken{Bind: b}
		}
	}
	return hint(proto.HintNotListed, 0)
}

// word returns the word of an owner for a binding that is listed here, if there is one that the asker can judge: one that names the root
// in which it stands, which an owner can sign where this root was decided; else one that names another root, which it may hold. In a root
// that others have left it reads nothing that they say. Nothing is signed for who has no binding of the root that it names.
func (r Root) word(q proto.Asked, k Maker, body proto.BodyHash, who Answerer) (other proto.Bind) {
	m := r.member(q.Index)
	for _, b := range slices.Concat(who.Named.member(q.Index).binds, m.binds) {
		switch {
		case b.said.Body != body:
		case b.said.Root != q.Root:
			other = b.said
		case who.counts(b.said):
			return b.said
		}
	}
	if q.Root != r.ID() && who.Bind != nil && m.decided(r.Terms, body) && who.stood(q, k) {
		return who.Bind(q.Index, body)
	}
	return other
}

// counts reports whether a bind that names the root of a member counts there. An owner of the preferred root that is none there can sign
// one, too. If that root is not held any more nobody can tell, and the asker judges.
func (w Answerer) counts(s proto.Bind) bool {
	if w.Named.ID() != s.Root {
		return true
	}
	_, err := proto.VerifyOwner(s, w.Named.Terms)
	return err == nil
}

// stood reports whether a member asks under a binding of the root that it names. If that is not held any more nobody can tell, and one
// that brings a certificate of it is believed.
func (w Answerer) stood(q proto.Asked, k Maker) bool {
	if w.Named.ID() != q.Root {
		return q.Credential.Certificate.Root == q.Root
	}
	if key, listed := w.Named.Listed(q.Index); listed {
		return key == k.Key
	}
	return q.Credential.Verify(w.Named.Terms) == nil
}

// bindOf returns an owner's word for a binding of an index, the zero Bind if there is none.
func (r Root) bindOf(i dkg.Index, body proto.BodyHash) proto.Bind {
	for _, b := range r.member(i).binds {
		if b.said.Body == body {
			return b.said
		}
	}
	return proto.Bind{}
}

// taken returns the binding that another one gives way to: of a joiner one of which a message was read, in this root or another that is not newer, or that
// a bind names; of a member the listed one.
func (r Root) taken(q proto.Asked, k Maker) (Binding, bool) {
	m := r.member(q.Index)
	listed, ok := m.listed(r.Terms)
	if q.Kind == proto.Resync {
		if ok && m.bindings[listed].Maker != k {
			return m.bindings[listed], true
		}
		return Binding{}, false
	}
	at := slices.IndexFunc(m.bindings, func(b Binding) bool {
		return b.Maker != k && (b.Met() || m.named(r.Terms, b.Body))
	})
	if at < 0 || m.decided(r.Terms, q.Binding.Hash()) {
		return Binding{}, false
	}
	return m.bindings[at], true
}
