package ratchet

import "github.com/trefoil-im/trefoil/ratchet/internal/outcome"

// openMessage opens a message.
func openMessage(d *edit, f incoming) (Message, error) { return Message{}, outcome.ErrNotYet }
