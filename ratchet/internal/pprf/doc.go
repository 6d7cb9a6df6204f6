// Package pprf is the puncturable PRF of the Trefoil ratchet (SPEC §6): a GGM tree whose leaves can be evaluated once.
//
// A Frontier is the tree, Told one as tickets told it. Both are immutable values.
package pprf
