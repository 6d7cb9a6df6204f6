package ratchet

import (
	"github.com/trefoil-im/trefoil/ratchet/internal/next/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
)

// openTicket opens a part of a ticket or a refusal.
func openTicket(d *edit, f incoming) (Message, error) { return Message{}, outcome.ErrStale }

// openRequest opens a request.
func openRequest(d *edit, f incoming) (Message, error) { return Message{}, outcome.ErrStale }

// ticket says what became of the key that the tickets of this member came under.
func (d *edit) ticket() orphans.Ticket { return orphans.Ticket{} }

// takeAnswered takes in the counter of a request that its asker says was answered, and that its sender was read.
func takeAnswered(d *edit, l reading) {}

// takeUpdate takes in a new inbox key.
func takeUpdate(d *edit, l reading) {}

// takeIntroduced takes in introductions of others.
func takeIntroduced(d *edit, l reading) {}

// takeShown takes in requests that the sender answered.
func takeShown(d *edit, l reading) {}

// takeStatement takes in a statement.
func takeStatement(d *edit, l reading) {}

// askDue reports whether a request is to be made, or posted again.
func (d *edit) askDue() bool { return false }

// ask makes a request, or posts the open one again.
func (d *edit) ask() error { return outcome.ErrPhase }

// answerDue makes the retained requests ready whose turn has come.
func (d *edit) answerDue() error { return nil }

// pruneJoins lets go of what is too old of requests and tickets.
func (d *edit) pruneJoins() {}
