package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Limits of the wire formats (§2), checked before anything is allocated. They are part of the format: what is beyond one of
// them is malformed at every member, so raising one needs a new version.
const (
	// MaxPlaintext is the longest plaintext of a message: files belong beside the conversation, under a key that a message
	// carries.
	MaxPlaintext = 64 << 10

	// MaxApplicationData is the longest application data of a profile, and MaxTitle the longest title: a name and the hash
	// of a picture.
	MaxApplicationData = 1 << 10
	MaxTitle           = 1 << 10

	// MaxCertificate, MaxBinding and MaxRest are about twice what the longest honest ones take, with Ed448.
	MaxCertificate = 256
	MaxBinding     = 512
	MaxRest        = 2 << 10

	// MaxIntroduction is room for the three and a hybrid inbox key.
	MaxIntroduction = 5 << 10

	// MaxIntroduced is the number of introductions of others in a message, and MaxShown that of requests that were answered:
	// whoever let in more says them in its next messages.
	MaxIntroduced = 8
	MaxShown      = 8

	// MaxSealedCommit is above the 992 bytes of a commit with Ed448 keys, certificate and binding.
	MaxSealedCommit = 1 << 10

	// MaxWays and MaxCommits are the lines and commits of one message: what one frame may cost in trials.
	MaxWays    = 8
	MaxCommits = 255

	// MaxRequest is room for an introduction, a ticket key and a signature.
	MaxRequest = 8 << 10

	// DefaultMaxFrame is the longest frame that is sent, unless the caller knows that its transport takes more or less. What
	// it takes is from SmallestMaxFrame to LargestMaxFrame; a longer frame is malformed.
	DefaultMaxFrame  = 1 << 20
	SmallestMaxFrame = 32 << 10
	LargestMaxFrame  = 8 << 20

	// MaxParts is the number of parts of one set: 6 MB at the smallest frame, of which the list of hashes takes up to 8 KiB.
	MaxParts = 255

	// MaxTicketBody bounds the body of a ticket and the whole of a rekey: 1,000 members with everything come to 0.4 and
	// 1.4 MB.
	MaxTicketBody = 4 << 20
	MaxRekey      = 4 << 20

	// MaxTicketEpochs is the number of epochs in a ticket: the preferred one, its 4 nearest ancestors, and 64 others.
	MaxTicketEpochs = 5 + 64

	// MaxReturned is the number of commits of the asker's index that a ticket returns. An honest member loses one or two.
	MaxReturned = 64

	// MaxTicketRecords is the number of open records in a ticket, which is that of a space, and MaxUsedRecords the length of
	// all used ones.
	MaxTicketRecords = 256
	MaxUsedRecords   = 64 << 10

	// What a ticket says of members that the notice does not list, besides makers of its epochs; in bytes. They are room for
	// 1,300 members, 2,000 profiles and 1,600 inbox keys.
	MaxTicketBindings = 512 << 10
	MaxTicketRests    = 256 << 10
	MaxTicketInboxes  = 2 << 20

	// MaxTicketStatements bounds statements of kinds leave, revoke, bind, close and role in a ticket, and MaxTicketTitles
	// titles, in bytes. Those that decide who is a member are left out last.
	MaxTicketStatements = 1 << 20
	MaxTicketTitles     = 64 << 10

	// MaxOwners is the number of owners, and so of verifications that a forged signature of an owner can cost.
	MaxOwners = 16

	// MaxRoles is the number of members to whom owners gave rights in a root.
	MaxRoles = 64

	// MaxRoster bounds a roster, and MaxBitmap a set of indices, of which there are 2^20.
	MaxRoster = 2 << 20
	MaxBitmap = 1 << dkg.MaxDepth / 8

	// MaxRevoked is the number of indices in a revoke statement and MaxMaskBoxes that of boxes in an invite statement: 16 KiB
	// each, so that they fit the smallest frame. More go in further statements.
	MaxRevoked   = 4096
	MaxMaskBoxes = 12

	// MaxGeneration bounds generations, wherever they stand, so that what is counted on from there cannot overflow.
	MaxGeneration = 1 << 48

	// MinDepth is the smallest depth of the trees of a root: a block of chains is 16 indices.
	MinDepth = 4

	// MaxCapabilities is the number of features that a profile names.
	MaxCapabilities = 64
)

// Sizes that follow from others.
const (
	maxOwnerList = 8 + 8 + 1 + MaxOwners*(2+suite.MaxPublicKey) + 2 + suite.MaxSignature
	maxTemplate  = 1 + 2 + maxOwnerList + policySize + 8 + 2*ed448.PointSize + 1 + suite.KeySize
	maxNotice    = commonSize + 32 + 2*(4+MaxBitmap) + 2 + maxOwnerList + 1 + 2 + suite.MaxSignature
	maxUpdate    = 4 + 4 + 2 + suite.MaxKEMKey + 2 + suite.MaxSignature
	maxOpened    = MaxSealedCommit - suite.AEADOverhead
	maxCommit    = coreSize + 32 + 2 + suite.MaxSignature
	maxRole      = 32 + 1 + 4 + 2 + suite.MaxPublicKey + 1 + 2 + suite.MaxSignature
	maxRevoke    = 1 + 32 + 32 + 1 + 2 + maxRole + 4 + 4*MaxRevoked + 2 + suite.MaxSignature
	maxCurrent   = 32 + 8 + 2 + suite.MaxSignature
	maxShare     = ed448.ScalarSize + suite.MaxOverhead // a share in a box
	maxRekeyBox  = ed448.ScalarSize + 2*suite.KeySize + suite.MaxOverhead
)
