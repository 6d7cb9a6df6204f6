package ceremony

import (
	"crypto/ed25519"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// Round is the type of a message: a party says one thing in each round, but may accuse several times.
type Round uint8

// The rounds of a ceremony, in order; Accusation is beside them.
const (
	Join Round = 1 + iota
	Deal
	Echo
	Hand
	Accusation
)

// String returns the name of the round.
func (r Round) String() string {
	if r < Join || r > Accusation {
		return fmt.Sprintf("round %d", uint8(r))
	}
	return [...]string{"join", "deal", "echo", "hand", "accusation"}[r-Join]
}

// header is what a maker signed: it convicts without the body.
type header struct {
	round  Round
	maker  threshold.Index
	digest digest
	sig    [ed25519.SignatureSize]byte
}

// headerSize is the size of digest and signature, and maxHeader that of a whole header in evidence.
const headerSize = 32 + ed25519.SignatureSize

// message is what a party says in a round. It is immutable.
type message struct {
	header
	body []byte
}

func (h header) signed(s Setup) []byte {
	d := hash(labelHeader, s.id[:], []byte{uint8(h.round), uint8(h.maker)}, h.digest[:])
	return d[:]
}

// verify reports whether the maker is a party that signed the header.
func (h header) verify(s Setup) bool {
	at := s.position(h.maker)
	return at >= 0 && ed25519.Verify(s.members[at].Key, h.signed(s), h.sig[:])
}

func newMessage(s Setup, key ed25519.PrivateKey, round Round, maker threshold.Index, body []byte) message {
	m := message{header{round: round, maker: maker, digest: hash(labelBody, body)}, body}
	copy(m.sig[:], ed25519.Sign(key, m.signed(s)))
	return m
}

// parseMessage reads a signed message of a ceremony, or returns ErrMessage.
func parseMessage(s Setup, b []byte) (message, error) {
	m, err := readMessage(s, b)
	if err == nil && !m.verify(s) {
		err = fmt.Errorf("%w: not signed by party %d", ErrMessage, m.maker)
	}
	return m, err
}

// readMessage is parseMessage of a message whose signature was verified before.
func readMessage(s Setup, b []byte) (message, error) {
	r := wire.NewReader(b)
	m := message{header: header{round: Round(r.U8())}}
	var id digest
	r.Into(id[:])
	m.maker = threshold.Index(r.U8())
	m.body = r.Vec32(s.maxBody())
	r.Into(m.sig[:])
	if id != s.id {
		r.Fail("another ceremony")
	}
	if !s.speaks(m.round, m.maker) {
		r.Fail("a party has nothing to say in this round")
	}
	if err := r.Done(); err != nil {
		return message{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	m.digest = hash(labelBody, m.body)
	return m, nil
}

func (m message) bytes(s Setup) []byte {
	w := wire.NewWriter(1 + 32 + 1 + 4 + len(m.body) + ed25519.SignatureSize)
	w.U8(uint8(m.round))
	w.Fixed(s.id[:])
	w.U8(uint8(m.maker))
	w.Vec32(m.body)
	w.Fixed(m.sig[:])
	return w.Bytes()
}

// speaks reports whether party i has something to say in a round.
func (s Setup) speaks(r Round, i threshold.Index) bool {
	switch r {
	case Join, Echo, Accusation:
		return s.position(i) >= 0
	case Deal:
		return s.is(i, deals)
	case Hand:
		return s.kind == repair && s.is(i, deals)
	}
	return false
}

// speakers returns who has something to say in a round, ascending.
func (s Setup) speakers(r Round) []threshold.Index {
	if r == Join || r == Echo {
		return s.indices()
	}
	if r == Deal || r == Hand && s.kind == repair {
		return s.dealers
	}
	return nil
}

// maxBody bounds every body: the largest is an accusation that holds all Joins and Deals.
func (s Setup) maxBody() int {
	const overhead = 128 // of a message, and of what an accusation says beside messages
	n := len(s.members)
	return (n+3)*(s.joinSize()+overhead) + (n+3)*(s.dealSize()+overhead) + n*2*headerSize + 1<<10
}

// Encode implements state.Piece.
func (m message) Encode(e *state.Encoder) {
	e.Uint8(uint8(m.round))
	e.Uint8(uint8(m.maker))
	e.Fixed(m.sig[:])
	e.Bytes(m.body)
}

// Decode implements state.Piece.
func (message) Decode(d *state.Decoder) (m message, err error) {
	m.round, m.maker = Round(d.Uint8()), threshold.Index(d.Uint8())
	d.Into(m.sig[:])
	m.body = d.Bytes(maxStored)
	m.digest = hash(labelBody, m.body)
	return m, d.Err()
}

// maxStored bounds a body in the store: maxBody of 255 parties is less.
const maxStored = 1 << 26
