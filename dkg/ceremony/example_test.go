package ceremony_test

import (
	"crypto/ed25519"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg/ceremony"
	"github.com/trefoil-im/trefoil/dkg/threshold"
)

// Three parties make a key of which any two can sign. Each message goes to everybody, in any order and more than once. A program stores
// a run before it sends what it says.
func Example() {
	var parties []ceremony.Party
	var identities []ed25519.PrivateKey
	for i := 1; i <= 3; i++ {
		public, private, err := ed25519.GenerateKey(nil)
		identities = append(identities, ok(private, err))
		parties = append(parties, ceremony.Party{Index: threshold.Index(i), Key: public})
	}
	setup := ok(ceremony.NewGeneration([]byte("the owners of chat.example"), 2, parties))
	var runs []ceremony.Run
	for _, identity := range identities {
		runs = append(runs, ok(ceremony.Begin(setup, identity, threshold.Share{}))) // nobody holds anything yet
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
	first := ok(runs[0].Result())
	for _, run := range runs {
		result := ok(run.Result())
		fmt.Println("party", result.Share.Index(), "holds a share of the key:", result.Key.Equal(first.Key))
	}
	// Output:
	// party 1 holds a share of the key: true
	// party 2 holds a share of the key: true
	// party 3 holds a share of the key: true
}

func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
