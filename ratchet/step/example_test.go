package step_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// An owner names the space and makes an invite. With a vault it is ratchet.Do that takes the steps, and puts their frames into the outbox.
func Example() {
	now := time.Now()
	space, err := ratchet.NewSpace(now, rules.Policy{RekeyHours: 24}, []byte("Ann"))
	check(err)
	var made invite.Made
	for _, s := range []step.Step{step.SetTitle([]byte("Climbing")), step.NewInvite(invite.Private(7*24*time.Hour), &made)} {
		next, frames, err := ratchet.Take(space, now, s)
		check(err)
		fmt.Println(len(frames), "frame to be sent") // once next is stored
		space = next
	}
	fmt.Printf("%s, with %d open invite\n", ratchet.Info(space).Title, len(ratchet.Invites(space, now)))
	// Output:
	// 1 frame to be sent
	// 1 frame to be sent
	// Climbing, with 1 open invite
}

// Who is the only owner of a space with others in it says that they may be left without one.
func ExampleLeave() {
	now := time.Now()
	ann, err := ratchet.NewSpace(now, rules.Policy{}, []byte("Ann"))
	check(err)
	var made invite.Made
	ann, _, err = ratchet.Take(ann, now, step.NewInvite(invite.Private(0), &made))
	check(err)
	_, request, err := ratchet.Join(made.Link, now, []byte("Bob"))
	check(err)
	ann, _, err = ratchet.Admit(ann, now, request)
	check(err)

	_, _, err = ratchet.Take(ann, now, step.Leave())
	fmt.Println("refused:", errors.Is(err, ratchet.ErrOrphan))
	_, _, err = ratchet.Take(ann, now, step.Leave(step.Orphan))
	fmt.Println("left:", err == nil)
	// Output:
	// refused: true
	// left: true
}

// A test of a program can look at the steps that it takes, without a space.
func ExampleTaker() {
	var n notes
	check(reported(7).By(&n))
	fmt.Println("removed:", n.removed)
	// Output: removed: [7]
}

// reported is what the program does when somebody was reported.
func reported(i dkg.Index) step.Step { return step.Remove(i) }

// notes notes whom a step removes. It takes no other steps.
type notes struct {
	step.Taker
	removed []dkg.Index
}

func (n *notes) Remove(indices []dkg.Index) error {
	n.removed = append(n.removed, indices...)
	return nil
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
