package dkg_test

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
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

// A dealer hands out a share: the space with the next evals is stored, then the share may leave the device.
func ExampleEvals_Issue() {
	evals, err := dkg.NewPolynomial().Evals(dkg.Terms{
		Depth:    dkg.DefaultDepth,
		Capacity: dkg.DefaultCapacity,
		Held:     []dkg.Index{1}, // the founder
		Next:     2,
	})
	if err != nil {
		panic(err)
	}
	space, err := state.New(state.NewID(), none{}, none{}, evals)
	if err != nil {
		panic(err)
	}

	next, share, err := space.Evals().Issue(dkg.Private, []byte("admission public key"))
	if err != nil {
		panic(err)
	}
	space = space.WithEvals(next)
	fmt.Println("share of index", share.Index())
	fmt.Println("left:", space.Evals().Remaining())
	for r := range space.Evals().Open(dkg.Private) {
		fmt.Printf("open: %d, admitted by %q\n", r.Index, r.Admission)
	}
	// Output:
	// share of index 2
	// left: 9998
	// open: 2, admitted by "admission public key"
}

func ExampleEvals_Revoke() {
	evals, err := dkg.NewPolynomial().Evals(dkg.Terms{Depth: 14, Capacity: 100, Next: 1})
	if err != nil {
		panic(err)
	}
	evals, share, err := evals.Issue(dkg.Public, []byte("admission public key"))
	if err != nil {
		panic(err)
	}
	evals, err = evals.Revoke(share.Index())
	fmt.Println(err)
	_, err = evals.Redeem(share.Index())
	fmt.Println(errors.Is(err, dkg.ErrLedger))
	// Output:
	// <nil>
	// true
}
