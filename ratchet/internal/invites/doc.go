// Package invites is how an owner makes invites and ends them, and what who opens a link makes of it (SPEC §9,
// Invites, and §14).
//
// An invite is four things: the offer in the owner's evals, with m; the record at every member, with the masked share; the link, with
// the seed, at one person; and m at the other owners. None of them alone gives a share. The functions here take the members of a root
// and evals, and return the next ones with what is to be said; they keep nothing.
package invites
