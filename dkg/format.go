package dkg

import "github.com/trefoil-im/trefoil/internal/ed448"

// Numbers of the format.
const (
	// Kinds: how an index was handed out. Held is by the dealing itself, to the founder, or in a rekey to those who stay; the
	// others are those of invites: in a link for one person, behind a public link, to a known person.
	Held    Kind = 1
	Private Kind = 2
	Public  Kind = 3
	Direct  Kind = 4

	// Statuses: an index without a record is Free; Issued was handed out and not seen in use; with Redeemed somebody joined;
	// Revoked was taken back before somebody joined with it.
	Free     Status = 0
	Issued   Status = 1
	Redeemed Status = 2
	Revoked  Status = 3

	// DefaultDepth and MaxDepth are numbers of bits of an index: under depth d indices are less than 2^d. MaxIndex is the
	// largest index under any depth.
	DefaultDepth       = 14
	MaxDepth           = 20
	MaxIndex     Index = 1<<MaxDepth - 1

	// DefaultCapacity is how many evals a dealer has unless it chooses otherwise; the most is 2^depth - 1.
	DefaultCapacity = 10_000

	// ShareSize is the size of an encoded share in bytes: index, then scalar. CommitmentSize is that of a commitment: C0, then
	// C1.
	ShareSize      = 4 + ed448.ScalarSize
	CommitmentSize = 2 * ed448.PointSize
)
