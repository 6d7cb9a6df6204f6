package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// TicketMember is what a ticket says of a member (§9): of one that the notice lists its profile, of another its credential too.
type TicketMember struct {
	Index      dkg.Index
	Credential Credential      // of one that is not listed
	HasRest    bool            //
	Admission  suite.PublicKey // of one that is listed, with its rest; zero: the founder's
	Rest       Rest
	Inbox      suite.KEMKey // only beside the rest
	Update     Update
}

// What a ticket says of a member.
const (
	memberCredential = 1
	memberRest       = 2
	memberInbox      = 4
	memberUpdate     = 8
)

func (m TicketMember) what() (f uint8) {
	for i, set := range []bool{!m.Credential.IsZero(), m.HasRest, !m.Inbox.IsZero(), !m.Update.IsZero()} {
		if set {
			f |= 1 << i
		}
	}
	return f
}

// Verify checks that the entry is right under a root (§9 step 6): a credential is, or else the roster lists the index and the
// rest gives its H(body); hashes fit; the update is signed by the member's key. It returns that key, or suite.ErrInvalid. Keys
// are not tried.
func (m TicketMember) Verify(root RootView, roster Roster) (suite.PublicKey, error) {
	key, rest := m.Credential.Key(), m.Credential.Binding.Rest
	var own RestHash
	if m.HasRest {
		own = m.Rest.Hash()
	}
	if m.Credential.IsZero() {
		entry, ok := roster.Find(m.Index)
		if !ok {
			return suite.PublicKey{}, invalid("member without a credential")
		}
		key, rest = entry.Signing, own
		if m.HasRest && HashOfBody(m.Index, key, rest, m.Admission) != entry.Body {
			return suite.PublicKey{}, invalid("rest of a listed member")
		}
	} else if err := m.Credential.Verify(root); err != nil {
		return suite.PublicKey{}, err
	}
	switch {
	case m.HasRest && own != rest:
		return suite.PublicKey{}, invalid("rest of another binding")
	case !m.Inbox.IsZero() && (HashOfInbox(m.Inbox) != m.Rest.Inbox || m.Inbox.KEM() != root.Suite().KEM()):
		return suite.PublicKey{}, invalid("inbox key of another binding")
	case !m.Update.IsZero() && (m.Update.Index != m.Index || m.Update.Inbox.KEM() != root.Suite().KEM()):
		return suite.PublicKey{}, invalid("update of another member")
	}
	if !m.Update.IsZero() {
		if err := m.Update.VerifySignature(root.Space(), key); err != nil {
			return suite.PublicKey{}, err
		}
	}
	return key, nil
}

// write appends u32(j) ‖ u8 what ‖ [vec16 certificate ‖ vec16 binding] ‖ [vec16 admission public key] ‖ [vec16 rest] ‖ [vec16
// inbox key] ‖ [vec16 update].
func (m TicketMember) write(w *wire.Writer) {
	w.U32(uint32(m.Index))
	w.U8(m.what())
	if !m.Credential.IsZero() {
		w.Vec16(m.Credential.Certificate.Encode())
		w.Vec16(m.Credential.Binding.Encode())
	} else if m.HasRest {
		suite.WritePublicKey(w, m.Admission)
	}
	if m.HasRest {
		w.Vec16(m.Rest.Encode())
	}
	if !m.Inbox.IsZero() {
		w.Vec16(m.Inbox.Bytes())
	}
	if !m.Update.IsZero() {
		w.Vec16(m.Update.Encode())
	}
}

func readTicketMember(r *wire.Reader) TicketMember {
	m := TicketMember{Index: readIndex(r)}
	what := r.U8()
	if what == 0 || what >= 2*memberUpdate || what&(memberRest|memberInbox) == memberInbox {
		r.Fail("what a ticket says of a member")
	}
	m.HasRest = what&memberRest != 0
	switch {
	case what&memberCredential != 0:
		m.Credential.Certificate = readNested(r, r.Vec16(MaxCertificate), readCertificate)
		m.Credential.Binding = readNested(r, r.Vec16(MaxBinding), readBinding)
		if r.Err() == nil && m.Credential.Index() != m.Index {
			r.Fail("credential of another member")
		}
	case m.HasRest:
		m.Admission = readOptionalKey(r)
	}
	if m.HasRest {
		m.Rest = readNested(r, r.Vec16(MaxRest), readRest)
	}
	if what&memberInbox != 0 {
		m.Inbox = readKEMKey(r)
	}
	if what&memberUpdate != 0 {
		m.Update = readNested(r, r.Vec16(maxUpdate), readUpdate)
	}
	return m
}
