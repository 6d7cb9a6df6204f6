package session

import (
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// content is what a message of the hybrid suite says (SPEC §18.6).
type content struct {
	number  uint64 // of the message among all that its sender said to this device
	read    uint64 // all messages of the other side up to this number were read
	givenUp uint64 // those of its sender up to this number are not sent again; 0 if the other side knows
	isCopy  bool   // the message was sent before
	route   route  // where its sender reads answers, none if the other side knows
	text    []byte
}

// Flags of a content.
const (
	contentRoute = 1 << iota
	contentGivenUp
	contentCopy
	allContentFlags = 1<<iota - 1
)

// contentOverhead is how much longer than its text a content is at most, in bytes.
const contentOverhead = 1 + routeSize + 3*8

func (c content) marshal() []byte {
	w := wire.NewWriter(contentOverhead + len(c.text))
	var flags uint8
	if !c.route.isZero() {
		flags |= contentRoute
	}
	if c.givenUp != 0 {
		flags |= contentGivenUp
	}
	if c.isCopy {
		flags |= contentCopy
	}
	w.U8(flags)
	if !c.route.isZero() {
		c.route.write(w)
	}
	w.U64(c.number)
	w.U64(c.read)
	if c.givenUp != 0 {
		w.U64(c.givenUp)
	}
	w.Fixed(c.text)
	return w.Bytes()
}

// parseContent reads what marshal returns.
func parseContent(b []byte) (c content, err error) {
	in := wire.NewReader(b)
	flags := in.U8()
	if flags&contentRoute != 0 {
		c.route = readRoute(in)
	}
	c.number, c.read, c.isCopy = in.U64(), in.U64(), flags&contentCopy != 0
	if flags&contentGivenUp != 0 {
		c.givenUp = in.U64()
	}
	if flags > allContentFlags || c.number == 0 || (flags&contentGivenUp != 0) != (c.givenUp != 0) {
		in.Fail("content of a message")
	}
	c.text = in.Rest()
	if err := in.Done(); err != nil {
		return content{}, key.Malformed(err)
	}
	return c, nil
}

// received takes in what a message of a session said.
func (s side) received(f suite, b []byte) (side, Received, error) {
	if f == classic {
		return s, Received{plaintext: secret.Own(b)}, nil
	}
	c, err := parseContent(b)
	if err != nil {
		return s, Received{}, err
	}
	s.route = c.route.or(s.route)
	arrived, isNew := s.arrived.With(c.number, c.isCopy)
	s.arrived = arrived.GivenUp(c.givenUp)
	s.log, s.peerRead = s.log.Read(c.read), c.read
	if !isNew {
		return s, Received{Silent: true}, nil
	}
	return s, Received{plaintext: secret.Own(c.text)}, nil
}
