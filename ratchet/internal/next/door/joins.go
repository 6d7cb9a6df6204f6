package ratchet

import "github.com/trefoil-im/trefoil/ratchet/internal/outcome"

// openTicket opens a part of a ticket or a refusal.
func openTicket(d *edit, f incoming) (Message, error) { return Message{}, outcome.ErrStale }

// openRequest opens a request.
func openRequest(d *edit, f incoming) (Message, error) { return Message{}, outcome.ErrStale }
