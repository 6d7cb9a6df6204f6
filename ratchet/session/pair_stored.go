package session

import (
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/keywire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/sentlog"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// pairVersion is the version of a stored Pair.
const pairVersion = 1

// maxPair bounds a stored pair, in bytes.
const maxPair = 4<<10 + healingStored + maxSeen*seenSize + maxSessions*(double.MaxStored+2<<10+2*4*maxAhead)

// Encode implements state.Part.
func (p Pair) Encode(e *state.Encoder) {
	e.Bytes(p.marshal())
	p.log.Encode(e)
}

// Decode implements state.Part.
func (Pair) Decode(in *state.Decoder) (Pair, error) {
	b := in.Bytes(maxPair)
	if err := in.Err(); err != nil {
		return Pair{}, err
	}
	p, err := parsePair(b)
	if err != nil {
		return Pair{}, err
	}
	p.log, err = sentlog.Decode(in)
	return p, err
}

// marshal returns the stored form of all but the log.
func (p Pair) marshal() []byte {
	w := wire.NewWriter(2 << 10)
	w.U16(pairVersion)
	w.Fixed(p.person[:])
	w.Fixed(p.self.Bytes())
	w.U32(p.renewals)
	w.Fixed(p.identity.Bytes())
	w.Fixed(p.peer[:])
	writeEntry(w, p.device)
	w.Fixed(p.mailbox.Seed())
	writePrivate(w, p.inbox)
	w.Bool(!p.route.isZero())
	if !p.route.isZero() {
		p.route.write(w)
	}
	w.U8(uint8(p.sessions.pinned))
	w.U64(p.sessions.generation)
	w.U64(p.sessions.accepted)
	w.U64(p.moves)
	w.U32(p.bundle)
	w.Bool(p.sessions.restored)
	w.Bool(p.sessions.beginNext)
	w.U64(p.sessions.floor)
	w.U32(p.homes)
	p.waits.write(w)
	p.healing.write(w)
	writeSeen(w, p.sessions.seen)
	w.U8(uint8(len(p.sessions.list)))
	for _, t := range p.sessions.list {
		t.write(w)
	}
	return w.Bytes()
}

func parsePair(b []byte) (p Pair, err error) {
	r := wire.NewReader(b)
	r.Version16(pairVersion, pairVersion)
	r.Into(p.person[:])
	p.self = keywire.Stored[key.Identity](r)
	p.renewals = r.U32()
	p.identity = keywire.Stored[key.Identity](r)
	r.Into(p.peer[:])
	p.device = readEntry(r)
	p.mailbox = readSigning(r)
	p.inbox = readPrivate[key.Inbox](r)
	if r.Bool() {
		r.Into(p.route.mailbox[:])
		p.route.inbox = keywire.Stored[key.Inbox](r)
	}
	p.sessions.pinned = suite(r.U8())
	p.sessions.generation = r.U64()
	p.sessions.accepted = r.U64()
	p.moves = r.U64()
	p.bundle = r.U32()
	p.sessions.restored = r.Bool()
	p.sessions.beginNext = r.Bool()
	p.sessions.floor = r.U64()
	p.homes = r.U32()
	p.waits = readAbilities(r)
	p.healing = readHealing(r)
	p.sessions.seen = readSeen(r)
	n := int(r.U8())
	if n > maxSessions || p.sessions.pinned != classic && p.sessions.pinned != hybrid {
		r.Fail("sessions of a pair")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		t := readRatchetSession(r)
		if i > 0 && p.sessions.list[i-1].compare(t) >= 0 {
			r.Fail("sessions out of order")
		}
		p.sessions.list = append(p.sessions.list, t)
	}
	if err := r.Done(); err != nil {
		return Pair{}, err
	}
	return p, nil
}

func writeEntry(w *wire.Writer, e directory.Entry) {
	mailbox := e.Mailbox()
	w.Fixed(e.Name().Bytes())
	w.U32(e.Renewals())
	w.Fixed(e.Identity().Bytes())
	w.Fixed(e.PreKey().Bytes())
	w.Fixed(mailbox[:])
	w.Fixed(e.Inbox().Bytes())
}

// readEntry reads what was verified before it was stored.
func readEntry(r *wire.Reader) directory.Entry {
	name, renewals := keywire.Stored[key.Identity](r), r.U32()
	identity, preKey := keywire.Stored[key.Identity](r), keywire.Stored[key.PreKey](r)
	var mailbox key.Address
	r.Into(mailbox[:])
	e := directory.NewEntry(identity, preKey, mailbox, keywire.Stored[key.Inbox](r))
	if name.Equal(identity) != (renewals == 0) {
		r.Fail("the name of a device")
	}
	if renewals == 0 {
		return e
	}
	return e.Renewed(name, renewals)
}
