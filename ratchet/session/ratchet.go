package session

import (
	"crypto/rand"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// Ratchet is one Double Ratchet with encrypted headers: an immutable value that shows nothing when printed. The zero
// Ratchet is none. It is what a Session is made of, and what can be taken over from the deployed client.
type Ratchet struct {
	_      [0]func()
	root   secret.Bytes
	own    ed448.Scalar    // the ratchet key whose public half goes, or will go, into headers
	public PublicKey[step] // of own; none while a turn is owed
	remote PublicKey[step] // the peer's

	sending   chain // none before the first message is read on the responder's side, and while a turn is owed
	receiving chain

	sendingHeader       aead
	nextSendingHeader   aead // none while a turn is owed
	receivingHeader     aead
	nextReceivingHeader aead

	previousSending   uint32 // messages in the sending chain before
	previousReceiving uint32 // kept for the deployed peer's JSON; nothing uses it
	skipped           skipped

	// turnOwed: the last message that was read began a new chain of the peer's, and ours in answer is not derived yet.
	// All that it follows from is here, the new key included, so deriving it later changes nothing but the time it
	// takes: who only reads pays one multiplication for a turn instead of three.
	turnOwed bool
}

// startSending returns the ratchet of the initiator, from the key that was agreed.
func startSending(agreed secret.Bytes, e PrivateKey[Ephemeral], preKey PublicKey[PreKey]) (Ratchet, error) {
	root, sendingHeader, nextReceivingHeader := split3(agreed)
	r := Ratchet{
		root: root, own: e.scalar, public: as[step](e.public), remote: as[step](preKey), turnOwed: true,
		sendingHeader: newAEAD(sendingHeader), nextReceivingHeader: newAEAD(nextReceivingHeader),
	}
	return r.turned()
}

// startReceiving returns the ratchet of the responder.
func startReceiving(agreed secret.Bytes, preKey PrivateKey[PreKey], e PublicKey[Ephemeral]) Ratchet {
	root, sendingHeader, nextReceivingHeader := split3(agreed)
	receiving := newAEAD(sendingHeader)
	return Ratchet{
		root: root, own: preKey.scalar, public: as[step](preKey.public), remote: as[step](e),
		// There is no sending chain yet; the deployed peer has its header key all the same.
		sendingHeader: receiving, nextSendingHeader: newAEAD(nextReceivingHeader), nextReceivingHeader: receiving,
	}
}

// turned returns the ratchet with the turn that it owes, if any.
func (r Ratchet) turned() (Ratchet, error) {
	if !r.turnOwed {
		return r, nil
	}
	dh, err := agree(PrivateKey[step]{scalar: r.own}, r.remote)
	if err != nil {
		return r, err
	}
	next := r
	var header secret.Bytes
	if next.root, next.sending, header, err = rootStep(r.root, dh); err != nil {
		return r, err
	}
	if next.public.IsZero() {
		next.public = publicKey[step](ed448.BaseMult(r.own))
	}
	next.nextSendingHeader = newAEAD(header)
	next.turnOwed = false
	return next, nil
}

// Encrypt returns the message for plaintext, at most MaxPlaintext bytes, and the ratchet after it, which must be saved before
// the message leaves. It returns ErrNotReady if there is no chain to send on yet: a responder reads first.
func (r Ratchet) Encrypt(plaintext []byte) (Ratchet, Message, error) {
	if len(plaintext) > maxBody-tagSize {
		return r, Message{}, fmt.Errorf("%w: message is too long", ErrNotReady)
	}
	next, err := r.turned()
	if err != nil {
		return r, Message{}, err
	}
	if next.sending.isZero() || next.sending.n == ^uint32(0) {
		return r, Message{}, fmt.Errorf("%w: no sending chain", ErrNotReady)
	}
	h := header{next.public.encoding, next.previousSending, next.sending.n}.bytes()
	sending, keys := next.sending.step()
	next.sending = sending

	var random [2*nonceSize + associatedSize]byte
	rand.Read(random[:])
	m := Message{headerNonce: [nonceSize]byte(random[:]), bodyNonce: [nonceSize]byte(random[nonceSize:]),
		headerAssociated: random[2*nonceSize:]}
	m.header = next.sendingHeader.seal(nil, m.headerNonce[:], h[:], m.headerAssociated)
	m.bodyAssociated = keys.associated(m.header)
	m.body = keys.aead().seal(nil, m.bodyNonce[:], plaintext, m.bodyAssociated)
	return next, m, nil
}

// Decrypt returns the plaintext of a message, and the ratchet after it, with which the message cannot be read again. Any
// order will do, with any others lost or repeated. It returns ErrReplayed for a message that was read before or whose key was
// dropped, ErrForged, ErrMalformed, or ErrNotYet if no key opens its header, or if it is more than MaxSkip ahead.
func (r Ratchet) Decrypt(m Message) (Ratchet, []byte, error) {
	next, plaintext, err := r.decrypt(m)
	if err != nil {
		return r, nil, err
	}
	return next, plaintext, nil
}

func (r Ratchet) decrypt(m Message) (Ratchet, []byte, error) {
	h, key, ok := r.openHeader(m)
	if !ok {
		return r, nil, fmt.Errorf("%w: header", ErrNotYet)
	}
	// The key that opened the header says which chain the message is of. The number alone says nothing.
	failure := error(ErrReplayed)
	if b, i, ok := r.skipped.find(key.key, h.n); ok {
		if plaintext, ok := open(m, r.skipped.buckets[b].keys[i].keys); ok {
			next := r
			next.skipped = r.skipped.without(b, i)
			return next, plaintext, nil
		}
		failure = ErrForged
	}
	switch {
	case key.key.Equal(r.receivingHeader.key) && h.n >= r.receiving.n && !r.receiving.isZero():
		return r.readOn(m, h)
	case key.key.Equal(r.nextReceivingHeader.key):
		return r.readTurn(m, h)
	}
	return r, nil, failure
}

// openHeader finds the key that opens the header: that of the peer's chain, of its next one, or of one whose messages were
// skipped.
func (r Ratchet) openHeader(m Message) (header, aead, bool) {
	var space [headerSize]byte
	try := func(key aead) (header, bool) {
		b, ok := key.open(space[:0], m.headerNonce[:], m.header, m.headerAssociated)
		if !ok || len(b) != headerSize {
			return header{}, false
		}
		return parseHeader(b), true
	}
	for _, key := range []aead{r.receivingHeader, r.nextReceivingHeader} {
		if h, ok := try(key); ok {
			return h, key, true
		}
	}
	for i := len(r.skipped.buckets) - 1; i >= 0; i-- {
		if h, ok := try(r.skipped.buckets[i].header); ok {
			return h, r.skipped.buckets[i].header, true
		}
	}
	return header{}, aead{}, false
}

// readOn reads a message of the peer's current chain.
func (r Ratchet) readOn(m Message, h header) (Ratchet, []byte, error) {
	receiving, passed, plaintext, err := read(r.receiving, m, h)
	if err != nil {
		return r, nil, err
	}
	next := r
	next.receiving = receiving
	next.skipped = r.skipped.with(r.receivingHeader, passed)
	return next, plaintext, nil
}

// readTurn reads a message of a new chain of the peer's, which answers one of ours.
func (r Ratchet) readTurn(m Message, h header) (Ratchet, []byte, error) {
	// If the peer turned although we have not sent since its last turn, it can only have forged, but the keys must come
	// out as if our turn had been made at once.
	next, err := r.turned()
	if err != nil {
		return r, nil, err
	}
	remote, err := ParsePublicKey[step](h.key[:])
	if err != nil {
		return r, nil, err
	}
	dh, err := agree(PrivateKey[step]{scalar: next.own}, remote)
	if err != nil {
		return r, nil, err
	}
	root, fresh, following, err := rootStep(next.root, dh)
	if err != nil {
		return r, nil, err
	}
	receiving, passed, plaintext, err := read(fresh, m, h)
	if err != nil {
		return r, nil, err
	}

	if !next.receiving.isZero() {
		// More than MaxSkip messages may have been lost at the end of the old chain. The keys of the first are kept,
		// and the conversation goes on.
		_, old := next.receiving.skipTo(h.previous, MaxSkip)
		next.skipped = next.skipped.with(next.receivingHeader, old)
	}
	next.skipped = next.skipped.with(next.nextReceivingHeader, passed)
	next.receiving = receiving
	next.receivingHeader = next.nextReceivingHeader
	next.nextReceivingHeader = newAEAD(following)

	next.root = root
	next.remote = remote
	next.own = ed448.RandomScalar()
	next.public = PublicKey[step]{}
	next.previousSending = next.sending.n
	next.sending = chain{}
	next.sendingHeader = next.nextSendingHeader
	next.nextSendingHeader = aead{}
	next.turnOwed = true
	return next, plaintext, nil
}

// read opens a message that is next in a chain or ahead in it, and returns the chain after it and the keys of those that
// were passed over.
func read(c chain, m Message, h header) (chain, []skippedKey, []byte, error) {
	if h.n-c.n > MaxSkip {
		return c, nil, nil, errAhead
	}
	c, passed := c.skipTo(h.n, MaxSkip)
	c, keys := c.step()
	plaintext, ok := open(m, keys)
	if !ok {
		return c, nil, nil, fmt.Errorf("%w: message", ErrForged)
	}
	return c, passed, plaintext, nil
}

// open opens the body of a message.
func open(m Message, keys messageKeys) ([]byte, bool) {
	return keys.aead().open(nil, m.bodyNonce[:], m.body, keys.associated(m.header))
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
