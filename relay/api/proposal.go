package api

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Proposal is a session to be begun: the only thing that is ever written to a conversation. Who creates a conversation,
// rotates its keys, adds or removes members, makes one.
type Proposal struct {
	Key          RequestKey     `json:"key"` // of this proposal
	Conversation ConversationID `json:"conversation"`
	Kind         Kind           `json:"kind"`
	Base         uint64         `json:"base"`                // the number of the session that it follows; 0 to create the conversation
	Members      []key.Address  `json:"members,omitempty"`   // of the conversation afterwards, each once, the proposing person among them
	Envelopes    []Envelope     `json:"envelopes,omitempty"` // for each device of all Members but the proposing one
}

// Envelope is what one device needs of a session, sealed to it.
type Envelope struct {
	Device DeviceID `json:"device"`
	// Ephemeral is the public key that was drawn for this envelope, 57 bytes: that of an initiation (X3DH), or one that names
	// a seal which has none.
	Ephemeral []byte `json:"ephemeral,omitempty"`
	// Sealed is 1 to MaxSealed bytes, which the relay does not read. What a trefoil.Client puts there, relay/client says.
	Sealed []byte `json:"sealed,omitempty"`
}

// Check returns ErrMalformed for what no relay takes, whatever it holds.
func (p Proposal) Check() error {
	switch {
	case p.Key == RequestKey{}:
		return fmt.Errorf("%w: key of a request", ErrMalformed)
	case p.Conversation == ConversationID{}:
		return fmt.Errorf("%w: ID of a conversation", ErrMalformed)
	case p.Kind != Direct && p.Kind != Group:
		return fmt.Errorf("%w: kind of a conversation", ErrMalformed)
	case len(p.Members) == 0 || len(p.Members) > MaxMembers || p.Kind == Direct && len(p.Members) != 2:
		return fmt.Errorf("%w: number of members", ErrMalformed)
	case len(p.Envelopes) > MaxEnvelopes:
		return fmt.Errorf("%w: number of envelopes", ErrMalformed)
	case p.Base >= 1<<62:
		return fmt.Errorf("%w: number of a session", ErrMalformed)
	}
	seen := make(map[[32]byte]bool)
	for _, m := range p.Members {
		if m.IsZero() || seen[m] {
			return fmt.Errorf("%w: a member is named once", ErrMalformed)
		}
		seen[m] = true
	}
	clear(seen)
	for _, e := range p.Envelopes {
		if seen[e.Device] {
			return fmt.Errorf("%w: two envelopes for a device", ErrMalformed)
		}
		seen[e.Device] = true
		if err := e.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Check returns ErrMalformed for an envelope that no relay takes.
func (e Envelope) Check() error {
	if len(e.Sealed) == 0 || len(e.Sealed) > MaxSealed {
		return fmt.Errorf("%w: length of an envelope", ErrMalformed)
	}
	if _, err := key.ParsePublicKey[key.Ephemeral](e.Ephemeral); err != nil {
		return Malformed(err)
	}
	return nil
}

// Digest returns what tells one proposal from another under the same key. The order of members and envelopes does not count.
func (p Proposal) Digest() [32]byte {
	h := sha256.New()
	number := func(n uint64) { h.Write(binary.BigEndian.AppendUint64(nil, n)) }
	h.Write(p.Conversation[:])
	number(uint64(p.Kind))
	number(p.Base)
	number(uint64(len(p.Members)))
	for _, m := range slices.SortedFunc(slices.Values(p.Members), compareAddresses) {
		h.Write(m[:])
	}
	for _, e := range slices.SortedFunc(slices.Values(p.Envelopes), func(a, b Envelope) int { return a.Device.Compare(b.Device) }) {
		h.Write(e.Device[:])
		h.Write(e.Ephemeral) // 57 bytes, as was checked
		number(uint64(len(e.Sealed)))
		h.Write(e.Sealed)
	}
	return [32]byte(h.Sum(nil))
}

func compareAddresses(a, b key.Address) int { return DeviceID(a).Compare(DeviceID(b)) }
