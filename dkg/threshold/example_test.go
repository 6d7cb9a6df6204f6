package threshold_test

import (
	"bytes"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg/threshold"
)

// A key that one party holds so far is a share of itself: ceremony.NewResharing makes shares of it for several parties. What is public about
// a key is stored, and shown to others, as bytes.
func Example() {
	seed := bytes.Repeat([]byte{1}, threshold.SeedSize) // of a real program: random bytes, kept secret
	share, err := threshold.Whole(seed)
	if err != nil {
		panic(err)
	}
	key := share.Key()
	fmt.Println("shares that make a signature:", key.Threshold())
	same, err := threshold.ParseKey(key.Bytes())
	fmt.Println("parsed:", same.Equal(key), err)
	// Output:
	// shares that make a signature: 1
	// parsed: true <nil>
}
