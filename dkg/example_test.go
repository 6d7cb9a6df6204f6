package dkg_test

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

// none stands for the ratchet state and the template of a space, which dealing does not touch.
type none struct{}

func (none) Encode(e *state.Encoder)               { e.Version(1) }
func (none) Decode(d *state.Decoder) (none, error) { d.Version(1, 1); return none{}, nil }
func (none) Succeeds(none) error                   { return nil }

func ExamplePolynomial() {
	p := dkg.NewPolynomial()
	commitment := p.Commitment() // published, and pinned by every member

	share, err := p.Share(7) // sent to member 7
	if err != nil {
		panic(err)
	}
	fmt.Println(commitment.Verify(share))

	forged, err := dkg.NewPolynomial().Share(7)
	if err != nil {
		panic(err)
	}
	fmt.Println(errors.Is(commitment.Verify(forged), dkg.ErrShare))
	// Output:
	// <nil>
	// true
}

// A dealer makes an invite: the space with the next evals is stored, then what is hidden of the share may leave the device.
func ExampleEvals_Offer() {
	evals, err := dkg.NewPolynomial().Evals(dkg.Terms{Depth: dkg.DefaultDepth, Capacity: dkg.DefaultCapacity, Next: 2}) // 1 is the founder
	if err != nil {
		panic(err)
	}
	space, err := state.New(state.NewID(), none{}, none{}, evals)
	if err != nil {
		panic(err)
	}

	wish := dkg.Offer{Name: [16]byte{1}, Kind: dkg.Private, Count: 1, M: secret.Random(dkg.OfferSecretSize)}
	next, offer, err := space.Evals().Offer(wish, 0, 1)
	if err != nil {
		panic(err)
	}
	space = space.WithEvals(next)
	fmt.Println("index", offer.First)

	next, err = space.Evals().EndOffer(offer.Name) // somebody came by it, or it was taken back
	fmt.Println("ended:", err, "next index:", next.Next())
	// Output:
	// index 2
	// ended: <nil> next index: 3
}
