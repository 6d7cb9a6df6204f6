package double

import (
	"crypto/rand"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/braid"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// Ratchet is one end of a Double Ratchet with encrypted headers: an immutable value, safe to share, that shows nothing when
// printed. The zero Ratchet is none.
type Ratchet struct {
	_      [0]func()
	root   secret.Bytes
	own    keypair.PrivateKey[key.Step] // the ratchet key whose public half goes, or will go, into headers
	public key.PublicKey[key.Step]      // of own; none while a step is pending
	remote key.PublicKey[key.Step]      // the peer's

	sending   chain // none before the first message is read on the responder's side, and while a step is pending
	receiving chain

	sendingHeader       aead.Key
	nextSendingHeader   aead.Key // none while a step is pending
	receivingHeader     aead.Key
	nextReceivingHeader aead.Key

	braid braid.Braid // none in the classic form

	previousSending   uint32 // messages in the sending chain before
	previousReceiving uint32 // kept for the deployed client's JSON; nothing uses it
	skipped           skipped

	// stepPending is set when the last message that was read began a new chain of the peer's, and the sending chain in answer
	// is not derived yet. All that it follows from is here, the new key included, so deriving it later changes only when the
	// work is done: reading a new chain costs one multiplication instead of three.
	stepPending bool
}

// StartSending returns the ratchet of the initiator, from the AgreedSize bytes that were agreed.
func StartSending(f Form, agreed secret.Bytes, e keypair.PrivateKey[key.Ephemeral], preKey key.PublicKey[key.PreKey]) (Ratchet, error) {
	root, sendingHeader, nextReceivingHeader := split3(agreed)
	r := Ratchet{
		root: root, own: e.Step(), public: e.Public().Step(), remote: preKey.Step(), stepPending: true,
		sendingHeader: aead.New(sendingHeader), nextReceivingHeader: aead.New(nextReceivingHeader),
	}
	if f == Braided {
		r.braid = braid.Initiator()
	}
	return r.withStep()
}

// StartReceiving returns the ratchet of the responder.
func StartReceiving(f Form, agreed secret.Bytes, preKey keypair.PrivateKey[key.PreKey], e key.PublicKey[key.Ephemeral]) Ratchet {
	root, sendingHeader, nextReceivingHeader := split3(agreed)
	receiving := aead.New(sendingHeader)
	r := Ratchet{
		root: root, own: preKey.Step(), public: preKey.Public().Step(), remote: e.Step(),
		// There is no sending chain yet; the deployed client has its header key all the same.
		sendingHeader: receiving, nextSendingHeader: aead.New(nextReceivingHeader), nextReceivingHeader: receiving,
	}
	if f == Braided {
		r.braid = braid.Responder()
	}
	return r
}

// Form returns the form of the ratchet's messages.
func (r Ratchet) Form() Form {
	if r.braid.IsZero() {
		return Classic
	}
	return Braided
}

// Epoch returns how many exchanges of the braid ended, 0 in the classic form. Unless somebody with the keys of the session
// wrote into them, the root key contains the secret of each.
func (r Ratchet) Epoch() uint32 { return r.braid.Epoch() }

// Own returns the ratchet key whose public half goes into headers.
func (r Ratchet) Own() keypair.PrivateKey[key.Step] { return r.own }

// Remote returns the peer's ratchet key. It changes when a message of a new chain of the peer's is read.
func (r Ratchet) Remote() key.PublicKey[key.Step] { return r.remote }

// Received returns the number of the next message of the peer's chain.
func (r Ratchet) Received() uint32 { return r.receiving.n }

// HasSent reports whether a message of the current sending chain was encrypted.
func (r Ratchet) HasSent() bool { return r.sending.n > 0 }

// withStep returns the ratchet with the step that is pending, if any.
func (r Ratchet) withStep() (Ratchet, error) {
	if !r.stepPending {
		return r, nil
	}
	dh, err := keypair.Agree(r.own, r.remote)
	if err != nil {
		return r, err
	}
	next := r
	var mixed, header secret.Bytes
	next.braid, mixed = r.braid.Begin()
	if next.root, next.sending, header, err = rootStep(r.root, dh, mixed); err != nil {
		return r, err
	}
	next.public = r.own.Public()
	next.nextSendingHeader = aead.New(header)
	next.stepPending = false
	return next, nil
}

// Encrypt returns the message for a plaintext of at most MaxPlaintext bytes, and the ratchet after it, which must be saved
// before the message leaves. It returns ErrNotReady if there is no chain to send on yet: a responder reads first.
func (r Ratchet) Encrypt(plaintext []byte) (Ratchet, Message, error) {
	if len(plaintext) > MaxPlaintext {
		return r, Message{}, fmt.Errorf("%w: message is too long", ErrNotReady)
	}
	next, err := r.withStep()
	if err != nil {
		return r, Message{}, err
	}
	if next.sending.IsZero() || next.sending.n == ^uint32(0) {
		return r, Message{}, fmt.Errorf("%w: no sending chain", ErrNotReady)
	}
	h := header{key: [key.PublicKeySize]byte(next.public.Bytes()), previous: next.previousSending, n: next.sending.n}
	next.braid, h.chunk = next.braid.Send()
	sending, keys := next.sending.step()
	next.sending = sending

	var random [2*aead.NonceSize + aead.AssociatedSize]byte
	rand.Read(random[:])
	m := Message{headerNonce: [aead.NonceSize]byte(random[:]), bodyNonce: [aead.NonceSize]byte(random[aead.NonceSize:]),
		headerAssociated: random[2*aead.NonceSize:]}
	var space [headerSize + braid.ChunkSize]byte
	m.header = next.sendingHeader.Seal(nil, m.headerNonce[:], h.append(space[:0], r.Form()), m.headerAssociated)
	m.bodyAssociated = keys.associated(m.header)
	m.body = keys.key().Seal(nil, m.bodyNonce[:], plaintext, m.bodyAssociated)
	return next, m, nil
}

// Decrypt returns the plaintext of a message, and the ratchet after it, with which the message cannot be read again. Messages
// may come in any order, with any others lost or repeated. Its errors are ErrNoKey, ErrAhead, ErrReplayed, key.ErrForged and
// key.ErrMalformed.
func (r Ratchet) Decrypt(m Message) (Ratchet, []byte, error) {
	next, plaintext, err := r.decrypt(m)
	if err != nil {
		return r, nil, err
	}
	return next, plaintext, nil
}

func (r Ratchet) decrypt(m Message) (Ratchet, []byte, error) {
	h, opened, err := r.openHeader(m)
	if err != nil {
		return r, nil, err
	}
	// The key that opened the header says which chain the message is of. The number alone does not.
	failure := ErrReplayed
	if b, i, ok := r.skipped.find(opened, h.n); ok {
		if plaintext, ok := open(m, r.skipped.buckets[b].keys[i].keys); ok {
			next := r
			next.skipped = r.skipped.without(b, i)
			if opened.Equal(r.receivingHeader) { // who once stole the key of an older chain writes into no exchange
				next.braid = r.braid.Receive(h.chunk)
			}
			return next, plaintext, nil
		}
		failure = fmt.Errorf("%w: message", key.ErrForged)
	}
	switch {
	case opened.Equal(r.receivingHeader) && h.n >= r.receiving.n && !r.receiving.IsZero():
		return r.readOn(m, h)
	case opened.Equal(r.nextReceivingHeader):
		return r.readStep(m, h)
	}
	return r, nil, failure
}

// openHeader finds the header key that opens the header. It returns ErrNoKey, or key.ErrMalformed for a header that a peer would
// not write.
func (r Ratchet) openHeader(m Message) (header, aead.Key, error) {
	if len(m.header) != r.Form().headerSealedSize() {
		return header{}, aead.Key{}, ErrNoKey
	}
	var space [headerSize + braid.ChunkSize]byte
	for k := range r.headerKeys {
		if b, ok := k.Open(space[:0], m.headerNonce[:], m.header, m.headerAssociated); ok {
			h, err := r.parseHeader(b)
			return h, k, err
		}
	}
	return header{}, aead.Key{}, ErrNoKey
}

// headerKeys yields the header keys of the peer's chain, of its next one, and of those whose messages were skipped, newest
// first.
func (r Ratchet) headerKeys(yield func(aead.Key) bool) {
	if !yield(r.receivingHeader) || !yield(r.nextReceivingHeader) {
		return
	}
	for i := len(r.skipped.buckets) - 1; i >= 0; i-- {
		if !yield(r.skipped.buckets[i].header) {
			return
		}
	}
}

// readOn reads a message of the peer's current chain.
func (r Ratchet) readOn(m Message, h header) (Ratchet, []byte, error) {
	if h.n-r.receiving.n > MaxSkip {
		return r, nil, &AheadError{From: h.n - MaxSkip}
	}
	receiving, passed, plaintext, err := read(r.receiving, m, h)
	if err != nil {
		return r, nil, err
	}
	next := r
	next.receiving = receiving
	next.skipped = r.skipped.with(r.receivingHeader, passed)
	next.braid = r.braid.Receive(h.chunk)
	return next, plaintext, nil
}

// readStep reads a message of a new chain of the peer's, which begins with a Diffie-Hellman step.
func (r Ratchet) readStep(m Message, h header) (Ratchet, []byte, error) {
	if h.n > MaxSkip {
		return r, nil, &AheadError{NextChain: true, From: h.n - MaxSkip}
	}
	// A peer that begins a new chain although nothing was sent since its last one deviates from the protocol, but the keys
	// must come out as if the pending step had been made at once.
	next, err := r.withStep()
	if err != nil {
		return r, nil, err
	}
	remote, err := key.ParsePublicKey[key.Step](h.key[:])
	if err != nil {
		return r, nil, err
	}
	dh, err := keypair.Agree(next.own, remote)
	if err != nil {
		return r, nil, err
	}
	followed, mixed, err := next.braid.Follow(h.chunk)
	if err != nil {
		return r, nil, key.Malformed(err)
	}
	root, fresh, following, err := rootStep(next.root, dh, mixed)
	if err != nil {
		return r, nil, err
	}
	receiving, passed, plaintext, err := read(fresh, m, h)
	if err != nil {
		return r, nil, err
	}

	if !next.receiving.IsZero() {
		// More than MaxSkip messages may have been lost at the end of the old chain. The keys of the first are kept,
		// and the conversation goes on.
		_, old := next.receiving.skipTo(h.previous, MaxSkip)
		next.skipped = next.skipped.with(next.receivingHeader, old)
	}
	next.skipped = next.skipped.with(next.nextReceivingHeader, passed)
	next.receiving = receiving
	next.receivingHeader = next.nextReceivingHeader
	next.nextReceivingHeader = aead.New(following)

	next.braid = followed.Receive(h.chunk)
	next.root = root
	next.remote = remote
	next.own = keypair.Draw[key.Step]()
	next.public = key.PublicKey[key.Step]{}
	next.previousSending = next.sending.n
	next.sending = chain{}
	next.sendingHeader = next.nextSendingHeader
	next.nextSendingHeader = aead.Key{}
	next.stepPending = true
	return next, plaintext, nil
}

// read opens a message that is next in a chain or at most MaxSkip ahead in it, and returns the chain after it and the keys of those that
// were passed over.
func read(c chain, m Message, h header) (chain, []skippedKey, []byte, error) {
	c, passed := c.skipTo(h.n, MaxSkip)
	c, keys := c.step()
	plaintext, ok := open(m, keys)
	if !ok {
		return c, nil, nil, fmt.Errorf("%w: message", key.ErrForged)
	}
	return c, passed, plaintext, nil
}

// open opens the body of a message.
func open(m Message, keys messageKeys) ([]byte, bool) {
	return keys.key().Open(nil, m.bodyNonce[:], m.body, keys.associated(m.header))
}

// IsZero reports whether there is no ratchet.
func (r Ratchet) IsZero() bool { return r.root.IsZero() }

// Equal reports whether both would be stored as the same bytes. It is for tests.
func (r Ratchet) Equal(o Ratchet) bool {
	return secret.Own(r.marshal()).Equal(secret.Own(o.marshal()))
}

// String shows nothing of the ratchet.
func (r Ratchet) String() string { return "double ratchet" }

// GoString is String.
func (r Ratchet) GoString() string { return r.String() }
