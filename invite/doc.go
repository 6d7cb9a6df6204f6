// Package invite makes links with which somebody joins a space, and tells what became of them.
//
// A link holds the share of one place in the space and the right to introduce oneself there. It holds no key that reads
// anything: whoever has it asks the members, any of whom lets it in with a ticket. The steps are
//
//	space, link, err = invite.Private(space, now)      // the dealer; the next space must be durable before the link leaves
//	url, err := link.URL("https://chat.example/join")  // hand this to one person
//
//	link, err := invite.ParsePrivate(url)              // the joiner
//	space, request, err := ratchet.Join(link.Grant(), now, name)
//
// and then ratchet.Admit by a member and ratchet.Enter by the joiner, both of which ratchet.Opener does in a vault's receive
// loop. List tells the dealer which links are open and who came by which; ratchet.Revoke takes an unused one back.
//
// Each kind of invite is a type of its own: making one never answers with another. The package has no state and keeps no
// links; functions are safe for concurrent use. It implements section 9 of the specification, the Trefoil ratchet.
package invite
