package braid

import (
	"bytes"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/sha512"
	"encoding/binary"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// newOffer draws a key pair, and returns its seed and the offer: the encapsulation key and zeros.
func newOffer() (seed secret.Bytes, offer object) {
	seed = secret.Random(seedSize)
	key, err := mlkem.NewDecapsulationKey768(seed.Expose())
	if err != nil {
		panic("braid: " + err.Error()) // a seed of the right length always is a key
	}
	b := make([]byte, offerSize)
	copy(b, key.EncapsulationKey().Bytes())
	return seed, secret.Own(b)
}

// newAnswer encapsulates to an offer, and returns the secret of the exchange and the answer: the ciphertext and the tag. If the
// offer is none, it returns an answer that the initiator does not accept, so that it offers again.
func newAnswer(exchange uint32, offer object) (mixed secret.Bytes, answer object) {
	encapsulationKey, zeros := offer.Expose()[:mlkem.EncapsulationKeySize768], offer.Expose()[mlkem.EncapsulationKeySize768:]
	key, err := mlkem.NewEncapsulationKey768(encapsulationKey)
	if err != nil || !bytes.Equal(zeros, make([]byte, len(zeros))) {
		return secret.Random(secretSize), secret.Own(make([]byte, answerSize))
	}
	shared, ciphertext := key.Encapsulate()
	mixed, tag := derive(exchange, shared, key, ciphertext)
	return mixed, secret.Own(append(ciphertext, tag.Expose()...))
}

// openAnswer returns the secret of the exchange that the key pair of a seed was offered in. It reports false if the tag does
// not agree: the other side has another secret.
func openAnswer(exchange uint32, seed secret.Bytes, answer object) (mixed secret.Bytes, ok bool) {
	key, err := mlkem.NewDecapsulationKey768(seed.Expose())
	if err != nil {
		return secret.Bytes{}, false
	}
	ciphertext, theirs := answer.Expose()[:mlkem.CiphertextSize768], answer.Expose()[mlkem.CiphertextSize768:]
	shared, err := key.Decapsulate(ciphertext)
	if err != nil {
		return secret.Bytes{}, false
	}
	mixed, tag := derive(exchange, shared, key.EncapsulationKey(), ciphertext)
	return mixed, tag.Equal(secret.New(theirs))
}

// derive returns the secret of an exchange, and the tag that shows the other side that one has it. Both depend on all that
// was exchanged.
func derive(exchange uint32, shared []byte, key *mlkem.EncapsulationKey768, ciphertext []byte) (mixed, tag secret.Bytes) {
	hash := sha512.Sum512(append(key.Bytes(), ciphertext...))
	info := binary.BigEndian.AppendUint32([]byte(labelExchange+"\x00"), exchange)
	out, err := hkdf.Key(sha512.New, shared, nil, string(append(info, hash[:]...)), secretSize+tagSize)
	if err != nil {
		panic("braid: " + err.Error()) // a length that HKDF does not give
	}
	return secret.New(out[:secretSize]), secret.New(out[secretSize:])
}
