package frost_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg/ceremony"
	"github.com/trefoil-im/trefoil/dkg/frost"
	"github.com/trefoil-im/trefoil/dkg/threshold"
)

// Two of three holders of a key sign.
func Example() {
	key, shares := keyOfThree()
	message := []byte("Ann, Bob and Cleo are the owners")

	var nonces []*frost.Nonce
	var commitments []frost.Commitment
	for _, share := range shares[:2] { // round 1: each sends its commitment
		nonce, commitment := frost.Commit(share)
		nonces, commitments = append(nonces, nonce), append(commitments, commitment)
	}
	p := ok(frost.NewPackage(key, message, commitments))
	var parts []frost.SignatureShare
	for _, nonce := range nonces { // round 2: each looks at the message, and sends its part of the signature
		parts = append(parts, ok(nonce.Sign(p)))
	}
	signature := ok(p.Aggregate(parts)) // anybody
	fmt.Println("signed:", key.Verify(message, signature))
	_, err := nonces[0].Sign(p)
	fmt.Println("a nonce signs once:", errors.Is(err, frost.ErrNonceUsed))
	// Output:
	// signed: true
	// a nonce signs once: true
}

// keyOfThree returns a key of which any two of three parties sign: see package ceremony.
func keyOfThree() (key threshold.Key, shares []threshold.Share) {
	var parties []ceremony.Party
	var identities []ed25519.PrivateKey
	for i := 1; i <= 3; i++ {
		public, private, err := ed25519.GenerateKey(nil)
		identities = append(identities, ok(private, err))
		parties = append(parties, ceremony.Party{Index: threshold.Index(i), Key: public})
	}
	setup := ok(ceremony.NewGeneration(nil, 2, parties))
	var runs []ceremony.Run
	for _, identity := range identities {
		runs = append(runs, ok(ceremony.Begin(setup, identity, threshold.Share{})))
	}
	for range 3 { // Join, Deal, Echo
		for from := range runs {
			for _, message := range runs[from].Messages() {
				for to := range runs {
					runs[to] = ok(runs[to].Receive(message))
				}
			}
		}
	}
	for _, run := range runs {
		result := ok(run.Result())
		key, shares = result.Key, append(shares, result.Share)
	}
	return key, shares
}

func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
