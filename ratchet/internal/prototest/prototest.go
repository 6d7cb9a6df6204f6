// Package prototest is the builder of frames that no honest member makes.
package prototest

import (
	"math/rand/v2"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Garbage returns a message that nobody made, with n sealed commits.
func Garbage(rng *rand.ChaCha8, n int) []byte {
	commits := make([]proto.SealedCommit, n)
	for i := range commits {
		rng.Read(commits[i][:])
	}
	return Carrying(rng, commits)
}

// Carrying returns a message with sealed commits, and a header and body that nothing opens.
func Carrying(rng *rand.ChaCha8, commits []proto.SealedCommit) []byte {
	var h proto.SealedHeader
	rng.Read(h[:])
	e := proto.NewEnvelope(h, commits)
	e.Body = make([]byte, 40)
	rng.Read(e.Body)
	return e.Bytes()
}

// WithBody returns the frame of a message with another body.
func WithBody(frame []byte) []byte {
	frame = slices.Clone(frame)
	frame[len(frame)-1] ^= 1
	return frame
}

// FakeTicket returns the frame of a ticket that anybody who saw the frame of a request can post.
func FakeTicket(request []byte, salt byte) []byte {
	q, err := proto.ParseRequest(request)
	if err != nil {
		panic(err)
	}
	h := q.Hash()
	return proto.Ticket{Answers: [16]byte(h[:16]), Box: []byte{salt}}.Bytes()
}
