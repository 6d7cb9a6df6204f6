package ratchettest_test

import (
	"testing"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

var t *testing.T // of the test that calls an example

func TestExamples(test *testing.T) {
	t = test
	Example()
	ExampleGroup_Join()
}

// There is no network in a group: the test says who gets what when. Here two messages come in the wrong order, and one twice.
func Example() {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	ann, bob := g.Peers[0], g.Peers[1]
	first, second := g.Send(ann, "first"), g.Send(ann, "second")
	g.Deliver(second, bob)
	g.Deliver(first, bob)
	g.Deliver(first, bob) // again
	g.RequireRead(bob, "first", "second")
	g.RequireConverged()
}

// Somebody joins, step by step. JoinWith does all of it.
func ExampleGroup_Join() {
	g := ratchettest.NewGroup(t, 1, ratchettest.Small)
	ann := g.Peers[0]
	bob, request := g.Join(g.Invite(invite.Private(0)))
	g.Enter(bob, g.Admit(ann, request)) // the ticket
	g.Deliver(bob.Take(), ann)          // Bob's first message, by which Ann knows him
	g.Deliver(g.Send(ann, "welcome, Bob"), bob)
	g.RequireRead(bob, "welcome, Bob")
}
