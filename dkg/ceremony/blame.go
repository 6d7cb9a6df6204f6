package ceremony

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Reason is what a party did wrong.
type Reason uint8

// The reasons; docs/design/dkg.md, section 6, has the evidence of each. Numbers are part of the format.
const (
	Malformed       Reason = 1 + iota // a signed message that is none
	BadBoxKey                         // a box key that nothing can be boxed to
	BadOpening                        // a Deal of another polynomial than committed to
	BadProof                          // no knowledge of the constant term shown
	BadCommitment                     // commitments outside the subgroup, or not of the key that is reshared
	BadShare                          // a box that does not hold the committed share
	Twice                             // two different messages in one round
	BadEcho                           // an Echo of what was never said
	BadHand                           // a Hand that does not hold the helper's value
	FalseAccusation                   // an accusation without evidence
)

// String returns the reason in words.
func (r Reason) String() string {
	if r < Malformed || r > FalseAccusation {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return [...]string{"malformed message", "unusable box key", "commitments not opened", "proof fails", "wrong commitments",
		"wrong share", "two messages in one round", "false echo", "wrong value handed over", "false accusation"}[r-Malformed]
}

// BlameError names a party that cheated. Evidence convicts it before anybody who has the Setup: see Setup.CheckBlame.
type BlameError struct {
	Participant threshold.Index
	Round       Round
	Reason      Reason
	Evidence    []byte
}

// Error implements error.
func (e *BlameError) Error() string {
	return fmt.Sprintf("ceremony: party %d cheated in round %v: %v", e.Participant, e.Round, e.Reason)
}

// evidence is what convicts a party: signed headers, signed messages, and a private box key.
type evidence struct {
	reason   Reason
	headers  []header
	messages []message
	key      []byte
}

// CheckBlame returns whom evidence convicts, of what. It returns ErrEvidence if it convicts nobody. Anybody can call it:
// it takes no part in the ceremony.
func (s Setup) CheckBlame(b []byte) (*BlameError, error) {
	if s.setup == nil {
		return nil, fmt.Errorf("%w: no setup", ErrEvidence)
	}
	ev, err := s.parseEvidence(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvidence, err)
	}
	for _, h := range ev.all() {
		if !h.verify(s) {
			return nil, fmt.Errorf("%w: not signed by party %d", ErrEvidence, h.maker)
		}
	}
	who, ok := judgeOf(s).convicted(ev)
	if !ok {
		return nil, fmt.Errorf("%w: %v", ErrEvidence, ev.reason)
	}
	return &BlameError{who.maker, who.round, ev.reason, bytes.Clone(b)}, nil
}

// all returns the headers, those of the messages among them; the first is of the accused.
func (ev evidence) all() []header { return append(slices.Clip(ev.headers), headersOf(ev.messages)...) }

// parseEvidence reads evidence and verifies no signature.
func (s Setup) parseEvidence(b []byte) (ev evidence, err error) {
	r := wire.NewReader(b)
	ev.reason = Reason(r.U8())
	n := r.U8()
	if n > 2 {
		r.Fail("headers")
	}
	for range min(n, 2) {
		h := header{round: Round(r.U8()), maker: threshold.Index(r.U8())}
		r.Into(h.digest[:])
		r.Into(h.sig[:])
		ev.headers = append(ev.headers, h)
	}
	for range r.Count(2*threshold.MaxParties+1, 4) {
		m, err := readMessage(s, r.Vec32(len(b)))
		if err != nil {
			return evidence{}, err
		}
		ev.messages = append(ev.messages, m)
	}
	ev.key = r.Vec8(boxKeySize)
	if err := r.Done(); err != nil {
		return evidence{}, err
	}
	return ev, nil
}

func (ev evidence) bytes(s Setup) []byte {
	w := wire.NewWriter(0)
	w.U8(uint8(ev.reason))
	w.U8(uint8(len(ev.headers)))
	for _, h := range ev.headers {
		w.U8(uint8(h.round))
		w.U8(uint8(h.maker))
		w.Fixed(h.digest[:])
		w.Fixed(h.sig[:])
	}
	w.U32(uint32(len(ev.messages)))
	for _, m := range ev.messages {
		w.Vec32(m.bytes(s))
	}
	w.Vec8(ev.key)
	return w.Bytes()
}

// rounds reports whether the evidence is messages of exactly these rounds and no headers.
func (ev evidence) rounds(want ...Round) bool {
	if len(ev.headers) != 0 || len(ev.messages) != len(want) {
		return false
	}
	for i, m := range ev.messages {
		if m.round != want[i] {
			return false
		}
	}
	return true
}
