// Package members is the members of a root (SPEC §9): who they are, under which keys, who of them is gone, the invites by which
// others may come, and the requests of those that ask for a ticket.
//
//	Terms   what the notice of the root fixes, the same for all; checks of proto are made under it
//	Root    what was heard since: bindings, statements, records
//	Desk    requests of others, and whose turn it is to answer them
//
// What is followed depends on Terms alone. A Root decides who is shown, who is answered and what is delivered. All values are
// immutable; functions return the next one and a Change, which says what happened. With an error they change nothing.
package members
