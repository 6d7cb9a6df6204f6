// Package pprf is the puncturable PRF of the Trefoil ratchet (SPEC §6): a GGM tree whose leaves can be evaluated once.
//
// A Frontier is the tree; a CommitTree is one whose leaves are the children of an epoch. Both are immutable values.
package pprf
