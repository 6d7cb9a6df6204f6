package session

import (
	"crypto/sha256"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// pairVersion is the version of a stored Pair.
const pairVersion = 1

// maxPair bounds a stored pair, in bytes.
const maxPair = 4<<10 + maxSeen*sha256.Size + maxThreads*(maxRatchet+2<<10)

// Encode implements state.Part.
func (p Pair) Encode(e *state.Encoder) { e.Bytes(p.marshal()) }

// Decode implements state.Part.
func (Pair) Decode(in *state.Decoder) (Pair, error) {
	b := in.Bytes(maxPair)
	if err := in.Err(); err != nil {
		return Pair{}, err
	}
	return parsePair(b)
}

func (p Pair) marshal() []byte {
	w := wire.NewWriter(2 << 10)
	w.U16(pairVersion)
	w.Fixed(p.person[:])
	w.Fixed(p.self.encoding[:])
	w.Fixed(p.peer[:])
	p.device.write(w)
	w.Fixed(p.mailbox.seed())
	writePrivateKey(w, p.inbox)
	w.Bool(!p.route.isZero())
	if !p.route.isZero() {
		p.route.write(w)
	}
	w.U8(uint8(p.pinned))
	w.U64(p.generation)
	w.U64(p.accepted)
	w.U64(p.moves)
	w.Bool(p.ahead)
	w.U32(uint32(len(p.seen)))
	for _, s := range p.seen {
		w.Fixed(s[:])
	}
	w.U8(uint8(len(p.threads)))
	for _, t := range p.threads {
		t.write(w)
	}
	return w.Bytes()
}

func parsePair(b []byte) (p Pair, err error) {
	r := wire.NewReader(b)
	r.Version16(pairVersion, pairVersion)
	r.Into(p.person[:])
	p.self = readStoredKey[Identity](r)
	r.Into(p.peer[:])
	p.device = readEntry(r)
	mailbox := r.Fixed(SeedSize)
	p.inbox = readPrivateKey[Inbox](r)
	if r.Bool() {
		r.Into(p.route.mailbox[:])
		p.route.inbox = readStoredKey[Inbox](r)
	}
	p.pinned = form(r.U8())
	p.generation = r.U64()
	p.accepted = r.U64()
	p.moves = r.U64()
	p.ahead = r.Bool()
	if n := r.Count(maxSeen, sha256.Size); n > 0 {
		p.seen = make([][sha256.Size]byte, n)
		for i := range p.seen {
			r.Into(p.seen[i][:])
		}
	}
	n := int(r.U8())
	if n > maxThreads || p.pinned != deployed && p.pinned != hybrid {
		r.Fail("sessions of a pair")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		t := readThread(r)
		if i > 0 && p.threads[i-1].compare(t) >= 0 {
			r.Fail("sessions out of order")
		}
		p.threads = append(p.threads, t)
	}
	if err := r.Done(); err != nil {
		return Pair{}, err
	}
	p.mailbox = signingKey(secret.Own(mailbox))
	return p, nil
}

func (e Entry) write(w *wire.Writer) {
	w.Fixed(e.identity.encoding[:])
	w.Fixed(e.preKey.encoding[:])
	w.Fixed(e.mailbox[:])
	w.Fixed(e.inbox.encoding[:])
}

// readEntry reads what was verified before it was stored.
func readEntry(r *wire.Reader) (e Entry) {
	e.identity = readStoredKey[Identity](r)
	e.preKey = readStoredKey[PreKey](r)
	r.Into(e.mailbox[:])
	e.inbox = readStoredKey[Inbox](r)
	return e
}
