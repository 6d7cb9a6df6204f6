// Package invite is what an invite into a space is: the terms on which an owner makes it, the link that one person or many get, and
// the entry of the ledger that says what became of it.
//
//	var made invite.Made
//	err := vault.Update(ctx, id, ratchet.Do(o, step.NewInvite(invite.Private(7*24*time.Hour), &made)))
//	url, err := made.Link.URL("https://chat.example/join")  // hand this to one person
//
//	link, err := invite.Find(pasted)                        // the joiner
//	space, request, err := ratchet.Join(link, now, profile) // whose vault then enters what members answer
//
//	for _, in := range ratchet.Invites(space, now) { … }    // the owner: open, used and by whom, taken back, expired
//	err = vault.Update(ctx, id, ratchet.Do(o, step.EndInvite(made.Name)))
//
// A link holds the seed of a place in the space, or of a run of places, and nothing that reads anything: whoever has it asks the
// members, any of whom lets it in. Each kind of invite has terms of its own: making one never answers with another.
//
// The package has no state; what it returns is immutable and safe for concurrent use. Package ratchet makes, opens and ends invites.
// SPEC §14 gives the format of links.
package invite
