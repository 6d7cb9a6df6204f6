package double

import (
	"testing"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/quorumtest"
)

func FuzzMessage(f *testing.F) {
	alice, _ := settledRatchets(f, Braided)
	_, m := encrypt(f, alice, "text")
	wiretest.Fuzz(f, ParseMessage, func(m Message) []byte { return quorumtest.Must(m.MarshalBinary()) }, quorumtest.Must(m.MarshalBinary()))
}

// The stored forms come out of sealed rows, and are read with the same care.

func FuzzStoredRatchet(f *testing.F) {
	var seeds [][]byte
	for _, form := range []Form{Classic, Braided} {
		alice, bob := settledRatchets(f, form)
		alice, _ = encrypt(f, alice, "skipped")
		alice, bob = pass(f, alice, bob, "text")
		fresh, waiting := freshRatchets(f, form)
		seeds = append(seeds, alice.marshal(), bob.marshal(), fresh.marshal(), waiting.marshal())
	}
	wiretest.Fuzz(f, parseRatchet, Ratchet.marshal, seeds...)
}

func FuzzRatchetJSON(f *testing.F) {
	alice, bob := settledRatchets(f, Classic)
	alice, _ = encrypt(f, alice, "skipped")
	_, bob = pass(f, alice, bob, "text")
	quorumtest.FuzzJSON(f, ParseJSON, func(r Ratchet) []byte { return quorumtest.Must(r.JSON()) }, quorumtest.Must(bob.JSON()))
}

func FuzzMessageJSON(f *testing.F) {
	alice, _ := settledRatchets(f, Classic)
	_, m := encrypt(f, alice, "text")
	quorumtest.FuzzJSON(f, ParseMessageJSON, Message.JSON, m.JSON())
}
